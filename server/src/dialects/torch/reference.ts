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

/** The tree a scalar refers to, the tree itself where it refers to nothing, or null where its value is not known. */
export function follow(tree: Tree, root: Tree): Tree | null {
  let at: Tree | null = tree;
  for (let hops = 0; hops < MAX_HOPS; hops++) {
    if (at?.kind !== "scalar" || typeof at.value !== "string") return at;
    const path = pathOf(at.value);
    if (path === undefined) return at;
    at = path && find(root, path);
  }
  return null;
}

/** A tree's value with every reference replaced; undefined where some part is not known. */
export function resolve(tree: Tree, root: Tree, depth = 0): Plain | undefined {
  const target = follow(tree, root);
  if (!target || depth > MAX_HOPS) return undefined;
  if (target.kind === "scalar") return target.value;
  if (target.kind === "map") return plain(target);
  const items = target.items.map((item) => resolve(item, root, depth + 1));
  return items.includes(undefined) ? undefined : (items as Plain[]);
}

/** The path a reference names; null: not a plain look-up; undefined: an ordinary text. */
function pathOf(text: string): readonly string[] | null | undefined {
  const interpolation = /^\$\{([^{}:]*)\}$/.exec(text);
  if (interpolation) {
    const path = interpolation[1]!.trim();
    // Relative interpolation (`${.a}`, `${..a}`) counts from the node's parent, which a value does not know.
    return path === "" || path.startsWith(".") ? null : path.split(/[.[\]]+/).filter((part) => part !== "");
  }
  if (/^@[\w#:.]+$/.test(text)) return text.slice(1).split(/::|#/);
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
