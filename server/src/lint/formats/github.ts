/**
 * Annotations on a pull request: the workflow commands that GitHub Actions reads from a step's output.
 */
import type { ProblemReport } from "../report.ts";
import { type Format, grade } from "./format.ts";

export const github: Format = {
  name: "github",
  summary: "annotations in GitHub Actions",
  layers: false,
  fixes: false,
  forPeople: false,
  begin: () => ({
    header: "",
    file: ({ report }) => report.problems.map((problem) => `${command(report.path, problem)}\n`).join(""),
    footer: () => "",
  }),
};

function command(path: string, { severity, code, message, range: { start, end } }: ProblemReport): string {
  // GitHub takes columns only for a problem within one line.
  const columns = start.line === end.line ? { col: start.column, endColumn: end.column } : {};
  const properties = { file: path, line: start.line, endLine: end.line, ...columns, title: `convlint (${code})` };
  const written = Object.entries(properties).map(([name, value]) => `${name}=${escaped(String(value), /[%\r\n:,]/g)}`);
  const level = grade(severity, { error: "error", warning: "warning", note: "notice" });
  return `::${level} ${written.join(",")}::${escaped(message, /[%\r\n]/g)}`;
}

function escaped(text: string, special: RegExp): string {
  return text.replace(
    special,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
