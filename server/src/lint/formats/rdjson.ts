/**
 * Reviewdog's diagnostic format. Its columns count UTF-8 bytes, unlike those of every other format here.
 */
import { docsUrl } from "../../rules/index.ts";
import type { Position, Span } from "../positions.ts";
import type { CheckedFile, ProblemReport, SourceLines } from "../report.ts";
import { type Format, grade, Separated } from "./format.ts";

export const rdjson: Format = {
  name: "rdjson",
  summary: "reviewdog's diagnostics, with fixes as suggestions",
  layers: false,
  fixes: true,
  forPeople: false,
  begin: () => {
    const diagnostics = new Separated();
    return {
      header: '{"source":{"name":"convlint","url":"https://github.com/convlint/convlint"},"diagnostics":[',
      file: (checked) =>
        diagnostics.next(checked.report.problems.map((problem) => JSON.stringify(diagnostic(problem, checked)))),
      footer: () => "]}\n",
    };
  },
};

function diagnostic({ code, severity, message, range, fixes }: ProblemReport, { report, lines }: CheckedFile) {
  return {
    message,
    location: { path: report.path, range: byteRange(range, lines) },
    severity: grade(severity, { error: "ERROR", warning: "WARNING", note: "INFO" }),
    code: { value: code, url: docsUrl(code) },
    // A suggestion is one replacement; a fix of several edits is none.
    suggestions: fixes.flatMap(({ edits }) =>
      edits.length === 1 ? [{ range: byteRange(edits[0]!.range, lines), text: edits[0]!.newText }] : [],
    ),
  };
}

function byteRange({ start, end }: Span, lines: SourceLines) {
  return { start: bytePosition(start, lines), end: bytePosition(end, lines) };
}

function bytePosition({ line, column }: Position, lines: SourceLines) {
  return { line, column: Buffer.byteLength((lines[line] ?? "").slice(0, column - 1), "utf8") + 1 };
}
