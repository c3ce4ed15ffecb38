/**
 * `convlint check`: reads files, analyses each as the editor does, and writes what it found.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Analysis, analyse, type Options } from "../analysis.ts";
import { findFiles, shownPath } from "./files.ts";
import { conciseLine, framed, summary } from "./frame.ts";
import { Lines } from "./positions.ts";
import { type FileReport, fileReport } from "./report.ts";
import { harmless, type Paint } from "./style.ts";
import { tableText } from "./table.ts";

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

/** Checks every file a request names, in the order of their paths; never throws on what files hold. */
export function check(request: CheckRequest, paint: Paint): CheckResult {
  const { cwd, stdin } = request;
  const found = findFiles(
    request.paths.filter((path) => path !== "-"),
    cwd,
  );
  const sources: Source[] = found.candidates.map(({ file, path, named }) => ({
    path,
    named,
    read: () => readFileSync(file, "utf8"),
  }));
  if (stdin) sources.push({ path: shownPath(resolve(cwd, stdin.filename), cwd), named: true, read: () => stdin.text });
  sources.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));

  const notes = [...found.problems];
  let misuse = found.problems.length > 0;
  const reports: FileReport[] = [];
  let output = "";
  for (const { path, named, read } of sources) {
    let text: string;
    try {
      text = read().replace(/^\uFEFF/, "");
    } catch (error) {
      notes.push(`${path}: the file cannot be read (${(error as Error).message})`);
      misuse = true;
      continue;
    }
    const analysis = analyse(text, path, request.options);
    if (analysis) {
      const report = fileReport(path, analysis);
      reports.push(report);
      if (request.format !== "json") output += fileText(report, analysis, request, paint);
    } else if (named) notes.push(`${path}: not a model file, nothing to check`);
  }
  if (reports.length === 0 && notes.length === 0) notes.push("no model files found");
  if (request.format === "json") output = `${JSON.stringify({ version: 1, files: reports })}\n`;
  if (request.format === "full" && reports.length > 0) output += `${summary(reports, paint)}\n`;
  return {
    output,
    notes: notes.map(harmless),
    misuse,
    errors: reports.reduce((sum, { totals }) => sum + totals.errors, 0),
  };
}

interface Source {
  /** As shown. */
  readonly path: string;
  readonly named: boolean;
  read(): string;
}

function fileText(report: FileReport, analysis: Analysis, { format, table }: CheckRequest, paint: Paint): string {
  let text = table ? `${paint("bold", harmless(report.path))}\n\n${tableText(analysis, paint)}\n\n` : "";
  const lines = new Lines(analysis.text);
  for (const problem of report.problems) {
    if (format === "concise") text += `${conciseLine(report.path, problem, paint)}\n`;
    else text += `${framed(report.path, problem, lines, paint)}\n\n`;
  }
  return text;
}
