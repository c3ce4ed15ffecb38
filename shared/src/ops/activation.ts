/** Layers that keep every size, and GLU, which halves one: activations and dropout. Source: torch.nn. */
import type { Pointwise, Resident } from "../kernels/backend.ts";
import { compare, type Dim, floorDiv, mod } from "../shape/dim.ts";
import { axisName, type Tensor, withDims } from "../shape/tensor.ts";
import { axisOf, countedAxis } from "./axis.ts";
import { AT_LAYER, atParam } from "./finding.ts";
import { type Call, defineOp, type Execution, type OpDefinition, type OpExample, type Operator } from "./op.ts";
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

type Arithmetic<P extends Params> = Pick<OpDefinition<P>, "run" | "pointwise">;

/** A function of one number for every value. */
function pointwise<P extends Params>(f: Pointwise | ((attrs: Attrs<P>) => Pointwise)): Arithmetic<P> {
  const of = typeof f === "function" ? f : () => f;
  return {
    pointwise: of,
    run: (backend, { attrs, inputs }) => [backend.unary(inputs[0]!, of(attrs))],
  };
}

/** The input itself. */
const passing = { run: (_: unknown, { inputs }: Pick<Execution<unknown>, "inputs">) => [inputs[0]!] };

interface Extras<P extends Params> {
  /** Reports what the framework refuses. */
  readonly check?: (call: Call<Attrs<P>>) => void;
  readonly attrs?: OpExample["attrs"];
  /** Dims of the example's input. */
  readonly on?: readonly number[];
}

/** An operator whose output is as large as its input, whatever its attributes. */
function elementwise<P extends Params>(
  name: string,
  summary: string,
  params: P,
  arithmetic: Arithmetic<P>,
  { check, attrs = {}, on = [1, 4, 8, 8] }: Extras<P> = {},
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
    ...arithmetic,
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
  pointwise(({ min_val, max_val }) => ({ kind: "clamp", least: min_val, most: max_val })),
  {
    check({ attrs, report }) {
      if (attrs.max_val > attrs.min_val) return;
      const expected = `greater than min_val = ${attrs.min_val}`;
      report("bad-value", atParam("max_val"), { name: "max_val", value: attrs.max_val, expected });
    },
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
  pointwise(({ lower, upper }) => ({ kind: "leaky-relu", slope: (lower + upper) / 2 })),
  {
    check({ attrs, report }) {
      if (attrs.lower <= attrs.upper) return;
      const expected = `at most upper = ${attrs.upper}`;
      report("bad-value", atParam("lower"), { name: "lower", value: attrs.lower, expected });
    },
  },
);

const celu = elementwise(
  "CELU",
  "max(0, x) + min(0, α(exp(x/α) − 1)).",
  { alpha, ...inplace },
  pointwise((attrs) => ({ kind: "celu", alpha: attrs.alpha })),
  {
    check({ attrs, report }) {
      if (attrs.alpha === 0)
        report("bad-value", atParam("alpha"), { name: "alpha", value: 0, expected: "other than 0" });
    },
  },
);

/** PReLU's channel axis is axis 1 even for a tensor without a batch. */
function preluAxis(input: Tensor): number {
  return input.layout.channels === "first" ? 1 : input.dims.length - 1;
}

/** A single axis counts as one channel. */
function preluChannels(input: Tensor): Dim {
  return input.dims.length < 2 ? 1 : input.dims[preluAxis(input)]!;
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
    return {
      outputs: [input],
      weights: [{ name: "weight", dims: [written], trainable: true, initial: { kind: "constant", value: attrs.init } }],
    };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  run(backend, { attrs, inputs, shapes, weight }) {
    const x = inputs[0]!;
    const slopes = weight("weight");
    if (attrs.num_parameters === 1) return [backend.unary(x, { kind: "leaky-relu", slope: slopes.data[0]! })];
    const negative = backend.unary(x, { kind: "clamp", least: Number.NEGATIVE_INFINITY, most: 0 });
    const sloped = backend.scaleShift(negative, { axis: preluAxis(shapes[0]!), scale: slopes });
    return [backend.binary("add", backend.unary(x, { kind: "relu" }), sloped)];
  },
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
  run(backend, { attrs, inputs, shapes }) {
    const axis = countedAxis(attrs.dim, shapes[0]!.dims.length);
    const half = inputs[0]!.dims[axis]! / 2;
    const [a, b] = [0, half].map((start) => backend.slice(inputs[0]!, axis, start, half, 1)) as [Resident, Resident];
    return [backend.binary("multiply", a, backend.unary(b, { kind: "sigmoid" }))];
  },
  example: { attrs: { dim: 1 }, inputs: [[1, 4, 8, 8]], output: [1, 2, 8, 8] },
});

/** The axis PyTorch normalises where none is written. */
function guessedAxis(rank: number): number {
  return rank === 0 || rank === 1 || rank === 3 ? 0 : 1;
}

/** Softmax and its kin: normalised over one axis, which PyTorch guesses where it is absent. */
function softmax(
  name: string,
  summary: string,
  { log = false, sign = 1 }: { readonly log?: boolean; readonly sign?: 1 | -1 } = {},
): Operator {
  const params: { readonly dim: Param<number | null> } = {
    dim: absent(int(), "The axis that is normalised; the batch counts."),
  };
  return elementwise(
    name,
    summary,
    params,
    {
      run(backend, { attrs, inputs, shapes }) {
        const rank = shapes[0]!.dims.length;
        const axis = attrs.dim === null ? guessedAxis(rank) : countedAxis(attrs.dim, rank);
        const x = sign === 1 ? inputs[0]! : backend.unary(inputs[0]!, { kind: "affine", scale: sign, shift: 0 });
        return [backend.softmax(x, axis, log)];
      },
    },
    {
      check({ attrs, inputs, report }) {
        if (attrs.dim !== null) axisOf(report, "dim", attrs.dim, inputs[0]!);
      },
      attrs: { dim: 1 },
    },
  );
}

/** Over the channels: third from the end in PyTorch's order, whether there is a batch or not. */
const overChannels: Arithmetic<Params> = {
  run(backend, { inputs, shapes }) {
    const { dims, layout } = shapes[0]!;
    return [backend.softmax(inputs[0]!, dims.length - (layout.channels === "first" ? 3 : 1), false)];
  },
};

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
const threshold = {
  threshold: required(number, "What x must exceed."),
  value: required(number, "What replaces it."),
  ...inplace,
};

export const activationOps: readonly Operator[] = [
  elementwise("ReLU", "max(0, x).", inplace, pointwise({ kind: "relu" })),
  elementwise("ReLU6", "min(max(0, x), 6).", inplace, pointwise({ kind: "clamp", least: 0, most: 6 })),
  elementwise(
    "LeakyReLU",
    "x, or a small multiple of it where negative.",
    { negative_slope: optional(number, 0.01, "Slope where negative."), ...inplace },
    pointwise((attrs) => ({ kind: "leaky-relu", slope: attrs.negative_slope })),
  ),
  prelu,
  rrelu,
  elementwise(
    "ELU",
    "x, or α(eˣ − 1) where negative.",
    { alpha, ...inplace },
    pointwise((attrs) => ({ kind: "elu", alpha: attrs.alpha })),
  ),
  celu,
  elementwise("SELU", "Self-normalising ELU.", inplace, pointwise({ kind: "selu" })),
  elementwise(
    "GELU",
    "x·Φ(x).",
    { approximate: optional(oneOf("none", "tanh"), "none", "How Φ is computed.") },
    pointwise((attrs) => ({ kind: attrs.approximate === "tanh" ? "gelu-tanh" : "gelu" })),
  ),
  elementwise("SiLU", "x·sigmoid(x).", inplace, pointwise({ kind: "silu" })),
  elementwise("Mish", "x·tanh(softplus(x)).", inplace, pointwise({ kind: "mish" })),
  elementwise("Hardswish", "Piecewise approximation of SiLU.", inplace, pointwise({ kind: "hardswish" })),
  elementwise("Hardsigmoid", "Piecewise approximation of sigmoid.", inplace, pointwise({ kind: "hardsigmoid" })),
  hardtanh,
  elementwise(
    "Hardshrink",
    "x, or 0 where |x| ≤ λ.",
    { lambd: optional(number, 0.5, "The threshold λ.") },
    pointwise((attrs) => ({ kind: "hardshrink", lambda: attrs.lambd })),
  ),
  elementwise(
    "Softshrink",
    "x moved towards 0 by λ.",
    { lambd: optional(between(0, Number.MAX_VALUE), 0.5, "The threshold λ.") },
    pointwise((attrs) => ({ kind: "softshrink", lambda: attrs.lambd })),
  ),
  elementwise(
    "Softplus",
    "log(1 + exp(βx))/β.",
    { beta: optional(number, 1, "Sharpness β."), threshold: optional(number, 20, "Above this βx the output is x.") },
    pointwise((attrs) => ({ kind: "softplus", beta: attrs.beta, threshold: attrs.threshold })),
  ),
  elementwise("Softsign", "x/(1 + |x|).", {}, pointwise({ kind: "softsign" })),
  elementwise("Sigmoid", "1/(1 + e⁻ˣ).", {}, pointwise({ kind: "sigmoid" })),
  elementwise("LogSigmoid", "log sigmoid(x).", {}, pointwise({ kind: "logsigmoid" })),
  elementwise("Tanh", "Hyperbolic tangent.", {}, pointwise({ kind: "tanh" })),
  elementwise("Tanhshrink", "x − tanh(x).", {}, pointwise({ kind: "tanhshrink" })),
  elementwise(
    "Threshold",
    "x, or a value where x is not above the threshold.",
    threshold,
    pointwise((attrs) => ({ kind: "threshold", above: attrs.threshold, value: attrs.value })),
    { attrs: { threshold: 0.1, value: 0 } },
  ),
  glu,
  softmax("Softmax", "exp(x)/Σexp(x) along one axis."),
  softmax("LogSoftmax", "log softmax(x) along one axis.", { log: true }),
  softmax("Softmin", "softmax(−x) along one axis.", { sign: -1 }),
  elementwise("Softmax2d", "Softmax over the channels at every position.", {}, overChannels, {
    check: ranks(3, 4, "3 or 4 axes"),
  }),
  elementwise("Dropout", "Drops single values while training.", dropout, passing),
  elementwise("Dropout1d", "Drops whole channels while training.", dropout, passing, {
    check: ranks(2, 3, "2 or 3 axes"),
    on: [1, 4, 8],
  }),
  elementwise("Dropout2d", "Drops whole channels while training.", dropout, passing, { check: hasChannels }),
  elementwise("Dropout3d", "Drops whole channels while training.", dropout, passing),
  elementwise("AlphaDropout", "Dropout that keeps mean and variance, for SELU.", dropout, passing),
  elementwise("FeatureAlphaDropout", "Alpha dropout of whole channels.", dropout, passing, { check: hasChannels }),
  elementwise("Identity", "The input.", {}, passing),
];
