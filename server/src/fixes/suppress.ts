/**
 * Suppression comments as edits: a new one for a problem, and an idle one taken out. What they mean is in suppressions.ts.
 */
import type { Range } from "#shared/ops/finding.ts";
import type { Analysis } from "../analysis.ts";
import type { Diagnostic } from "../rules/rule.ts";
import { endOfLine, indentAt, lineEndOf, removeComment, type TextEdit } from "../syntax/edit.ts";
import { startOfLine } from "../syntax/place.ts";
import type { Comment } from "../syntax/tree.ts";

/** Adds `# convlint: ignore[code]` to the line where the diagnostic begins; null where the format has no comments. */
export function suppression({ code, range }: Diagnostic, analysis: Analysis, path: string): readonly TextEdit[] | null {
  const { text, parsed } = analysis;
  if (/\.json$/i.test(path)) return null;
  const mark = parsed.language === "json" ? "//" : "#";
  const line = { start: startOfLine(text, range.start), end: endOfLine(text, range.start) };
  const comment = parsed.comments.find(({ range: at }) => at.start >= range.start && at.start < line.end);
  if (!comment) {
    const blank = /\s$/.test(text.slice(line.start, line.end)) ? "" : "  ";
    return insertion(line.end, `${blank}${mark} convlint: ignore[${code}]`);
  }
  const listed = /\bconvlint:\s*ignore\[[^\]\n]*(?=\])/.exec(text.slice(comment.range.start, comment.range.end));
  if (listed) return insertion(comment.range.start + listed.index + listed[0].length, `, ${code}`);
  const indent = indentAt(text, line.start + text.slice(line.start, line.end).search(/\S/));
  return insertion(line.start, `${indent}${mark} convlint: ignore-next-line[${code}]${lineEndOf(text)}`);
}

function insertion(at: number, newText: string): readonly TextEdit[] {
  return [{ range: { start: at, end: at }, newText }];
}

const DIRECTIVE = /\s*[a-z-]+(?:\[[^\]\n]*\]?)?/y;

/** A comment without one directive, or without one code of it; the whole comment where nothing else is asked for in it. */
export function withoutDirective(comment: Comment, at: Range, { text }: Pick<Analysis, "text">): readonly TextEdit[] {
  const { start, end } = comment.range;
  const open = text.lastIndexOf("[", at.start);
  const close = text.indexOf("]", at.end);
  const isCode = open >= start && !text.slice(open, at.start).includes("]") && close >= 0 && close < end;
  if (isCode) {
    const before = text.slice(open + 1, at.start);
    const after = text.slice(at.end, close);
    if (/\w/.test(before)) return [removal(open + 1 + before.trimEnd().replace(/,$/, "").length, at.end)];
    if (/\w/.test(after)) return [removal(at.start, at.end + /^[\s,]*/.exec(after)![0].length)];
  }
  // The directive from its first letter to its bracket.
  const word = isCode ? open - /[a-z-]*$/.exec(text.slice(start, open))![0].length : at.start;
  DIRECTIVE.lastIndex = word;
  const rest = DIRECTIVE.exec(text)?.[0].length ?? at.end - word;
  const others = `${text.slice(start, word)} ${text.slice(word + rest, end)}`;
  if (!/\b(?:ignore[a-z-]*|[a-z]+=\S)/.test(others)) return removeComment(text, comment);
  const blanks = /\s*$/.exec(text.slice(start, word))![0].length;
  return [removal(word - (word + rest < end ? 0 : blanks), word + rest + (word + rest < end ? 1 : 0))];
}

function removal(start: number, end: number): TextEdit {
  return { range: { start, end }, newText: "" };
}
