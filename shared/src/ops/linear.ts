/** Fully connected layers. Source: torch.nn.Linear. */
import { compare, mul, product } from "../shape/dim.ts";
import { AT_LAYER, atParam } from "./finding.ts";
import { defineOp, type Operator, type WeightSpec } from "./op.ts";
import { absent, bool, int, optional, required } from "./param.ts";

const linear = defineOp({
  name: "Linear",
  summary: "Multiplies the last axis by a weight matrix: y = xWᵀ + b.",
  params: {
    in_features: absent(int(0), "Size of the last axis; taken from the input where absent."),
    out_features: required(int(0), "Size of the last axis of the output."),
    bias: optional(bool, true, "Adds a learned bias."),
  },
  infer({ attrs, inputs, report, flattenedFrom }) {
    const input = inputs[0]!;
    const actual = input.dims.at(-1);
    if (actual === undefined) {
      report("wrong-rank", AT_LAYER, { input, expected: "at least one axis" });
      return { outputs: [input] };
    }
    const written = attrs.in_features;
    if (written !== null && compare(written, actual) === "different") {
      const flattened = flattenedFrom(0);
      const data = { written, actual, input, param: "in_features" };
      report("features-mismatch", atParam("in_features"), flattened ? { ...data, flattened } : data);
    }
    const features = written ?? actual;
    const dims = [...input.dims.slice(0, -1), attrs.out_features];
    const weights: WeightSpec[] = [{ name: "weight", dims: [attrs.out_features, features], trainable: true }];
    if (attrs.bias) weights.push({ name: "bias", dims: [attrs.out_features], trainable: true });
    const positions = product(input.dims.slice(input.layout.batched ? 1 : 0, -1));
    return {
      outputs: [{ dims, layout: input.layout }],
      weights,
      macs: mul(mul(features, attrs.out_features), positions),
    };
  },
  field: "point",
  example: { attrs: { in_features: 8, out_features: 4 }, inputs: [[2, 8]], output: [2, 4] },
});

export const linearOps: readonly Operator[] = [linear];
