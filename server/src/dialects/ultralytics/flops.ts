/**
 * GFLOPs as the YOLO family prints them: not hardware operations, but what its counter counts, on a small image and
 * scaled up. Reproduced to the last digit, so that the number matches the one users know. Source: facts, section 3.
 */
import { withInput } from "#shared/graph/fit.ts";
import { type Graph, type Node, ownerOf } from "#shared/graph/graph.ts";
import { infer, type NodeReport, type ShapeReport } from "#shared/graph/infer.ts";
import { type Dim, evaluate, product } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST, channels, type Tensor, tensor } from "#shared/shape/tensor.ts";
import { IMAGE_NODE, isRefusal, STRIDE_PASS } from "./lower.ts";
import { hasStridePass } from "./modules.ts";

/** The counter's cost of one output value of an up-sampling. */
const RESIZE: Readonly<Record<string, number>> = { nearest: 1, bilinear: 11, bicubic: 259 };
/** Modules that call pooling or convolution as functions or as their own class, which the counter does not see. */
const UNSEEN: ReadonlyMap<string, string> = new Map([
  ["ADown", "AvgPool2d"],
  ["AConv", "AvgPool2d"],
  ["DWConvTranspose2d", "ConvTranspose2d"],
]);
/** Branches that only training runs. */
const TRAINING = /\.(semseg|aux_head|sigma)\b/;

/**
 * Billions of operations for one square image, or null where the model does not run.
 * @param graph a model lowered by this dialect.
 * @param image the image's side: 640 where the family's own tables say nothing, 224 for its classifiers.
 */
export function gigaflops(graph: Graph, image = 640): number | null {
  const side = Math.max(largestStride(graph) ?? 32, 32);
  const small = operations(graph, side);
  if (small !== null) return (2 * small * (image / side) ** 2) / 1e9;
  // Some heads need more positions than the small image has; they are counted at full size.
  const whole = operations(graph, image);
  return whole === null ? null : (2 * whole) / 1e9;
}

/** 256 over the height of each map that the head reads; null where the builder makes no such pass. */
export function strides(graph: Graph): readonly number[] | null {
  const head = graph.layers.at(-1);
  if (!head || !hasStridePass(head.type)) return null;
  const { first, end } = head.nodes;
  const read = new Map<number, Dim>();
  const report = at(graph, STRIDE_PASS);
  for (const node of graph.nodes.slice(first, end)) {
    for (const ref of node.inputs) {
      const map = ref && ref.node < first ? report.nodes[ref.node]?.outputs[ref.output] : null;
      if (map && ref) read.set(ref.node, map.dims[2]!);
    }
  }
  return [...read.values()].map((height) => STRIDE_PASS / (height as number));
}

function largestStride(graph: Graph): number | null {
  const all = strides(graph);
  return all && all.length > 0 ? Math.max(...all) : null;
}

/** The model on one square image of this side. */
function at(graph: Graph, side: number): ShapeReport {
  const own = graph.nodes[IMAGE_NODE]!.attrs.tensor as Tensor;
  return infer(withInput(graph, IMAGE_NODE, tensor([1, channels(own), side, side], CHANNELS_FIRST)));
}

function operations(graph: Graph, side: number): number | null {
  const report = at(graph, side);
  if (report.findings.some(isRefusal)) return null;
  let sum = 0;
  for (const node of graph.nodes) {
    const owner = ownerOf(graph, node.id);
    if (TRAINING.test(node.scope) || (owner && UNSEEN.get(owner.type) === node.op.name)) continue;
    sum += counted(node, report.nodes[node.id]!);
  }
  return Number.isFinite(sum) ? sum : null;
}

/** One call of one operator, as the counter counts it; what it has no rule for is free. */
function counted(node: Node, { inputs, outputs, inference }: NodeReport): number {
  const [input, output] = [inputs[0], outputs[0]];
  if (!input || !output) return 0;
  const values = (t: Tensor) => Number(evaluate(product(t.dims), new Map()));
  const weight = () => inference!.weights!.find(({ name }) => name === "weight")!.dims as readonly number[];
  switch (node.op.name) {
    case "Conv2d":
      return (
        values(output) *
        weight()
          .slice(1)
          .reduce((a, b) => a * b, 1)
      );
    case "ConvTranspose2d": {
      const [c1, , ...kernel] = weight();
      return (values(output) * kernel.reduce((a, b) => a * b, c1!)) / (node.attrs.groups as number);
    }
    case "Linear":
      return values(output) * weight()[1]!;
    case "BatchNorm2d":
    case "LayerNorm":
      return 4 * values(input);
    case "Upsample":
      return values(output) * (RESIZE[String(node.attrs.mode)] ?? 0);
    case "AvgPool2d":
      return values(output);
    case "AdaptiveAvgPool2d":
      return values(output) + values(input);
    default:
      return 0;
  }
}
