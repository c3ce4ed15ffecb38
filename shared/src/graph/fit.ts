/**
 * Which sizes of the model's one input make its branches meet: solved on symbols, then tried.
 */
import type { Finding, FindingCode } from "../ops/finding.ts";
import { inputOp } from "../ops/input.ts";
import { type Agreement, agreesWhen, compare, type Dim, isKnown, symbol } from "../shape/dim.ts";
import { spatialAxes, type Tensor } from "../shape/tensor.ts";
import type { Graph } from "./graph.ts";
import { findingsOf } from "./infer.ts";

/** Sizes for one axis of the input: near ones that fit, and what they are multiples of. */
export interface Fit {
  readonly axis: number;
  readonly sizes: readonly number[];
  /** All multiples of this fit; null where the rule is another. */
  readonly multipleOf: number | null;
}

export interface FittedInput {
  readonly input: Tensor;
  /** The axes whose size does not fit now. */
  readonly fits: readonly Fit[];
}

/** Real networks have strides up to 128; further away the size would be another model's. */
const REACH = 256;

/** Where branches meet. Other findings do not become right by another size alone. */
const MEETINGS: ReadonlySet<FindingCode> = new Set<FindingCode>(["concat-mismatch", "add-mismatch"]);

const known = new WeakMap<Graph, FittedInput | null>();

/** The graph with another tensor for an input: the same nodes otherwise. */
export function withInput(graph: Graph, id: number, tensor: Tensor): Graph {
  const nodes = graph.nodes.map((node) => (node.id === id ? { ...node, attrs: { ...node.attrs, tensor } } : node));
  return { ...graph, nodes };
}

/** Null where there are several inputs, where its sizes are no numbers, or where no near size mends all branches. */
export function fittingInput(graph: Graph): FittedInput | null {
  let found = known.get(graph);
  if (found === undefined) {
    found = solve(graph);
    known.set(graph, found);
  }
  return found;
}

function solve(graph: Graph): FittedInput | null {
  const [id, ...others] = graph.inputs;
  const node = id === undefined ? undefined : graph.nodes[id];
  if (node?.op !== inputOp || others.length > 0) return null;
  const input = node.attrs.tensor as Tensor;
  const axes = spatialAxes(input).filter((axis) => typeof input.dims[axis] === "number");
  const open = resized(input, new Map(axes.map((axis) => [axis, symbol(nameOf(axis))])));
  const conditions: Agreement[] = [];
  for (const found of findingsOf(withInput(graph, node.id, open))) {
    for (const condition of conditionsOf(found)) {
      // Channels that differ, for one: an editor asks at each keystroke, and need not wait for the layers that follow.
      if (condition === null) return null;
      conditions.push(condition);
    }
  }
  const fits: Fit[] = [];
  for (const axis of axes) {
    const own = conditions.filter(({ symbol }) => symbol === nameOf(axis));
    const size = input.dims[axis] as number;
    if (meets(size, own)) continue;
    const fit = fitNear(size, own);
    if (!fit) return null;
    fits.push({ axis, ...fit });
  }
  if (fits.length === 0) return null;
  const isTrue = [0, -1].every((which) => {
    const dims = new Map(fits.map(({ axis, sizes }) => [axis, sizes.at(which)!]));
    for (const { code } of findingsOf(withInput(graph, node.id, resized(input, dims)))) {
      if (MEETINGS.has(code)) return false;
    }
    return true;
  });
  return isTrue ? { input, fits } : null;
}

function nameOf(axis: number): string {
  return `input axis ${axis}`;
}

function resized(input: Tensor, sizes: ReadonlyMap<number, Dim>): Tensor {
  return { ...input, dims: input.dims.map((dim, axis) => sizes.get(axis) ?? dim) };
}

/** For which sizes what meets is equal, where that depends on the input; null where it cannot be told. */
function conditionsOf(found: Finding): (Agreement | null)[] {
  if (found.code !== "concat-mismatch" && found.code !== "add-mismatch") return [];
  const { inputs, index } = found.data;
  const joined = found.code === "concat-mismatch" ? found.data.axis : -1;
  const last = inputs[index]!.dims;
  return inputs.slice(0, index).flatMap(({ dims }) =>
    dims.flatMap((dim, axis) => {
      const other = last[axis + last.length - dims.length];
      if (axis === joined || other === undefined || !isKnown(dim) || !isKnown(other)) return [];
      return compare(dim, other) === "equal" ? [] : [agreesWhen(dim, other)];
    }),
  );
}

function meets(size: number, conditions: readonly Agreement[]): boolean {
  return conditions.every(({ period, residues }) => residues.includes(size % period));
}

/** The nearest multiples of the smallest step whose multiples all fit, else whatever is nearest. */
function fitNear(size: number, conditions: readonly Agreement[]): Omit<Fit, "axis"> | null {
  const cycle = conditions.reduce((all, { period }) => leastCommonMultiple(all, period), 1);
  for (let step = 2; step <= Math.min(cycle, REACH); step++) {
    if (cycle % step !== 0 || !multiplesMeet(step, cycle, conditions)) continue;
    const below = size - (size % step);
    return { sizes: [below, below + step].filter((near) => near > 0), multipleOf: step };
  }
  const sizes = ([-1, 1] as const).flatMap((way) => nearest(size, way, conditions));
  return sizes.length > 0 ? { sizes, multipleOf: null } : null;
}

function multiplesMeet(step: number, cycle: number, conditions: readonly Agreement[]): boolean {
  for (let size = step; size <= cycle; size += step) if (!meets(size, conditions)) return false;
  return true;
}

function nearest(size: number, way: 1 | -1, conditions: readonly Agreement[]): number[] {
  for (let near = size + way; near > 0 && Math.abs(near - size) <= REACH; near += way) {
    if (meets(near, conditions)) return [near];
  }
  return [];
}

function leastCommonMultiple(a: number, b: number): number {
  let [large, small] = [a, b];
  while (small > 0) [large, small] = [small, large % small];
  return (a / large) * b;
}
