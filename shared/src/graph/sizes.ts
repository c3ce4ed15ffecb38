/** From a graph with symbolic sizes to the same graph with numbers, which is what can be run. */
import { EngineError } from "../kernels/values.ts";
import { inputOp } from "../ops/input.ts";
import { Expr, evaluate, symbolsOf } from "../shape/dim.ts";
import type { Tensor } from "../shape/tensor.ts";
import type { Graph, Node } from "./graph.ts";
import { infer, type ShapeReport } from "./infer.ts";

/** A graph and what inference says of it. */
export interface Sized {
  readonly graph: Graph;
  readonly report: ShapeReport;
}

export interface SizeChoice {
  /** Numbers for symbols; they go before the file's own `sample`. */
  readonly sizes?: ReadonlyMap<string, number>;
  /** For symbolic batch axes that no number is given for. Default: 1. */
  readonly batch?: number;
}

function tensorOf(node: Node): Tensor | null {
  return node.op === inputOp ? (node.attrs.tensor as Tensor) : null;
}

/** The symbols in the inputs' sizes that the file's `sample` gives no number for, batch axes apart. */
export function openSymbols(graph: Graph): string[] {
  const open = new Set<string>();
  for (const node of graph.nodes) {
    const tensor = tensorOf(node);
    for (const dim of tensor?.dims.slice(tensor.layout.batched ? 1 : 0) ?? []) {
      for (const name of symbolsOf(dim)) if (!graph.sample.has(name)) open.add(name);
    }
  }
  return [...open].sort();
}

/**
 * The graph with a number for every input size, inferred anew. Node ids stay.
 * @throws EngineError `bad-size`, at the input, where a symbol has no number, a size is not known, or is not positive.
 */
export function bindSizes(graph: Graph, { sizes = new Map(), batch = 1 }: SizeChoice = {}): Sized {
  const values = new Map([...graph.sample, ...sizes]);
  for (const { layout, dims } of graph.nodes.map(tensorOf).filter((tensor) => tensor !== null)) {
    if (!layout.batched || !(dims[0] instanceof Expr)) continue;
    for (const name of symbolsOf(dims[0])) if (!values.has(name)) values.set(name, batch);
  }
  const nodes = graph.nodes.map((node): Node => {
    const tensor = tensorOf(node);
    if (!tensor) return node;
    const dims = tensor.dims.map((dim) => {
      const size = evaluate(dim, values);
      if (typeof size === "number" && Number.isSafeInteger(size) && size > 0) return size;
      const why = typeof size === "number" ? `${dim} is ${size}` : `${dim} has no number`;
      throw new EngineError("bad-size", `the input ${node.scope} cannot be made: ${why}`, undefined, node.id);
    });
    return { ...node, attrs: { ...node.attrs, tensor: { dims, layout: tensor.layout } } };
  });
  const bound = { ...graph, nodes };
  return { graph: bound, report: infer(bound) };
}
