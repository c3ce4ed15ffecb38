/** Elementwise layers, which keep every size. Source: torch.nn. */
import { defineOp, type Operator } from "./op.ts";
import { bool, number, oneOf, optional, type Params } from "./param.ts";

function elementwise(name: string, summary: string, params: Params = {}): Operator {
  return defineOp({
    name,
    summary,
    params,
    infer: ({ inputs }) => ({ outputs: [inputs[0]!] }),
    example: { attrs: {}, inputs: [[1, 3, 8, 8]], output: [1, 3, 8, 8] },
  });
}

const inplace = { inplace: optional(bool, false, "Overwrites the input.") };
const alpha = optional(number, 1, "Scale of the negative part.");

export const activationOps: readonly Operator[] = [
  elementwise("ReLU", "max(0, x).", inplace),
  elementwise("ReLU6", "min(max(0, x), 6).", inplace),
  elementwise("LeakyReLU", "x, or a small multiple of it where negative.", {
    negative_slope: optional(number, 0.01, "Slope where negative."),
    ...inplace,
  }),
  elementwise("ELU", "x, or α(eˣ − 1) where negative.", { alpha, ...inplace }),
  elementwise("SELU", "Self-normalising ELU.", inplace),
  elementwise("GELU", "x·Φ(x).", { approximate: optional(oneOf("none", "tanh"), "none", "How Φ is computed.") }),
  elementwise("SiLU", "x·sigmoid(x).", inplace),
  elementwise("Mish", "x·tanh(softplus(x)).", inplace),
  elementwise("Hardswish", "Piecewise approximation of SiLU.", inplace),
  elementwise("Hardsigmoid", "Piecewise approximation of sigmoid.", inplace),
  elementwise("Softsign", "x/(1 + |x|)."),
  elementwise("Sigmoid", "1/(1 + e⁻ˣ)."),
  elementwise("LogSigmoid", "log sigmoid(x)."),
  elementwise("Tanh", "Hyperbolic tangent."),
  elementwise("Tanhshrink", "x − tanh(x)."),
];
