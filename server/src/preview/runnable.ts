/**
 * What of a model can run: numbers for its symbols, and every node that cannot run with the reason. A layer in error does
 * not keep the ones before it from running.
 */
import type { Graph, Node } from "#shared/graph/graph.ts";
import { bindSizes, openSymbols, type Sized } from "#shared/graph/sizes.ts";
import { EngineError } from "#shared/kernels/values.ts";
import { inputOp } from "#shared/ops/input.ts";
import type { FreeSize } from "#shared/preview/protocol.ts";
import type { Tensor } from "#shared/shape/tensor.ts";

/** Sizes to try where nobody gives one, the most usual first. */
const USUAL = [224, 256, 512, 128, 64, 32, 640];

export interface Runnable {
  /** null where not even the inputs have sizes. */
  readonly sized: Sized | null;
  readonly sizes: readonly FreeSize[];
  /** By node. */
  readonly blocked: ReadonlyMap<number, string>;
}

/** @param chosen the user's numbers for symbols. */
export function runnable(graph: Graph, chosen: ReadonlyMap<string, number>): Runnable {
  const open = openSymbols(graph).filter((name) => !chosen.has(name));
  const symbols = new Set([...open, ...graph.sample.keys(), ...chosen.keys()]);
  let best: Runnable | null = null;
  for (const usual of open.length > 0 ? USUAL : [0]) {
    const values = new Map([...open.map((name) => [name, usual] as const), ...chosen]);
    const sizes = [...symbols].sort().map((name): FreeSize => {
      const from = chosen.has(name) ? "user" : graph.sample.has(name) ? "file" : "default";
      return { name, value: values.get(name) ?? graph.sample.get(name)!, from };
    });
    const tried = withSizes(graph, values, sizes);
    if (!best || tried.blocked.size < best.blocked.size) best = tried;
    if (best.blocked.size === 0) break;
  }
  return best!;
}

function withSizes(graph: Graph, values: ReadonlyMap<string, number>, sizes: readonly FreeSize[]): Runnable {
  try {
    const sized = bindSizes(graph, { sizes: values });
    return { sized, sizes, blocked: blockedNodes(sized) };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { sized: null, sizes, blocked: new Map(graph.nodes.map(({ id }) => [id, error.message])) };
  }
}

/**
 * Every node that cannot run, with the reason.
 * @param failed by node, what is known to fail: an operator without arithmetic, a missing weight.
 */
export function blockedNodes(sized: Sized, failed: ReadonlyMap<number, string> = new Map()): Map<number, string> {
  const { nodes } = sized.graph;
  const blocked = new Map<number, string>();
  for (const node of nodes) {
    const why = failed.get(node.id) ?? reasonOf(sized, node);
    if (why !== null) blocked.set(node.id, why);
  }
  // A file may name a later layer, which the next round finds.
  for (let before = -1; before !== blocked.size; ) {
    before = blocked.size;
    for (const node of nodes) {
      const source = node.inputs.find((ref) => ref && blocked.has(ref.node));
      if (!source || blocked.has(node.id)) continue;
      const first = rootOf(sized.graph, blocked, source.node);
      blocked.set(node.id, `${first.scope} does not run, and this reads what comes of it`);
    }
  }
  return blocked;
}

/** The first node on the way back that is blocked by itself. */
function rootOf(graph: Graph, blocked: ReadonlyMap<number, string>, from: number): Node {
  let node = graph.nodes[from]!;
  for (let hops = 0; hops < graph.nodes.length; hops++) {
    const before = node.inputs.find((ref) => ref && blocked.has(ref.node));
    if (!before) break;
    node = graph.nodes[before.node]!;
  }
  return node;
}

function reasonOf({ report }: Sized, node: Node): string | null {
  const { inference, inputs, outputs } = report.nodes[node.id]!;
  if (node.broken) return "a parameter is missing or wrong";
  if (!inference || inputs.includes(null)) return "what it reads is not known";
  if (!inputs.every(isSized)) return "the size of what it reads is not known";
  if (!outputs.every(isSized) || outputs.length === 0) return "its output has no size: see the problem of this layer";
  if (node.op === inputOp && (outputs[0] as Tensor).dims.includes(0)) return "the input is empty";
  const weights = inference.weights ?? [];
  if (!weights.every(({ dims }) => dims.every((dim) => typeof dim === "number"))) return "a weight has no size";
  return null;
}

function isSized(tensor: Tensor | null): boolean {
  return tensor?.dims.every((dim) => typeof dim === "number" && dim >= 0) === true;
}
