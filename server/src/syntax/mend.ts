/**
 * The mistakes of half-typed YAML, each with what mends it in a copy of the text (copy.ts) and the plain words for it: a
 * bracket or quote never closed, a key without its colon, a missing comma, a tab as indentation, a sign that needs quotes.
 *
 * The parser stops at the first mistake; it is told, mended and the copy is read again (recover.ts).
 */
import type { Mended } from "./copy.ts";
import { narrow, startOfLine } from "./place.ts";
import { type Refused, readYaml } from "./yaml.ts";

/** How much of a line is looked at. Longer ones are not typed by hand. */
const LONGEST_LINE = 4_000;
/** How much before a mistake is looked at, where a value or key ends there. */
const LONGEST_BEFORE = 1000;
/** How far the closing bracket is looked for. */
const LONGEST_FLOW = 100_000;
/** How many lines back an open bracket is looked for. */
const MOST_LINES = 50;

/** Mends and tells a mistake of one kind; false where the parser stopped at something else. */
type Mend = (copy: Mended, why: Refused) => boolean;

/** Mends and tells the mistake at which the parser stopped; false where it is none of those that can be mended. */
export const mend: Mend = (copy, why) => MENDS.some((one) => one(copy, why));

/** In this order: a tab, for one, is refused in many words. */
const MENDS: readonly Mend[] = [
  mendCharacter,
  mendTabs,
  mendBlanks,
  mendProperty,
  mendDirective,
  mendEscape,
  mendUnclosed,
  mendExpressions,
  mendCloser,
  mendStart,
  mendComma,
  mendFlowEntry,
  mendSecondValue,
  mendSpace,
  mendKey,
];

const CANNOT_STAND = "this cannot stand here; remove it, or put the text in quotes";
const NEEDS_COMMA = "a comma is missing before this; add ,";

function mendCharacter(copy: Mended, { reason, at }: Refused): boolean {
  if (!/non-printable|null byte|valid JSON character/.test(reason)) return false;
  copy.tell({ start: at, end: at + 1 }, "this character cannot stand in YAML; remove it");
  copy.blank(at, at + 1, "\uFFFD");
  return true;
}

/**
 * Tabs before the content of a line. Each is taken for one space, which is right where a file is indented by tabs alone;
 * else the lines that begin with one are dropped.
 */
function mendTabs(copy: Mended, { at }: Refused): boolean {
  const { text } = copy;
  const start = startOfLine(text, at);
  const lead = INDENTATION.exec(text.slice(start, start + LONGEST_LINE))![0];
  const tab = lead.indexOf("\t");
  if (tab < 0) return false;
  const spaced = text.replace(new RegExp(INDENTATION, "gm"), (blanks) => blanks.replaceAll("\t", " "));
  const right = "root" in readYaml(spaced);
  // Behind a dash a tab is allowed where no key follows.
  if (!right && lead.lastIndexOf("-", tab) >= 0) return false;
  const message = "YAML is indented with spaces only; replace this tab by spaces";
  copy.tell({ start: start + tab, end: start + tab + 1 }, message);
  copy.replace(right ? spaced : text.replace(/^ *\t[^\r\n]*/gm, (line) => " ".repeat(line.length)));
  return true;
}

/** The blanks and list marks that a line begins with. */
const INDENTATION = /^(?:[ \t]|-(?=[ \t]))*/;

/** Tabs around the values of { } or [ ], which YAML allows and the parser takes for indentation: nothing to tell. */
function mendBlanks(copy: Mended, { reason }: Refused): boolean {
  if (!/deficient indentation/.test(reason)) return false;
  const spaced = copy.text.replace(/^[^\t\r\n]*\t[^\r\n]*[\]}][^\r\n]*$/gm, (line) =>
    line.length > LONGEST_LINE
      ? line
      : line.replace(/\t/g, (tab, index: number) => (scan(line, 0, index).quote === null ? " " : tab)),
  );
  if (spaced === copy.text) return false;
  copy.replace(spaced);
  return true;
}

/** An anchor, alias or tag that is not one, or is one too many. */
function mendProperty(copy: Mended, { reason, at }: Refused): boolean {
  if (!/anchor|alias|\btag\b/.test(reason) || /directive/.test(reason)) return false;
  const { text } = copy;
  let start = /verbatim/.test(reason) ? text.lastIndexOf("!<", at) : at;
  while (start > 0 && !(/[&*!]/.test(text[start] ?? "") && /[\s,[{]/.test(text[start - 1]!))) start--;
  const [word] = /^[&*!]\S*/.exec(text.slice(start, start + LONGEST_LINE)) ?? [];
  if (word === undefined) return false;
  const message = `an anchor, alias or tag is not right here (${reason}); remove or move it`;
  copy.tell({ start, end: start + word.length }, message);
  copy.blank(start, start + word.length);
  return true;
}

function mendDirective(copy: Mended, { reason, at }: Refused): boolean {
  if (!/directive/.test(reason)) return false;
  const { text } = copy;
  // The first line begins after the byte-order mark: before it, a mark would be text of the document.
  const line = Math.max(startOfLine(text, at), text.startsWith("\uFEFF") ? 1 : 0);
  if (/directives end mark/.test(reason)) {
    copy.tell(narrow(text, at, at + 1), "a line --- is missing after the % lines; add it");
    copy.insert([line], "---\n");
    return true;
  }
  const start = text[line] === "%" ? line : lastLineBefore(text, line);
  if (text[start] !== "%") return false;
  copy.tell({ start, end: start + 1 }, "this % line is not one that YAML knows; remove it");
  copy.blank(start, endOfLine(text, start));
  return true;
}

function mendEscape(copy: Mended, { reason, at }: Refused): boolean {
  if (!/escape sequence|hexadecimal/.test(reason)) return false;
  const backslash = copy.text.lastIndexOf("\\", at);
  const message = "this escape is not known; write \\\\ for a backslash, or use single quotes";
  copy.tell({ start: backslash, end: backslash + 1 }, message);
  copy.disarm([backslash]);
  return true;
}

/** A quote or brackets that the lines before `at` leave open: the fewest lines that leave any. */
function mendUnclosed(copy: Mended, { reason, at }: Refused): boolean {
  if (!/deficient indentation|unexpected end of the/.test(reason)) return false;
  const { text } = copy;
  const open = openBefore(text, lastLineBefore(text, at), at);
  if (!open) return false;
  const { quote, brackets, end } = open;
  if (quote !== null) {
    copy.tell({ start: quote, end: quote + 1 }, `this ${text[quote]} is never closed; add ${text[quote]}`);
    copy.blank(quote, quote + 1);
    return true;
  }
  if (!indentWithin(copy, brackets[0]!)) close(copy, brackets, end);
  return true;
}

/** Indents the lines within brackets as YAML needs it. PyYAML takes them at any column, so there is nothing to tell. */
function indentWithin(copy: Mended, bracket: number): boolean {
  const { text } = copy;
  const { brackets, end } = scan(text, bracket, bracket + LONGEST_FLOW, true);
  if (brackets.length > 0) return false;
  const lines = [...text.slice(bracket, end).matchAll(/\n/g)].map(({ index }) => bracket + index + 1);
  copy.insert(lines, " ".repeat(bracket - startOfLine(text, bracket) + 1));
  return true;
}

/** Tells brackets that are never closed, and closes them at `end`. */
function close(copy: Mended, brackets: readonly number[], end: number): void {
  const closers = brackets.map((bracket) => closerOf(copy.text[bracket]));
  for (const [index, bracket] of brackets.entries()) {
    const message = `this ${copy.text[bracket]} is never closed; add ${closers[index]}`;
    copy.tell({ start: bracket, end: bracket + 1 }, message);
  }
  copy.insert([end], closers.reverse().join(""));
}

function closerOf(bracket: string | undefined): string {
  return bracket === "{" ? "}" : "]";
}

function mendExpressions(copy: Mended, { at }: Refused): boolean {
  if (copy.text[at] !== "{" || copy.text[at - 1] !== "$") return false;
  const [first] = /^\$\{[^{}\r\n]*\}/.exec(copy.text.slice(at - 1, at + LONGEST_LINE)) ?? [];
  if (first === undefined) return false;
  const message = `braces have a meaning of their own here; write "${first}" in quotes`;
  copy.tell({ start: at - 1, end: at - 1 + first.length }, message);
  const expressions = [...copy.text.matchAll(/\$\{[^{}\r\n]*\}/g)];
  copy.disarm(expressions.flatMap(({ index, 0: { length } }) => [index + 1, index + length - 1]));
  return true;
}

/** A closing bracket where another is open, or none. */
function mendCloser(copy: Mended, { at }: Refused): boolean {
  const { text } = copy;
  const char = text[at];
  if (char !== "}" && char !== "]") return false;
  const { brackets } = openBefore(text, startOfLine(text, at), at) ?? { brackets: [] };
  const own = brackets.findLastIndex((bracket) => closerOf(text[bracket]) === char);
  if (own >= 0 && own < brackets.length - 1) close(copy, brackets.slice(own + 1), at);
  else {
    copy.tell({ start: at, end: at + 1 }, `this ${char} closes nothing; remove it`);
    copy.blank(at, at + /^[\]}]+/.exec(text.slice(at, at + LONGEST_LINE))![0].length);
  }
  return true;
}

/** A sign that no value can begin with, at the beginning of one. */
function mendStart(copy: Mended, { at }: Refused): boolean {
  const { text } = copy;
  const line = startOfLine(text, at);
  const flow = openBefore(text, line, at) !== null;
  if (!(flow ? /[@`%|>?-]/ : /[@`%,]/).test(text[at] ?? "") || !VALUE_BEGINS.test(lineBefore(text, at))) return false;
  if (/\s/.test(text[at + 1] ?? " ")) {
    copy.tell({ start: at, end: at + 1 }, CANNOT_STAND);
    copy.blank(at, at + 1);
  } else {
    copy.tell({ start: at, end: at + 1 }, "a value cannot begin with this character; put it in quotes");
    copy.disarm([at]);
  }
  return true;
}

const VALUE_BEGINS = /(?:^|[-:?,[{]|[!&]\S*)[ \t]*$/;

function mendComma(copy: Mended, { reason, at }: Refused): boolean {
  if (!/found ','/.test(reason)) return false;
  copy.tell({ start: at, end: at + 1 }, "nothing stands before this comma; remove it");
  copy.blank(at, at + 1);
  return true;
}

/** Within { } or [ ]: what follows a value without a comma. */
function mendFlowEntry(copy: Mended, { reason, at }: Refused): boolean {
  if (!/missed comma/.test(reason)) return false;
  const { text } = copy;
  const before = text.slice(Math.max(0, at - LONGEST_BEFORE), at);
  if (text[at] === ":") {
    // `a: 1 b: 2`: what is read as the value so far ends with the next key.
    const [, gap, key, blanks] = /[^\s,:[{](\s+)("[^"\r\n]*"|'[^'\r\n]*'|[^\s,:[\]{}"']+)([ \t]*)$/.exec(before) ?? [];
    if (gap !== undefined) {
      const start = at - blanks!.length - key!.length;
      copy.tell({ start, end: start + key!.length }, NEEDS_COMMA);
      copy.insert([start - gap.length], ",");
      return true;
    }
    const [word] = /[^\s,:[\]{}"']+[ \t]*$/.exec(before) ?? [];
    if (word === undefined) return false;
    const message = "a second key: value stands in this value; put it in { }, or the text in quotes";
    copy.tell({ start: at - word.length, end: at + 1 }, message);
    copy.disarm([at]);
    return true;
  }
  const [word] = /^[^\s,[\]{}:]+/.exec(text.slice(at, at + LONGEST_LINE)) ?? [];
  if (/[^\s,:[{]\s+$/.test(before)) {
    copy.tell({ start: at, end: at + (word?.length ?? 1) }, NEEDS_COMMA);
    copy.insert([at], ",");
    return true;
  }
  if (word === undefined) return false;
  copy.tell({ start: at, end: at + word.length }, CANNOT_STAND);
  copy.blank(at, at + word.length);
  return true;
}

/** In a block: what stands on a line behind its value. */
function mendSecondValue(copy: Mended, { reason, at }: Refused): boolean {
  if (!/bad indentation|line break is expected|of a block scalar|identifier/.test(reason)) return false;
  const { text } = copy;
  const before = lineBefore(text, at);
  // First on its line it is at the wrong column; without a key before it, its value began on a line before.
  if (/^[ \t]*(?:- +)*$/.test(before) || !/(?:^|\s)-\s|[:?]\s|^[ \t]*["'[{|>]/.test(before)) return false;
  if (text[at] === ":") {
    const [word] = /\S+[ \t]*$/.exec(before)!;
    const message = "a second key: value stands on this line; put it on a line of its own, or the text in quotes";
    copy.tell({ start: at - word.length, end: at + 1 }, message);
    const colons = text.slice(at, endOfLine(text, at)).matchAll(/:(?=\s|$)/g);
    copy.disarm([...colons].map(({ index }) => at + index));
    return true;
  }
  const list = /^-(?:\s|$)/.test(text.slice(at, at + 2));
  const message = list ? "a list cannot stand here; put it on lines of its own below the key" : CANNOT_STAND;
  const [rest] = /^[^\r\n]*?(?=[ \t]+#|[ \t]*[\r\n]|[ \t]*$)/.exec(text.slice(at, at + LONGEST_LINE))!;
  copy.tell({ start: at, end: at + rest.length }, message);
  copy.blank(at, at + rest.length);
  return rest !== "";
}

function mendSpace(copy: Mended, { reason, at }: Refused): boolean {
  if (!/separator is expected|whitespace character is expected|after a mapping key/.test(reason)) return false;
  const line = startOfLine(copy.text, at);
  const [key] =
    /^[ \t]*(?:- +)*(?:[\w$./]+|"[^"\r\n]*"|'[^'\r\n]*'):(?=[^\s:/])/.exec(
      copy.text.slice(line, line + LONGEST_LINE),
    ) ?? [];
  if (key === undefined) return false;
  const colon = line + key.length - 1;
  copy.tell({ start: colon, end: colon + 1 }, "a space is missing after this colon; add one");
  copy.insert([colon + 1], " ");
  return true;
}

/** A line that is only a word, within a map: the half-typed key of a line, or of the line before. */
function mendKey(copy: Mended, { reason, at }: Refused): boolean {
  if (!/mapping key|implicit key|mapping entry|separator is expected/.test(reason)) return false;
  const { text } = copy;
  const line = startOfLine(text, at);
  for (const start of new Set([line, lastLineBefore(text, line)])) {
    const word = BARE_WORD.exec(text.slice(start, start + LONGEST_LINE));
    if (!word) continue;
    const begin = start + word[1]!.length;
    const end = begin + word[2]!.length;
    copy.tell({ start: begin, end }, "a colon and a value are missing after this key; add : and the value");
    copy.insert([end], ":");
    return true;
  }
  return false;
}

const BARE_WORD = /^([ \t]*(?:- +)*)([\w$./][^#:[\]{}"'\r\n]*?)[ \t]*(?: #[^\r\n]*)?(?=[\r\n]|$)/;

// --- lines and what they leave open ----------------------------------------------------------------------------------

/** The start of the last line before `at` that has more than blanks or a comment; 0 where there is none. */
export function lastLineBefore(text: string, at: number): number {
  let end = at;
  for (;;) {
    while (end > 0 && /\s/.test(text[end - 1]!)) end--;
    const start = startOfLine(text, end);
    if (start === 0 || !/^[ \t]*#/.test(text.slice(start, end))) return start;
    end = start;
  }
}

/** What stands before `at` on its line, or the end of it. */
function lineBefore(text: string, at: number): string {
  return text.slice(Math.max(startOfLine(text, at), at - LONGEST_BEFORE), at);
}

export function endOfLine(text: string, at: number): number {
  let end = at;
  while (end < text.length && text[end] !== "\n" && text[end] !== "\r") end++;
  return end;
}

/** What lines leave open, and where their content ends before blanks and a comment. */
interface Open {
  /** A quote that is not closed. */
  readonly quote: number | null;
  readonly brackets: readonly number[];
  readonly end: number;
}

/** What the lines before `at` leave open: from `line` back, the fewest that leave anything. */
function openBefore(text: string, line: number, at: number): Open | null {
  let start = line;
  for (let lines = 0; lines < MOST_LINES && at - start < LONGEST_LINE; lines++) {
    const open = scan(text, start, at);
    if (open.quote !== null || open.brackets.length > 0) return open;
    if (start === 0) return null;
    start = lastLineBefore(text, start);
  }
  return null;
}

/** `once` ends it where the first bracket is closed. */
function scan(text: string, start: number, stop: number, once = false): Open {
  const lines = text.slice(start, stop);
  const brackets: number[] = [];
  let end = start;
  /** Whether a value may begin here, so that a quote is one. */
  let fresh = true;
  for (let index = 0; index < lines.length; index++) {
    const char = lines[index]!;
    if (/\s/.test(char)) {
      if (char === "\n") fresh = true;
      continue;
    }
    if (char === "#" && /\s/.test(lines[index - 1] ?? " ")) {
      while (index + 1 < lines.length && !/[\r\n]/.test(lines[index + 1]!)) index++;
      continue;
    }
    if (fresh && (char === '"' || char === "'")) {
      const pattern = char === '"' ? /"(?:[^"\\]|\\[\s\S])*"/y : /'(?:[^']|'')*'/y;
      pattern.lastIndex = index;
      if (!pattern.test(lines)) return { quote: start + index, brackets, end };
      index = pattern.lastIndex - 1;
    } else if (char === "{" || char === "[") brackets.push(start + index);
    else if (char === "}" || char === "]") {
      brackets.pop();
      if (once && brackets.length === 0) return { quote: null, brackets, end: start + index + 1 };
    }
    fresh = /[[{,:?-]/.test(char);
    end = start + index + 1;
  }
  return { quote: null, brackets, end };
}
