/** For the comment on a pull request: a line that sums up, and a table of problems for each file that has some. */

import type { FindingCode } from "#shared/ops/finding.ts";
import { literal } from "../../features/markdown.ts";
import { docsUrl } from "../../rules/index.ts";
import { summary } from "../frame.ts";
import type { CheckedFile, ProblemReport } from "../report.ts";
import { tableMarkdown } from "../table.ts";
import type { Format } from "./format.ts";

const SIGNS = { error: "❌", warning: "⚠️", information: "ℹ️", hint: "💡" } as const;

export const markdown: Format = {
  name: "markdown",
  summary: "tables, for the comment on a pull request",
  layers: false,
  fixes: false,
  forPeople: true,
  begin: ({ statistics }) => ({
    header: "## ConvLint\n\n",
    file(checked) {
      const { path, problems } = checked.report;
      if (problems.length === 0 && !checked.table) return "";
      return `### ${literal(path)}\n\n${layers(checked)}${problems.length > 0 ? `${table(problems)}\n` : ""}`;
    },
    footer(tally) {
      const counts = [...tally.codes]
        .sort(([, a], [, b]) => b - a)
        .map(([code, count]) => `- ${count} × ${link(code)}`);
      const listed = statistics && counts.length > 0 ? `${counts.join("\n")}\n\n` : "";
      return tally.files === 0
        ? "No model files.\n"
        : `${listed}${summary({ ...tally, fixable: { safe: 0, unsafe: 0 } }, (_, text) => text)}.\n`;
    },
  }),
};

function table(problems: readonly ProblemReport[]): string {
  const rows = problems.map(
    ({ code, severity, message, range: { start } }) =>
      `| ${SIGNS[severity]} | ${start.line}:${start.column} | ${literal(message)} | ${link(code)} |\n`,
  );
  return `| | place | problem | rule |\n| --- | --- | --- | --- |\n${rows.join("")}`;
}

function layers({ table: cells }: CheckedFile): string {
  return cells ? `<details><summary>layers</summary>\n\n${tableMarkdown(cells)}\n</details>\n\n` : "";
}

function link(code: FindingCode): string {
  return `[${code}](${docsUrl(code)})`;
}
