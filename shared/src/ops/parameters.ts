/**
 * Learned values that act on something a graph does not hold (text, training targets) or on every position alike:
 * counted exactly, while the tensor passes through.
 */
import { ZEROS } from "./initial.ts";
import { defineOp, type Operator } from "./op.ts";
import { int, required } from "./param.ts";

const parameters = defineOp({
  name: "Parameters",
  summary: "Learned values beside the data path: the first input passes through, others are what they act on.",
  params: { count: required(int(0), "How many values.") },
  inputs: { least: 1, most: Number.POSITIVE_INFINITY },
  infer: ({ attrs, inputs }) => ({
    outputs: [inputs[0]!],
    weights: [{ name: "weight", dims: [attrs.count], trainable: true, initial: ZEROS }],
  }),
  run: (_, { inputs }) => [inputs[0]!],
  example: { attrs: { count: 8 }, inputs: [[1, 8, 4, 4]], output: [1, 8, 4, 4] },
});

export const parameterOps: readonly Operator[] = [parameters];
