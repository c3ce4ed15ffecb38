/**
 * Builds a graph layer by layer: what the lowering of every dialect whose layers are single operators writes to.
 *
 * Parameters are decoded here, and what is wrong with one is stated at its own text.
 */
import type { Graph, Layer, Node, Origin, Ref } from "#shared/graph/graph.ts";
import { finding } from "#shared/graph/infer.ts";
import { AT_TYPE, atParam, type Finding, type Range, type Report } from "#shared/ops/finding.ts";
import { inputOp } from "#shared/ops/input.ts";
import { decodeAttrs, type Operator, type ParamProblem } from "#shared/ops/op.ts";
import { opaqueOp } from "#shared/ops/opaque.ts";
import type { Plain } from "#shared/ops/param.ts";
import type { Tensor } from "#shared/shape/tensor.ts";
import type { Lowered } from "./dialect.ts";

/** More operators than this come only from absurd repeats and nestings. */
export const MAX_NODES = 100_000;

/** A node whose inputs may still be filled in: a file can name a later layer. */
interface OpenNode extends Node {
  readonly inputs: (Ref | null)[];
}

/** Where a node goes and what it reads. */
export interface Place {
  readonly inputs: readonly (Ref | null)[];
  readonly scope: string;
  readonly origin: Origin;
}

export interface Decoding {
  /** Keys of the format that any layer may have, for "did you mean". */
  readonly keys?: readonly string[];
  /** Parameters that are written but have no value (already reported). */
  readonly failed?: ReadonlySet<string>;
  /** The weights belong to an earlier call of the same layer. */
  readonly tied?: boolean;
}

export class GraphBuilder {
  private readonly nodes: OpenNode[] = [];
  private readonly layers: Layer[] = [];
  private readonly findings: Finding[] = [];

  /** States a finding of the file itself; those of a node go through `reportOf`. */
  readonly report: Report = (code, at, data) => this.findings.push(finding(code, null, at, data));

  /** Adds a finding; `assumed` where it follows from a module nobody knows, and may be wrong. */
  state(found: Finding, assumed: boolean): void {
    this.findings.push(assumed ? { ...found, assumed: true } : found);
  }

  reportOf(node: number): Report {
    return (code, at, data) => this.findings.push(finding(code, node, at, data));
  }

  /** The id that the next node will have. */
  get next(): number {
    return this.nodes.length;
  }

  get isFull(): boolean {
    return this.nodes.length >= MAX_NODES;
  }

  addInput(name: string, tensor: Tensor, range: Range): Ref {
    return this.add(inputOp, { tensor }, { inputs: [], scope: name, origin: bareOrigin(range) });
  }

  /**
   * A layer that could not be read or that nobody knows, which keeps the sizes around it.
   * @param outputs what it is declared to give, where that is known.
   */
  addOpaque(type: string | null, place: Place, outputs: Tensor | null = null): Ref {
    return this.add(opaqueOp, { type, outputs }, place);
  }

  /** Decodes the written parameters and adds the operator; a bad one is reported and only the rank goes on. */
  addOperator(op: Operator, written: ReadonlyMap<string, Plain>, place: Place, decoding: Decoding = {}): Ref {
    const { keys = [], failed = new Set(), tied = false } = decoding;
    const { attrs, problems } = decodeAttrs(op, written);
    const report = this.reportOf(this.nodes.length);
    let broken = failed.size > 0;
    for (const problem of problems) {
      if (problem.kind !== "unknown") broken = true;
      if (problem.kind === "missing" && failed.has(problem.name)) continue;
      state(problem, op, written, keys, report);
    }
    return this.add(op, attrs, place, { broken, tied });
  }

  /** Adds an operator whose attributes need no decoding. */
  add(
    op: Operator,
    attrs: Readonly<Record<string, unknown>>,
    place: Place,
    { broken = false, tied = false }: { readonly broken?: boolean; readonly tied?: boolean } = {},
  ): Ref {
    const id = this.nodes.length;
    this.nodes.push({ id, op, attrs, ...place, inputs: [...place.inputs], broken, ...(tied ? { tied } : {}) });
    return { node: id, output: 0 };
  }

  /** Fills in an input that named a later layer. */
  connect(node: number, input: number, ref: Ref | null): void {
    this.nodes[node]!.inputs[input] = ref;
  }

  /** A layer of the file, made of the nodes added since `first`. */
  addLayer(layer: Omit<Layer, "nodes"> & { readonly first: number }): void {
    // Field by field: with a rest and a spread this takes a tenth of the analysis.
    const { index, name, type, range, hintAt, first, outputs, depth } = layer;
    this.layers.push({ index, name, type, range, hintAt, nodes: { first, end: this.nodes.length }, outputs, depth });
  }

  finish(model: Pick<Graph, "name" | "sample"> & { readonly outputs: readonly (Ref | null)[] }): Lowered {
    const graph: Graph = {
      name: model.name,
      nodes: this.nodes,
      layers: this.layers.sort((a, b) => a.range.start - b.range.start),
      inputs: this.nodes.filter((node) => node.op === inputOp).map((node) => node.id),
      outputs: model.outputs.filter((ref) => ref !== null),
      sample: model.sample,
    };
    return { graph, findings: this.findings };
  }
}

/** The origin of what has neither parameters nor named inputs. */
export function bareOrigin(range: Range): Origin {
  return { layer: range, type: range, params: new Map(), inputs: [] };
}

function state(
  problem: ParamProblem,
  op: Operator,
  written: ReadonlyMap<string, Plain>,
  keys: readonly string[],
  report: Report,
): void {
  const { name } = problem;
  if (problem.kind === "unknown") {
    const candidates = [...Object.keys(op.params), ...keys];
    report("unknown-parameter", atParam(name), { name, of: op.name, candidates });
  } else if (problem.kind === "missing") report("missing-parameter", AT_TYPE, { name, of: op.name });
  else
    report("bad-value", atParam(name, problem.index), { name, value: written.get(name), expected: problem.expected });
}
