/**
 * `convlint check`: reads files, analyses each as the editor does, and writes what it found.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { analyse, type Options } from "../analysis.ts";
import { findFiles, shownPath } from "./files.ts";
import { conciseLine, framed, summary } from "./frame.ts";
import { Lines } from "./positions.ts";
import { type FileReport, fileReport } from "./report.ts";
import { harmless, type Paint } from "./style.ts";
import { layerTable } from "./table.ts";

export type Format = "full" | "concise" | "json";

export interface CheckRequest {
  /** Files, folders and globs; `-` is skipped here, see `stdin`. */
  readonly paths: readonly string[];
  readonly format: Format;
  readonly table: boolean;
  /** What `-` stands for; the name's ending decides between YAML and JSON. null where the paths name no `-`. */
  readonly stdin: { readonly text: string; readonly filename: string } | null;
  readonly options: Options;
  /** Absolute. */
  readonly cwd: string;
}

export interface CheckResult {
  /** For standard output. */
  readonly output: string;
  /** For standard error: what could not be read or is no model, a line each. */
  readonly notes: readonly string[];
  /** Something the user named could not be checked. */
  readonly misuse: boolean;
  readonly errors: number;
}

interface Checked {
  readonly text: string;
  readonly report: FileReport;
}

/** Checks every file a request names; never throws on what files hold. */
export function check(request: CheckRequest, paint: Paint): CheckResult {
  const { cwd } = request;
  const found = findFiles(
    request.paths.filter((path) => path !== "-"),
    cwd,
  );
  const notes = [...found.problems];
  let misuse = found.problems.length > 0;
  const checked: Checked[] = [];
  const add = (content: string, path: string, named: boolean) => {
    const text = content.replace(/^\uFEFF/, "");
    const analysis = analyse(text, path, request.options);
    if (analysis) checked.push({ text, report: fileReport(path, analysis) });
    else if (named) notes.push(`${path}: not a model file, nothing to check`);
  };
  for (const { file, path, named } of found.candidates) {
    try {
      add(readFileSync(file, "utf8"), path, named);
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      notes.push(`${path}: the file cannot be read (${error.message})`);
      misuse = true;
    }
  }
  if (request.stdin) add(request.stdin.text, shownPath(resolve(cwd, request.stdin.filename), cwd), true);
  checked.sort((a, b) => (a.report.path < b.report.path ? -1 : a.report.path > b.report.path ? 1 : 0));
  if (checked.length === 0 && notes.length === 0) notes.push("no model files found");
  return {
    output: write(checked, request, paint),
    notes: notes.map(harmless),
    misuse,
    errors: checked.reduce((sum, { report }) => sum + report.totals.errors, 0),
  };
}

function write(checked: readonly Checked[], { format, table }: CheckRequest, paint: Paint): string {
  const files = checked.map(({ report }) => report);
  if (format === "json") return `${JSON.stringify({ version: 1, files })}\n`;
  let out = "";
  for (const { text, report } of checked) {
    if (table) out += `${paint("bold", harmless(report.path))}\n\n${layerTable(report, paint)}\n\n`;
    if (format === "concise") {
      for (const problem of report.problems) out += `${conciseLine(report.path, problem, paint)}\n`;
    } else if (report.problems.length > 0) {
      const lines = new Lines(text);
      for (const problem of report.problems) out += `${framed(report.path, problem, lines, paint)}\n\n`;
    }
  }
  return format === "full" && files.length > 0 ? `${out}${summary(files, paint)}\n` : out;
}
