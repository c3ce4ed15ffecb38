/**
 * Tensor functions and layers without a window as PyTorch computes them: the shape of every output, or an error exactly
 * where it refuses. data/README.md says how the records were made.
 */
import assert from "node:assert/strict";
import { finding } from "#shared/graph/infer.ts";
import type { Finding, Report } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import { decodeAttrs } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { CHANNELS_FIRST, tensor } from "#shared/shape/tensor.ts";
import { isRefusal, readRecords } from "./torch-model.ts";

interface FunctionRecord {
  readonly id: string;
  readonly op: string;
  readonly args: Readonly<Record<string, Plain>>;
  readonly inputs: readonly (readonly number[])[];
  readonly ok: boolean;
  readonly outputs?: readonly (readonly number[])[];
}

function said({ op: name, args, inputs }: FunctionRecord): string {
  const op = operators.get(name);
  assert.ok(op, `${name} is not an operator`);
  const { attrs, problems } = decodeAttrs(op, new Map(Object.entries(args)));
  if (problems.length > 0) return "refused";
  const findings: Finding[] = [];
  const report: Report = (code, at, data) => findings.push(finding(code, 0, at, data));
  const tensors = inputs.map((dims) => tensor(dims, CHANNELS_FIRST));
  const { outputs } = op.infer({ attrs, inputs: tensors, report, flattenedFrom: () => undefined });
  return findings.some(isRefusal) ? "refused" : JSON.stringify(outputs.map(({ dims }) => dims));
}

describe("oracle: tensor functions as PyTorch computes them", () => {
  const byName = new Map<string, FunctionRecord[]>();
  for (const record of readRecords<FunctionRecord>("torch_functions.jsonl.gz")) {
    byName.set(record.op, [...(byName.get(record.op) ?? []), record]);
  }
  for (const [name, all] of [...byName].sort()) {
    it(`${name}: ${all.length} records`, () => {
      for (const record of all) {
        const truth = record.ok ? JSON.stringify(record.outputs) : "refused";
        assert.equal(said(record), truth, JSON.stringify(record));
      }
    });
  }
});
