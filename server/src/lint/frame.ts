/**
 * Problems for people: the place, the message, and the line of the file with the part at fault underlined.
 */
import type { Severity } from "../rules/rule.ts";
import type { Lines } from "./positions.ts";
import type { FileReport, ProblemReport, Span } from "./report.ts";
import { type Colour, columns, harmless, type Paint } from "./style.ts";

const COLOURS: Record<Severity, Colour> = { error: "red", warning: "yellow", information: "cyan", hint: "gray" };

/** Longer lines (JSON on one line, say) are shown around the problem only. */
const MAX_WIDTH = 120;

/** `path:line:column: error[code]: message`, one line, for other tools to read. */
export function conciseLine(path: string, problem: ProblemReport, paint: Paint): string {
  const { line, column } = problem.range.start;
  return `${paint("bold", harmless(path))}:${line}:${column}: ${label(problem, paint)} ${harmless(problem.message)}`;
}

/** The message with its code frame, and below it the related places. Ends without a line break. */
export function framed(path: string, problem: ProblemReport, lines: Lines, paint: Paint): string {
  const { start } = problem.range;
  const margin = " ".repeat(String(start.line).length);
  const bar = paint("blue", "│");
  const { text, caret } = excerpt(problem.range, lines);
  const out = [
    `${label(problem, paint)} ${paint("bold", harmless(problem.message))}`,
    `${margin} ${paint("blue", "╭─")} ${harmless(path)}:${start.line}:${start.column}`,
    `${paint("blue", String(start.line))} ${bar} ${text}`,
    `${margin} ${bar} ${paint([COLOURS[problem.severity], "bold"], caret)}`,
  ];
  for (const related of problem.related) {
    const at = related.range.start;
    out.push(
      `${margin} ${paint("blue", "=")} ${harmless(related.message)} (${harmless(path)}:${at.line}:${at.column})`,
    );
  }
  for (const fix of problem.fixes) out.push(`${margin} ${paint("blue", "=")} fix: ${harmless(fix.title)}`);
  return out.join("\n");
}

function label({ severity, code }: ProblemReport, paint: Paint): string {
  return `${paint([COLOURS[severity], "bold"], `${severity}[${code}]`)}:`;
}

/** The first line of a range with carets below it; tabs become two blanks so that both line up. */
function excerpt(range: Span, lines: Lines): { readonly text: string; readonly caret: string } {
  const line = lines.line(range.start.line);
  const start = range.start.column - 1;
  const end = range.end.line === range.start.line ? range.end.column - 1 : line.length;
  const show = (text: string) => harmless(text.replaceAll("\t", "  "));
  let before = show(line.slice(0, start));
  let marked = show(line.slice(start, end));
  let after = show(line.slice(end));
  if (before.length > MAX_WIDTH / 2) before = `…${[...before].slice(-MAX_WIDTH / 2).join("")}`;
  if (marked.length > MAX_WIDTH) marked = `${[...marked].slice(0, MAX_WIDTH).join("")}…`;
  const room = Math.max(0, MAX_WIDTH - before.length - marked.length);
  if (after.length > room) after = `${[...after].slice(0, room).join("")}…`;
  return {
    text: `${before}${marked}${after}`.trimEnd(),
    caret: " ".repeat(columns(before)) + "^".repeat(Math.max(1, columns(marked))),
  };
}

/** What the whole run found, in one line. */
export function summary(files: readonly FileReport[], paint: Paint): string {
  const sum = (of: "errors" | "warnings" | "information" | "hints") =>
    files.reduce((total, file) => total + file.totals[of], 0);
  const parts = [
    counted(sum("errors"), "error"),
    counted(sum("warnings"), "warning"),
    counted(sum("information") + sum("hints"), "note"),
  ].filter((part) => part !== "");
  const checked = `${files.length} model file${files.length === 1 ? "" : "s"} checked`;
  if (parts.length === 0) return paint("green", `${checked}, no problems`);
  return paint(sum("errors") > 0 ? "red" : sum("warnings") > 0 ? "yellow" : "green", `${checked}: ${parts.join(", ")}`);
}

function counted(count: number, what: string): string {
  return count === 0 ? "" : `${count} ${what}${count === 1 ? "" : "s"}`;
}
