/**
 * `convlint rule`: the documentation of the diagnostics, from the rules themselves.
 */

import { rules } from "../rules/index.ts";
import type { Rule } from "../rules/rule.ts";
import { padTo } from "./style.ts";

/** Every code with its severity and one line, as a table. */
export function listRules(): string {
  const all = Object.values(rules) as readonly Rule<any>[];
  const width = Math.max(...all.map((rule) => rule.code.length));
  return all.map((rule) => `${padTo(rule.code, width)}  ${padTo(rule.severity, 11)}  ${rule.summary}\n`).join("");
}

/** A rule's page as Markdown, or null where there is no such code. */
export function ruleText(code: string): string | null {
  if (!Object.hasOwn(rules, code)) return null;
  const rule = rules[code as keyof typeof rules] as Rule<any>;
  return `${[
    `# ${rule.code} (${rule.severity})`,
    rule.summary,
    rule.docs.trim(),
    `Bad:\n\n${indented(rule.examples.bad)}`,
    `Good:\n\n${indented(rule.examples.good)}`,
  ].join("\n\n")}\n`;
}

function indented(text: string): string {
  return text.trimEnd().replace(/^(?=.)/gm, "    ");
}
