/**
 * Every model that the real builder built, ran or refused: the same sizes after every row, the same parameters, and errors
 * on the row where it stops. test/oracle/data/yolo/README.md says how the records were made.
 */
import assert from "node:assert/strict";
import { type Analysis, analyse } from "#server/analysis.ts";
import { gigaflops, strides } from "#server/dialects/ultralytics/flops.ts";
import type { Finding } from "#shared/ops/finding.ts";
import { add, type Dim, evaluate } from "#shared/shape/dim.ts";
import { readRecords } from "./torch-model.ts";

type Shape = readonly number[];
/** A row's output; a head's is a nest of them, of which the evaluation output comes first. */
type Output = Shape | readonly Output[];

interface Run {
  readonly input: Shape;
  /** The row that refused this input. */
  readonly fail_at?: number;
  readonly error?: string;
  readonly shapes: readonly (Output | null)[];
}

interface Built {
  readonly scale: string | null;
  readonly params: readonly number[];
  readonly total: number;
  readonly stride: readonly number[];
  /** To four decimals, where the framework was asked. */
  readonly gflops?: number;
  readonly runs: readonly Run[];
}

interface Refused {
  readonly scale: string | null;
  readonly phase: "parse" | "forward";
  readonly layer: number;
  readonly error: string;
}

interface ModelRecord {
  readonly file: string;
  readonly text: string;
  readonly variants: readonly (Built | Refused)[];
}

/** What the builder notes for a model without a stride pass. */
const UNSTRIDED = [1];
const ONE = new Map([["N", 1]]);

function check({ text, file }: ModelRecord, scale: string | null, input: Shape | null): Analysis {
  const analysis = analyse(text, file, { scale, input: input ? input.slice(1) : null });
  assert.ok(analysis, `${file} is not recognised`);
  return analysis;
}

/** Sizes after a row, for one sample: one output's, or a list of several outputs'. */
function sizesAfter({ graph, report }: Analysis, row: number): Output {
  const shapes = graph.layers[row]!.outputs.map((ref) => {
    const output = ref ? report.nodes[ref.node]?.outputs[ref.output] : null;
    return (output?.dims ?? []).map((dim) => Number(evaluate(dim, ONE)));
  });
  return shapes.length === 1 ? shapes[0]! : shapes;
}

/** The evaluation output of a head, without what training reads. */
function evaluated(output: Output, isLast: boolean): Output {
  return isLast && Array.isArray(output[0]) ? (output[0] as Output) : output;
}

function paramsOf({ graph, report }: Analysis): Dim[] {
  return graph.layers.map(({ nodes }) => {
    let sum: Dim = 0;
    for (let id = nodes.first; id < nodes.end; id++) sum = add(sum, report.nodes[id]!.cost.params);
    return sum;
  });
}

/** Rows with errors, in the order of the file. */
function rowsWithErrors({ diagnostics, graph }: Analysis): number[] {
  const rows = diagnostics
    .filter(({ severity }) => severity === "error")
    .map(({ layer }) => graph.layers[layer!]!.index);
  return [...new Set(rows)].sort((a, b) => a - b);
}

function checkRun(model: ModelRecord, scale: string | null, run: Run): void {
  const label = `${model.file} ${scale} at ${run.input.slice(2).join("×")}`;
  const analysis = check(model, scale, run.input);
  const last = run.shapes.length - 1;
  for (const [row, shape] of run.shapes.entries()) {
    if (shape) assert.deepEqual(sizesAfter(analysis, row), evaluated(shape, row === last), `${label}, row ${row}`);
  }
  if (run.fail_at === undefined) assert.deepEqual(rowsWithErrors(analysis), [], label);
  else {
    assert.equal(rowsWithErrors(analysis)[0], run.fail_at, `${label}: ${run.error}`);
    checkConcat(analysis, run, label);
  }
}

/** Where branches differ, the very sizes that the framework names. */
function checkConcat(analysis: Analysis, { error, fail_at: row }: Run, label: string): void {
  const told = /Expected size (\d+) but got size (\d+) for tensor number (\d+)/.exec(error ?? "");
  if (!told) return;
  const { first, end } = analysis.graph.layers[row!]!.nodes;
  const isMismatch = (found: Finding): found is Finding & { code: "concat-mismatch" } =>
    found.code === "concat-mismatch";
  const mismatch = analysis.report.findings.filter(isMismatch).find(({ node }) => node! >= first && node! < end);
  assert.ok(mismatch, `${label}: ${error}`);
  const { inputs, index, dim } = mismatch.data;
  assert.deepEqual([inputs[0]!.dims[dim], inputs[index]!.dims[dim], index], told.slice(1).map(Number), label);
}

function checkRefusal(model: ModelRecord, { scale, phase, layer, error }: Refused): void {
  const label = `${model.file} ${scale}: ${error}`;
  // A module of somebody's own is a hint, not an error: the file may load where it is registered.
  const isUnknown = error.includes("unknown model module");
  const analysis = check(model, scale, null);
  if (isUnknown) {
    const hints = analysis.diagnostics.filter(({ code }) => code === "opaque-layer");
    assert.deepEqual(
      hints.map((hint) => [hint.severity, analysis.graph.layers[hint.layer!]!.index]),
      [["hint", layer]],
      label,
    );
    return;
  }
  assert.ok(rowsWithErrors(analysis).includes(layer), `${label}: errors on rows ${rowsWithErrors(analysis)}`);
  // At the size that the builder tries, nothing before that row may fail.
  const tried = check(model, scale, [1, 3, 256, 256]);
  if (phase === "forward") assert.equal(rowsWithErrors(tried)[0], layer, label);
}

function isBuilt(variant: Built | Refused): variant is Built {
  return "params" in variant;
}

describe("YOLO models: 250 generated ones, against the real builder", () => {
  const models = readRecords<ModelRecord>("yolo/generated.jsonl.gz");
  const variants = models.flatMap((model) => model.variants.map((variant) => ({ model, variant })));
  const built = variants.flatMap(({ model, variant }) => (isBuilt(variant) ? [{ model, variant }] : []));
  const refused = variants.flatMap(({ model, variant }) => (isBuilt(variant) ? [] : [{ model, variant }]));
  const runs = built.flatMap(({ model, variant }) => variant.runs.map((run) => ({ model, variant, run })));

  it(`parameters of every row: ${built.length} built models`, () => {
    for (const { model, variant } of built) {
      const analysis = check(model, variant.scale, null);
      assert.deepEqual(paramsOf(analysis), variant.params, `${model.file} ${variant.scale}`);
      assert.deepEqual(strides(analysis.graph) ?? UNSTRIDED, variant.stride, `${model.file} ${variant.scale}`);
    }
  });

  const passed = runs.filter(({ run }) => run.fail_at === undefined);
  it(`sizes after every row: ${passed.length} runs`, () => {
    for (const { model, variant, run } of passed) checkRun(model, variant.scale, run);
  });

  const failed = runs.filter(({ run }) => run.fail_at !== undefined);
  it(`images that a built model refuses: ${failed.length} runs`, () => {
    for (const { model, variant, run } of failed) checkRun(model, variant.scale, run);
  });

  it(`models that the builder refuses: ${refused.length}`, () => {
    for (const { model, variant } of refused) checkRefusal(model, variant);
  });
});

describe("YOLO models: the official architectures, written by ourselves", () => {
  for (const model of readRecords<ModelRecord>("yolo/architectures.jsonl.gz")) {
    for (const variant of model.variants.filter(isBuilt)) {
      it(`${model.file} ${variant.scale ?? ""}: ${variant.runs.length} runs`, () => {
        const analysis = check(model, variant.scale, null);
        assert.deepEqual(paramsOf(analysis), variant.params);
        // Told for the first image of the record: 640×640, or 224×224 for a classifier.
        assert.equal(Math.round(gigaflops(analysis.graph, variant.runs[0]!.input[2])! * 1e4) / 1e4, variant.gflops);
        for (const run of variant.runs) checkRun(model, variant.scale, run);
      });
    }
  }
});
