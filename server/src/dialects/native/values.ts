/**
 * What a scalar of the native format stands for: `${…}` replaced by its value in the variables at hand.
 */
import { atRange, type Range, type Report } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
import { entryOf, get, plain, type Tree } from "../../syntax/tree.ts";
import { ExpressionError, evaluateExpression } from "./expression.ts";

/** The variables an expression may name: `vars:` of the model, and the params of the block around it. */
export type Env = ReadonlyMap<string, Plain>;

/** A tree's value with every `${…}` replaced; undefined where an expression has none (reported). */
export function resolve(tree: Tree, env: Env, report: Report): Plain | undefined {
  if (tree.kind === "list") {
    const items = tree.items.map((item) => resolve(item, env, report));
    return items.includes(undefined) ? undefined : (items as Plain[]);
  }
  if (tree.kind === "map") {
    const object: Record<string, Plain> = Object.create(null);
    for (const { key, value } of tree.entries) {
      const resolved = resolve(value, env, report);
      if (resolved === undefined) return undefined;
      object[String(key.value)] = resolved;
    }
    return object;
  }
  if (typeof tree.value !== "string" || !tree.value.includes("${")) return tree.value;
  return interpolate(tree.value, tree.range, env, report);
}

/** The `vars:` map; a variable may use those before it. */
export function readVars(tree: Tree | undefined, report: Report): Env {
  const env = new Map<string, Plain>();
  if (tree?.kind === "map") {
    for (const { key, value } of tree.entries) {
      const resolved = resolve(value, env, report);
      if (resolved !== undefined) env.set(String(key.value), resolved);
    }
  } else if (!isAbsent(tree)) {
    report("bad-value", atRange(tree.range), {
      name: "vars",
      value: plain(tree),
      expected: "a map of names to values",
    });
  }
  return env;
}

/**
 * Where a value stands that is all `${name}`: in `vars:`. Null where the name is a block's param, which every use may give
 * another value, or where the text calculates.
 */
export function definition(value: Tree, root: Tree): Tree | null {
  if (value.kind !== "scalar" || typeof value.value !== "string" || !value.value.includes("${")) return value;
  const name = /^\$\{\s*(\w+)\s*\}$/.exec(value.value)?.[1];
  const variable = name === undefined ? undefined : entryOf(get(root, "vars"), name)?.value;
  if (name === undefined || !variable || (variable.kind === "scalar" && String(variable.value).includes("${")))
    return null;
  const blocks = get(root, "blocks");
  for (const { value: block } of blocks?.kind === "map" ? blocks.entries : []) {
    const isAround = block.range.start <= value.range.start && value.range.end <= block.range.end;
    const params = get(block, "params");
    const names =
      params?.kind === "map" ? params.entries.map(({ key }) => key) : params?.kind === "list" ? params.items : [];
    if (isAround && names.some((param) => plain(param) === name)) return null;
  }
  return variable;
}

/** No key, or a key whose value is still to be typed. */
export function isAbsent(tree: Tree | undefined): tree is undefined {
  return tree === undefined || (tree.kind === "scalar" && tree.value === null);
}

function interpolate(source: string, range: Range, env: Env, report: Report): Plain | undefined {
  try {
    const whole = /^\$\{([^}]*)\}$/.exec(source);
    if (whole) {
      const name = whole[1]!.trim();
      // A variable may hold a list, which an expression cannot.
      return env.has(name) ? env.get(name) : evaluateExpression(name, (word) => scalar(env, word));
    }
    return source.replace(/\$\{([^}]*)\}/g, (_, inside: string) =>
      String(evaluateExpression(inside, (word) => scalar(env, word))),
    );
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    report("bad-value", atRange(range), { name: "the expression", value: source, expected: error.message });
    return undefined;
  }
}

function scalar(env: Env, word: string): string | number | boolean | null | undefined {
  const value = env.get(word);
  if (typeof value === "object" && value !== null) {
    throw new ExpressionError(`numbers to calculate with, and ${word} is a ${Array.isArray(value) ? "list" : "map"}`);
  }
  return value as string | number | boolean | null | undefined;
}
