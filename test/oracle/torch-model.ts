/**
 * Models of PyTorch layers, built as graphs without any text: what the records of chains and of graphs are checked on.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Graph, Node, Origin, Ref } from "#shared/graph/graph.ts";
import { finding, infer } from "#shared/graph/infer.ts";
import { atParam, type Finding } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import { inputOp } from "#shared/ops/input.ts";
import { decodeAttrs } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { CHANNELS_FIRST, tensor } from "#shared/shape/tensor.ts";

/** The records of one file under data/, whose README says how they were made, or of a file elsewhere. */
export function readRecords<T>(file: string | URL): T[] {
  const place = typeof file === "string" ? new URL(`data/${file}`, import.meta.url) : file;
  const text = gunzipSync(readFileSync(place)).toString("utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

/** Whether a finding says that the framework refuses the layer; the others advise on layers that run. */
export function isRefusal(found: Finding): boolean {
  if (found.code === "empty-output") return found.data.fatal;
  return found.code !== "non-integer-size" && found.code !== "skips-pixels" && found.code !== "dead-layer";
}

const ORIGIN: Origin = { layer: { start: 0, end: 0 }, type: { start: 0, end: 0 }, params: new Map(), inputs: [] };

export class TorchModel {
  private readonly nodes: Node[] = [];
  private readonly findings: Finding[] = [];

  constructor(input: readonly number[]) {
    this.nodes.push(this.node(inputOp, { tensor: tensor(input, CHANNELS_FIRST) }, [], "input", false));
  }

  /** Adds a layer and returns its node id. @throws where the operator does not exist: then nothing can be checked. */
  add(type: string, args: Readonly<Record<string, Plain>>, inputs: readonly number[], scope: string): number {
    const op = operators.get(type);
    if (!op) throw new Error(`${type} is not an operator`);
    const { attrs, problems } = decodeAttrs(op, new Map(Object.entries(args)));
    const id = this.nodes.length;
    for (const problem of problems) {
      const { name } = problem;
      const expected = problem.kind === "bad" ? problem.expected : problem.kind;
      this.findings.push(finding("bad-value", id, atParam(name), { name, value: args[name], expected }));
    }
    const refs = inputs.map((node): Ref => ({ node, output: 0 }));
    this.nodes.push(this.node(op, attrs, refs, scope, problems.length > 0));
    return id;
  }

  private node(op: Node["op"], attrs: Node["attrs"], inputs: readonly Ref[], scope: string, broken: boolean): Node {
    return { id: this.nodes.length, op, attrs, inputs, origin: ORIGIN, scope, broken };
  }

  /** What ConvLint says of every node: `[1, 6, 28, 28] 156`, dims and trainable values, or `refused`. */
  said(): string[] {
    const graph: Graph = {
      name: null,
      nodes: this.nodes,
      layers: [],
      inputs: [0],
      outputs: [{ node: this.nodes.length - 1, output: 0 }],
      sample: new Map(),
    };
    const report = infer(graph, this.findings);
    const refused = new Set(report.findings.filter(isRefusal).map((found) => found.node));
    return report.nodes.map(({ outputs, cost }, id) =>
      refused.has(id) ? "refused" : outcome(outputs[0]?.dims.map(String) ?? [], String(cost.params)),
    );
  }
}

/** One node's dims and trainable values as `said` words them. */
export function outcome(dims: readonly (string | number)[], params: string | number): string {
  return `[${dims.join(", ")}] ${params}`;
}
