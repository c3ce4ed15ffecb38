/**
 * Layers as Keras defines them, where no PyTorch operator says the same: normalisations over chosen axes, arithmetic that
 * aligns shapes without their batch, recurrent layers, and wrappers around a layer. No native file can name them.
 * Source: keras.layers, Keras 3. Axes count the batch as 0.
 */
import type { Backend, Binary, Resident } from "../kernels/backend.ts";
import type { Values } from "../kernels/values.ts";
import { add, type Dim, isKnown, mul } from "../shape/dim.ts";
import { type Tensor, tensor } from "../shape/tensor.ts";
import { axisOf, countedAxis, withAxes } from "./axis.ts";
import { AT_LAYER, atInput, atParam, type FindingData, type Report, SILENT } from "./finding.ts";
import { ONES, XAVIER, ZEROS } from "./initial.ts";
import { linear } from "./linear.ts";
import { broadcast, combined } from "./merge.ts";
import { normalizedGroups } from "./norm.ts";
import {
  type AffineValues,
  type Call,
  defineOp,
  type Execution,
  type Inference,
  type Operator,
  type WeightSpec,
  type WeightsOnly,
} from "./op.ts";
import { absent, bool, int, number, oneOf, oneOrMore, optional, type Param, required } from "./param.ts";
import { tapsFor } from "./taps.ts";

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
  if (has.scale) weights.push({ name: "gamma", dims, trainable: true, initial: ONES });
  if (has.center) weights.push({ name: "beta", dims, trainable: true, initial: ZEROS });
  return weights;
}

/** Values with the sizes of some axes, ready to broadcast over all of them. */
function spreadOver(backend: Backend, values: Values, axes: readonly number[], rank: number): Resident {
  const dims = new Array<number>(rank).fill(1);
  for (const [index, axis] of axes.entries()) dims[countedAxis(axis, rank)] = values.dims[index]!;
  return backend.reshape(backend.enter(values), dims);
}

/** gamma·x + beta along some axes, where there are any. */
function affineOver<A>(
  backend: Backend,
  x: Resident,
  axes: readonly number[],
  { inference, weight }: WeightsOnly<A>,
): Resident {
  const has = new Set(inference.weights?.map(({ name }) => name));
  const rank = x.dims.length;
  const scaled = has.has("gamma") ? backend.binary("multiply", x, spreadOver(backend, weight("gamma"), axes, rank)) : x;
  return has.has("beta") ? backend.binary("add", scaled, spreadOver(backend, weight("beta"), axes, rank)) : scaled;
}

/** The named weight, or one value for every element. */
function orConstant<A>(
  { inference, weight, derived }: WeightsOnly<A>,
  name: string,
  value: number,
  like: Values,
): Values {
  if (inference.weights?.some((spec) => spec.name === name)) return weight(name);
  return derived(`constant ${name}`, () => ({ dims: like.dims, data: like.data.map(() => value) }));
}

/** Normalisation by moving statistics, as one affine function for every position along the named axes. */
function movingAffine(execution: WeightsOnly<{ readonly epsilon: number }>): AffineValues {
  const { attrs, weight, derived } = execution;
  const [mean, variance] = [weight("moving_mean"), weight("moving_variance")];
  const gamma = orConstant(execution, "gamma", 1, mean);
  const scale = derived("scale", () => ({
    dims: mean.dims,
    data: gamma.data.map((value, at) => value / Math.sqrt(variance.data[at]! + attrs.epsilon)),
  }));
  return { mean, scale, shift: orConstant(execution, "beta", 0, mean) };
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
    const moving = [
      { name: "moving_mean", dims, trainable: false, initial: ZEROS },
      { name: "moving_variance", dims, trainable: false, initial: ONES },
    ];
    return { outputs: [input], weights: [...affine(dims, attrs), ...moving] };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  channelAffine: ({ axis }, input) =>
    axis.length === 1 ? { axis: countedAxis(axis[0]!, input.dims.length), values: movingAffine } : null,
  run(backend, execution) {
    const x = execution.inputs[0]!;
    const { mean, scale, shift } = movingAffine(execution);
    const spread = (values: Values) => spreadOver(backend, values, execution.attrs.axis, x.dims.length);
    const centred = backend.binary("subtract", x, spread(mean));
    return [backend.binary("add", backend.binary("multiply", centred, spread(scale)), spread(shift))];
  },
  example: { attrs: {}, inputs: [[1, 8, 8, 3]], output: [1, 8, 8, 3] },
});

/** x/√(variance + epsilon): Keras divides by the deviation from the mean, though it does not subtract the mean. */
function overDeviation(backend: Backend, x: Resident, axes: readonly number[], epsilon: number): Resident {
  const centred = backend.binary("subtract", x, backend.reduce("mean", x, axes));
  const variance = backend.reduce("mean", backend.unary(centred, { kind: "square" }), axes);
  const shifted = backend.unary(variance, { kind: "affine", scale: 1, shift: epsilon });
  return backend.binary("multiply", x, backend.unary(shifted, { kind: "power", exponent: -0.5 }));
}

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
  run(backend, execution) {
    const { attrs, inputs } = execution;
    const axes = attrs.axis.map((axis) => countedAxis(axis, inputs[0]!.dims.length));
    const normal = attrs.rms_scaling
      ? overDeviation(backend, inputs[0]!, axes, attrs.epsilon)
      : backend.normalize(inputs[0]!, axes, attrs.epsilon, true);
    return [affineOver(backend, normal, axes, execution)];
  },
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
  run(backend, execution) {
    const { attrs, inputs } = execution;
    const axes = inputs[0]!.dims.map((_, axis) => axis);
    const channel = countedAxis(attrs.axis, axes.length);
    const order = [0, channel, ...axes.filter((axis) => axis !== 0 && axis !== channel)];
    const image = backend.permute(inputs[0]!, order);
    const groups = attrs.groups === -1 ? image.dims[1]! : attrs.groups;
    const normal = normalizedGroups(backend, image, groups, attrs.epsilon);
    const back = axes.map((axis) => order.indexOf(axis));
    return [affineOver(backend, backend.permute(normal, back), [channel], execution)];
  },
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
      { name: "mean", dims, trainable: false, initial: ZEROS },
      { name: "variance", dims, trainable: false, initial: ONES },
      { name: "count", dims: [], trainable: false, initial: ZEROS },
    ];
    return { outputs: [input], weights };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  run(backend, { attrs, inputs, weight, derived, cannot }) {
    if (attrs.given) return cannot("its statistics are not in the graph");
    const x = inputs[0]!;
    const variance = weight("variance");
    // Keras divides by no less than its own epsilon.
    const deviation = derived("deviation", () => ({
      dims: variance.dims,
      data: variance.data.map((value) => Math.max(Math.sqrt(value), 1e-7)),
    }));
    const spread = (values: Values) => spreadOver(backend, values, attrs.axis, x.dims.length);
    return [backend.binary("divide", backend.binary("subtract", x, spread(weight("mean"))), spread(deviation))];
  },
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
    return { outputs: [input], weights: [{ name: "alpha", dims, trainable: true, initial: ZEROS }] };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  run(backend, { inputs, weight }) {
    const x = inputs[0]!;
    const negative = backend.unary(x, { kind: "clamp", least: Number.NEGATIVE_INFINITY, most: 0 });
    const sloped = backend.binary("multiply", negative, backend.enter(weight("alpha")));
    return [backend.binary("add", backend.unary(x, { kind: "relu" }), sloped)];
  },
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
    weights: [
      { name: "gamma", dims: [attrs.projection_dim], trainable: true, initial: { kind: "constant", value: 1e-6 } },
    ],
  }),
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  run: (backend, { inputs, weight }) => [
    backend.scaleShift(inputs[0]!, { axis: inputs[0]!.dims.length - 1, scale: weight("gamma") }),
  ],
  example: { attrs: { projection_dim: 3 }, inputs: [[1, 8, 8, 3]], output: [1, 8, 8, 3] },
});

/**
 * Elementwise arithmetic: shapes are aligned at their last axes, the batch apart. One input is enough: Keras 3 writes
 * `x + 3.0` as an Add with a single tensor.
 */
function elementwise(name: string, summary: string, kind: Binary, mean = false): Operator {
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
    ...(kind === "add" && !mean ? { sums: true } : {}),
    run(backend, { inputs, inference, cannot }) {
      if (inputs.length === 1) return cannot("the constant that it combines with is not in the graph");
      const rank = inference.outputs[0]!.dims.length;
      const aligned = inputs.map((input) => {
        const [batch, ...rest] = input.dims;
        return backend.reshape(input, [batch!, ...new Array<number>(rank - input.dims.length).fill(1), ...rest]);
      });
      return combined(backend, aligned, kind, mean);
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
    run: (_, { inputs }) => [inputs[0]!],
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
  run(backend, { attrs, inputs }) {
    const [batch, features] = inputs[0]!.dims as [number, number];
    const step = backend.reshape(inputs[0]!, [batch, 1, features]);
    return [backend.concat(new Array<Resident>(attrs.n).fill(step), 1)];
  },
  example: { attrs: { n: 4 }, inputs: [[1, 8]], output: [1, 4, 8] },
});

/** The axes of height and width of an image with or without a batch. */
function imageAxes({ dims, layout }: Tensor): readonly [number, number] {
  const first = dims.length - (layout.channels === "last" ? 3 : 2);
  return [first, first + 1];
}

/** The middle part of an axis. */
function middle(backend: Backend, x: Resident, axis: number, length: number): Resident {
  return backend.slice(x, axis, Math.floor((x.dims[axis]! - length) / 2), length, 1);
}

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
    const [height, width] = imageAxes(input);
    return { outputs: [tensor(input.dims.with(height, attrs.height).with(width, attrs.width), input.layout)] };
  },
  field: "all",
  run(backend, { attrs, inputs, shapes }) {
    const x = inputs[0]!;
    const axes = imageAxes(shapes[0]!);
    const sizes = axes.map((axis) => x.dims[axis]!) as [number, number];
    const wanted = [attrs.height, attrs.width] as const;
    const fits = sizes.every((size, side) => size >= wanted[side]!);
    // A smaller input is cut to the wanted aspect ratio, then resized: keras.ops.image.smart_resize.
    const cut = fits
      ? wanted
      : sizes.map((size, side) => {
          const other = Math.trunc((sizes[1 - side]! * wanted[side]!) / wanted[1 - side]!);
          return Math.max(Math.min(size, other), 1);
        });
    let result = x;
    for (const [side, axis] of axes.entries()) {
      result = middle(backend, result, axis, cut[side]!);
      if (fits) continue;
      const [input, output] = [cut[side]!, wanted[side]!];
      const linearly = { kind: "linear", corners: false, antialias: false } as const;
      result = backend.resample(result, axis, tapsFor(linearly, { input, output, scale: input / output }));
    }
    return [result];
  },
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
    weights: [
      {
        name: "embeddings",
        dims: [attrs.input_dim, attrs.output_dim],
        trainable: true,
        initial: { kind: "uniform", bound: 0.05 },
      },
    ],
  }),
  field: "all",
  run: (backend, { inputs, weight }) => [backend.lookup(inputs[0]!, weight("embeddings"))],
  example: { attrs: { input_dim: 100, output_dim: 16 }, inputs: [[1, 20]], output: [1, 20, 16] },
});

interface RecurrentAttrs {
  readonly units: number;
  readonly return_sequences: boolean;
  readonly return_state: boolean;
  readonly use_bias: boolean;
  readonly reset_after: boolean;
}

/** What one step of a recurrent layer reads: the step's part that comes from the input, and the states before it. */
interface CellStep {
  readonly backend: Backend;
  readonly attrs: RecurrentAttrs;
  /** [batch, gates·units]: the input times its kernel. */
  readonly fromInput: Resident;
  readonly states: readonly Resident[];
  /** Gate `index` of a [batch, gates·units] tensor. */
  gate(of: Resident, index: number): Resident;
  /** A state times the recurrent kernel of gates [first, end), with a bias where the cell has one there. */
  fromState(state: Resident, first: number, end: number): Resident;
}

/** Keras's cells with their default activations; each gives the new states, the first of which is the output. */
const CELLS = {
  SimpleRNN({ backend, fromInput, states: [h], fromState }: CellStep): readonly Resident[] {
    return [backend.unary(backend.binary("add", fromInput, fromState(h!, 0, 1)), { kind: "tanh" })];
  },
  GRU({ backend, attrs, fromInput, states: [h], gate, fromState }: CellStep): readonly Resident[] {
    const sum = (a: Resident, b: Resident) => backend.binary("add", a, b);
    const product = (a: Resident, b: Resident) => backend.binary("multiply", a, b);
    const gates = fromState(h!, 0, 2);
    const [update, reset] = [0, 1].map((index) =>
      backend.unary(sum(gate(fromInput, index), gate(gates, index)), { kind: "sigmoid" }),
    ) as [Resident, Resident];
    const recurrent = attrs.reset_after ? product(reset, fromState(h!, 2, 3)) : fromState(product(reset, h!), 2, 3);
    const candidate = backend.unary(sum(gate(fromInput, 2), recurrent), { kind: "tanh" });
    return [
      sum(product(update, h!), product(backend.unary(update, { kind: "affine", scale: -1, shift: 1 }), candidate)),
    ];
  },
  LSTM({ backend, fromInput, states: [h, carry], gate, fromState }: CellStep): readonly Resident[] {
    const all = backend.binary("add", fromInput, fromState(h!, 0, 4));
    const [input, forget, candidate, output] = (["sigmoid", "sigmoid", "tanh", "sigmoid"] as const).map((kind, index) =>
      backend.unary(gate(all, index), { kind }),
    ) as [Resident, Resident, Resident, Resident];
    const kept = backend.binary("multiply", forget, carry!);
    const next = backend.binary("add", kept, backend.binary("multiply", input, candidate));
    return [backend.binary("multiply", output, backend.unary(next, { kind: "tanh" })), next];
  },
};

/** Columns [first, end) of a matrix, as rows: what `Backend.linear` takes. */
function turned({ dims, data }: Values, first: number, end: number): Values {
  const [rows, columns] = dims as [number, number];
  const result = new Float32Array((end - first) * rows);
  for (let at = 0; at < result.length; at++) result[at] = data[(at % rows) * columns + first + Math.floor(at / rows)]!;
  return { dims: [end - first, rows], data: result };
}

/** Runs a cell over the steps of [batch, steps, features]. */
function runCell(
  backend: Backend,
  execution: Execution<RecurrentAttrs>,
  cell: (step: CellStep) => readonly Resident[],
): readonly Resident[] {
  const { attrs, inputs, inference, weight, derived } = execution;
  const [batch, steps] = inputs[0]!.dims as [number, number];
  const { units } = attrs;
  const kernel = weight("kernel");
  const width = kernel.dims[1]!;
  const bias = attrs.use_bias ? weight("bias") : null;
  /** Row 0 of the bias goes with the input, row 1 of GRU's with the state. */
  const biasOf = (row: number, first: number, end: number) => {
    if (!bias || (row + 1) * width > bias.data.length) return null;
    const part = bias.data.subarray(row * width + first * units, row * width + end * units);
    return derived(`bias ${row} ${first}`, () => ({ dims: [part.length], data: part.slice() }));
  };
  const input = derived("turned kernel", () => turned(kernel, 0, width));
  const whole = backend.linear(inputs[0]!, { weight: input, bias: biasOf(0, 0, width / units) });
  const gate = (of: Resident, index: number) => backend.slice(of, 1, index * units, units, 1);
  const fromState = (state: Resident, first: number, end: number) => {
    const recurrent = () => turned(weight("recurrent_kernel"), first * units, end * units);
    return backend.linear(state, { weight: derived(`turned ${first}`, recurrent), bias: biasOf(1, first, end) });
  };
  const start = backend.enter({ dims: [batch, units], data: new Float32Array(batch * units) });
  let states: readonly Resident[] = [start, start];
  const outputs: Resident[] = [];
  for (let at = 0; at < steps; at++) {
    const fromInput = backend.reshape(backend.slice(whole, 1, at, 1, 1), [batch, width]);
    states = cell({ backend, attrs, fromInput, states, gate, fromState });
    if (attrs.return_sequences) outputs.push(backend.reshape(states[0]!, [batch, 1, units]));
  }
  const output = attrs.return_sequences ? backend.concat(outputs, 1) : states[0]!;
  return [output, ...states].slice(0, inference.outputs.length);
}

/** @param gates how many matrices the cell has; GRU's bias is doubled where it resets after the product. */
function recurrent(name: keyof typeof CELLS, gates: number, summary: string): Operator {
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
        { name: "kernel", dims: [features, gates * units], trainable: true, initial: XAVIER },
        { name: "recurrent_kernel", dims: [units, gates * units], trainable: true, initial: XAVIER },
      ];
      const biases = name === "GRU" && attrs.reset_after ? [2, gates * units] : [gates * units];
      if (attrs.use_bias) weights.push({ name: "bias", dims: biases, trainable: true, initial: ZEROS });
      const macs = mul(steps, mul(gates * units, add(features, units)));
      return { outputs: [output, ...states], weights, macs };
    },
    recover: () => ({ outputs: [] }),
    field: "all",
    run: (backend, execution) => runCell(backend, execution, CELLS[name]),
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
  const { params, example } = inner;
  return defineOp({
    params,
    example,
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
    run(backend, execution: Execution<any>) {
      const { dims } = execution.inputs[0]!;
      const [batch, steps, ...rest] = dims as [number, number];
      // Every step is a sample of its own.
      const merged = [batch * steps, ...rest];
      const shapes = [tensor(merged, execution.shapes[0]!.layout)];
      const call = { attrs: execution.attrs, inputs: shapes, report: SILENT, flattenedFrom: () => undefined };
      const inputs = [backend.reshape(execution.inputs[0]!, merged)];
      const results = inner.run(backend, { ...execution, inputs, shapes, inference: inner.infer(call) });
      return results.map((result) => backend.reshape(result, [batch, steps, ...result.dims.slice(1)]));
    },
  });
}

/** The steps of [batch, steps, …] in reverse. */
function backwards(backend: Backend, x: Resident): Resident {
  const steps = x.dims[1]!;
  return backend.slice(x, 1, steps - 1, steps, -1);
}

const MERGED = {
  concat: (backend: Backend, both: readonly Resident[]) => [backend.concat(both, both[0]!.dims.length - 1)],
  sum: (backend: Backend, both: readonly Resident[]) => combined(backend, both, "add"),
  mul: (backend: Backend, both: readonly Resident[]) => combined(backend, both, "multiply"),
  ave: (backend: Backend, both: readonly Resident[]) => combined(backend, both, "add", true),
};

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
    run(backend, execution: Execution<any>) {
      const call = { attrs: execution.attrs, inputs: execution.shapes, report: SILENT, flattenedFrom: () => undefined };
      const inference = inner.infer(call);
      const way = (name: string, x: Resident) =>
        inner.run(backend, {
          ...execution,
          inputs: [x],
          inference,
          weight: (weight) => execution.weight(`${name}.${weight}`),
          derived: (part, make) => execution.derived(`${name} ${part}`, make),
        });
      const x = execution.inputs[0]!;
      const [forward, ...forwardStates] = way("forward", x);
      const [last, ...backwardStates] = way("backward", backwards(backend, x));
      const backward = last!.dims.length === 3 ? backwards(backend, last!) : last!;
      const { merge_mode: mode } = execution.attrs as { readonly merge_mode: keyof typeof MERGED | null };
      const outputs = mode === null ? [forward!, backward] : MERGED[mode](backend, [forward!, backward]);
      return [...outputs, ...forwardStates, ...backwardStates];
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
  run: (_, { inputs }) => [inputs[0]!],
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
    elementwise("Add", "The sum of tensors, broadcast to one shape.", "add"),
    elementwise("Subtract", "The first tensor minus the second, broadcast to one shape.", "subtract"),
    elementwise("Multiply", "The product of tensors, broadcast to one shape.", "multiply"),
    elementwise("Average", "The mean of tensors, broadcast to one shape.", "add", true),
    elementwise("Maximum", "The greatest of tensors, broadcast to one shape.", "maximum"),
    elementwise("Minimum", "The least of tensors, broadcast to one shape.", "minimum"),
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
