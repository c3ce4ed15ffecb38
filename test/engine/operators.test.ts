/** Every operator runs, gives the dims that inference says, and the same numbers whoever computes it and how often. */
import assert from "node:assert/strict";
import { keyOf } from "#shared/graph/plan.ts";
import type { Network } from "#shared/graph/run.ts";
import { EngineError, type Values } from "#shared/kernels/values.ts";
import { operators } from "#shared/ops/index.ts";
import { kerasOperators } from "#shared/ops/keras.ts";
import type { Operator } from "#shared/ops/op.ts";
import { opaqueOp } from "#shared/ops/opaque.ts";
import { bidirectional } from "#shared/ops/recurrent.ts";
import { timeDistributed } from "#shared/ops/wrapped.ts";
import { CHANNELS_LAST } from "#shared/shape/tensor.ts";
import { GuardedBackend } from "./guarded.ts";
import { distance, EngineModel, RandomWeights, randomOf, randomValues } from "./model.ts";

/** What has no arithmetic, and why. */
const CANNOT = new Map<string, RegExp>([
  ["Opaque", /nobody knows what it computes/],
  ["DeformableSampling", /the sizes of the maps that it samples are not in the graph/],
  ...["ConvLSTM1d", "ConvLSTM2d", "ConvLSTM3d"].map((name) => [name, /sizes of a convolutional LSTM only/] as const),
  ...["MultiHeadAttention", "Attention", "AdditiveAttention"].map(
    (name) => [name, /sizes of this attention only/] as const,
  ),
]);

function check(op: Operator, keras: boolean): void {
  const random = randomOf(7);
  const model = new EngineModel();
  const layout = keras ? CHANNELS_LAST : undefined;
  const inputs = op.example.inputs.map((dims) => {
    const values = randomValues(dims, random);
    // Integers, for what looks them up.
    return model.input(
      op.name === "Embedding" ? { ...values, data: values.data.map((x) => Math.floor(x * 8 + 8)) } : values,
      layout,
    );
  });
  model.add(op, op.example.attrs, inputs);
  const why = CANNOT.get(op.name);
  if (why) {
    assert.throws(
      () => model.run(new RandomWeights(random)),
      (error) =>
        error instanceof EngineError &&
        error.problem === "cannot-run" &&
        error.node === inputs.length &&
        why.test(error.message),
    );
    return;
  }
  const weights = new RandomWeights(random);
  const outputs = model.run(weights);
  assert.deepEqual(outputs[0]!.dims, op.example.output);
  for (const { data } of outputs) assert.ok(data.every(Number.isFinite));
  const network = model.network(weights);
  const wanted = model.lastOutputs(network);
  const backend = new GuardedBackend();
  const run = (of: ReadonlyMap<number, Values>, on: Network) => {
    const values = on.run({ backend, inputs: of, wanted }).finish();
    return wanted.map((ref) => values.get(keyOf(ref))!.data);
  };
  const first = run(model.inputs, network);
  for (const [at, { data }] of outputs.entries()) assert.ok(distance(first[at]!, data) <= 3e-5);
  // From the third time on a run is repeated, and on other numbers.
  const turned = new Map([...model.inputs].map(([id, { dims, data }]) => [id, { dims, data: data.toReversed() }]));
  assert.deepEqual(run(model.inputs, network), first);
  assert.deepEqual(run(turned, network), run(turned, model.network(weights)));
  assert.deepEqual(run(model.inputs, network), first);
  backend.checkAll();
}

describe("engine: operators", () => {
  const attrs = { type: "MyLayer", channels: 3 };
  const opaque = { ...opaqueOp, example: { ...opaqueOp.example, attrs } };
  const given = [...operators.values(), opaque].filter(({ name }) => name !== "Input");
  for (const op of given) it(op.name, () => check(op, false));
  describe("Keras", () => {
    for (const op of kerasOperators.values())
      it(op.name, () => check(op, op.example.inputs[0]!.length === 4 && op.example.inputs[0]!.at(-1) === 3));
    for (const op of [timeDistributed(operators.get("Conv2d")!), timeDistributed(kerasOperators.get("Dense")!)]) {
      const on = op.name.includes("Conv") ? [1, 2, 3, 8, 8] : [1, 2, 8];
      const output = op.name.includes("Conv") ? [1, 2, 4, 4, 4] : [1, 2, 4];
      it(op.name, () => check({ ...op, example: { ...op.example, inputs: [on], output } }, false));
    }
    for (const name of ["SimpleRNN", "GRU", "LSTM"]) {
      const both = bidirectional(kerasOperators.get(name)!);
      const attrs = { units: 8, return_sequences: true, merge_mode: "concat" };
      it(both.name, () => check({ ...both, example: { attrs, inputs: [[1, 20, 16]], output: [1, 20, 16] } }, false));
    }
  });
});
