/**
 * `${a.b}` and `@a::b`: how Hydra/OmegaConf and MONAI files name a value that stands elsewhere in the same file.
 *
 * Only plain look-ups are followed. Resolvers (`${oc.env:HOME}`) and Python (`$len(@x)`) are never run: their value is
 * simply not known. Sources: OmegaConf "Variable interpolation", MONAI "Configuration system".
 */
import type { Plain } from "#shared/ops/param.ts";
import { get, plain, type Tree } from "../../syntax/tree.ts";

/** A chain of references longer than this goes round in circles. */
const MAX_HOPS = 32;

/** Follows the references of one file. */
export class References {
  /** The container of every node, found when the first relative reference asks. */
  private parents: ReadonlyMap<Tree, Tree> | undefined;

  constructor(private readonly root: Tree) {}

  /** The tree a scalar refers to, the tree itself where it refers to nothing, or null where its value is not known. */
  follow(tree: Tree): Tree | null {
    let at: Tree | null = tree;
    for (let hops = 0; hops < MAX_HOPS; hops++) {
      if (at?.kind !== "scalar" || typeof at.value !== "string") return at;
      const path = pathOf(at.value);
      if (path === undefined) return at;
      const from: Tree | undefined = path ? this.startOf(at, path) : undefined;
      at = from && path ? find(from, path.keys) : null;
    }
    return null;
  }

  /** A tree's value with every reference replaced; undefined where some part is not known. */
  resolve(tree: Tree, depth = 0): Plain | undefined {
    const target = this.follow(tree);
    if (!target || depth > MAX_HOPS) return undefined;
    if (target.kind === "scalar") return target.value;
    if (target.kind === "map") return plain(target);
    const items = target.items.map((item) => this.resolve(item, depth + 1));
    return items.includes(undefined) ? undefined : (items as Plain[]);
  }

  /** Where a path begins: at the root, or as many containers up as it has dots. */
  private startOf(tree: Tree, { ups }: Path): Tree | undefined {
    if (ups === 0) return this.root;
    this.parents ??= parentsIn(this.root);
    let at: Tree | undefined = tree;
    for (let up = 0; at && up < ups; up++) at = this.parents.get(at);
    return at;
  }
}

function parentsIn(root: Tree): ReadonlyMap<Tree, Tree> {
  const parents = new Map<Tree, Tree>();
  const open: Tree[] = [root];
  for (let at = open.pop(); at; at = open.pop()) {
    if (at.kind === "scalar") continue;
    for (const child of at.kind === "list" ? at.items : at.entries.map(({ value }) => value)) {
      // An alias stands in several places: the first counts.
      if (parents.has(child)) continue;
      parents.set(child, at);
      open.push(child);
    }
  }
  return parents;
}

/** The keys of a reference. `ups`: how many containers up it starts, 0 at the root. */
interface Path {
  readonly ups: number;
  readonly keys: readonly string[];
}

/** What OmegaConf writes for a value that somebody else must give. */
const MISSING = "???";

/** The path a reference names; null: not a plain look-up; undefined: an ordinary text. */
function pathOf(text: string): Path | null | undefined {
  if (text === MISSING) return null;
  const interpolation = /^\$\{([^{}:]*)\}$/.exec(text);
  if (interpolation) {
    const [, dots, path] = /^(\.*)(.*)$/.exec(interpolation[1]!.trim())!;
    const keys = path!.split(/[.[\]]+/).filter((part) => part !== "");
    return keys.length === 0 ? null : { ups: dots!.length, keys };
  }
  if (/^@[\w#:.]+$/.test(text)) return { ups: 0, keys: text.slice(1).split(/::|#/) };
  return text.startsWith("$") || text.includes("${") ? null : undefined;
}

function find(root: Tree, path: readonly string[]): Tree | null {
  let at: Tree | undefined = root;
  for (const part of path) {
    at = at?.kind === "list" ? at.items[Number(part)] : get(at, part);
    if (at === undefined) return null;
  }
  return at;
}
