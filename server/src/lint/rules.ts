/**
 * `convlint rule`: the documentation of the diagnostics, from the rules themselves.
 */

import { rules } from "../rules/index.ts";
import { didYouMean } from "../rules/nearest.ts";
import type { Rule } from "../rules/rule.ts";
import { type Command, Misuse } from "./arguments.ts";
import { padTo } from "./style.ts";

const HELP = `Usage: convlint rule [code]

Prints what a problem's code means, why it matters, and a bad and a good example; without a code, the list of codes.
`;

export const ruleCommand: Command = {
  summary: "what a problem's code means, with a bad and a good example; without a code, the list",
  help: HELP,
  options: {},
  run({ paths }) {
    if (paths.length > 1) throw new Misuse("one code at a time. See convlint rule --help.");
    const code = paths[0];
    const text = code === undefined ? listRules() : ruleText(code);
    if (text === null) {
      throw new Misuse(`unknown rule ${code}.${didYouMean(code!, Object.keys(rules))} See convlint rule for the list.`);
    }
    process.stdout.write(text);
    return 0;
  },
};

/** Every code with its severity and one line, as a table. */
function listRules(): string {
  const all = Object.values(rules) as readonly Rule<any>[];
  const width = Math.max(...all.map((rule) => rule.code.length));
  return all.map((rule) => `${padTo(rule.code, width)}  ${padTo(rule.severity, 11)}  ${rule.summary}\n`).join("");
}

/** A rule's page as Markdown, or null where there is no such code. */
function ruleText(code: string): string | null {
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
