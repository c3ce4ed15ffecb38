/**
 * Graphs with concatenations, sums and products as PyTorch runs them: the shape and the parameter count of every node, and
 * a refusal at exactly the node where PyTorch refuses. data/README.md says how the records were made.
 */
import assert from "node:assert/strict";
import type { Plain } from "#shared/ops/param.ts";
import { outcome, readRecords, TorchModel } from "./torch-model.ts";

interface GraphRecord {
  readonly id: string;
  readonly input: readonly number[];
  readonly nodes: readonly {
    readonly id: string;
    /** A class of torch.nn, or `cat`, `add` or `mul`. */
    readonly op: string;
    readonly args?: Readonly<Record<string, Plain>>;
    readonly dim?: number;
    /** Ids of nodes, or `in`. */
    readonly from: readonly string[];
    /** Absent on the node that fails, which is the last. */
    readonly shape?: readonly number[];
    readonly params?: number;
  }[];
  readonly fail: { readonly at: string; readonly error: string } | null;
}

const FUNCTIONS: Readonly<Record<string, string>> = { cat: "Concat", add: "Add", mul: "Mul" };

function truth({ nodes, fail }: GraphRecord): string[] {
  return nodes.map(({ id, shape, params }) => (id === fail?.at ? "refused" : outcome(shape!, params ?? 0)));
}

function said(record: GraphRecord): string[] {
  const model = new TorchModel(record.input);
  const ids = new Map([["in", 0]]);
  for (const { id, op, args, dim, from } of record.nodes) {
    const inputs = from.map((source) => ids.get(source)!);
    ids.set(id, model.add(FUNCTIONS[op] ?? op, { ...args, ...(dim === undefined ? {} : { dim }) }, inputs, id));
  }
  return model.said().slice(1);
}

describe("oracle: graphs as PyTorch runs them", () => {
  const records = readRecords<GraphRecord>("torch_dags.jsonl.gz");

  it(`gives the shape and parameters of every node of ${records.length} graphs`, () => {
    for (const record of records)
      assert.deepEqual(said(record), truth(record), `${record.id}: ${JSON.stringify(record)}`);
  });
});
