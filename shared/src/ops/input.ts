/** The model's input as an operator, so that the graph has nodes only. */
import type { Tensor } from "../shape/tensor.ts";
import { defineOp } from "./op.ts";
import { type ParamType, Refusal, required } from "./param.ts";

/** Set by dialects, never parsed from a file. */
const given: ParamType<Tensor> = { expected: "a tensor", schema: {}, parse: () => new Refusal("a tensor") };

export const inputOp = defineOp({
  name: "Input",
  summary: "An input of the model.",
  params: { tensor: required(given, "The tensor that enters.") },
  inputs: { least: 0, most: 0 },
  infer: ({ attrs }) => ({ outputs: [attrs.tensor] }),
  run: (_, { cannot }) => cannot("its values come from outside"),
  example: { attrs: {}, inputs: [], output: [] },
});
