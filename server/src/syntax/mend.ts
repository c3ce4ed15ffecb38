/**
 * Mends the mistakes of half-typed YAML in a copy of the text, so that the quick parser reads what stands around them: a
 * bracket or quote never closed, a key without its colon, a bracket too many, a tab as indentation, a forbidden character.
 *
 * The quick parser stops at the first mistake; it is told, mended and the copy is read again. Where nothing fits, the
 * recovering parser takes over.
 */
import type { Range } from "#shared/ops/finding.ts";
import { narrow, startOfLine } from "./place.ts";
import type { Entry, Parsed, ScalarTree, SyntaxProblem, Tree } from "./tree.ts";
import { type Refused, readYaml } from "./yaml.ts";

/** A copy of a text with mends in it, and what was told of them in offsets of the original. */
export class Mended {
  readonly told: SyntaxProblem[] = [];
  text: string;
  /** What was inserted, in text order and in offsets of the copy. */
  private inserted: { readonly at: number; readonly length: number }[] = [];

  constructor(original: string) {
    this.text = original;
  }

  /** Tells a problem at a place of the copy. */
  tell(range: Range, message: string): void {
    this.told.push({ range: this.original(range), code: "syntax", message });
  }

  /** Another text of the same length. */
  replace(text: string): void {
    this.text = text;
  }

  blank(start: number, end: number, by = " "): void {
    this.text = blanked(this.text, start, end, by);
  }

  insert(at: number, what: string): void {
    this.text = this.text.slice(0, at) + what + this.text.slice(at);
    const moved = this.inserted.map((one) => (one.at < at ? one : { ...one, at: one.at + what.length }));
    this.inserted = [...moved, { at, length: what.length }].sort((a, b) => a.at - b.at);
  }

  /** What was read of the copy, in offsets of the original and with the original's braces, beside what was told. */
  restore(parsed: Parsed): Parsed {
    if (this.told.length === 0) return parsed;
    const problems = parsed.problems.map((problem) => ({
      ...problem,
      range: this.original(problem.range),
      ...(problem.first && { first: this.original(problem.first) }),
    }));
    return {
      ...parsed,
      root: parsed.root && this.restoreTree(parsed.root, new Map()),
      comments: parsed.comments.map((comment) => ({ ...comment, range: this.original(comment.range) })),
      problems: [...this.told, ...problems],
    };
  }

  /** Aliased subtrees are shared, and stay so. */
  private restoreTree(tree: Tree, done: Map<Tree, Tree>): Tree {
    const known = done.get(tree);
    if (known) return known;
    const range = this.original(tree.range);
    let restored: Tree;
    if (tree.kind === "scalar") restored = { ...tree, range, value: withBraces(tree.value) };
    else if (tree.kind === "list")
      restored = { ...tree, range, items: tree.items.map((item) => this.restoreTree(item, done)) };
    else restored = { ...tree, range, entries: tree.entries.map((entry) => this.restoreEntry(entry, done)) };
    done.set(tree, restored);
    return restored;
  }

  private restoreEntry({ key, value }: Entry, done: Map<Tree, Tree>): Entry {
    return { key: this.restoreTree(key, done) as ScalarTree, value: this.restoreTree(value, done) };
  }

  private original({ start, end }: Range): Range {
    return { start: this.originalOffset(start), end: this.originalOffset(end) };
  }

  private originalOffset(offset: number): number {
    let shift = 0;
    for (const { at, length } of this.inserted) shift += Math.min(Math.max(offset - at, 0), length);
    return offset - shift;
  }
}

/** Mends and tells the mistake at which the quick parser stopped; false where it is none of those that can be mended. */
export function mend(copy: Mended, why: Refused): boolean {
  const { reason, at } = why;
  const { text } = copy;
  const char = text[at] ?? "";
  if (/non-printable|null byte/.test(reason)) {
    copy.tell({ start: at, end: at + 1 }, "this character cannot stand in YAML; remove it");
    copy.blank(at, at + 1, "\uFFFD");
    return true;
  }
  const tab = leadingTab(text, at);
  if (tab !== null) return mendTabs(copy, tab);
  if (/deficient indentation|unexpected end of the/.test(reason) && mendUnclosed(copy, at)) return true;
  if (char === "{" && text[at - 1] === "$" && mendExpressions(copy, at - 1)) return true;
  if (char === "}" || char === "]") {
    copy.tell({ start: at, end: at + 1 }, `this ${char} closes nothing; remove it`);
    copy.blank(at, at + /^[\]}]+/.exec(text.slice(at, at + LONGEST_LINE))![0].length);
    return true;
  }
  return /mapping key|implicit key|mapping entry|separator is expected/.test(reason) && mendKey(copy, at);
}

/** Drops one line and tells it, where the text is right without; `found` is where the recovering parser saw a mistake. */
export function mendLine(copy: Mended, stopped: number, found: number): Parsed | null {
  const { text } = copy;
  const line = startOfLine(text, stopped);
  for (const start of new Set([line, startOfLine(text, found), startOfLine(text, line - 1)])) {
    const end = start + text.slice(start).search(/[\r\n]|$/);
    if (end === start) continue;
    const without = blanked(text, start, end);
    const read = readYaml(without);
    if (!("root" in read)) continue;
    copy.tell(
      narrow(text, start, end),
      "this line does not fit what stands around it; correct its indentation, or complete it",
    );
    copy.replace(without);
    return copy.restore(read);
  }
  return null;
}

/** How much of a line is looked at. Longer ones are not typed by hand. */
const LONGEST_LINE = 10_000;
/** How many lines back an open bracket is looked for. */
const MOST_LINES = 50;

function blanked(text: string, start: number, end: number, by = " "): string {
  return text.slice(0, start) + by.repeat(end - start) + text.slice(end);
}

/** The first tab in the indentation of the line around `at`, or null. */
function leadingTab(text: string, at: number): number | null {
  const start = startOfLine(text, at);
  const tab = /^[ \t]*/.exec(text.slice(start, start + LONGEST_LINE))![0].indexOf("\t");
  return tab < 0 ? null : start + tab;
}

/** Takes every tab for one space, which is right where a file is indented by tabs alone; else drops the lines with tabs. */
function mendTabs(copy: Mended, tab: number): true {
  copy.tell({ start: tab, end: tab + 1 }, "YAML is indented with spaces only; replace this tab by spaces");
  const spaced = copy.text.replace(/^ *\t[ \t]*/gm, (blanks) => " ".repeat(blanks.length));
  const right = "root" in readYaml(spaced);
  copy.replace(right ? spaced : copy.text.replace(/^ *\t[^\r\n]*/gm, (line) => " ".repeat(line.length)));
  return true;
}

/** A quote or brackets that the lines before `at` leave open: the fewest lines that leave any. */
function mendUnclosed(copy: Mended, at: number): boolean {
  const { text } = copy;
  let line = at;
  for (let lines = 0; lines < MOST_LINES && line > 0 && at - line < LONGEST_LINE; lines++) {
    line = lastLineBefore(text, line);
    const { quote, brackets, end } = scan(text, line, at);
    if (quote !== null) {
      copy.tell({ start: quote, end: quote + 1 }, `this ${text[quote]} is never closed; add ${text[quote]}`);
      copy.blank(quote, quote + 1);
      return true;
    }
    if (brackets.length === 0) continue;
    const closers = brackets.map((bracket) => (text[bracket] === "{" ? "}" : "]"));
    for (const [index, bracket] of brackets.entries()) {
      const message = `this ${text[bracket]} is never closed; add ${closers[index]}`;
      copy.tell({ start: bracket, end: bracket + 1 }, message);
    }
    copy.insert(end, closers.reverse().join(""));
    return true;
  }
  return false;
}

/** What some lines leave open, and where their content ends before blanks and a comment. */
function scan(text: string, start: number, stop: number): { quote: number | null; brackets: number[]; end: number } {
  const lines = text.slice(start, Math.min(stop, start + LONGEST_LINE));
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
    else if (char === "}" || char === "]") brackets.pop();
    fresh = /[[{,:?-]/.test(char);
    end = start + index + 1;
  }
  return { quote: null, brackets, end };
}

/** The start of the last line before `at` that has more than blanks. */
function lastLineBefore(text: string, at: number): number {
  let end = at;
  while (end > 0 && /\s/.test(text[end - 1]!)) end--;
  return startOfLine(text, end);
}

/** A line that is only a word, within a map: the half-typed key of a line, or of the line before. */
function mendKey(copy: Mended, at: number): boolean {
  const { text } = copy;
  const line = startOfLine(text, at);
  for (const start of new Set([line, lastLineBefore(text, line)])) {
    const word = BARE_WORD.exec(text.slice(start, start + LONGEST_LINE));
    if (!word) continue;
    const begin = start + word[1]!.length;
    const end = begin + word[2]!.length;
    copy.tell({ start: begin, end }, "a colon and a value are missing after this key; add : and the value");
    copy.insert(end, ":");
    return true;
  }
  return false;
}

const BARE_WORD = /^([ \t]*(?:- +)*)([\w$./][^#:[\]{}"'\r\n]*?)[ \t]*(?: #[^\r\n]*)?(?=[\r\n]|$)/;

/** Stand for the braces of `${…}` while a text is read that has them without quotes within { } or [ ]. */
const OPEN_BRACE = "\uE000";
const CLOSE_BRACE = "\uE001";

function mendExpressions(copy: Mended, at: number): boolean {
  const [first] = /^\$\{[^{}\r\n]*\}/.exec(copy.text.slice(at, at + LONGEST_LINE)) ?? [];
  if (first === undefined) return false;
  copy.tell(
    { start: at, end: at + first.length },
    `braces have a meaning of their own here; write "${first}" in quotes`,
  );
  copy.replace(copy.text.replace(/\$\{([^{}\r\n]*)\}/g, `$$${OPEN_BRACE}$1${CLOSE_BRACE}`));
  return true;
}

function withBraces(value: ScalarTree["value"]): ScalarTree["value"] {
  return typeof value === "string" ? value.replaceAll(OPEN_BRACE, "{").replaceAll(CLOSE_BRACE, "}") : value;
}
