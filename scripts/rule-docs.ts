/**
 * Writes docs/rules: a page for every rule and an index, from the rules themselves.
 *
 * `npx tsx scripts/rule-docs.ts` writes; with `--check` it only says which pages are out of date, and fails if any is.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { analyse } from "#server/analysis.ts";
import { dialectTitle } from "#server/dialects/dialect.ts";
import { Prover } from "#server/fixes/prove.ts";
import { rules } from "#server/rules/index.ts";
import { examplesOf, pages, type ShownExample } from "#server/rules/pages.ts";
import type { Rule } from "#server/rules/rule.ts";
import type { FindingCode } from "#shared/ops/finding.ts";

const folder = new URL("../docs/rules/", import.meta.url);
const HEADER =
  "<!-- Generated from server/src/rules by `npx tsx scripts/rule-docs.ts`: edit the rule, not this page. -->";

const all = Object.values(rules) as readonly Rule<any>[];

/** The pages by file name. */
export function rulePages(): ReadonlyMap<string, string> {
  return new Map([["README.md", indexPage()], ...all.map((rule) => [`${rule.code}.md`, rulePage(rule)] as const)]);
}

function indexPage(): string {
  const rows = all.map((rule) => `| [${rule.code}](${rule.code}.md) | ${severityOf(rule)} | ${rule.summary} |`);
  return `${HEADER}

# Rules

What ConvLint reports, by code. An error is what every framework of the file's format refuses; a remainder or a leftover that
they accept is a warning at most.

| Code | Severity | |
|---|---|---|
${rows.join("\n")}
`;
}

function rulePage(rule: Rule<any>): string {
  const page = pages[rule.code as FindingCode];
  return `${HEADER}

# ${rule.code}

${rule.summary}

**Severity:** ${severityOf(rule)}

${page.docs.trim()}

${examplesOf(page)
  .map((example) => exampleSection(example, rule))
  .join("\n")}`;
}

function severityOf(rule: Rule<any>): string {
  return rule.grade ? `${rule.severity}, or less where it harms less` : rule.severity;
}

function exampleSection(example: ShownExample, rule: Rule<any>): string {
  const { dialect, bad, good, file } = example;
  const block = (text: string) => `\`\`\`${file.endsWith(".json") ? "json" : "yaml"}\n${text.trimEnd()}\n\`\`\``;
  return `## ${dialectTitle(dialect)}

Bad:

${block(bad)}

${problemsOf(example, rule).join("\n")}

Good:

${block(good)}
`;
}

/** Each problem with the fixes that are offered for it. */
function problemsOf({ bad, file }: ShownExample, { code, optional }: Rule<any>): string[] {
  const options = { rules: optional ? { [code]: pages[code as FindingCode].setting ?? {} } : {} };
  const reanalyse = (text: string) => analyse(text, file, options);
  const analysis = reanalyse(bad);
  if (!analysis) return [];
  const prover = new Prover(analysis, reanalyse);
  return analysis.diagnostics.map((diagnostic) => {
    const { severity, message, range } = diagnostic;
    const line = bad.slice(0, range.start).split("\n").length;
    const fixes = prover
      .fixesOf(diagnostic)
      .map(({ title, safe }) => `> - fix${safe ? "" : " (unsafe)"}: \`${title}\``);
    return [`> line ${line}: ${severity}: ${message}`, ...(fixes.length > 0 ? [">", ...fixes] : [])].join("\n");
  });
}

/** The names of pages whose files differ from what the rules say, or that no rule has. */
export function outdatedPages(): string[] {
  const made = rulePages();
  const outdated = [...made].filter(([name, text]) => read(name) !== text).map(([name]) => name);
  return [...outdated, ...existing().filter((name) => !made.has(name))];
}

function existing(): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function read(name: string): string | null {
  return existing().includes(name) ? readFileSync(new URL(name, folder), "utf8") : null;
}

function main(): void {
  if (process.argv.includes("--check")) {
    const outdated = outdatedPages();
    if (outdated.length > 0) {
      console.error(`out of date: ${outdated.join(", ")}. Run npx tsx scripts/rule-docs.ts.`);
      process.exitCode = 1;
    }
    return;
  }
  const made = rulePages();
  mkdirSync(folder, { recursive: true });
  for (const name of existing()) if (!made.has(name)) rmSync(new URL(name, folder));
  for (const [name, text] of made) writeFileSync(new URL(name, folder), text);
  console.log(`${made.size} pages in docs/rules`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main();
