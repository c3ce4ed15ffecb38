/**
 * Runs shape inference over a graph: every node once, in dependency order, never stopping at an error.
 *
 * One mistake makes one finding: a node that fails still has an output of the right rank, and what depends on an unknown
 * size stays silent because unknown sizes compare as "sometimes".
 */
import type { Finding, FindingCode, FindingData, Report } from "../ops/finding.ts";
import { AT_TYPE, atInput } from "../ops/finding.ts";
import { type Assumption, type Call, type Inference, type Operator, UNARY } from "../ops/op.ts";
import { add as addDim, type Dim, mul, product } from "../shape/dim.ts";
import type { Tensor } from "../shape/tensor.ts";
import { spatialAxes, unknownLike } from "../shape/tensor.ts";
import { type Field, fieldThrough, POINT } from "../shape/window.ts";
import type { Graph, Layer, Node, Ref } from "./graph.ts";

export interface Cost {
  /** Trainable values. */
  readonly params: Dim;
  /** Running statistics and the like. */
  readonly buffers: Dim;
  /** Multiply-accumulates for one sample. */
  readonly macs: Dim;
  /** Bytes of the float32 outputs for one sample. */
  readonly activationBytes: Dim;
}

export interface NodeReport {
  /** null: the input's rank is not known. */
  readonly inputs: readonly (Tensor | null)[];
  /** null: not known at all, e.g. behind an unresolved reference. */
  readonly outputs: readonly (Tensor | null)[];
  readonly inference: Inference | null;
  readonly cost: Cost;
  /** Per spatial axis, outermost first; null: sees the whole input, or is not known. */
  readonly field: readonly Field[] | null;
  /** Its outputs follow from an assumption about a layer nobody knows. */
  readonly assumed?: Assumption;
}

export interface ShapeReport {
  /** By node id. */
  readonly nodes: readonly NodeReport[];
  readonly findings: readonly Finding[];
}

const NO_COST: Cost = { params: 0, buffers: 0, macs: 0, activationBytes: 0 };

/** Infers every node of a graph. `preset` findings (from lowering) come first in the result. */
export function infer(graph: Graph, preset: readonly Finding[] = []): ShapeReport {
  const findings: Finding[] = [...preset];
  const reports = new Array<NodeReport>(graph.nodes.length);
  for (const node of inDependencyOrder(graph, findings)) reports[node.id] = inferNode(node, graph, reports, findings);
  // Nodes on a cycle were reported; they have no output.
  for (const node of graph.nodes) {
    reports[node.id] ??= {
      inputs: node.inputs.map(() => null),
      outputs: [],
      inference: null,
      cost: NO_COST,
      field: null,
    };
  }
  return { nodes: reports, findings };
}

/** What is found, node by node, for who need not look at all of them. */
export function* findingsOf(graph: Graph): Iterable<Finding> {
  const findings: Finding[] = [];
  const reports = new Array<NodeReport>(graph.nodes.length);
  for (const node of inDependencyOrder(graph, findings)) {
    reports[node.id] = inferNode(node, graph, reports, findings);
    yield* findings.splice(0);
  }
}

function inferNode(node: Node, graph: Graph, reports: readonly NodeReport[], findings: Finding[]): NodeReport {
  const op: Operator = node.op;
  const inputs = node.inputs.map((ref) => (ref ? asRead(outputOf(ref, reports), op.axes) : null));
  const assumed = assumedOf(node, reports);
  const report: Report = (code, at, data) => {
    // What the number of axes speaks against is no problem where nobody knows that number. Other findings do not rest on it.
    if (assumed === "rank" && (code === "wrong-rank" || code === "bad-value")) return;
    findings.push({ ...finding(code, node.id, at, data), ...(assumed === "sizes" ? { assumed: true } : {}) });
  };
  const silent = (): NodeReport => ({ inputs, outputs: [], inference: null, cost: NO_COST, field: null });

  const arity = op.inputs ?? UNARY;
  if (inputs.length < arity.least || inputs.length > arity.most) {
    const at = inputs.length > arity.most ? atInput(arity.most) : AT_TYPE;
    if (!node.broken) report("wrong-input-count", at, { got: inputs.length, expected: expectedInputs(arity) });
    return silent();
  }
  reportMissingOutputs(node, graph, reports, report);
  if (inputs.includes(null)) return silent();
  const tensors = inputs as Tensor[];
  const call: Call<any> = {
    attrs: node.attrs,
    inputs: tensors,
    report,
    flattenedFrom: (index) => flattenedFrom(node.inputs[index], graph, reports),
  };
  const inference = node.broken ? recover(op, node, tensors) : op.infer(call);
  return {
    inputs,
    outputs: inference.outputs,
    inference,
    cost: costOf(inference, node.tied === true),
    field: fieldOf(op, inference, node.inputs, tensors, reports),
    ...assumption(inference.assumed ?? assumed),
  };
}

/** What is assumed of a node's inputs: sizes where they differ, which may be wrong in any way. */
function assumedOf(node: Node, reports: readonly NodeReport[]): Assumption | undefined {
  const words = node.inputs.map((ref) => (ref ? reports[ref.node]?.assumed : undefined));
  return words.includes("sizes") ? "sizes" : words.find((word) => word !== undefined);
}

function assumption(assumed: Assumption | undefined): { readonly assumed?: Assumption } {
  return assumed ? { assumed } : {};
}

export function finding<C extends FindingCode>(
  code: C,
  node: number | null,
  at: Finding["at"],
  data: FindingData[C],
): Finding {
  return { code, node, at, data } as Finding;
}

function expectedInputs({ least, most }: { least: number; most: number }): string {
  if (least === most) return least === 1 ? "1 input" : `${least} inputs`;
  return most === Number.POSITIVE_INFINITY
    ? `at least ${least} input${least === 1 ? "" : "s"}`
    : `${least} to ${most} inputs`;
}

/** A reference to the fifth part of a Split into four: only inference knows how many there are. */
function reportMissingOutputs(node: Node, graph: Graph, reports: readonly NodeReport[], report: Report): void {
  for (const [index, ref] of node.inputs.entries()) {
    const count = ref ? (reports[ref.node]?.outputs.length ?? 0) : 0;
    if (!ref || count === 0 || ref.output < count) continue;
    const source = graph.nodes[ref.node]!;
    const detail = `${source.op.name} has ${count === 1 ? "one output" : `${count} outputs, 0 to ${count - 1}`}`;
    report(
      "unknown-reference",
      { kind: "input", index },
      { name: `${source.scope}.${ref.output}`, candidates: [], detail },
    );
  }
}

/** The cost of the nodes [first, end) together. */
export function totalCost({ nodes }: ShapeReport, first: number, end: number): Cost {
  let { params, buffers, macs, activationBytes } = NO_COST;
  for (let id = first; id < end; id++) {
    const { cost } = nodes[id]!;
    params = addDim(params, cost.params);
    buffers = addDim(buffers, cost.buffers);
    macs = addDim(macs, cost.macs);
    activationBytes = addDim(activationBytes, cost.activationBytes);
  }
  return { params, buffers, macs, activationBytes };
}

/** What a layer hands on: all outputs of its last node where the dialect could not know how many there are (Split). */
export function layerOutputs(layer: Layer, report: ShapeReport): readonly (Tensor | null)[] {
  return layer.outputs.flatMap((ref): readonly (Tensor | null)[] => {
    const outputs = ref ? (report.nodes[ref.node]?.outputs ?? []) : [];
    if (ref && layer.outputs.length === 1 && outputs.length > 1) return outputs;
    return [(ref && outputs[ref.output]) ?? null];
  });
}

/** PyTorch tells a batch by the number of axes: a Flatten of batch and frames is one again for the convolution behind it. */
function asRead(input: Tensor | null, axes: number | undefined): Tensor | null {
  if (axes === undefined || input === null || input.layout.batched || input.dims.length !== axes + 2) return input;
  return { ...input, layout: { ...input.layout, batched: true } };
}

function outputOf(ref: Ref, reports: readonly NodeReport[]): Tensor | null {
  return reports[ref.node]?.outputs[ref.output] ?? null;
}

function recover(op: Operator, node: Node, inputs: readonly Tensor[]): Inference {
  if (op.recover) return op.recover(node.attrs, inputs);
  const like = inputs[0];
  if (!like) return { outputs: [] };
  return { outputs: [unknownLike(like, `${op.name} could not be checked`)] };
}

function flattenedFrom(ref: Ref | null | undefined, graph: Graph, reports: readonly NodeReport[]): Tensor | undefined {
  // Through layers that keep every size (activations, dropout), back to the Flatten.
  for (let hops = 0; ref && hops < 8; hops++) {
    const node = graph.nodes[ref.node];
    const input = node?.inputs[0];
    const before = input ? outputOf(input, reports) : null;
    const after = outputOf(ref, reports);
    if (!node || !input || !before || !after) return undefined;
    if (node.op.name === "Flatten") return before;
    if (before.dims.length !== after.dims.length || before.dims.some((dim, axis) => dim !== after.dims[axis]))
      return undefined;
    ref = input;
  }
  return undefined;
}

function costOf(inference: Inference, tied: boolean): Cost {
  let params: Dim = 0;
  let buffers: Dim = 0;
  for (const weight of tied ? [] : (inference.weights ?? [])) {
    const count = product(weight.dims);
    if (weight.trainable) params = addDim(params, count);
    else buffers = addDim(buffers, count);
  }
  let bytes: Dim = 0;
  for (const output of inference.outputs) {
    bytes = addDim(bytes, mul(4, product(output.layout.batched ? output.dims.slice(1) : output.dims)));
  }
  return { params, buffers, macs: inference.macs ?? 0, activationBytes: bytes };
}

function fieldOf(
  op: Operator,
  inference: Inference,
  refs: readonly (Ref | null)[],
  inputs: readonly Tensor[],
  reports: readonly NodeReport[],
): readonly Field[] | null {
  if (inputs.length === 0) {
    const output = inference.outputs[0];
    return output ? spatialAxes(output).map(() => POINT) : null;
  }
  if (op.field === "all" && !inference.windows) return null;
  const fields = refs.map((ref) => (ref ? (reports[ref.node]?.field ?? null) : null));
  let merged: readonly Field[] | null = fields[0] ?? null;
  for (const field of fields.slice(1)) merged = merged && field ? widest(merged, field) : null;
  if (!merged || !inference.windows) return merged;
  const through: Field[] = [];
  for (const [index, field] of merged.entries()) {
    const use = inference.windows[index];
    const next = use ? fieldThrough(field, use) : field;
    if (!next) return null;
    through.push(next);
  }
  return through;
}

/** Where branches merge the larger field counts, per axis; null where they differ in rank. */
function widest(a: readonly Field[], b: readonly Field[]): readonly Field[] | null {
  if (a.length !== b.length) return null;
  return a.map((field, axis) => (b[axis]!.size > field.size ? b[axis]! : field));
}

/** Every node after those it reads, for whatever else goes through a graph; nodes on or behind a cycle are left out. */
export function dependencyOrder(graph: Graph): readonly Node[] {
  return inDependencyOrder(graph, []);
}

/** Depth-first order over inputs with an explicit stack, so that deep graphs cannot overflow; cycles become findings. */
function inDependencyOrder(graph: Graph, findings: Finding[]): Node[] {
  const order: Node[] = [];
  const state = new Uint8Array(graph.nodes.length); // 0 new, 1 open, 2 done, 3 on or behind a cycle
  const path: { node: Node; next: number }[] = [];
  for (const root of graph.nodes) {
    if (state[root.id] !== 0) continue;
    path.push({ node: root, next: 0 });
    state[root.id] = 1;
    while (path.length > 0) {
      const top = path[path.length - 1]!;
      if (top.next === top.node.inputs.length) {
        path.pop();
        if (state[top.node.id] === 1) order.push(top.node);
        state[top.node.id] = 2;
        continue;
      }
      const ref = top.node.inputs[top.next++];
      if (!ref) continue;
      const seen = state[ref.node];
      if (seen === 0) {
        state[ref.node] = 1;
        path.push({ node: graph.nodes[ref.node]!, next: 0 });
      } else if (seen === 1) {
        const start = path.findIndex((entry) => entry.node.id === ref.node);
        const loop = path.slice(start).map((entry) => entry.node);
        findings.push(
          finding(
            "cycle",
            top.node.id,
            { kind: "input", index: top.next - 1 },
            { path: loop.map((node) => node.scope) },
          ),
        );
        for (const node of loop) state[node.id] = 3;
      }
    }
  }
  return order;
}
