/** Every operator's own example is right: what docs, completion and the schema show. */
import assert from "node:assert/strict";
import type { Finding, Report } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import { decodeAttrs, UNARY } from "#shared/ops/op.ts";
import { CHANNELS_FIRST, tensor } from "#shared/shape/tensor.ts";

describe("operators: examples", () => {
  for (const op of operators.values()) {
    // The model's input holds a tensor that no file writes, so it has no example.
    if ((op.inputs ?? UNARY).most === 0) continue;
    it(op.name, () => {
      const { attrs, problems } = decodeAttrs(op, new Map(Object.entries(op.example.attrs)));
      assert.deepEqual(problems, []);
      const findings: Finding[] = [];
      const report: Report = (code, at, data) => findings.push({ code, node: 0, at, data } as Finding);
      const inputs = op.example.inputs.map((dims) => tensor(dims, CHANNELS_FIRST));
      const { outputs } = op.infer({ attrs, inputs, report, flattenedFrom: () => undefined });
      assert.deepEqual(findings, []);
      assert.deepEqual(outputs[0]!.dims, op.example.output);
    });
  }
});
