/** The model's input as an operator, so that the graph has nodes only. */
import type { Tensor } from "../shape/tensor.ts";
import { defineOp } from "./op.ts";
import { type ParamType, required } from "./param.ts";

/** Dialects set the attribute themselves; nothing a file holds is parsed here. */
const raw: ParamType<Tensor> = { expected: "a tensor", schema: {}, parse: (value) => value as unknown as Tensor };

export const inputOp = defineOp({
  name: "Input",
  summary: "An input of the model.",
  params: { tensor: required(raw, "The tensor that enters.") },
  inputs: { least: 0, most: 0 },
  infer: ({ attrs }) => ({ outputs: [attrs.tensor] }),
  example: { attrs: {}, inputs: [], output: [] },
});
