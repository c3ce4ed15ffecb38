/** Layers that keep every size, and GLU, which halves one: activations and dropout. Source: torch.nn. */
import { compare, type Dim, floorDiv, mod } from "../shape/dim.ts";
import { axisName, type Tensor, withDims } from "../shape/tensor.ts";
import { axisOf } from "./axis.ts";
import { AT_LAYER, atParam } from "./finding.ts";
import { type Call, defineOp, type OpExample, type Operator } from "./op.ts";
import {
  type Attrs,
  absent,
  between,
  bool,
  int,
  number,
  oneOf,
  optional,
  type Param,
  type Params,
  required,
} from "./param.ts";

/** An operator whose output is its input, whatever its attributes; `check` reports what the framework refuses. */
function elementwise<P extends Params>(
  name: string,
  summary: string,
  params: P,
  check?: (call: Call<Attrs<P>>) => void,
  { attrs = {}, on = [1, 4, 8, 8] }: { attrs?: OpExample["attrs"]; on?: readonly number[] } = {},
): Operator {
  return defineOp({
    name,
    summary,
    params,
    infer(call) {
      check?.(call);
      return { outputs: [call.inputs[0]!] };
    },
    recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
    example: { attrs, inputs: [on], output: on },
  });
}

const inplace = { inplace: optional(bool, false, "Overwrites the input.") };
const alpha = optional(number, 1, "Scale of the negative part.");

const hardtanh = elementwise(
  "Hardtanh",
  "x, limited to [min_val, max_val].",
  {
    min_val: optional(number, -1, "The least value."),
    max_val: optional(number, 1, "The greatest value."),
    ...inplace,
  },
  ({ attrs, report }) => {
    if (attrs.max_val > attrs.min_val) return;
    const expected = `greater than min_val = ${attrs.min_val}`;
    report("bad-value", atParam("max_val"), { name: "max_val", value: attrs.max_val, expected });
  },
);

const rrelu = elementwise(
  "RReLU",
  "x, or a random small multiple of it where negative.",
  {
    lower: optional(number, 1 / 8, "The least slope."),
    upper: optional(number, 1 / 3, "The greatest slope."),
    ...inplace,
  },
  ({ attrs, report }) => {
    if (attrs.lower <= attrs.upper) return;
    const expected = `at most upper = ${attrs.upper}`;
    report("bad-value", atParam("lower"), { name: "lower", value: attrs.lower, expected });
  },
);

const celu = elementwise("CELU", "max(0, x) + min(0, α(exp(x/α) − 1)).", { alpha, ...inplace }, ({ attrs, report }) => {
  if (attrs.alpha === 0) report("bad-value", atParam("alpha"), { name: "alpha", value: 0, expected: "other than 0" });
});

/** PReLU's channel axis is axis 1 even for a tensor without a batch; a single axis counts as one channel. */
function preluChannels(input: Tensor): Dim {
  const rank = input.dims.length;
  if (rank < 2) return 1;
  return input.dims[input.layout.channels === "first" ? 1 : rank - 1]!;
}

const prelu = defineOp({
  name: "PReLU",
  summary: "x, or a learned multiple of it where negative.",
  params: {
    num_parameters: optional(int(1), 1, "One slope for all channels, or one for each."),
    init: optional(number, 0.25, "The slope before training."),
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const written = attrs.num_parameters;
    const actual = preluChannels(input);
    if (written !== 1 && compare(written, actual) === "different") {
      const data = { param: "num_parameters", written, actual, input };
      report("channels-mismatch", atParam("num_parameters"), data);
    }
    return { outputs: [input], weights: [{ name: "weight", dims: [written], trainable: true }] };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  example: { attrs: { num_parameters: 4 }, inputs: [[1, 4, 8, 8]], output: [1, 4, 8, 8] },
});

const glu = defineOp({
  name: "GLU",
  summary: "Splits an axis into halves a and b and gives a·sigmoid(b).",
  params: { dim: optional(int(), -1, "The axis to halve; the batch counts.") },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const axis = axisOf(report, "dim", attrs.dim, input);
    if (axis === null) return { outputs: [input] };
    const size = input.dims[axis]!;
    if (mod(size, 2) === 1) {
      const data = { what: axisName(input, axis), size, by: 2, why: "GLU splits it into two halves" };
      report("not-divisible", atParam("dim"), data);
    }
    return { outputs: [withDims(input, new Map([[axis, floorDiv(size, 2)]]))] };
  },
  example: { attrs: { dim: 1 }, inputs: [[1, 4, 8, 8]], output: [1, 2, 8, 8] },
});

/** Softmax and its kin: normalised over one axis, which PyTorch guesses where it is absent. */
function softmax(name: string, summary: string): Operator {
  const params: { readonly dim: Param<number | null> } = {
    dim: absent(int(), "The axis that is normalised; the batch counts."),
  };
  return elementwise(
    name,
    summary,
    params,
    ({ attrs, inputs, report }) => {
      if (attrs.dim !== null) axisOf(report, "dim", attrs.dim, inputs[0]!);
    },
    { attrs: { dim: 1 } },
  );
}

/** Reports a rank outside [least, most]. */
function ranks(least: number, most: number, expected: string) {
  return ({ inputs, report }: Call<unknown>): void => {
    const input = inputs[0]!;
    const rank = input.dims.length;
    if (rank < least || rank > most) report("wrong-rank", AT_LAYER, { input, expected });
  };
}

/** Dropping whole channels needs a channel axis, unless there is nothing to draw: PyTorch then does not look. */
function hasChannels({ attrs, inputs, report }: Call<{ readonly p: number }>): void {
  const input = inputs[0]!;
  if (input.dims.length < 2 && attrs.p > 0 && attrs.p < 1) {
    report("wrong-rank", AT_LAYER, { input, expected: "at least 2 axes" });
  }
}

const dropout = { p: optional(between(0, 1), 0.5, "How likely a value is dropped."), ...inplace };

export const activationOps: readonly Operator[] = [
  elementwise("ReLU", "max(0, x).", inplace),
  elementwise("ReLU6", "min(max(0, x), 6).", inplace),
  elementwise("LeakyReLU", "x, or a small multiple of it where negative.", {
    negative_slope: optional(number, 0.01, "Slope where negative."),
    ...inplace,
  }),
  prelu,
  rrelu,
  elementwise("ELU", "x, or α(eˣ − 1) where negative.", { alpha, ...inplace }),
  celu,
  elementwise("SELU", "Self-normalising ELU.", inplace),
  elementwise("GELU", "x·Φ(x).", { approximate: optional(oneOf("none", "tanh"), "none", "How Φ is computed.") }),
  elementwise("SiLU", "x·sigmoid(x).", inplace),
  elementwise("Mish", "x·tanh(softplus(x)).", inplace),
  elementwise("Hardswish", "Piecewise approximation of SiLU.", inplace),
  elementwise("Hardsigmoid", "Piecewise approximation of sigmoid.", inplace),
  hardtanh,
  elementwise("Hardshrink", "x, or 0 where |x| ≤ λ.", { lambd: optional(number, 0.5, "The threshold λ.") }),
  elementwise("Softshrink", "x moved towards 0 by λ.", {
    lambd: optional(between(0, Number.MAX_VALUE), 0.5, "The threshold λ."),
  }),
  elementwise("Softplus", "log(1 + exp(βx))/β.", {
    beta: optional(number, 1, "Sharpness β."),
    threshold: optional(number, 20, "Above this βx the output is x."),
  }),
  elementwise("Softsign", "x/(1 + |x|).", {}),
  elementwise("Sigmoid", "1/(1 + e⁻ˣ).", {}),
  elementwise("LogSigmoid", "log sigmoid(x).", {}),
  elementwise("Tanh", "Hyperbolic tangent.", {}),
  elementwise("Tanhshrink", "x − tanh(x).", {}),
  elementwise(
    "Threshold",
    "x, or a value where x is not above the threshold.",
    { threshold: required(number, "What x must exceed."), value: required(number, "What replaces it."), ...inplace },
    undefined,
    { attrs: { threshold: 0.1, value: 0 } },
  ),
  glu,
  softmax("Softmax", "exp(x)/Σexp(x) along one axis."),
  softmax("LogSoftmax", "log softmax(x) along one axis."),
  softmax("Softmin", "softmax(−x) along one axis."),
  elementwise("Softmax2d", "Softmax over the channels at every position.", {}, ranks(3, 4, "3 or 4 axes")),
  elementwise("Dropout", "Drops single values while training.", dropout),
  elementwise("Dropout1d", "Drops whole channels while training.", dropout, ranks(2, 3, "2 or 3 axes"), {
    on: [1, 4, 8],
  }),
  elementwise("Dropout2d", "Drops whole channels while training.", dropout, hasChannels),
  elementwise("Dropout3d", "Drops whole channels while training.", dropout),
  elementwise("AlphaDropout", "Dropout that keeps mean and variance, for SELU.", dropout),
  elementwise("FeatureAlphaDropout", "Alpha dropout of whole channels.", dropout, hasChannels),
  elementwise("Identity", "The input.", {}),
];
