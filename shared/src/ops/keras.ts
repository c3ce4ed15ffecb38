/**
 * Layers as Keras defines them, where no PyTorch operator says the same: normalisations over chosen axes, arithmetic that
 * aligns shapes without their batch, recurrent layers, and wrappers around a layer. No native file can name them.
 * Source: keras.layers, Keras 3. Axes count the batch as 0.
 */
import { add, type Dim, isKnown, mul } from "../shape/dim.ts";
import { type Tensor, tensor } from "../shape/tensor.ts";
import { axisOf, withAxes } from "./axis.ts";
import { AT_LAYER, atInput, atParam, type FindingData, type Report } from "./finding.ts";
import { linear } from "./linear.ts";
import { broadcast } from "./merge.ts";
import { type Call, defineOp, type Inference, type Operator, type WeightSpec } from "./op.ts";
import { absent, bool, int, number, oneOf, oneOrMore, optional, type Param, required } from "./param.ts";

const axisList: Param<readonly number[]> = optional(
  oneOrMore(int()),
  [-1],
  "The axis or axes that keep their own statistics.",
);
const center = optional(bool, true, "Learns a shift.");
const scale = optional(bool, true, "Learns a scale.");
const epsilon = optional(number, 1e-3, "Added to the variance.");

/** The sizes of the named axes, or null after reporting one that is not there. */
function sizesOf(report: Report, axes: readonly number[], input: Tensor): readonly Dim[] | null {
  const sizes: Dim[] = [];
  for (const [index, written] of axes.entries()) {
    const axis = axisOf(report, "axis", written, input, axes.length > 1 ? { index } : {});
    if (axis === null) return null;
    sizes.push(input.dims[axis]!);
  }
  return sizes;
}

/** A weight must have a fixed size: Keras refuses to make one for an axis that is None. */
function checkFixed(report: Report, sizes: readonly Dim[], input: Tensor, axis: string): void {
  if (sizes.some((size) => isKnown(size) && typeof size !== "number")) {
    report("wrong-rank", AT_LAYER, { input, expected: `an input of fixed size along ${axis}` });
  }
}

function affine(dims: readonly Dim[], has: { readonly scale: boolean; readonly center: boolean }): WeightSpec[] {
  const weights: WeightSpec[] = [];
  if (has.scale) weights.push({ name: "gamma", dims, trainable: true });
  if (has.center) weights.push({ name: "beta", dims, trainable: true });
  return weights;
}

const batchNormalization = defineOp({
  name: "BatchNormalization",
  summary: "Normalises over all axes but the named ones, by moving statistics once trained.",
  params: { axis: axisList, momentum: optional(number, 0.99, "Weight of the old statistics."), epsilon, center, scale },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const dims = sizesOf(report, attrs.axis, input);
    if (!dims) return { outputs: [input] };
    checkFixed(report, dims, input, "the normalised axis");
    const moving = ["moving_mean", "moving_variance"].map((name) => ({ name, dims, trainable: false }));
    return { outputs: [input], weights: [...affine(dims, attrs), ...moving] };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  example: { attrs: {}, inputs: [[1, 8, 8, 3]], output: [1, 8, 8, 3] },
});

const layerNormalization = defineOp({
  name: "LayerNormalization",
  summary: "Normalises every sample over the named axes.",
  params: {
    axis: axisList,
    epsilon,
    center,
    scale,
    rms_scaling: optional(bool, false, "Divides by the root mean square only."),
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const dims = sizesOf(report, attrs.axis, input);
    if (!dims) return { outputs: [input] };
    checkFixed(report, dims, input, "the normalised axes");
    return {
      outputs: [input],
      weights: affine(dims, { scale: attrs.scale, center: attrs.center && !attrs.rms_scaling }),
    };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  example: { attrs: {}, inputs: [[1, 8, 8, 3]], output: [1, 8, 8, 3] },
});

const groupNormalization = defineOp({
  name: "GroupNormalization",
  summary: "Normalises groups of channels of every sample.",
  params: {
    groups: optional(int(-1), 32, "Number of groups; −1 for one per channel."),
    axis: optional(int(), -1, "The channel axis."),
    epsilon,
    center,
    scale,
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const dims = sizesOf(report, [attrs.axis], input);
    const count = dims?.[0];
    if (!dims || count === undefined) return { outputs: [input] };
    const { groups } = attrs;
    if (typeof count === "number" && groups > 0 && count % groups !== 0) {
      report("groups-divide", atParam("groups"), { groups, what: "input channels", count });
    }
    if (groups === 0) report("bad-value", atParam("groups"), { name: "groups", value: 0, expected: "positive, or −1" });
    return { outputs: [input], weights: affine(dims, attrs) };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  example: { attrs: { groups: 3 }, inputs: [[1, 8, 8, 3]], output: [1, 8, 8, 3] },
});

/** Feature-wise standardisation with statistics adapted from data. */
const normalization = defineOp({
  name: "Normalization",
  summary: "Shifts and scales by statistics of the data, either given or adapted.",
  params: { axis: axisList, given: optional(bool, false, "The statistics stand in the file and are no weights.") },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const dims = sizesOf(report, attrs.axis, input);
    if (!dims || attrs.given) return { outputs: [input] };
    const weights = [
      { name: "mean", dims, trainable: false },
      { name: "variance", dims, trainable: false },
      { name: "count", dims: [], trainable: false },
    ];
    return { outputs: [input], weights };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  example: { attrs: {}, inputs: [[1, 8, 8, 3]], output: [1, 8, 8, 3] },
});

const parametricRelu = defineOp({
  name: "ParametricReLU",
  summary: "x, or a learned multiple of it where negative; one slope per element unless axes share theirs.",
  params: { shared_axes: optional(oneOrMore(int()), [], "Axes along which the slope is the same.") },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const dims = input.dims.slice(1).map((dim, index) => (attrs.shared_axes.includes(index + 1) ? 1 : dim));
    checkFixed(report, dims, input, "every axis that is not shared");
    return { outputs: [input], weights: [{ name: "alpha", dims, trainable: true }] };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  example: { attrs: { shared_axes: [1, 2] }, inputs: [[1, 8, 8, 3]], output: [1, 8, 8, 3] },
});

/** Linear, but Keras cannot make its kernel for a last axis that is None. */
const dense = defineOp({
  ...linear,
  name: "Dense",
  params: { ...linear.params, out_features: required(int(1), "Size of the last axis of the output.") },
  infer(call) {
    const input = call.inputs[0]!;
    checkFixed(call.report, input.dims.slice(-1), input, "the last axis");
    return linear.infer(call);
  },
});

const layerScale = defineOp({
  name: "LayerScale",
  summary: "Multiplies every channel by a learned factor.",
  params: { projection_dim: required(int(1), "Number of channels.") },
  infer: ({ attrs, inputs }) => ({
    outputs: [inputs[0]!],
    weights: [{ name: "gamma", dims: [attrs.projection_dim], trainable: true }],
  }),
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  example: { attrs: { projection_dim: 3 }, inputs: [[1, 8, 8, 3]], output: [1, 8, 8, 3] },
});

/**
 * Elementwise arithmetic: shapes are aligned at their last axes, the batch apart. One input is enough: Keras 3 writes
 * `x + 3.0` as an Add with a single tensor.
 */
function elementwise(name: string, summary: string): Operator {
  return defineOp({
    name,
    summary,
    params: {},
    inputs: { least: 1, most: Number.POSITIVE_INFINITY },
    infer({ inputs, report }) {
      const { dims, mismatch } = broadcast(inputs.map((input) => input.dims.slice(1)));
      if (mismatch) {
        report("add-mismatch", atInput(mismatch.index), { dim: mismatch.axis + 1, inputs, index: mismatch.index });
      }
      return { outputs: [tensor([inputs[0]!.dims[0] ?? 1, ...dims], inputs[0]!.layout)] };
    },
    example: {
      attrs: {},
      inputs: [
        [1, 8, 8, 3],
        [1, 1, 1, 3],
      ],
      output: [1, 8, 8, 3],
    },
  });
}

/** A layer that keeps every size of inputs of one rank. */
function keeping(name: string, rank: number): Operator {
  return defineOp({
    name,
    summary: "Drops whole channels at random while training.",
    params: {},
    infer({ inputs, report }) {
      const input = inputs[0]!;
      if (input.dims.length !== rank) report("wrong-rank", AT_LAYER, { input, expected: `${rank} axes` });
      return { outputs: [input] };
    },
    example: { attrs: {}, inputs: [[1, 8, 8, 3].slice(0, rank)], output: [1, 8, 8, 3].slice(0, rank) },
  });
}

const repeatVector = defineOp({
  name: "RepeatVector",
  summary: "Repeats a vector along a new axis.",
  params: { n: required(int(1), "How often.") },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    if (input.dims.length !== 2) {
      report("wrong-rank", AT_LAYER, { input, expected: "2 axes: the batch and one more" });
      return { outputs: [] };
    }
    return { outputs: [withAxes(input, [input.dims[0]!, attrs.n, input.dims[1]!], true)] };
  },
  recover: () => ({ outputs: [] }),
  field: "all",
  example: { attrs: { n: 4 }, inputs: [[1, 8]], output: [1, 4, 8] },
});

const centerCrop = defineOp({
  name: "CenterCrop",
  summary: "Cuts the middle out, or resizes where the input is smaller.",
  params: { height: required(int(1), "Rows of the output."), width: required(int(1), "Columns of the output.") },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const rank = input.dims.length;
    if (rank !== 3 && rank !== 4) {
      report("wrong-rank", AT_LAYER, { input, expected: "4 axes, or 3 without a batch" });
      return { outputs: [input] };
    }
    const first = rank - (input.layout.channels === "last" ? 3 : 2);
    const dims = [...input.dims];
    dims[first] = attrs.height;
    dims[first + 1] = attrs.width;
    return { outputs: [tensor(dims, input.layout)] };
  },
  field: "all",
  example: { attrs: { height: 4, width: 6 }, inputs: [[1, 3, 8, 8]], output: [1, 3, 4, 6] },
});

const embedding = defineOp({
  name: "Embedding",
  summary: "Looks up a learned vector for every integer.",
  params: {
    input_dim: required(int(1), "How many integers there are."),
    output_dim: required(int(0), "Size of each vector."),
  },
  infer: ({ attrs, inputs }) => ({
    outputs: [withAxes(inputs[0]!, [...inputs[0]!.dims, attrs.output_dim], true)],
    weights: [{ name: "embeddings", dims: [attrs.input_dim, attrs.output_dim], trainable: true }],
  }),
  field: "all",
  example: { attrs: { input_dim: 100, output_dim: 16 }, inputs: [[1, 20]], output: [1, 20, 16] },
});

/** @param gates how many matrices the cell has; GRU's bias is doubled where it resets after the product. */
function recurrent(name: string, gates: number, summary: string): Operator {
  return defineOp({
    name,
    summary,
    params: {
      units: required(int(1), "Size of the state."),
      return_sequences: optional(bool, false, "Gives the state of every step."),
      return_state: optional(bool, false, "Gives the last state too."),
      use_bias: optional(bool, true, "Adds a learned bias."),
      reset_after: optional(bool, true, "GRU only: the reset gate acts after the product, with a bias of its own."),
    },
    infer({ attrs, inputs, report }): Inference {
      const input = inputs[0]!;
      if (input.dims.length !== 3) {
        report("wrong-rank", AT_LAYER, { input, expected: "3 axes: batch, steps and features" });
        return { outputs: [] };
      }
      const [batch, steps, features] = input.dims as [Dim, Dim, Dim];
      const { units } = attrs;
      const state = withAxes(input, [batch, units], true);
      const output = attrs.return_sequences ? withAxes(input, [batch, steps, units], true) : state;
      const states = attrs.return_state ? new Array<Tensor>(name === "LSTM" ? 2 : 1).fill(state) : [];
      const weights: WeightSpec[] = [
        { name: "kernel", dims: [features, gates * units], trainable: true },
        { name: "recurrent_kernel", dims: [units, gates * units], trainable: true },
      ];
      const biases = name === "GRU" && attrs.reset_after ? [2, gates * units] : [gates * units];
      if (attrs.use_bias) weights.push({ name: "bias", dims: biases, trainable: true });
      const macs = mul(steps, mul(gates * units, add(features, units)));
      return { outputs: [output, ...states], weights, macs };
    },
    recover: () => ({ outputs: [] }),
    field: "all",
    example: { attrs: { units: 8 }, inputs: [[1, 20, 16]], output: [1, 8] },
  });
}

/** A layer that Keras gives to inputs of one rank only. */
export function ranked(inner: Operator, rank: number): Operator {
  return {
    ...inner,
    infer(call) {
      const input = call.inputs[0]!;
      if (input.dims.length === rank) return inner.infer(call);
      call.report("wrong-rank", AT_LAYER, { input, expected: `${rank} axes` });
      return { outputs: [] };
    },
  };
}

/** A pooling layer as Keras has it: where no window fits it refuses, though PyTorch gives an empty output. */
export function neverEmpty(inner: Operator): Operator {
  return {
    ...inner,
    infer(call) {
      const report: Report = (code, at, data) =>
        code === "empty-output"
          ? call.report("empty-output", at, { ...(data as FindingData["empty-output"]), fatal: true })
          : call.report(code, at, data);
      return inner.infer({ ...call, report });
    },
  };
}

/** Applies a layer to every step along axis 1 by itself. Source: keras.layers.TimeDistributed. */
export function timeDistributed(inner: Operator): Operator {
  return defineOp({
    ...inner,
    name: `TimeDistributed(${inner.name})`,
    summary: `${inner.summary} Applied to every step along axis 1.`,
    infer(call: Call<any>): Inference {
      const input = call.inputs[0]!;
      const [batch, steps, ...rest] = input.dims;
      if (batch === undefined || steps === undefined || rest.length === 0) {
        call.report("wrong-rank", AT_LAYER, { input, expected: "at least 3 axes: batch, steps and more" });
        return { outputs: [] };
      }
      const inference = inner.infer({ ...call, inputs: [tensor([batch, ...rest], input.layout)] });
      const outputs = inference.outputs.map(({ dims, layout }) => tensor([dims[0]!, steps, ...dims.slice(1)], layout));
      const { macs, weights } = inference;
      return { outputs, ...(weights ? { weights } : {}), ...(macs === undefined ? {} : { macs: mul(steps, macs) }) };
    },
    recover: () => ({ outputs: [] }),
    field: "all",
  });
}

/** Runs a recurrent layer forwards and backwards. Source: keras.layers.Bidirectional. */
export function bidirectional(inner: Operator): Operator {
  return defineOp({
    ...inner,
    name: `Bidirectional(${inner.name})`,
    summary: `${inner.summary} Forwards and backwards.`,
    params: { ...inner.params, merge_mode: absent(oneOf("concat", "sum", "mul", "ave"), "How both directions merge.") },
    infer(call: Call<any>): Inference {
      const once = inner.infer(call);
      const { merge_mode: mode } = call.attrs as { merge_mode: string | null };
      const [first, ...states] = once.outputs;
      if (!first) return { outputs: [] };
      const merged = mode === "concat" ? [joined(first)] : mode === null ? [first, first] : [first];
      const weights = ["forward", "backward"].flatMap((way) =>
        (once.weights ?? []).map((weight) => ({ ...weight, name: `${way}.${weight.name}` })),
      );
      return { outputs: [...merged, ...states, ...states], weights, macs: mul(2, once.macs ?? 0) };
    },
  });
}

function joined(once: Tensor): Tensor {
  return tensor([...once.dims.slice(0, -1), mul(2, once.dims.at(-1)!)], once.layout);
}

/** Reads the values under another order of axes: what a layer's own data_format does. */
export const relayout = defineOp({
  name: "Relayout",
  summary: "The same tensor, its channel axis at the other end.",
  params: { channels: required(oneOf("first", "last"), "Where the channel axis is.") },
  infer: ({ attrs, inputs: [input] }) => ({
    outputs: [tensor(input!.dims, { ...input!.layout, channels: attrs.channels })],
  }),
  example: { attrs: { channels: "last" }, inputs: [[1, 8, 8, 3]], output: [1, 8, 8, 3] },
});

/** By name, apart from the operators that native files can use. */
export const kerasOperators: ReadonlyMap<string, Operator> = new Map(
  [
    batchNormalization,
    layerNormalization,
    groupNormalization,
    normalization,
    parametricRelu,
    layerScale,
    elementwise("Add", "The sum of tensors, broadcast to one shape."),
    elementwise("Subtract", "The first tensor minus the second, broadcast to one shape."),
    elementwise("Multiply", "The product of tensors, broadcast to one shape."),
    elementwise("Average", "The mean of tensors, broadcast to one shape."),
    elementwise("Maximum", "The greatest of tensors, broadcast to one shape."),
    elementwise("Minimum", "The least of tensors, broadcast to one shape."),
    keeping("SpatialDropout1D", 3),
    keeping("SpatialDropout2D", 4),
    keeping("SpatialDropout3D", 5),
    repeatVector,
    dense,
    centerCrop,
    embedding,
    recurrent("SimpleRNN", 1, "A recurrent layer."),
    recurrent("GRU", 3, "A gated recurrent layer."),
    recurrent("LSTM", 4, "A long short-term memory layer."),
    relayout,
  ].map((op) => [op.name, op]),
);
