/**
 * Everything of a native file but its layers: what the model takes, its variables, blocks, layout and sample sizes.
 */
import { atRange, type Report } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
import { parseTargets, TARGET_WORDS, type Target } from "#shared/settings.ts";
import { type Dim, symbol, unknown } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST, CHANNELS_LAST, type Layout, type Tensor } from "#shared/shape/tensor.ts";
import { get, type ListTree, type MapTree, plain, type Tree } from "../../syntax/tree.ts";
import type { Context } from "../dialect.ts";
import { wishOf } from "../directive.ts";
import { type Env, isAbsent, readVars, resolve } from "./values.ts";

export const MODEL_KEYS: readonly string[] = [
  "cnn",
  "name",
  "input",
  "batch",
  "layers",
  "blocks",
  "vars",
  "layout",
  "rounding",
  "sample",
  "outputs",
  "targets",
];
const BLOCK_KEYS = ["params", "layers", "output"];

/** A parameterised sub-graph, used as a layer's type. */
export interface Block {
  readonly name: string;
  /** By name: the tree of the default, or null where each use must give it. */
  readonly params: ReadonlyMap<string, Tree | null>;
  readonly layers: ListTree | null;
  /** The layer that is the block's output; default: its last. */
  readonly output: Tree | undefined;
}

export interface Header {
  readonly name: string | null;
  readonly vars: Env;
  readonly blocks: ReadonlyMap<string, Block>;
  /** `rounding: ceil`: what every operator with a ceil_mode takes by default. */
  readonly ceil: boolean;
  /** In written order; null where the input's rank is not known. */
  readonly inputs: readonly { readonly name: string; readonly tensor: Tensor | null; readonly tree: Tree }[];
  readonly sample: ReadonlyMap<string, number>;
  readonly layers: ListTree | null;
  readonly outputs: readonly Tree[] | null;
  /** The frameworks that the model is meant for; null where the file does not say. */
  readonly targets: readonly Target[] | null;
}

/** Reads the model's own keys; what is wrong is reported and read as if it were not there. */
export function readHeader(root: MapTree, context: Context, report: Report): Header {
  checkKeys(root, MODEL_KEYS, report);
  const vars = readVars(get(root, "vars"), report);
  const word = (key: string, words: readonly [string, string]): string => {
    const tree = get(root, key);
    if (isAbsent(tree)) return words[0];
    const value = resolve(tree, vars, report);
    if (typeof value === "string" && words.includes(value)) return value;
    if (value !== undefined)
      report("bad-value", atRange(tree.range), { name: key, value, expected: words.join(" or ") });
    return words[0];
  };
  const layoutWord = word("layout", ["NCHW", "NHWC"]);
  const batch = readBatch(get(root, "batch"), vars, report);
  const layout: Layout = {
    ...(layoutWord === "NHWC" ? CHANNELS_LAST : CHANNELS_FIRST),
    batched: batch !== null,
  };
  const name = get(root, "name");
  const outputs = get(root, "outputs");
  return {
    name: name?.kind === "scalar" && name.value !== null ? String(name.value) : null,
    vars,
    blocks: readBlocks(get(root, "blocks"), report),
    ceil: word("rounding", ["floor", "ceil"]) === "ceil",
    inputs: readInputs(root, context, vars, batch, layout, report),
    sample: readSample(get(root, "sample"), vars, report),
    layers: readLayers(root, report),
    outputs: isAbsent(outputs) ? null : outputs.kind === "list" ? outputs.items : [outputs],
    targets: readTargets(get(root, "targets"), report),
  };
}

function checkKeys(map: MapTree, known: readonly string[], report: Report): void {
  for (const { key } of map.entries) {
    const name = String(key.value);
    if (!known.includes(name)) {
      report("unknown-parameter", atRange(key.range), { name, of: "the model", candidates: known });
    }
  }
}

function missing(root: Tree, name: string, report: Report): void {
  // The model as a whole lacks it: mark its first character rather than the whole file.
  const { start, end } = root.range;
  report("missing-parameter", atRange({ start, end: Math.min(end, start + 1) }), { name, of: "the model" });
}

function readLayers(root: MapTree, report: Report): ListTree | null {
  const tree = get(root, "layers");
  if (tree === undefined) missing(root, "layers", report);
  else if (tree.kind === "list") return tree;
  else if (!isAbsent(tree)) {
    report("bad-value", atRange(tree.range), { name: "layers", value: plain(tree), expected: "a list of layers" });
  }
  return null;
}

function readBlocks(tree: Tree | undefined, report: Report): ReadonlyMap<string, Block> {
  const blocks = new Map<string, Block>();
  if (isAbsent(tree)) return blocks;
  if (tree.kind !== "map") {
    report("bad-value", atRange(tree.range), {
      name: "blocks",
      value: plain(tree),
      expected: "a map of names to blocks",
    });
    return blocks;
  }
  for (const { key, value } of tree.entries) {
    const name = String(key.value);
    if (value.kind === "map") checkKeys(value, BLOCK_KEYS, report);
    const layers = value.kind === "list" ? value : get(value, "layers");
    if (layers?.kind !== "list") {
      report("bad-value", atRange(value.range.end > value.range.start ? value.range : key.range), {
        name,
        value: plain(value),
        expected: "a list of layers, or a map with layers",
      });
    }
    blocks.set(name, {
      name,
      params: readParams(get(value, "params"), report),
      layers: layers?.kind === "list" ? layers : null,
      output: get(value, "output"),
    });
  }
  return blocks;
}

/** A map of names to defaults (null: each use must give it), or a list of names that each use must give. */
function readParams(tree: Tree | undefined, report: Report): ReadonlyMap<string, Tree | null> {
  const params = new Map<string, Tree | null>();
  if (isAbsent(tree)) return params;
  if (tree.kind === "scalar") {
    report("bad-value", atRange(tree.range), {
      name: "params",
      value: tree.value,
      expected: "a list of names, or a map of names to defaults",
    });
  } else if (tree.kind === "list") {
    for (const item of tree.items) {
      if (item.kind === "scalar" && item.value !== null) params.set(String(item.value), null);
      else
        report("bad-value", atRange(item.range), { name: "params", value: plain(item), expected: "a list of names" });
    }
  } else for (const { key, value } of tree.entries) params.set(String(key.value), isAbsent(value) ? null : value);
  return params;
}

function readTargets(tree: Tree | undefined, report: Report): readonly Target[] | null {
  if (isAbsent(tree)) return null;
  const value = plain(tree);
  const targets = parseTargets(Array.isArray(value) ? value : [value]);
  if (targets) return targets;
  const expected = `a list of ${TARGET_WORDS.join(", ")}`;
  report("bad-value", atRange(tree.range), { name: "targets", value, expected });
  return null;
}

function readSample(tree: Tree | undefined, env: Env, report: Report): ReadonlyMap<string, number> {
  const sample = new Map<string, number>();
  if (isAbsent(tree)) return sample;
  const entries = tree.kind === "map" ? tree.entries : [];
  if (tree.kind !== "map") {
    report("bad-value", atRange(tree.range), {
      name: "sample",
      value: plain(tree),
      expected: "a map of names to sizes such as {H: 640, W: 640}",
    });
  }
  for (const { key, value } of entries) {
    const size = resolve(value, env, report);
    if (isSize(size)) sample.set(String(key.value), size);
    else if (size !== undefined) {
      report("bad-value", atRange(value.range), {
        name: String(key.value),
        value: size,
        expected: "a positive integer",
      });
    }
  }
  return sample;
}

/** The batch size, its symbol (N by default), or null where tensors have no batch axis. */
function readBatch(tree: Tree | undefined, env: Env, report: Report): Dim | null {
  if (isAbsent(tree)) return symbol("N");
  const value = resolve(tree, env, report);
  if (value === "none") return null;
  if (isSize(value)) return value;
  if (isName(value)) return symbol(value);
  if (value !== undefined) {
    report("bad-value", atRange(tree.range), {
      name: "batch",
      value,
      expected: 'a positive integer, a name such as N, or "none"',
    });
  }
  return symbol("N");
}

function readInputs(
  root: MapTree,
  context: Context,
  env: Env,
  batch: Dim | null,
  layout: Layout,
  report: Report,
): Header["inputs"] {
  const withBatch = (dims: readonly Dim[]): Tensor => ({ dims: batch === null ? dims : [batch, ...dims], layout });
  const tree = get(root, "input");
  if (tree?.kind === "map") {
    return tree.entries.map(({ key, value }) => {
      const dims = readSizes(value, env, report);
      return { name: String(key.value), tensor: dims && withBatch(dims), tree: value };
    });
  }
  // A size that the file writes is the model's own: only the command line asks for another.
  const asked = tree === undefined ? wishOf(context).input : context.input;
  if (asked) return [{ name: "input", tensor: withBatch(asked), tree: tree ?? root }];
  if (tree === undefined) {
    missing(root, "input", report);
    return [];
  }
  const dims = readSizes(tree, env, report);
  return [{ name: "input", tensor: dims && withBatch(dims), tree }];
}

function readSizes(tree: Tree, env: Env, report: Report): readonly Dim[] | null {
  const items = tree.kind === "list" ? tree.items : null;
  const whole = items ? null : resolve(tree, env, report);
  if (!items && !Array.isArray(whole)) {
    if (whole !== undefined) {
      report("bad-value", atRange(tree.range), {
        name: "input",
        value: plain(tree),
        expected: "a list of sizes such as [3, 224, 224]",
      });
    }
    return null;
  }
  const values = items ? items.map((item) => resolve(item, env, report)) : (whole as readonly Plain[]);
  return values.map((value, index): Dim => {
    if (isSize(value)) return value;
    if (isName(value)) return symbol(value);
    if (value !== undefined) {
      report("bad-value", atRange((items?.[index] ?? tree).range), {
        name: "input",
        value,
        expected: "a positive integer or a name such as H",
      });
    }
    return unknown("the input size is not known");
  });
}

function isSize(value: Plain | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

function isName(value: Plain | undefined): value is string {
  return typeof value === "string" && /^[A-Za-z_]\w*$/.test(value);
}
