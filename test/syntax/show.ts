/** Trees and problems as short text, so that a failed table case is a readable diff. */
import { parse } from "#server/syntax/parse.ts";
import { type Parsed, plain, type Tree } from "#server/syntax/tree.ts";

/** The value without positions, as JSON; NaN and the infinities by name. */
export function values(tree: Tree | null): string {
  if (!tree) return "nothing";
  return JSON.stringify(plain(tree), (_, value) =>
    typeof value === "number" && !Number.isFinite(value) ? `<${value}>` : value,
  ).replaceAll('"', "");
}

/** `code at "text of the range"`, one per problem. */
export function problems(text: string, parsed: Parsed): string[] {
  return parsed.problems.map(({ code, range }) => `${code} at ${JSON.stringify(text.slice(range.start, range.end))}`);
}

/** Every node's own text, in the order of the tree: what the ranges say. */
export function places(text: string, tree: Tree | null): string[] {
  if (!tree) return [];
  const own = text.slice(tree.range.start, tree.range.end);
  if (tree.kind === "list") return [own, ...tree.items.flatMap((item) => places(text, item))];
  if (tree.kind === "map") {
    return [own, ...tree.entries.flatMap(({ key, value }) => [...places(text, key), ...places(text, value)])];
  }
  return [own];
}

export function valuesOf(text: string, path = "model.yaml"): string {
  return values(parse(text, path).root);
}

export function problemsOf(text: string, path = "model.yaml"): string[] {
  return problems(text, parse(text, path));
}
