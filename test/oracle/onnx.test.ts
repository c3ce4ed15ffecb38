/**
 * The operator tests of ONNX, run by every backend. They are other people's files and not in this repository: set
 * ONNX_CASES to onnx_op_cases.jsonl, or have it beside the repository; otherwise this says that nothing ran.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BACKENDS, type TestedBackend } from "../engine/backends.ts";
import { distance, tableOf } from "../engine/model.ts";
import { type Lowering, lower, type OnnxCase, Uncovered, valuesOfTensor } from "./onnx/lowering.ts";
import { OPERATORS } from "./onnx/operators.ts";

const BESIDE = fileURLToPath(new URL("../../../shared/oracles/onnx/onnx_op_cases.jsonl", import.meta.url));
const place = process.env.ONNX_CASES ?? BESIDE;

/** Half a step of float16, where the answer is written in it. */
const HALF = 2 ** -11;

function lowered(record: OnnxCase): Lowering | Uncovered {
  try {
    return lower(record, OPERATORS);
  } catch (error) {
    if (error instanceof Uncovered) return error;
    throw error;
  }
}

/** Compares the first output, and every further one that the operators give: statistics of normalisations they do not. */
function check(to: Lowering, { backend, tolerance }: TestedBackend): void {
  const outputs = to.outputs();
  assert.equal(outputs[0]?.expected, to.record.outputs[0]);
  const wanted = outputs.map(({ ref }) => ref);
  const values = to.model.run(tableOf(to.weights), { backend, wanted });
  for (const [index, { expected }] of outputs.entries()) {
    assert.deepEqual(values[index]!.dims, expected.shape);
    const off = distance(values[index]!.data, valuesOfTensor(expected).data);
    assert.ok(off <= (expected.dtype === "float16" ? HALF : tolerance), `${expected.name} is off by ${off}`);
  }
}

describe("oracle: ONNX's operator tests", () => {
  if (!existsSync(place)) {
    it(`did not run: ${process.env.ONNX_CASES === undefined ? "ONNX_CASES is not set" : "ONNX_CASES is not there"}`);
    return;
  }
  const records = readFileSync(place, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as OnnxCase);
  const uncovered = new Map<string, string[]>();
  const covered = new Map<string, Lowering>();
  for (const record of records) {
    const name = record.name.replace(/^test_/, "");
    const to = lowered(record);
    if (to instanceof Uncovered) uncovered.set(to.message, [...(uncovered.get(to.message) ?? []), name]);
    else covered.set(name, to);
  }
  for (const tested of BACKENDS) {
    describe(tested.name, () => {
      for (const [name, to] of covered) it(name, () => check(to, tested));
    });
  }
  for (const [why, names] of uncovered) it(`${names.length} not covered (${why}): ${names.join(", ")}`);
});
