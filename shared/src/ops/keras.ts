/**
 * Layers as Keras defines them, where no PyTorch operator says the same: arithmetic that aligns shapes without their batch,
 * dense layers, crops. Normalisations, sequences and attention have files of their own. No native file can name them.
 * Source: keras.layers, Keras 3. Axes count the batch as 0.
 */
import type { Backend, Binary, Resident } from "../kernels/backend.ts";
import { compare, type Dim, exactQuotient, product, unknown } from "../shape/dim.ts";
import { type Tensor, tensor } from "../shape/tensor.ts";
import { withAxes } from "./axis.ts";
import { AT_LAYER, atInput } from "./finding.ts";
import { reshaped } from "./image.ts";
import { ZEROS } from "./initial.ts";
import { kerasAttentionOps } from "./keras-attention.ts";
import { checkFixed, kerasNormalizations } from "./keras-norm.ts";
import { linear } from "./linear.ts";
import { broadcast, combined } from "./merge.ts";
import { defineOp, type Operator } from "./op.ts";
import { int, listOf, oneOf, oneOrMore, optional, orNull, type ParamType, required } from "./param.ts";
import { recurrentOps } from "./recurrent.ts";
import { tapsFor } from "./taps.ts";

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

/** The written size that stands for what is left; null in a file says that nobody knows it. */
const openSize: ParamType<number | null> = orNull(int(-1));

const reshapeAll = defineOp({
  name: "ReshapeAll",
  summary: "Gives a tensor other axes, the batch among them, as functions do and layers do not.",
  params: { shape: required(listOf(openSize), "All sizes; −1 stands for what is left.") },
  infer({ attrs, inputs }) {
    const input = inputs[0]!;
    const given = product(
      attrs.shape.filter((size) => size !== -1).map((size) => size ?? unknown("it is not written")),
    );
    const left = exactQuotient(product(input.dims), given) ?? unknown("what is left over the sizes given");
    const dims = attrs.shape.map((size): Dim => (size === -1 ? left : (size ?? unknown("it is not written"))));
    const keepsBatch = dims[0] !== undefined && compare(dims[0], input.dims[0] ?? 1) === "equal";
    return { outputs: [withAxes(input, dims, keepsBatch)] };
  },
  recover: () => ({ outputs: [] }),
  field: "all",
  run: reshaped,
  example: { attrs: { shape: [-1, 4] }, inputs: [[1, 4, 8, 8]], output: [64, 4] },
});

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
    ...kerasNormalizations,
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
    relayout,
    reshapeAll,
    ...recurrentOps,
    ...kerasAttentionOps,
  ].map((op) => [op.name, op]),
);
