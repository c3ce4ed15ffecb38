/**
 * Edits of a text in the style of who wrote it: quotes, flow or block, indentation, line ends, comments and anchors stay as
 * they are. What cannot be edited without touching something else (an alias of an alias, a comment inside what would go) is
 * not edited: the answer is null.
 */
import type { Range } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
import { startOfLine } from "./place.ts";
import { writePlain, writeString } from "./quote.ts";
import { type Comment, type Entry, entryOf, type MapTree, type Parsed, type Tree } from "./tree.ts";

/** A replacement of a text's part; offsets are of the text before all edits. */
export interface TextEdit {
  readonly range: Range;
  readonly newText: string;
}

/** A text and what was read of it. */
export interface Source {
  readonly text: string;
  readonly parsed: Pick<Parsed, "root" | "comments" | "language">;
}

/** A tree where it stands: within its list or map, and behind its key. */
export interface Place {
  readonly tree: Tree;
  readonly parent: Place | null;
  /** In its parent's items or entries. */
  readonly index: number;
  readonly isKey: boolean;
}

/** Where the text of a range stands as a tree: at its anchor where aliases share it. Null where no tree has this range. */
export function locate(root: Tree | null, range: Range): Place | null {
  return root && inside(range, root.range)
    ? descend({ tree: root, parent: null, index: 0, isKey: false }, range)
    : null;
}

function descend(place: Place, range: Range): Place | null {
  const { tree } = place;
  if (tree.range.start === range.start && tree.range.end === range.end) return place;
  const below = (child: Tree, index: number, isKey: boolean) =>
    inside(child.range, tree.range) && inside(range, child.range)
      ? descend({ tree: child, parent: place, index, isKey }, range)
      : null;
  if (tree.kind === "list") return firstOf(tree.items, (item, index) => below(item, index, false));
  if (tree.kind === "scalar") return null;
  return firstOf(tree.entries, ({ key, value }, index) => below(key, index, true) ?? below(value, index, false));
}

function firstOf<T, R>(items: readonly T[], look: (item: T, index: number) => R | null): R | null {
  for (const [index, item] of items.entries()) {
    const found = look(item, index);
    if (found) return found;
  }
  return null;
}

function inside(inner: Range, outer: Range): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

/** Whether the text of a range stands behind an anchor, so that aliases may share it. */
export function isAnchored({ text, parsed }: Source, range: Range): boolean {
  let tree: Tree | undefined = text.includes("&") ? (parsed.root ?? undefined) : undefined;
  while (tree) {
    const { start } = tree.range;
    if (/&[^\s,[\]{}]+\s+$/.test(text.slice(startOfLine(text, start), start))) return true;
    if (tree.kind === "scalar") return false;
    const children: readonly Tree[] = tree.kind === "list" ? tree.items : tree.entries.map(({ value }) => value);
    const around: Range = tree.range;
    tree = children.find((child) => inside(child.range, around) && inside(range, child.range));
  }
  return false;
}

/** Puts edits into a text. They may not overlap; of several insertions at one place the first comes first. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  let result = "";
  let from = 0;
  for (const { range, newText } of [...edits].sort((a, b) => a.range.start - b.range.start)) {
    result += text.slice(from, range.start) + newText;
    from = range.end;
  }
  return result + text.slice(from);
}

/** Where an offset of the text after edits was before them; within something new, where that was put. */
export function beforeEdits(offset: number, edits: readonly TextEdit[]): number {
  let shift = 0;
  for (const { range, newText } of edits) {
    const start = range.start + shift;
    if (offset < start) break;
    if (offset < start + newText.length) return range.start;
    shift += newText.length - (range.end - range.start);
  }
  return offset - shift;
}

// ---- values ----

/**
 * Writes another value where a tree stands. A list that keeps its length keeps everything but the items that change, and
 * one value for a list is written into each of its items.
 */
export function setValue(source: Source, tree: Tree, value: Plain): readonly TextEdit[] | null {
  const { text, parsed } = source;
  const { start, end } = tree.range;
  if (tree.kind === "scalar") {
    if (text[start] === "|" || text[start] === ">") return null;
    const simple =
      Array.isArray(value) && value.length > 0 && value.every((item) => item === value[0]) ? value[0]! : value;
    const quote = tree.quoted && typeof simple === "string" ? text[start] : undefined;
    const written =
      quote === undefined ? writePlain(simple, text, parsed.language) : writeString(simple as string, quote);
    const blank = start === end && /[:,-]/.test(text[start - 1] ?? "") ? " " : "";
    return [{ range: tree.range, newText: blank + written }];
  }
  if (tree.kind === "list" && tree.items.every((item) => inside(item.range, tree.range))) {
    const { items } = tree;
    const values = Array.isArray(value) ? (value as readonly Plain[]) : isScalar(value) ? items.map(() => value) : [];
    if (values.length === items.length && items.length > 0) {
      const edits: TextEdit[] = [];
      for (const [index, item] of items.entries()) {
        if (item.kind === "scalar" && item.value === values[index]) continue;
        const edit = setValue(source, item, values[index]!);
        if (!edit) return null;
        edits.push(...edit);
      }
      return edits;
    }
  }
  if (!/[[{]/.test(text[start] ?? "") || hasComment(source, tree.range)) return null;
  return [{ range: tree.range, newText: writePlain(value, text, parsed.language) }];
}

function isScalar(value: Plain): boolean {
  return typeof value !== "object" || value === null;
}

/** Writes a value under a key of a map: over the value that is there, in place of its alias, or as a key of its own. */
export function setKey(source: Source, map: MapTree, key: string, value: Plain): readonly TextEdit[] | null {
  const { text, parsed } = source;
  const entry = entryOf(map, key);
  if (!entry || !inside(entry.key.range, map.range)) return insertKey(source, map, key, value);
  if (inside(entry.value.range, map.range)) return setValue(source, entry.value, value);
  const alias = aliasAfter(text, entry);
  return alias && [{ range: alias, newText: writePlain(value, text, parsed.language) }];
}

/** The `*name` behind a key whose value stands elsewhere. */
function aliasAfter(text: string, { key }: Entry): Range | null {
  const match = matchAt(/\s*:\s*(\*[^\s,\]}]+)/y, text, key.range.end);
  if (!match) return null;
  const end = key.range.end + match[0].length;
  return { start: end - match[1]!.length, end };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function insertKey(source: Source, map: MapTree, key: string, value: Plain): readonly TextEdit[] | null {
  const { text, parsed } = source;
  const { start } = map.range;
  // Merged entries stand at their anchor.
  const own = map.entries.filter((entry) => inside(entry.key.range, map.range));
  const last = own.at(-1);
  const quoted = parsed.language === "json" || last?.key.quoted;
  const name = quoted ? writeString(key, last ? (text[last.key.range.start] ?? '"') : '"') : key;
  const colon = (quoted && last && matchAt(/\s*:[ \t]*/y, text, last.key.range.end)?.[0]) || ": ";
  const pair = `${name}${colon}${writePlain(value, text, parsed.language)}`;
  const isFlow = text[start] === "{";
  if (!last) {
    const isEmpty = matchAt(/\{\s*\}/y, text, start) !== null;
    if (isFlow) return insertion(start + 1, isEmpty ? pair : `${pair}, `);
    return insertion(start, `${pair}${lineEndOf(text)}${indentAt(text, start)}`);
  }
  const at = endOf(text, last, map);
  if (at === null) return null;
  if (isFlow) return insertion(at, `${separator(source, map, own)}${pair}`);
  const lineEnd = endOfLine(text, at);
  if (!/^[ \t]*(#.*)?$/.test(text.slice(at, lineEnd))) return null;
  return insertion(lineEnd, `${lineEndOf(text)}${indentAt(text, last.key.range.start)}${pair}`);
}

/** Appends an item to a list in brackets. */
export function appendItem(source: Source, list: Tree, value: Plain): readonly TextEdit[] | null {
  const { text, parsed } = source;
  if (list.kind !== "list" || text[list.range.start] !== "[") return null;
  const last = list.items.at(-1);
  const written = writePlain(value, text, parsed.language);
  if (!last) return matchAt(/\[\s*\]/y, text, list.range.start) ? insertion(list.range.start + 1, written) : null;
  return inside(last.range, list.range) ? insertion(last.range.end, `, ${written}`) : null;
}

/** Puts an item before one of a list, on a line of its own where the others have theirs. */
export function insertBefore(source: Source, { tree, parent }: Place, value: Plain): readonly TextEdit[] | null {
  const { text, parsed } = source;
  const { start } = tree.range;
  if (parent?.tree.kind !== "list") return null;
  const written = writePlain(value, text, parsed.language);
  const line = startOfLine(text, start);
  const lead = text.slice(line, start);
  if (text[parent.tree.range.start] !== "[") {
    return /^[ \t]*-[ \t]+$/.test(lead) ? insertion(line, `${lead}${written}${lineEndOf(text)}`) : null;
  }
  const isOwnLine = lead.trim() === "";
  return insertion(start, isOwnLine ? `${written},${lineEndOf(text)}${lead}` : `${written}, `);
}

function insertion(at: number, newText: string): readonly TextEdit[] {
  return [{ range: { start: at, end: at }, newText }];
}

/** What stands between the last two entries of a map in braces. */
function separator({ text }: Source, map: MapTree, own: readonly Entry[]): string {
  const last = own.at(-1)!;
  const before = own.at(-2);
  const from = before ? endOf(text, before, map) : null;
  const between = from === null ? "" : text.slice(from, last.key.range.start);
  if (/^\s*,\s*$/.test(between)) return between;
  const lead = text.slice(map.range.start + 1, last.key.range.start);
  if (/^\s*[\r\n]\s*$/.test(lead)) return `,${lead}`;
  return /[,:] /.test(text) ? ", " : ",";
}

function endOf(text: string, entry: Entry, map: MapTree): number | null {
  if (inside(entry.value.range, map.range)) return entry.value.range.end;
  return aliasAfter(text, entry)?.end ?? null;
}

/** Makes a bare word the value of `key` in a map of its own, beside another entry: `Linear` → `{type: Linear, bias: true}`. */
export function wrapWord(source: Source, word: Tree, key: string, other: string, value: Plain): readonly TextEdit[] {
  const { text, parsed } = source;
  const name = (of: string) => (parsed.language === "json" ? JSON.stringify(of) : of);
  const written = writePlain(value, text, parsed.language);
  return [
    ...insertion(word.range.start, `{${name(key)}: `),
    ...insertion(word.range.end, `, ${name(other)}: ${written}}`),
  ];
}

// ---- removal ----

/** Takes an entry, by its key or value, or an item of a list out. Not the only one, and not where a comment would go along. */
export function remove(source: Source, { parent, index }: Place): readonly TextEdit[] | null {
  const around = parent?.tree;
  if (around?.kind === "list") {
    const spans = around.items.map((item) => item.range);
    return removeSpan(source, around, spans, index);
  }
  if (around?.kind !== "map") return null;
  const own = around.entries.filter((entry) => inside(entry.key.range, around.range));
  const spans = own.map((entry) => ({ start: entry.key.range.start, end: endOf(source.text, entry, around) ?? -1 }));
  return removeSpan(source, around, spans, own.indexOf(around.entries[index]!));
}

function removeSpan(
  source: Source,
  { kind, range: around }: Tree,
  spans: readonly Range[],
  index: number,
): readonly TextEdit[] | null {
  const { text } = source;
  const [before, span, after] = [spans[index - 1], spans[index], spans[index + 1]];
  if (!span || spans.length < 2 || !spans.every((one) => one.end >= one.start && inside(one, around))) return null;
  let range: Range | null;
  if (/[[{]/.test(text[around.start]!)) {
    range = before ? { start: before.end, end: span.end } : { start: span.start, end: after!.start };
  } else {
    const lead = text.slice(startOfLine(text, span.start), span.start);
    const isAlone = (kind === "list" ? /^[ \t]*-[ \t]+$/ : /^[ \t]*$/).test(lead);
    // The first entry of an item shares its line with the dash, which stays.
    if (isAlone) range = wholeLines(text, span);
    else range = kind === "map" && after ? { start: span.start, end: after.start } : null;
  }
  return range && !hasComment(source, range) ? [{ range, newText: "" }] : null;
}

/** The lines of a span with their end, or with the end of the line before where the text ends without one. */
function wholeLines(text: string, span: Range): Range | null {
  const start = startOfLine(text, span.start);
  const end = endOfLine(text, span.end);
  if (!/^[ \t]*(?:#.*)?$/.test(text.slice(span.end, end))) return null;
  const next = end + lengthOfBreak(text, end);
  if (next > end) return { start, end: next };
  return { start: start - (/\r\n$/.test(text.slice(0, start)) ? 2 : Math.min(1, start)), end };
}

function lengthOfBreak(text: string, at: number): number {
  return matchAt(/\r\n|\n|\r/y, text, at)?.[0].length ?? 0;
}

/** Takes a comment out, with its line where nothing else stands on it. */
export function removeComment(text: string, { range }: Comment): readonly TextEdit[] {
  const start = startOfLine(text, range.start);
  const end = endOfLine(text, range.end);
  const alone = text.slice(start, range.start).trim() === "" && text.slice(range.end, end).trim() === "";
  if (alone) return [{ range: { start, end: end + lengthOfBreak(text, end) }, newText: "" }];
  let from = range.start;
  while (from > start && /[ \t]/.test(text[from - 1]!)) from--;
  return [{ range: { start: from, end: range.end }, newText: "" }];
}

function hasComment({ parsed }: Source, range: Range): boolean {
  return parsed.comments.some((comment) => comment.range.start < range.end && comment.range.end > range.start);
}

// ---- lines ----

/** Where the line's own text ends, before its line feed. */
export function endOfLine(text: string, at: number): number {
  return at + matchAt(/[^\r\n]*/y, text, at)![0].length;
}

/** How the text ends its lines. */
export function lineEndOf(text: string): string {
  return /\r\n|\n|\r/.exec(text)?.[0] ?? "\n";
}

/** Blanks as wide as what stands before an offset on its line; tabs stay tabs. */
export function indentAt(text: string, at: number): string {
  return text.slice(startOfLine(text, at), at).replace(/[^\t]/g, " ");
}

// ---- one edit after the other ----

/** A text under revision: edits of the text as it is by then add up to edits of the text as it was. */
export class Revision {
  /** What the text is made of now: parts of the original, and what was written since. */
  private pieces: readonly (Range | string)[];

  constructor(private readonly original: string) {
    this.pieces = [{ start: 0, end: original.length }];
  }

  get text(): string {
    return this.pieces.map((piece) => this.textOf(piece)).join("");
  }

  /** @param edits of the text as it is now. */
  apply(edits: readonly TextEdit[]): void {
    for (const edit of [...edits].sort((a, b) => a.range.start - b.range.start).reverse()) this.replace(edit);
  }

  /** All that has been done, as edits of the original. */
  get edits(): readonly TextEdit[] {
    const edits: TextEdit[] = [];
    let from = 0;
    let written = "";
    for (const piece of [...this.pieces, { start: this.original.length, end: this.original.length }]) {
      if (typeof piece === "string") {
        written += piece;
        continue;
      }
      if (written !== "" || piece.start > from) {
        edits.push({ range: { start: from, end: piece.start }, newText: written });
        written = "";
      }
      from = piece.end;
    }
    return edits;
  }

  private textOf(piece: Range | string): string {
    return typeof piece === "string" ? piece : this.original.slice(piece.start, piece.end);
  }

  private replace({ range, newText }: TextEdit): void {
    this.pieces = [...this.part(0, range.start), newText, ...this.part(range.end, Number.POSITIVE_INFINITY)];
  }

  /** The pieces of a part of the text as it is now. */
  private part(start: number, end: number): (Range | string)[] {
    const found: (Range | string)[] = [];
    let at = 0;
    for (const piece of this.pieces) {
      const length = typeof piece === "string" ? piece.length : piece.end - piece.start;
      const [from, to] = [Math.max(start - at, 0), Math.min(end - at, length)];
      if (from < to) {
        found.push(
          typeof piece === "string" ? piece.slice(from, to) : { start: piece.start + from, end: piece.start + to },
        );
      }
      at += length;
    }
    return found;
  }
}
