/**
 * Every layer record that PyTorch made: its very output shape and parameter count, or an error exactly where it refuses.
 * test/oracle/data/README.md says how the records were made.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import type { Finding, Report } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import { decodeAttrs } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { type Dim, product } from "#shared/shape/dim.ts";
import { tensor } from "#shared/shape/tensor.ts";

interface LayerRecord {
  readonly id: string;
  readonly layer: string;
  readonly args: Readonly<Record<string, Plain>>;
  readonly input: readonly number[];
  readonly unbatched?: boolean;
  readonly ok: boolean;
  readonly output?: readonly number[];
  readonly params?: number;
  readonly error_class?: string;
}

function records(file: URL): LayerRecord[] {
  const lines = gunzipSync(readFileSync(file)).toString("utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as LayerRecord);
}

/** Findings about layers that PyTorch accepts. */
function isAdvice(finding: Finding): boolean {
  switch (finding.code) {
    case "non-integer-size":
    case "skips-pixels":
    case "dead-layer":
      return true;
    case "empty-output":
      return !finding.data.fatal;
    default:
      return false;
  }
}

/** What ConvLint says about a record, in one line: `[1, 6, 28, 28] 156` or `refused`. */
function said(record: LayerRecord): string {
  const op = operators.get(record.layer);
  if (!op) return "not an operator";
  const { attrs, problems } = decodeAttrs(op, new Map(Object.entries(record.args)));
  if (problems.length > 0) return "refused";
  const findings: Finding[] = [];
  const report: Report = (code, at, data) => findings.push({ code, node: 0, at, data } as Finding);
  const input = tensor(record.input, { batched: record.unbatched !== true, channels: "first" });
  const inference = op.infer({ attrs, inputs: [input], report, flattenedFrom: () => undefined });
  if (!findings.every(isAdvice)) return "refused";
  const trainable = (inference.weights ?? []).filter((weight) => weight.trainable);
  const params = trainable.reduce<Dim>((sum, weight) => (sum as number) + (product(weight.dims) as number), 0);
  return `[${inference.outputs[0]!.dims.join(", ")}] ${params}`;
}

function truth(record: LayerRecord): string {
  return record.ok ? `[${record.output!.join(", ")}] ${record.params}` : "refused";
}

function check(file: URL): void {
  const byLayer = new Map<string, LayerRecord[]>();
  for (const record of records(file)) {
    const sameLayer = byLayer.get(record.layer);
    if (sameLayer) sameLayer.push(record);
    else byLayer.set(record.layer, [record]);
  }
  for (const [layer, all] of byLayer) {
    it(`${layer}: ${all.length} records`, () => {
      const wrong = all.filter((record) => said(record) !== truth(record));
      const shown = wrong.slice(0, 20);
      const describe_ = (record: LayerRecord, verdict: string) =>
        `${record.id} ${JSON.stringify(record.args)} on [${record.input.join(", ")}]: ${verdict}`;
      assert.deepEqual(
        shown.map((record) => describe_(record, said(record))),
        shown.map((record) => describe_(record, truth(record))),
        `${wrong.length} of ${all.length} records of ${layer} differ`,
      );
    });
  }
}

const data = ["torch_layers.jsonl.gz", "torch_layers_big.jsonl.gz"].map(
  (name) => new URL(`data/${name}`, import.meta.url),
);
/** Further records of generate_torch.py. */
const more = process.env.TORCH_RECORDS;
const files = more === undefined ? data : [...data, pathToFileURL(more)];

describe("oracle: single layers as PyTorch computes them", () => {
  for (const file of files) describe(basename(file.pathname), () => check(file));
});
