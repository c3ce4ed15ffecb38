/**
 * A layer nobody knows, as an operator: what every dialect lowers an unknown type to, so that the layers around it keep
 * their sizes and nothing is said about what cannot be known. It is in no list of operators: no file can name it.
 */
import { channelAxis, type Tensor, unknownLike, withDims } from "../shape/tensor.ts";
import { defineOp } from "./op.ts";
import { absent, int, type ParamType, Refusal, text } from "./param.ts";

/** Set by dialects, never parsed from a file. */
const declared: ParamType<Tensor> = { expected: "a tensor", schema: {}, parse: () => new Refusal("a tensor") };

/**
 * attrs `{type, outputs, channels}`: `type` is the layer's type as written, or null where there is none; `outputs` is the
 * tensor it is declared to give; or `channels` replaces the first input's channels and all other sizes stay, as in most
 * custom layers. Where neither is given, the output has the first input's rank and batch only.
 */
export const opaqueOp = defineOp({
  name: "Opaque",
  summary: "A layer ConvLint does not know.",
  params: {
    type: absent(text, "The layer's type as written."),
    outputs: absent(declared, "The tensor it is declared to give."),
    channels: absent(int(1), "Its output channels, where the other sizes stay."),
  },
  inputs: { least: 0, most: Number.POSITIVE_INFINITY },
  infer({ attrs, inputs: [input] }) {
    if (attrs.outputs) return { outputs: [attrs.outputs] };
    if (input && typeof attrs.channels === "number" && channelAxis(input) >= 0) {
      return { outputs: [withDims(input, new Map([[channelAxis(input), attrs.channels]]))], assumed: "sizes" };
    }
    const why = attrs.type === null ? "the layer is not known" : `the layer ${attrs.type} is not known`;
    // A layer that could not be read (its type is null) may be any, but most keep the rank, and so it goes on.
    return { outputs: input ? [unknownLike(input, why)] : [], ...(attrs.type === null ? {} : { assumed: "rank" }) };
  },
  field: "all",
  run: (_, { cannot }) => cannot("nobody knows what it computes"),
  example: { attrs: { type: "MyLayer" }, inputs: [[1, 3, 8, 8]], output: [1, 3, 8, 8] },
});
