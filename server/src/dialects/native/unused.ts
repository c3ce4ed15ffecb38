/**
 * What a native file names and never uses: variables, blocks and their parameters. Told only where it is certain, so a word
 * in any `${…}` counts as a use wherever it stands.
 */
import { atRange, type Range, type Report } from "#shared/ops/finding.ts";
import { type Entry, get, type MapTree, type Tree } from "../../syntax/tree.ts";

/** A name with where it stands and what is its own text, which is no use of it. */
interface Definition {
  readonly kind: string;
  readonly name: string;
  readonly at: Range;
}

export function reportUnused(root: MapTree, report: Report): void {
  const state = ({ kind, name, at }: Definition) => report("unused-definition", atRange(at), { kind, name });
  const vars = entriesOf(get(root, "vars"));
  const blocks = entriesOf(get(root, "blocks"));
  if (vars.length === 0 && blocks.length === 0) return;

  const words = new Map<string, number>();
  countWords(root, words);
  for (const { key, value } of vars) {
    const name = String(key.value);
    const own = new Map<string, number>();
    countWords(value, own);
    if ((words.get(name) ?? 0) === (own.get(name) ?? 0)) state({ kind: "variable", name, at: key.range });
  }

  const types = blocks.map(({ value }) => typesOf(value.kind === "list" ? value : get(value, "layers")));
  const outer = typesOf(get(root, "layers"));
  // A type that is computed may be any block.
  const isComputed = [outer, ...types].some((set) => [...set].some((type) => type.includes("${")));
  for (const [index, { key, value }] of blocks.entries()) {
    const name = String(key.value);
    const isUsed = outer.has(name) || types.some((set, other) => other !== index && set.has(name));
    if (!isUsed && !isComputed) state({ kind: "block", name, at: key.range });
    else reportParams(value, state);
  }
}

function reportParams(block: Tree, state: (definition: Definition) => void): void {
  const params = get(block, "params");
  const words = new Map<string, number>();
  countWords(block, words);
  const names = params?.kind === "list" ? params.items : entriesOf(params).map(({ key }) => key);
  for (const tree of names) {
    if (tree.kind !== "scalar" || tree.value === null) continue; // reported where the names are read
    const name = String(tree.value);
    if (!words.has(name)) state({ kind: "block parameter", name, at: tree.range });
  }
}

function entriesOf(tree: Tree | undefined): readonly Entry[] {
  return tree?.kind === "map" ? tree.entries : [];
}

/** How often each word stands inside `${…}`. */
function countWords(tree: Tree, words: Map<string, number>): void {
  if (tree.kind === "list") for (const item of tree.items) countWords(item, words);
  else if (tree.kind === "map") for (const { value } of tree.entries) countWords(value, words);
  else if (typeof tree.value === "string" && tree.value.includes("${")) {
    for (const [, inside] of tree.value.matchAll(/\$\{([^}]*)\}/g)) {
      for (const [word] of inside!.matchAll(/[A-Za-z_]\w*/g)) words.set(word, (words.get(word) ?? 0) + 1);
    }
  }
}

/** The types of a list's layers. */
function typesOf(layers: Tree | undefined): ReadonlySet<string> {
  const types = new Set<string>();
  for (const item of layers?.kind === "list" ? layers.items : []) {
    const type = item.kind === "map" ? get(item, "type") : item;
    if (type?.kind === "scalar") types.add(String(type.value));
  }
  return types;
}
