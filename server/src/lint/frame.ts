/**
 * Problems for people: the place, the message, and the line of the file with the part at fault underlined.
 */

import { rules } from "../rules/index.ts";
import type { Severity } from "../rules/rule.ts";
import type { Tally } from "./formats/format.ts";
import type { Span } from "./positions.ts";
import type { ProblemReport, SourceLines } from "./report.ts";
import { type Colour, columns, harmless, type Paint, padTo } from "./style.ts";

const COLOURS: Record<Severity, Colour> = { error: "red", warning: "yellow", information: "cyan", hint: "gray" };

/** More would hide the problem. */
const MAX_FIXES = 3;

/** Longer lines (JSON on one line, say) are shown around the problem only. */
const MAX_WIDTH = 120;

/** `path:line:column: error[code]: message`, one line, for other tools to read. */
export function conciseLine(path: string, problem: ProblemReport, paint: Paint): string {
  const { line, column } = problem.range.start;
  return `${paint("bold", harmless(path))}:${line}:${column}: ${label(problem, paint)} ${harmless(problem.message)}`;
}

/** The message with its code frame, and below it the related places. Ends without a line break. */
export function framed(path: string, problem: ProblemReport, lines: SourceLines, paint: Paint): string {
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
  for (const { title, safe } of problem.fixes.slice(0, MAX_FIXES)) {
    out.push(`${margin} ${paint("blue", "=")} ${safe ? "fix" : "fix (unsafe)"}: ${harmless(title)}`);
  }
  return out.join("\n");
}

function label({ severity, code }: ProblemReport, paint: Paint): string {
  return `${paint([COLOURS[severity], "bold"], `${severity}[${code}]`)}:`;
}

/** The first line of a range with carets below it; tabs become two blanks so that both line up. */
function excerpt(range: Span, lines: SourceLines): { readonly text: string; readonly caret: string } {
  const line = lines[range.start.line] ?? "";
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
export function summary({ files, severities, fixed, fixable }: Tally, paint: Paint): string {
  const { error, warning, information, hint } = severities;
  const parts = [counted(error, "error"), counted(warning, "warning"), counted(information + hint, "note")].filter(
    (part) => part !== "",
  );
  const mended = fixed === 0 ? "" : `, ${counted(fixed, "problem")} fixed`;
  const checked = `${files} model file${files === 1 ? "" : "s"} checked${mended}`;
  if (parts.length === 0) return paint("green", `${checked}, ${fixed === 0 ? "no problems" : "none left"}`);
  const found = paint(error > 0 ? "red" : warning > 0 ? "yellow" : "green", `${checked}: ${parts.join(", ")}`);
  const { safe, unsafe } = fixable;
  const fixes = [safe > 0 ? `${safe} with --fix` : "", unsafe > 0 ? `${unsafe} with --fix --unsafe-fixes` : ""];
  return `${found}${safe + unsafe > 0 ? ` (fixable: ${fixes.filter((part) => part !== "").join(", ")})` : ""}`;
}

/** How many problems of each code, the most frequent first. */
export function statisticsText({ codes }: Tally, paint: Paint): string {
  const sorted = [...codes].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const width = Math.max(0, ...sorted.map(([, count]) => String(count).length));
  const codeWidth = Math.max(0, ...sorted.map(([code]) => code.length));
  const lines = sorted.map(
    ([code, count]) =>
      `${padTo(String(count), width, "left")}  ${paint("bold", padTo(code, codeWidth))}  ${rules[code].summary}\n`,
  );
  return lines.length > 0 ? `${lines.join("")}\n` : "";
}

function counted(count: number, what: string): string {
  return count === 0 ? "" : `${count} ${what}${count === 1 ? "" : "s"}`;
}
