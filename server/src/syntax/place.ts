/**
 * Places in a text, made fit to show.
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
