/**
 * A parsed file as a located tree. Dialects read only this, never text and never a parser's own nodes.
 *
 * Aliases, anchors and merge keys are already resolved (within a size bound); every node keeps the range where its text
 * stands, so that an aliased value points at the anchor it came from.
 */
import type { Range } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";

export type Tree = MapTree | ListTree | ScalarTree;

export interface Entry {
  readonly key: ScalarTree;
  readonly value: Tree;
}

export interface MapTree {
  readonly kind: "map";
  readonly range: Range;
  /** In written order. A duplicate key keeps both entries; `get` answers the last, as YAML loaders do. */
  readonly entries: readonly Entry[];
}

export interface ListTree {
  readonly kind: "list";
  readonly range: Range;
  readonly items: readonly Tree[];
}

export interface ScalarTree {
  readonly kind: "scalar";
  /** Without surrounding blanks or comments, quotes included. Empty for an absent value. */
  readonly range: Range;
  readonly value: string | number | boolean | null;
  /** Plain scalars may be numbers or words; quoted ones are always strings. */
  readonly quoted: boolean;
}

/** What is wrong with the text itself. */
export interface SyntaxProblem {
  readonly range: Range;
  readonly code: "syntax" | "duplicate-key" | "too-large";
  readonly message: string;
  /** For duplicate-key: where the key stood first. */
  readonly first?: Range;
}

/** A comment's text after its marker, for `# convlint: …` directives. */
export interface Comment {
  readonly range: Range;
  readonly text: string;
}

export interface Parsed {
  /** null for an empty document. */
  readonly root: Tree | null;
  readonly problems: readonly SyntaxProblem[];
  readonly comments: readonly Comment[];
  /** Anchors that no alias names: `&name`, where it stands; of a text that was read without problems. */
  readonly unusedAnchors?: readonly { readonly name: string; readonly range: Range }[];
  readonly language: "yaml" | "json";
}

/** The last value of a key, or undefined. */
export function get(tree: Tree | undefined | null, key: string): Tree | undefined {
  return entryOf(tree, key)?.value;
}

export function entryOf(tree: Tree | undefined | null, key: string): Entry | undefined {
  if (tree?.kind !== "map") return undefined;
  for (let index = tree.entries.length - 1; index >= 0; index--) {
    const entry = tree.entries[index]!;
    if (entry.key.value === key) return entry;
  }
  return undefined;
}

/** The value without positions, as a parameter type reads it. */
export function plain(tree: Tree): Plain {
  if (tree.kind === "scalar") return tree.value;
  if (tree.kind === "list") return tree.items.map(plain);
  const object: Record<string, Plain> = Object.create(null);
  for (const { key, value } of tree.entries) object[String(key.value)] = plain(value);
  return object;
}
