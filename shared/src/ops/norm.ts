/**
 * Normalisation layers. Sources: torch.nn, PyTorch 1.13; RMSNorm from PyTorch 2.4.
 *
 * BatchNorm, InstanceNorm and GroupNorm tell the channel axis by the rank alone, so axes are counted here from the rank
 * and not from whether the file's layout has a batch.
 */
import type { Backend, Resident } from "../kernels/backend.ts";
import type { Values } from "../kernels/values.ts";
import { compare, type Dim, Expr, mod, product, unknown } from "../shape/dim.ts";
import type { Layout, Tensor } from "../shape/tensor.ts";
import { AT_LAYER, atParam, type Report } from "./finding.ts";
import { fromImage, toImage } from "./image.ts";
import { ONES, ZEROS } from "./initial.ts";
import {
  type ChannelAffine,
  defineOp,
  type OpExample,
  type Operator,
  type WeightSpec,
  type WeightsOnly,
} from "./op.ts";
import { absent, bool, int, number, oneOrMore, optional, orNull, required } from "./param.ts";

const eps = optional(number, 1e-5, "Added to the variance.");
const running = { momentum: optional(orNull(number), 0.1, "Weight of a new batch in the running statistics.") };

/** The batch axes (0 or 1 of them) and the channel axis of a tensor that has them. */
function channelAxisOf(input: Tensor, hasBatch: boolean): number {
  return input.layout.channels === "first" ? Number(hasBatch) : input.dims.length - 1;
}

/** Weight, then bias. */
function affineSpecs(dims: readonly Dim[]): WeightSpec[] {
  return [
    { name: "weight", dims, trainable: true, initial: ONES },
    { name: "bias", dims, trainable: true, initial: ZEROS },
  ];
}

/** Weight and bias, and running statistics, one value per channel. */
function perChannel(count: Dim, affine: boolean, track: boolean): WeightSpec[] {
  const weights: WeightSpec[] = [];
  const dims = [count];
  if (affine) weights.push(...affineSpecs(dims));
  if (track) {
    weights.push(
      { name: "running_mean", dims, trainable: false, initial: ZEROS },
      { name: "running_var", dims, trainable: false, initial: ONES },
    );
  }
  return weights;
}

function checkChannels(report: Report, param: string, written: number, actual: Dim, input: Tensor): void {
  if (compare(written, actual) === "different") {
    report("channels-mismatch", atParam(param), { param, written, actual, input });
  }
}

/** Reports where every channel holds a single value, which PyTorch refuses to normalise. */
function checkSpread(report: Report, values: Dim, input: Tensor): void {
  if (values === 1) report("one-value-per-channel", AT_LAYER, { input });
}

/** The named weight, or one value for every channel. */
function orConstant<A>(
  { inference, weight, derived }: WeightsOnly<A>,
  name: string,
  value: number,
  count: number,
): Values {
  if (inference.weights?.some((spec) => spec.name === name)) return weight(name);
  return derived(`constant ${name}`, () => ({ dims: [count], data: new Float32Array(count).fill(value) }));
}

/** What normalisation by running statistics is. @param axis the channel axis. */
export function runningAffine<A extends { readonly eps: number }>(axis: number): ChannelAffine<A> {
  return {
    axis,
    values(execution) {
      const { attrs, weight, derived } = execution;
      const [mean, variance] = [weight("running_mean"), weight("running_var")];
      const count = mean.data.length;
      const gain = orConstant(execution, "weight", 1, count);
      const scale = derived("scale", () => ({
        dims: [count],
        data: gain.data.map((value, channel) => value / Math.sqrt(variance.data[channel]! + attrs.eps)),
      }));
      return { mean, scale, shift: orConstant(execution, "bias", 0, count) };
    },
  };
}

/** Weight and bias along an axis, where there are any. */
function affineAlong<A>(backend: Backend, x: Resident, axis: number, execution: WeightsOnly<A>): Resident {
  if (!execution.inference.weights?.some(({ name }) => name === "weight")) return x;
  return backend.scaleShift(x, { axis, scale: execution.weight("weight"), shift: execution.weight("bias") });
}

/** Normalises over all axes but some. */
function normalizedOver(backend: Backend, x: Resident, but: readonly number[], eps: number): Resident {
  const axes = x.dims.map((_, axis) => axis).filter((axis) => !but.includes(axis));
  return backend.normalize(x, axes, eps, true);
}

function exampleOf(spatial: number): OpExample {
  const dims = [1, 4, ...[8, 8, 8].slice(0, spatial)];
  return { attrs: { num_features: 4 }, inputs: [dims], output: dims };
}

/** @param ranks the ranks PyTorch takes; BatchNorm has no form without a batch. */
function batchNorm(spatial: number, ranks: readonly number[], expected: string): Operator {
  return defineOp({
    name: `BatchNorm${spatial}d`,
    summary: "Normalises every channel over the batch and all positions.",
    axes: spatial,
    params: {
      num_features: absent(int(1), "Number of channels; taken from the input where absent."),
      eps,
      ...running,
      affine: optional(bool, true, "Learns a scale and a shift per channel."),
      track_running_stats: optional(bool, true, "Keeps running mean and variance for inference."),
    },
    infer({ attrs, inputs, report }) {
      const input = inputs[0]!;
      const { affine, track_running_stats: track, num_features: written } = attrs;
      if (!ranks.includes(input.dims.length)) {
        report("wrong-rank", AT_LAYER, { input, expected });
        return { outputs: [input], weights: perChannel(written ?? unknown("the rank is wrong"), affine, track) };
      }
      const axis = channelAxisOf(input, true);
      const actual = input.dims[axis]!;
      // Without weights and statistics nothing depends on the count, and PyTorch does not look at it.
      if (written !== null && (affine || track)) checkChannels(report, "num_features", written, actual, input);
      if (!track) checkSpread(report, product(input.dims.filter((_, other) => other !== axis)), input);
      return { outputs: [input], weights: perChannel(written ?? actual, affine, track) };
    },
    recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
    channelAffine: (attrs, input) => (attrs.track_running_stats ? runningAffine(channelAxisOf(input, true)) : null),
    fuses: "activation",
    run(backend, execution) {
      const { attrs, inputs, shapes, epilogue } = execution;
      const axis = channelAxisOf(shapes[0]!, true);
      if (attrs.track_running_stats) {
        const affine = runningAffine<typeof attrs>(axis).values(execution);
        return [backend.scaleShift(inputs[0]!, { axis, ...affine, ...epilogue })];
      }
      const normal = normalizedOver(backend, inputs[0]!, [axis], attrs.eps);
      const result = affineAlong(backend, normal, axis, execution);
      return [epilogue.activation ? backend.unary(result, epilogue.activation) : result];
    },
    example: exampleOf(spatial),
  });
}

function instanceNorm(spatial: number): Operator {
  const expected = `${spatial + 2} axes, or ${spatial + 1} without a batch`;
  return defineOp({
    name: `InstanceNorm${spatial}d`,
    summary: "Normalises every channel of every sample over its positions.",
    axes: spatial,
    params: {
      num_features: absent(int(1), "Number of channels; taken from the input where absent."),
      eps,
      ...running,
      affine: optional(bool, false, "Learns a scale and a shift per channel."),
      track_running_stats: optional(bool, false, "Keeps running mean and variance for inference."),
    },
    infer({ attrs, inputs, report }) {
      const input = inputs[0]!;
      const { affine, track_running_stats: track, num_features: written } = attrs;
      const rank = input.dims.length;
      const hasBatch = rank === spatial + 2;
      // A symbolic batch is no channel count, though PyTorch would take it for one.
      const batchAsChannels = rank === spatial + 1 && input.layout.batched && input.dims[0] instanceof Expr;
      if ((!hasBatch && rank !== spatial + 1) || batchAsChannels) {
        report("wrong-rank", AT_LAYER, { input, expected });
        return { outputs: [input], weights: perChannel(written ?? unknown("the rank is wrong"), affine, track) };
      }
      const axis = channelAxisOf(input, hasBatch);
      const actual = input.dims[axis]!;
      if (written !== null && (affine || track)) checkChannels(report, "num_features", written, actual, input);
      if (!track) {
        const positions = input.dims.filter((_, other) => other !== axis && !(hasBatch && other === 0));
        checkSpread(report, product(positions), input);
      }
      return { outputs: [input], weights: perChannel(written ?? actual, affine, track) };
    },
    recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
    run(backend, execution) {
      const { attrs, inputs, shapes } = execution;
      const hasBatch = shapes[0]!.dims.length === spatial + 2;
      const axis = channelAxisOf(shapes[0]!, hasBatch);
      if (attrs.track_running_stats) {
        return [backend.scaleShift(inputs[0]!, { axis, ...runningAffine<typeof attrs>(axis).values(execution) })];
      }
      const normal = normalizedOver(backend, inputs[0]!, hasBatch ? [0, axis] : [axis], attrs.eps);
      return [affineAlong(backend, normal, axis, execution)];
    },
    example: exampleOf(spatial),
  });
}

/** These layers take axis 0 for the batch whatever the file says. */
function batchedLayout({ layout }: Tensor): Layout {
  return { ...layout, batched: true };
}

/** Normalises groups of channels of every sample of an image. */
export function normalizedGroups(backend: Backend, image: Resident, groups: number, eps: number): Resident {
  const cells = image.dims.slice(1).reduce((count, size) => count * size, 1) / groups;
  const split = backend.reshape(image, [image.dims[0]!, groups, cells]);
  return backend.reshape(backend.normalize(split, [2], eps, true), image.dims);
}

const groupNorm = defineOp({
  name: "GroupNorm",
  summary: "Normalises groups of channels of every sample.",
  params: {
    num_groups: required(int(1), "Number of groups; divides the channels."),
    num_channels: absent(int(1), "Number of channels; taken from the input where absent."),
    eps,
    affine: optional(bool, true, "Learns a scale and a shift per channel."),
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const { num_groups: groups, num_channels: written, affine } = attrs;
    const uneven = written !== null && written % groups !== 0;
    if (uneven) report("groups-divide", atParam("num_groups"), { groups, what: "num_channels", count: written });
    if (input.dims.length < 2) {
      report("wrong-rank", AT_LAYER, { input, expected: "at least 2 axes" });
      return { outputs: [input], weights: perChannel(written ?? unknown("the rank is wrong"), affine, false) };
    }
    const axis = channelAxisOf(input, true);
    const actual = input.dims[axis]!;
    if (!uneven) {
      const rest = mod(actual, groups);
      if (written !== null && affine) checkChannels(report, "num_channels", written, actual, input);
      if (rest !== null && rest !== 0 && !(written !== null && affine)) {
        report("groups-divide", atParam("num_groups"), { groups, what: "input channels", count: actual });
      }
      const others = product(input.dims.filter((_, other) => other !== axis));
      if (compare(actual, groups) === "equal") checkSpread(report, others, input);
    }
    return { outputs: [input], weights: perChannel(written ?? actual, affine, false) };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  run(backend, execution) {
    const { attrs, inputs, shapes } = execution;
    const layout = batchedLayout(shapes[0]!);
    const normal = normalizedGroups(backend, toImage(backend, inputs[0]!, layout), attrs.num_groups, attrs.eps);
    return [fromImage(backend, affineAlong(backend, normal, 1, execution), layout)];
  },
  example: { attrs: { num_groups: 2, num_channels: 4 }, inputs: [[1, 4, 8, 8]], output: [1, 4, 8, 8] },
});

const trailing = {
  normalized_shape: absent(
    oneOrMore(int(0)),
    "Sizes of the last axes, over which it normalises; the last axis where absent.",
  ),
};

/**
 * The sizes that are normalised, as written or of the last axis. Reports where the last axes are not those written: the
 * first that differs.
 */
function normalizedSizes(report: Report, written: readonly number[] | null, input: Tensor): readonly Dim[] {
  if (written !== null) {
    checkTrailing(report, written, input);
    return written;
  }
  if (input.dims.length === 0) report("wrong-rank", AT_LAYER, { input, expected: "at least one axis" });
  return input.dims.slice(-1);
}

function checkTrailing(report: Report, shape: readonly number[], input: Tensor): void {
  const param = "normalized_shape";
  if (shape.length === 0) {
    report("bad-value", atParam(param), { name: param, value: [], expected: "at least one size" });
    return;
  }
  const first = input.dims.length - shape.length;
  if (first < 0) {
    report("wrong-rank", AT_LAYER, { input, expected: `at least ${shape.length} axes for normalized_shape` });
    return;
  }
  for (const [index, written] of shape.entries()) {
    const actual = input.dims[first + index]!;
    if (compare(written, actual) === "different") {
      report("features-mismatch", atParam(param, index), { written, actual, input, param });
      return;
    }
  }
}

/** The last axes, as many as are normalised. */
function lastAxes(rank: number, written: readonly number[] | null): number[] {
  const count = written?.length ?? 1;
  return Array.from({ length: count }, (_, index) => rank - count + index);
}

/** The weight times x, plus the bias, where there are any: both have the sizes of x's last axes. */
function affineAtEnd<A>(backend: Backend, x: Resident, { inference, weight }: WeightsOnly<A>): Resident {
  let result = x;
  for (const { name } of inference.weights ?? []) {
    result = backend.binary(name === "bias" ? "add" : "multiply", result, backend.enter(weight(name)));
  }
  return result;
}

/** PyTorch's epsilon for float32. */
const FLOAT_EPSILON = 2 ** -23;

const layerNorm = defineOp({
  name: "LayerNorm",
  summary: "Normalises over the last axes.",
  params: {
    ...trailing,
    eps,
    elementwise_affine: optional(bool, true, "Learns a scale and a shift per element."),
    bias: optional(bool, true, "Learns the shift too."),
  },
  infer({ attrs, inputs, report }) {
    const dims = normalizedSizes(report, attrs.normalized_shape, inputs[0]!);
    const weights: WeightSpec[] = [];
    if (attrs.elementwise_affine) {
      weights.push(...affineSpecs(dims).slice(0, attrs.bias ? 2 : 1));
    }
    return { outputs: [inputs[0]!], weights };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  run(backend, execution) {
    const x = execution.inputs[0]!;
    const axes = lastAxes(x.dims.length, execution.attrs.normalized_shape);
    return [affineAtEnd(backend, backend.normalize(x, axes, execution.attrs.eps, true), execution)];
  },
  example: { attrs: { normalized_shape: [8, 8] }, inputs: [[1, 4, 8, 8]], output: [1, 4, 8, 8] },
});

const rmsNorm = defineOp({
  name: "RMSNorm",
  summary: "Divides by the root mean square over the last axes.",
  params: {
    ...trailing,
    eps: absent(number, "Added to the mean square; the type's epsilon where absent."),
    elementwise_affine: optional(bool, true, "Learns a scale per element."),
  },
  infer({ attrs, inputs, report }) {
    const dims = normalizedSizes(report, attrs.normalized_shape, inputs[0]!);
    return {
      outputs: [inputs[0]!],
      weights: attrs.elementwise_affine ? affineSpecs(dims).slice(0, 1) : [],
    };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  run(backend, execution) {
    const { attrs, inputs } = execution;
    const axes = lastAxes(inputs[0]!.dims.length, attrs.normalized_shape);
    return [affineAtEnd(backend, backend.normalize(inputs[0]!, axes, attrs.eps ?? FLOAT_EPSILON, false), execution)];
  },
  example: { attrs: { normalized_shape: 8 }, inputs: [[1, 4, 8]], output: [1, 4, 8] },
});

const localResponseNorm = defineOp({
  name: "LocalResponseNorm",
  summary: "Divides by a power of the sum of squares over neighbouring channels.",
  params: {
    size: required(int(1), "Number of neighbouring channels."),
    alpha: optional(number, 1e-4, "Factor of the sum."),
    beta: optional(number, 0.75, "Exponent."),
    k: optional(number, 1, "Added to the sum."),
  },
  infer({ inputs, report }) {
    const input = inputs[0]!;
    if (input.dims.length < 3) report("wrong-rank", AT_LAYER, { input, expected: "at least 3 axes" });
    return { outputs: [input] };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  run(backend, { attrs, inputs, shapes }) {
    const layout = batchedLayout(shapes[0]!);
    const image = toImage(backend, inputs[0]!, layout);
    const [batch, channels] = image.dims as [number, number];
    const cells = image.dims.slice(2).reduce((count, size) => count * size, 1);
    const { size, alpha, beta, k } = attrs;
    // The mean over neighbouring channels, as a pooling over images of channels × cells.
    const padBefore = Math.floor(size / 2);
    const padAfter = size - 1 - padBefore;
    const across = { input: channels, output: channels, kernel: size, stride: 1, dilation: 1, padBefore, padAfter };
    const along = { input: cells, output: cells, kernel: 1, stride: 1, dilation: 1, padBefore: 0, padAfter: 0 };
    const squares = backend.reshape(backend.unary(image, { kind: "square" }), [batch, 1, channels, cells]);
    const pooling = { kind: "average", axes: [across, along], countPadding: true, divisor: size } as const;
    const { values: means } = backend.pool(squares, pooling);
    const sums = backend.unary(means, { kind: "affine", scale: alpha, shift: k });
    const divisors = backend.reshape(backend.unary(sums, { kind: "power", exponent: beta }), image.dims);
    return [fromImage(backend, backend.binary("divide", image, divisors), layout)];
  },
  example: { attrs: { size: 5 }, inputs: [[1, 4, 8, 8]], output: [1, 4, 8, 8] },
});

export const normOps: readonly Operator[] = [
  batchNorm(1, [2, 3], "2 or 3 axes"),
  batchNorm(2, [4], "4 axes"),
  batchNorm(3, [5], "5 axes"),
  instanceNorm(1),
  instanceNorm(2),
  instanceNorm(3),
  layerNorm,
  groupNorm,
  localResponseNorm,
  rmsNorm,
];
