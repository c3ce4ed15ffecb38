/**
 * Every layer record that PyTorch made: its very output shape and parameter count, or an error exactly where it refuses.
 * test/oracle/data/README.md says how the records were made.
 */
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { finding } from "#shared/graph/infer.ts";
import type { Finding, Report } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import { decodeAttrs, type Inference } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { add, type Dim, evaluate, isKnown, product, symbol } from "#shared/shape/dim.ts";
import { type Layout, tensor } from "#shared/shape/tensor.ts";
import { outputSize, transposedOutputSize } from "#shared/shape/window.ts";
import { isRefusal, outcome, readRecords } from "./torch-model.ts";

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

/** What ConvLint infers for a record on an input of these sizes; null where it refuses. */
function inferred(record: LayerRecord, dims: readonly Dim[], channels: Layout["channels"] = "first"): Inference | null {
  const op = operators.get(record.layer);
  assert.ok(op, `${record.layer} is not an operator`);
  const { attrs, problems } = decodeAttrs(op, new Map(Object.entries(record.args)));
  if (problems.length > 0) return null;
  const findings: Finding[] = [];
  const report: Report = (code, at, data) => findings.push(finding(code, 0, at, data));
  const input = tensor(dims, { batched: record.unbatched !== true, channels });
  const inference = op.infer({ attrs, inputs: [input], report, flattenedFrom: () => undefined });
  return findings.some(isRefusal) ? null : inference;
}

/** ConvLint's verdict in one line: `[1, 6, 28, 28] 156`, dims and trainable values, or `refused`. */
function said(record: LayerRecord): string {
  const inference = inferred(record, record.input);
  if (!inference) return "refused";
  const trainable = (inference.weights ?? []).filter((weight) => weight.trainable);
  const params = trainable.reduce<Dim>((sum, weight) => add(sum, product(weight.dims)), 0);
  return outcome(inference.outputs[0]!.dims.map(String), String(params));
}

function truth(record: LayerRecord): string {
  return record.ok ? outcome(record.output!, record.params!) : "refused";
}

function check(file: string | URL): void {
  const byLayer = new Map<string, LayerRecord[]>();
  for (const record of readRecords<LayerRecord>(file)) {
    byLayer.set(record.layer, [...(byLayer.get(record.layer) ?? []), record]);
  }
  for (const [layer, all] of byLayer) {
    it(`${layer}: ${all.length} records`, () => {
      const wrong = all.filter((record) => said(record) !== truth(record));
      const line = (record: LayerRecord, verdict: string) =>
        `${record.id} ${JSON.stringify(record.args)} on [${record.input.join(", ")}]: ${verdict}`;
      assert.deepEqual(
        wrong.slice(0, 20).map((record) => line(record, said(record))),
        wrong.slice(0, 20).map((record) => line(record, truth(record))),
        `${wrong.length} of ${all.length} records of ${layer} differ`,
      );
    });
  }
}

/** The sizes with the channels moved to the end. */
function channelsLast({ unbatched }: LayerRecord, dims: readonly Dim[]): Dim[] {
  const channel = unbatched === true ? 0 : 1;
  return [...dims.toSpliced(channel, 1), dims[channel]!];
}

/** PyTorch reads the first axis of such an input as channels; a symbolic batch is none. */
function batchServesAsChannels({ layer, input, unbatched }: LayerRecord): boolean {
  return unbatched !== true && layer.endsWith(`${input.length - 1}d`);
}

/** The record's input with a symbol for every size but the channels', and what the symbols stand for. */
function symbolic({ input, unbatched }: LayerRecord): { dims: Dim[]; values: Map<string, number> } {
  const values = new Map(input.map((size, axis) => [`S${axis}`, size]));
  const channel = unbatched === true ? 0 : 1;
  return {
    dims: input.map((size, axis) => (axis === channel || input.length < 3 ? size : symbol(`S${axis}`))),
    values,
  };
}

const more = process.env.TORCH_RECORDS;
const files = [
  "torch_layers.jsonl.gz",
  "torch_layers_big.jsonl.gz",
  ...(more === undefined ? [] : [pathToFileURL(more)]),
];

describe("oracle: single layers as PyTorch computes them", () => {
  for (const file of files) describe(String(file), () => check(file));

  it("the windows of a layer lead to its output sizes", () => {
    for (const record of readRecords<LayerRecord>(files[0]!).filter(({ ok }) => ok)) {
      const { windows = [], outputs } = inferred(record, record.input)!;
      for (const { axis, input, output, window, outputPadding } of windows) {
        const size =
          outputPadding === undefined ? outputSize(input, window) : transposedOutputSize(input, window, outputPadding);
        const all = [input, output, size];
        assert.deepEqual(
          all,
          [record.input[axis], outputs[0]!.dims[axis], record.output![axis]],
          JSON.stringify(record),
        );
      }
    }
  });

  it("channels last gives the same sizes in its own order", () => {
    const family = /Conv|Pool|Pad|Upsample|Pixel|[Ff]old/;
    const records = readRecords<LayerRecord>(files[0]!).filter(({ layer }) => family.test(layer));
    for (const record of records) {
      const first = inferred(record, record.input);
      const last = inferred(record, channelsLast(record, record.input), "last");
      assert.deepEqual(last?.outputs[0]?.dims, first?.outputs.map((output) => channelsLast(record, output.dims))[0]);
    }
  });

  it("symbolic sizes lead to the same sizes, and refuse nothing that PyTorch accepts", () => {
    const accepted = readRecords<LayerRecord>(files[0]!).filter(
      (record) => record.ok && !batchServesAsChannels(record),
    );
    let unknowns = 0;
    for (const record of accepted) {
      const { dims, values } = symbolic(record);
      const inference = inferred(record, dims);
      assert.ok(inference, `refused: ${JSON.stringify(record)}`);
      const sizes = inference.outputs[0]!.dims.map((dim) => evaluate(dim, values));
      if (!sizes.every(isKnown)) unknowns++;
      const expected = record.output!.map((size, axis) => (isKnown(sizes[axis]!) ? size : sizes[axis]!));
      assert.deepEqual(sizes, expected, JSON.stringify(record));
    }
    // Only factors such as 1.7, which no fraction of a power of two equals, lose a symbolic size.
    assert.ok(unknowns < accepted.length / 100, `${unknowns} of ${accepted.length} are unknown`);
  });
});
