/**
 * Builds a Tree from "open, scalar, alias, close" calls in text order, whichever parser makes them: so that anchors, merge
 * keys, duplicate keys and every bound mean the same on all paths.
 *
 * An alias shares its anchor's tree, which costs nothing here but multiplies what readers walk. Size and height as a
 * reader sees them are therefore counted along, and bounded.
 */
import type { Range } from "#shared/ops/finding.ts";
import type { Entry, ListTree, MapTree, ScalarTree, SyntaxProblem, Tree } from "./tree.ts";

/** Levels of nesting that a reader may recurse through. */
export const MAX_DEPTH = 256;
/** Nodes that aliases may add to what a reader walks. */
const MAX_ALIASED = 500_000;
/** A text with more problems than this is no model, and nobody reads them all. */
const MAX_PROBLEMS = 1000;
/** From here on a map looks its keys up by hash. */
const MANY_KEYS = 12;

/** A subtree with what a reader walks of it: nodes, and levels of nesting. */
interface Measured {
  readonly tree: Tree;
  readonly size: number;
  readonly height: number;
}

/** A map or list whose end has not been seen. */
interface Open {
  readonly start: number;
  readonly anchor: string | null;
  /** null for a list. */
  readonly entries: Entry[] | null;
  readonly items: Tree[] | null;
  /** The key whose value comes next. */
  key: ScalarTree | null;
  /** Whether that value is dropped, since its key cannot be one. */
  skip: boolean;
  merges: Merge[] | null;
  keys: Map<ScalarTree["value"], Range> | null;
  size: number;
  height: number;
}

/** `<<: source`, to be inserted before the entry of this index. */
interface Merge {
  readonly before: number;
  readonly sources: readonly MapTree[];
}

export interface BuilderOptions {
  /** Whether a plain `<<` key merges the maps it holds. */
  readonly merge: boolean;
}

export class TreeBuilder {
  readonly problems: SyntaxProblem[] = [];
  /** The end of what was read last. */
  cursor = 0;
  root: Tree | null = null;
  private readonly open: Open[] = [];
  /** null while the anchored node is still open. */
  private readonly anchors = new Map<string, Measured | null>();
  /** Anchors that no alias has named so far, with where their node begins. */
  protected readonly unused = new Map<string, number>();
  /** What stands for aliases that cannot be followed; each was told, so nothing more is said of it. */
  private readonly refused = new Set<Tree>();
  private aliased = 0;
  private toldAliased = false;

  constructor(private readonly options: BuilderOptions) {}

  get depth(): number {
    return this.open.length;
  }

  /** Where the innermost open map or list begins. */
  get innermost(): number {
    return this.open[this.open.length - 1]!.start;
  }

  /** What comes next: a key, the value of a key, an item of a list, or the document's own node. */
  get awaits(): "key" | "value" | "item" | "root" {
    const top = this.open[this.open.length - 1];
    if (!top) return "root";
    if (top.items) return "item";
    return top.key || top.skip ? "value" : "key";
  }

  openMap(start: number, anchor: string | null): void {
    this.push(start, anchor, [], null);
  }

  openList(start: number, anchor: string | null): void {
    this.push(start, anchor, null, []);
  }

  scalar(start: number, end: number, value: ScalarTree["value"], quoted: boolean, anchor: string | null): void {
    this.cursor = end;
    const tree: ScalarTree = { kind: "scalar", range: { start, end }, value, quoted };
    if (anchor !== null) {
      this.anchors.set(anchor, { tree, size: 1, height: 0 });
      this.unused.set(anchor, start);
    }
    this.add(tree, 1, 0);
  }

  alias(start: number, end: number, name: string): void {
    const source = this.anchors.get(name);
    this.unused.delete(name);
    const range = { start, end };
    this.cursor = end;
    if (source && this.admits(source, range)) this.add(source.tree, source.size, source.height);
    else this.refuse(range);
    if (source === undefined) {
      this.problem("syntax", range, `no anchor &${name} stands before this alias; define it or fix the name`);
    } else if (source === null) {
      this.problem("syntax", range, `the alias *${name} stands inside its own anchor, so it never ends; take it out`);
    }
  }

  /** Puts an absent value where an alias cannot be followed. */
  private refuse(range: Range): void {
    const tree: ScalarTree = { kind: "scalar", range, value: null, quoted: false };
    this.refused.add(tree);
    this.add(tree, 1, 0);
  }

  /** Whether what an alias stands for stays within the bounds; the first that does not is told. */
  private admits(source: Measured, range: Range): boolean {
    const deep = this.depth + source.height > MAX_DEPTH;
    if (!deep && this.aliased + source.size <= MAX_ALIASED) {
      this.aliased += source.size;
      return true;
    }
    if (!this.toldAliased) {
      const message = deep
        ? `with this alias the file nests more than ${MAX_DEPTH} levels deep; what is beyond is not checked`
        : `with this alias the file expands to more than ${MAX_ALIASED} values; this alias is not expanded`;
      this.problem("too-large", range, message);
    }
    this.toldAliased = true;
    return false;
  }

  /** Ends the innermost map or list. A key without a value gets an absent one. */
  close(end: number): void {
    const top = this.open[this.open.length - 1]!;
    if (top.key || top.skip) this.scalar(this.cursor, this.cursor, null, false, null);
    this.open.pop();
    this.cursor = end;
    const range = { start: top.start, end };
    const tree: Tree = top.items
      ? ({ kind: "list", range, items: top.items } satisfies ListTree)
      : { kind: "map", range, entries: top.merges ? merged(top.entries!, top.merges) : top.entries! };
    if (top.anchor !== null) this.anchors.set(top.anchor, { tree, size: top.size, height: top.height });
    this.add(tree, top.size, top.height);
  }

  /** Drops the value that comes next: its map has no key for it. */
  skipValue(): void {
    this.open[this.open.length - 1]!.skip = true;
  }

  problem(code: SyntaxProblem["code"], range: Range, message: string, first?: Range): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push({ range, code, message, ...(first && { first }) });
  }

  private push(start: number, anchor: string | null, entries: Entry[] | null, items: Tree[] | null): void {
    this.cursor = start;
    if (anchor !== null) {
      this.anchors.set(anchor, null);
      this.unused.set(anchor, start);
    }
    this.open.push({
      start,
      anchor,
      entries,
      items,
      key: null,
      skip: false,
      merges: null,
      keys: null,
      size: 1,
      height: 1,
    });
  }

  private add(tree: Tree, size: number, height: number): void {
    const top = this.open[this.open.length - 1];
    if (!top) {
      this.root = tree;
      return;
    }
    top.size += size;
    const inner = top.key && this.isMerge(top.key) ? height - 1 : height;
    if (inner >= top.height) top.height = inner + 1;
    if (top.items) {
      top.items.push(tree);
    } else if (top.skip) {
      top.skip = false;
    } else if (top.key === null) {
      if (tree.kind === "scalar") top.key = tree;
      else {
        top.skip = true;
        this.problem(
          "syntax",
          tree.range,
          `a ${tree.kind} cannot be a key here; write a word, or put the text in quotes`,
        );
      }
    } else {
      const { key } = top;
      top.key = null;
      if (this.isMerge(key)) this.addMerge(top, key, tree);
      else this.addEntry(top, key, tree);
    }
  }

  private isMerge(key: ScalarTree): boolean {
    return this.options.merge && key.value === "<<" && !key.quoted;
  }

  private addEntry(top: Open, key: ScalarTree, value: Tree): void {
    const first = firstOf(top, key.value);
    if (first) {
      const message = `the key ${String(key.value)} stands twice in this map, and the last one counts; remove one of them`;
      this.problem("duplicate-key", placeOfKey(key, value), message, first);
    }
    top.entries!.push({ key, value });
    top.keys?.set(key.value, first ?? key.range);
  }

  private addMerge(top: Open, key: ScalarTree, value: Tree): void {
    const sources = value.kind === "list" ? value.items : [value];
    const maps = sources.filter((source) => source.kind === "map");
    if (sources.some((source) => source.kind !== "map" && !this.refused.has(source))) {
      this.problem(
        "syntax",
        key.range,
        "<< takes a map or a list of maps, such as an alias of a map; change its value",
      );
    }
    top.merges ??= [];
    top.merges.push({ before: top.entries!.length, sources: maps });
  }
}

/** Where a key is seen: an absent one has no text, so its entry, or the `?` before it, stands for it. */
function placeOfKey({ range }: ScalarTree, value: Tree): Range {
  if (range.end > range.start) return range;
  const { start } = range;
  return value.range.end > start ? { start, end: value.range.end } : { start: Math.max(start - 1, 0), end: start };
}

/** Where a key stands first in an open map. Few keys are compared one by one: most layers have a handful. */
function firstOf(top: Open, key: ScalarTree["value"]): Range | undefined {
  const entries = top.entries!;
  if (!top.keys && entries.length > MANY_KEYS) {
    top.keys = new Map();
    for (const entry of entries) if (!top.keys.has(entry.key.value)) top.keys.set(entry.key.value, entry.key.range);
  }
  if (top.keys) return top.keys.get(key);
  for (const entry of entries) if (Object.is(entry.key.value, key)) return entry.key.range;
  return undefined;
}

/** Written keys win over merged ones, and earlier sources over later ones (yaml.org/type/merge.html). */
function merged(entries: readonly Entry[], merges: readonly Merge[]): readonly Entry[] {
  const taken = new Set(entries.map((entry) => entry.key.value));
  const result: Entry[] = [];
  let next = 0;
  for (const { before, sources } of merges) {
    while (next < before) result.push(entries[next++]!);
    for (const source of sources) {
      const fresh = source.entries.filter((entry) => !taken.has(entry.key.value));
      for (const entry of fresh) {
        taken.add(entry.key.value);
        result.push(entry);
      }
    }
  }
  while (next < entries.length) result.push(entries[next++]!);
  return result;
}
