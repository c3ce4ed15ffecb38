/**
 * What a Keras file states beside its layers, checked against their sizes: the weights that TF.js lists in
 * `weightsManifest`, and shapes that a layer behind the first declares for its input.
 */
import type { Graph, Node } from "#shared/graph/graph.ts";
import { finding, type ShapeReport } from "#shared/graph/infer.ts";
import { atRange, type Finding, type Range } from "#shared/ops/finding.ts";
import { compare, type Dim } from "#shared/shape/dim.ts";
import type { Tensor } from "#shared/shape/tensor.ts";
import { get, plain, type Tree } from "../../syntax/tree.ts";

/** A shape that a layer's config declares for an input that the layers before it already give. */
export interface Declared {
  readonly node: number;
  readonly shape: Tensor;
  readonly range: Range;
}

/** Declared shapes that are not what the layer gets: Keras reads them only on a model's first layer. */
export function staleShapes(declared: readonly Declared[], report: ShapeReport): Finding[] {
  return declared.flatMap(({ node, shape, range }) => {
    const actual = report.nodes[node]?.inputs[0];
    if (!actual || !differ(shape.dims, actual.dims)) return [];
    return [finding("stale-shape", node, atRange(range), { declared: shape, actual })];
  });
}

/** Stored weights whose shape is not what their layer needs. Weights of layers that are not known are left out. */
export function wrongWeights(root: Tree, graph: Graph, report: ShapeReport): Finding[] {
  const groups = get(root, "weightsManifest");
  if (groups?.kind !== "list") return [];
  const nodes = nodesByLayer(graph);
  return groups.items.flatMap((group) => {
    const weights = get(group, "weights");
    return weights?.kind === "list" ? weights.items.flatMap((weight) => checkWeight(weight, nodes, report)) : [];
  });
}

/** The nodes of all layers of one name: nested models may use a name again. */
function nodesByLayer(graph: Graph): Map<string, (readonly Node[])[]> {
  const found = new Map<string, (readonly Node[])[]>();
  for (const { name, nodes } of graph.layers) {
    found.set(name, [...(found.get(name) ?? []), graph.nodes.slice(nodes.first, nodes.end)]);
  }
  return found;
}

/** `{"name": "block1/conv2d_1/kernel", "shape": [3, 3, 1, 16]}` */
function checkWeight(weight: Tree, layers: ReadonlyMap<string, (readonly Node[])[]>, report: ShapeReport): Finding[] {
  const [name, shape] = [get(weight, "name"), get(weight, "shape")];
  const stored = shape && plain(shape);
  if (
    name?.kind !== "scalar" ||
    !shape ||
    !Array.isArray(stored) ||
    !stored.every((size) => typeof size === "number")
  ) {
    return [];
  }
  const path = String(name.value).replace(/:\d+$/, "").split("/");
  const word = path.pop()!;
  const layer = path.findLast((part) => layers.has(part));
  if (layer === undefined) return [];
  const needed = layers.get(layer)!.flatMap((nodes) =>
    nodes.flatMap((node) => {
      const dims = shapesOf(node, report).get(word);
      return dims ? [{ node, dims }] : [];
    }),
  );
  const [first] = needed;
  if (!first || needed.some(({ dims }) => !differ(stored as number[], dims))) return [];
  const data = { layer, weight: word, stored: stored as number[], needed: first.dims };
  return [finding("weights-mismatch", first.node.id, atRange(shape.range), data)];
}

function differ(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length !== b.length || a.some((dim, axis) => compare(dim, b[axis]!) === "different");
}

/** A node's weights by Keras's names, in Keras's axis order. */
function shapesOf(node: Node, report: ShapeReport): Map<string, readonly Dim[]> {
  const shapes = new Map<string, readonly Dim[]>();
  const kind = /^(?:TimeDistributed\()?(\w+?)(?:\dd)?\)?$/.exec(node.op.name)?.[1] ?? "";
  const multiplier = typeof node.attrs.depth_multiplier === "number" ? node.attrs.depth_multiplier : 1;
  for (const { name, dims } of report.nodes[node.id]?.inference?.weights ?? []) {
    if (name === "weight" && kind === "DepthwiseConv") {
      // Keras 3 calls it kernel, as in any other convolution.
      shapes.set("depthwise_kernel", perChannel(dims, multiplier)).set("kernel", perChannel(dims, multiplier));
    } else if (name === "depthwise.weight") shapes.set("depthwise_kernel", perChannel(dims, multiplier));
    else if (name === "pointwise.weight") shapes.set("pointwise_kernel", channelsAtEnd(dims));
    else if (name === "weight") shapes.set("kernel", channelsAtEnd(dims));
    else shapes.set(name, dims);
  }
  return shapes;
}

/** PyTorch's [out, in, …window] as Keras's […window, in, out]; transposed convolutions swap both names of the ends. */
function channelsAtEnd([first, second, ...window]: readonly Dim[]): readonly Dim[] {
  return [...window, second!, first!];
}

/** [channels · multiplier, 1, …window] as […window, channels, multiplier]. */
function perChannel([all, , ...window]: readonly Dim[], multiplier: number): readonly Dim[] {
  return [...window, typeof all === "number" ? all / multiplier : all!, multiplier];
}
