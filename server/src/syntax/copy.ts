/**
 * A copy of a text in which mistakes are mended, so that the parser reads what stands around them. What it reads is given
 * back in the offsets, and with the signs, of the original.
 */
import type { Range } from "#shared/ops/finding.ts";
import type { Entry, Parsed, ScalarTree, SyntaxProblem, Tree } from "./tree.ts";

/** Signs that can stand for themselves in a text although YAML gives them a meaning, and what the copy has instead. */
const SIGNS = "{}@`%,:\\|>?-";
const STAND_INS = "\uE000\uE001\uE002\uE003\uE004\uE005\uE006\uE007\uE008\uE009\uE00A\uE00B";

/** A copy of a text with mends in it, and what was told of them in offsets of the original. */
export class Mended {
  readonly told: SyntaxProblem[] = [];
  text: string;
  /** What was inserted, in text order and in offsets of the copy. */
  private inserted: { readonly at: number; readonly length: number }[] = [];

  constructor(private readonly before: string) {
    this.text = before;
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

  /** Makes signs, in text order, letters like others for the parser; what is read has the signs again. */
  disarm(signs: readonly number[]): void {
    const standIn = (at: number) => STAND_INS[SIGNS.indexOf(this.text[at]!)]!;
    this.text = spliced(this.text, signs, standIn, 1);
  }

  /** Inserts the same text at several places, in text order. */
  insert(places: readonly number[], what: string): void {
    this.text = spliced(this.text, places, () => what, 0);
    const moved = this.inserted.map((one) => {
      const before = places.filter((place) => place <= one.at).length;
      return { ...one, at: one.at + before * what.length };
    });
    const fresh = places.map((place, index) => ({ at: place + index * what.length, length: what.length }));
    this.inserted = [...moved, ...fresh].sort((a, b) => a.at - b.at);
  }

  /** What was read of the copy, in offsets of the original and with the original's signs, beside what was told. */
  restore(parsed: Parsed): Parsed {
    if (this.text === this.before) return parsed;
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
    if (tree.kind === "scalar") restored = { ...tree, range, value: withSigns(tree.value) };
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
    for (const { at, length } of this.inserted) {
      if (at >= offset) break;
      shift += Math.min(offset - at, length);
    }
    return offset - shift;
  }
}

/** The text with something else at every place, where `removed` characters stood. */
function spliced(text: string, places: readonly number[], by: (place: number) => string, removed: number): string {
  const pieces: string[] = [];
  let from = 0;
  for (const place of places) {
    pieces.push(text.slice(from, place), by(place));
    from = place + removed;
  }
  return pieces.join("") + text.slice(from);
}

/** The text with blanks from `start` to `end`. */
export function blanked(text: string, start: number, end: number, by = " "): string {
  return text.slice(0, start) + by.repeat(end - start) + text.slice(end);
}

function withSigns(value: ScalarTree["value"]): ScalarTree["value"] {
  if (typeof value !== "string") return value;
  return value.replace(/[\uE000-\uE00B]/g, (standIn) => SIGNS[STAND_INS.indexOf(standIn)]!);
}
