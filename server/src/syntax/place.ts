/**
 * Places in a text: made fit to show, and how deep the text nests there.
 */
import type { Range } from "#shared/ops/finding.ts";

/** How much of a word or line is shown as the place of a problem. */
const LONGEST_SHOWN = 200;

/** Where the line begins that the offset stands on. */
export function startOfLine(text: string, at: number): number {
  return at <= 0 ? 0 : Math.max(text.lastIndexOf("\n", at - 1), text.lastIndexOf("\r", at - 1)) + 1;
}

/**
 * A place as a parser tells it, made fit to show: within the text, on one line, and not empty but in an empty text. A tab is
 * shown as such; another blank moves to the word that follows on its line, else to the one before.
 */
export function narrow(text: string, from: number, to: number): Range {
  const start = Math.min(Math.max(from, 0), text.length);
  const tab = text.slice(start, to).search(/^[ \t]*\t/) < 0 ? -1 : text.indexOf("\t", start);
  if (tab >= 0) return { start: tab, end: tab + 1 };
  const [blanks, word] = /^([ \t]*)(\S*)/.exec(text.slice(start, start + LONGEST_SHOWN))!.slice(1) as [string, string];
  if (word !== "") {
    const begin = start + blanks.length;
    const [name] = /^[\w$.-]*/.exec(word)!;
    const [line] = /^[^\r\n]*/.exec(text.slice(start, Math.max(to, start)))!;
    return { start: begin, end: Math.max(start + line.trimEnd().length, begin + (name.length || 1)) };
  }
  let end = start;
  while (end > 0 && /\s/.test(text[end - 1]!)) end--;
  let begin = end;
  while (begin > 0 && end - begin < LONGEST_SHOWN && !/\s/.test(text[begin - 1]!)) begin--;
  return begin < end ? { start: begin, end } : { start: 0, end: Math.min(1, text.length) };
}

/**
 * Where a text nests deeper than `limit`, or null: what the recovering parser must not be given, for it recurses. Counts
 * brackets outside comments, and the columns where block items begin, so it can only count too much, never too little.
 */
export function deeperThan(text: string, limit: number): number | null {
  const columns: number[] = [];
  let brackets = 0;
  let lineStart = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x0a || char === 0x0d) {
      lineStart = at + 1;
    } else if (char === 0x5b || char === 0x7b) {
      if (++brackets > limit) return at;
    } else if (char === 0x5d || char === 0x7d) {
      if (brackets > 0) brackets--;
    } else if (char === 0x23) {
      if (at === 0 || /\s/.test(text[at - 1]!)) at = text.slice(at).search(/[\r\n]|$/) + at - 1;
    } else if (char !== 0x20 && char !== 0x09 && opensBlock(text, at, lineStart)) {
      const column = at - lineStart;
      while (columns.length > 0 && columns[columns.length - 1]! > column) columns.pop();
      if (columns[columns.length - 1] !== column) columns.push(column);
      if (columns.length > limit) return at;
    }
  }
  return null;
}

/** Whether a block may begin here: first on its line, or after `- `, `? ` or `: `. */
function opensBlock(text: string, at: number, lineStart: number): boolean {
  let before = at - 1;
  while (before >= lineStart && (text[before] === " " || text[before] === "\t")) before--;
  if (before < lineStart) return true;
  return before < at - 1 && /[-?:]/.test(text[before]!);
}
