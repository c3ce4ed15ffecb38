/**
 * `convlint rule`: the documentation of the diagnostics, from the rules themselves.
 */

import type { FindingCode } from "#shared/ops/finding.ts";
import { dialectTitle } from "../dialects/dialect.ts";
import { docsUrl, rules } from "../rules/index.ts";
import { didYouMean } from "../rules/nearest.ts";
import type { Options } from "../rules/option.ts";
import { examplesOf, pages } from "../rules/pages.ts";
import type { Rule } from "../rules/rule.ts";
import { type Arguments, type Command, Misuse } from "./arguments.ts";
import { padTo } from "./style.ts";

const HELP = `Usage: convlint rule [options] [code]

Prints what a problem's code means, why it matters, and a bad and a good example in every format where it can occur; without
a code, the list of codes.

  --all                     every rule, one after the other
  --format json             as JSON, for programs
  -h, --help                this text
`;

export const ruleCommand: Command = {
  summary: "what a problem's code means, with a bad and a good example; without a code, the list",
  help: HELP,
  options: { all: { type: "boolean" }, format: { type: "string" } },
  run(args) {
    const asked = readRequest(args);
    const format = args.last("format") ?? "text";
    if (format !== "text" && format !== "json") throw new Misuse(`--format must be text or json, not ${format}.`);
    if (format === "json") process.stdout.write(`${JSON.stringify({ version: 1, rules: asked.rules.map(entryOf) })}\n`);
    else process.stdout.write(asked.whole ? asked.rules.map(ruleText).join("\n") : listRules());
    return 0;
  },
};

const all = Object.values(rules) as readonly Rule<any>[];

/** The rules to print, and whether as whole pages. @throws Misuse */
function readRequest(args: Arguments): { readonly rules: readonly Rule<any>[]; readonly whole: boolean } {
  const [code, ...more] = args.paths;
  if (more.length > 0) throw new Misuse("one code at a time, or --all. See convlint rule --help.");
  if (code === undefined) return { rules: all, whole: args.has("all") };
  if (args.has("all")) throw new Misuse("--all takes no code.");
  const rule = all.find((known) => known.code === code);
  if (rule) return { rules: [rule], whole: true };
  throw new Misuse(`unknown rule ${code}.${didYouMean(code, Object.keys(rules))} See convlint rule for the list.`);
}

/** Every code with its severity and one line, as a table. */
function listRules(): string {
  const width = Math.max(...all.map((rule) => rule.code.length));
  return all.map((rule) => `${padTo(rule.code, width)}  ${padTo(severityOf(rule), 11)}  ${rule.summary}\n`).join("");
}

function severityOf({ severity, optional }: Rule<any>): string {
  return optional ? "off" : severity;
}

/** A rule's page. */
function ruleText(rule: Rule<any>): string {
  const page = pages[rule.code as FindingCode];
  const options = Object.entries((rule.options ?? {}) as Options);
  return `${[
    `# ${rule.code} (${rule.severity}${rule.optional ? ", off unless it is asked for" : ""})`,
    rule.summary,
    page.docs.trim(),
    ...(options.length > 0
      ? [`Options:\n\n${options.map(([name, option]) => `    ${name}: ${option.schema.description}`).join("\n")}`]
      : []),
    ...examplesOf(page).flatMap(({ dialect, bad, good }) => [
      `Bad, ${dialectTitle(dialect)}:\n\n${indented(bad)}`,
      `Good:\n\n${indented(good)}`,
    ]),
  ].join("\n\n")}\n`;
}

function indented(text: string): string {
  return text.trimEnd().replace(/^(?=.)/gm, "    ");
}

/** A rule for programs; within `version` 1 fields are only added. */
function entryOf({ code, severity, optional, options, summary, grade }: Rule<any>) {
  const page = pages[code as FindingCode];
  return {
    code,
    severity,
    mayBeLess: grade !== undefined,
    optional: optional === true,
    summary,
    docs: page.docs.trim(),
    url: docsUrl(code as FindingCode),
    options: Object.entries((options ?? {}) as Options).map(([name, option]) => ({
      name,
      default: option.default,
      schema: option.schema,
    })),
    examples: examplesOf(page),
  };
}
