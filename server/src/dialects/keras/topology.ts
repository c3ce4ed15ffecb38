/**
 * How a Keras file wires its layers: Sequential lists, and the `inbound_nodes` of functional models in the three forms
 * that Keras wrote over the years. Nothing here knows what a layer computes.
 */
import type { Range } from "#shared/ops/finding.ts";
import { get, type MapTree, type Tree } from "../../syntax/tree.ts";

/** An output of one call of a layer: `["conv2d", 0, 0]`. */
export interface Source {
  readonly layer: string;
  /** Which call of the layer, counted from 0. */
  readonly call: number;
  readonly output: number;
  readonly range: Range;
  /** The argument it is given as; null where by place. */
  readonly keyword: string | null;
}

/** One call of a layer: what it reads, and all that is written of its arguments. */
export interface CallTree {
  readonly sources: readonly Source[];
  readonly tree: Tree;
}

export interface LayerTree {
  readonly tree: MapTree;
  readonly className: string;
  readonly typeRange: Range;
  readonly name: string;
  readonly config: Tree | undefined;
  /** In a Sequential model there is none: a layer follows the one before. */
  readonly calls: readonly CallTree[];
}

export interface ModelTree {
  readonly name: string | null;
  readonly isSequential: boolean;
  readonly layers: readonly LayerTree[];
  readonly inputs: readonly Source[];
  readonly outputs: readonly Source[];
  readonly config: Tree | undefined;
}

/** Where the model stands: at the top, or where TF.js and HDF5 exports put it. */
export function modelIn(root: Tree): Tree | undefined {
  const topology = get(root, "modelTopology") ?? root;
  const model = get(topology, "model_config") ?? topology;
  return layersOf(model) ? model : undefined;
}

/** The list of layers of a model, which Keras 1 and early Keras 2 wrote as the Sequential's config itself. */
function layersOf(model: Tree | undefined): readonly Tree[] | null {
  const className = get(model, "class_name");
  const config = get(model, "config");
  if (className?.kind !== "scalar" || !config) return null;
  if (config.kind === "list") return className.value === "Sequential" ? config.items : null;
  const layers = get(config, "layers");
  return layers?.kind === "list" ? layers.items : null;
}

/** Reads a model; null where the tree is none. Items that are no layers are left out. */
export function readModel(model: Tree | undefined): ModelTree | null {
  const items = layersOf(model);
  if (!items) return null;
  const config = get(model, "config");
  const name = get(config, "name");
  const layers: LayerTree[] = [];
  for (const item of items) {
    const type = get(item, "class_name");
    if (item.kind !== "map" || type?.kind !== "scalar") continue;
    const own = get(item, "config");
    const label = get(item, "name") ?? get(own, "name");
    const inbound = get(item, "inbound_nodes");
    const className = String(type.value);
    layers.push({
      tree: item,
      className,
      typeRange: type.range,
      name: label?.kind === "scalar" && label.value !== null ? String(label.value) : `${className}_${layers.length}`,
      config: own,
      calls: inbound?.kind === "list" ? inbound.items.map((tree) => ({ sources: sourcesIn(tree), tree })) : [],
    });
  }
  const className = get(model, "class_name");
  return {
    name: name?.kind === "scalar" && name.value !== null ? String(name.value) : null,
    // A functional model wires every layer; a Sequential none.
    isSequential: className?.kind === "scalar" && className.value === "Sequential",
    layers,
    inputs: sourcesIn(get(config, "input_layers")),
    outputs: sourcesIn(get(config, "output_layers")),
    config,
  };
}

/**
 * Every source in a call, in written order: `["name", 0, 0, {…}]` of Keras 1 and 2, alone or in a list, and Keras 3's
 * `{args: [{class_name: "__keras_tensor__", config: {keras_history: ["name", 0, 0]}}], kwargs: {…}}`.
 */
function sourcesIn(tree: Tree | undefined, keyword: string | null = null, depth = 0): readonly Source[] {
  if (!tree || tree.kind === "scalar" || depth > MAX_DEPTH) return [];
  if (tree.kind === "list") {
    const source = asSource(tree, keyword);
    if (!source) return tree.items.flatMap((item) => sourcesIn(item, keyword, depth + 1));
    const own = source.layer === CONSTANT ? [] : [source];
    return [...own, ...named(tree.items[3], depth)];
  }
  const [args, keywords] = [get(tree, "args"), get(tree, "kwargs")];
  if (args && keywords?.kind === "map") {
    const given = keywords.entries.flatMap(({ key, value }) => tensorsIn(value, String(key.value)));
    return [...tensorsIn(args, null), ...given];
  }
  return tree.entries.flatMap(({ value }) => sourcesIn(value, keyword, depth + 1));
}

/** Keras 3 marks its tensors, so that lists of plain values beside them are none. */
function tensorsIn(tree: Tree, keyword: string | null, depth = 0): readonly Source[] {
  if (tree.kind === "scalar" || depth > MAX_DEPTH) return [];
  if (tree.kind === "list") return tree.items.flatMap((item) => tensorsIn(item, keyword, depth + 1));
  const type = get(tree, "class_name");
  if (type?.kind !== "scalar" || type.value !== "__keras_tensor__") return [];
  const history = get(get(tree, "config"), "keras_history");
  const source = history && asSource(history, keyword);
  return source ? [source] : [];
}

/** The sources among keyword arguments. */
function named(keywords: Tree | undefined, depth: number): readonly Source[] {
  if (keywords?.kind !== "map") return [];
  return keywords.entries.flatMap(({ key, value }) => sourcesIn(value, String(key.value), depth + 1));
}

/** What tf.keras writes in place of a layer's name where a function is called with a number. */
const CONSTANT = "_CONSTANT_VALUE";

const MAX_DEPTH = 32;

function asSource(tree: Tree, keyword: string | null): Source | null {
  if (tree.kind !== "list") return null;
  const [layer, call, output] = tree.items;
  if (layer?.kind !== "scalar" || typeof layer.value !== "string") return null;
  if (call?.kind !== "scalar" || typeof call.value !== "number") return null;
  const index = output?.kind === "scalar" && typeof output.value === "number" ? output.value : 0;
  return { layer: layer.value, call: call.value, output: index, range: tree.range, keyword };
}
