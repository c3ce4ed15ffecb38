/**
 * Keras's normalisations, which keep statistics and weights along any axes.
 * Source: keras.layers, Keras 3. Axes count the batch as 0.
 */
import type { Backend, Resident } from "../kernels/backend.ts";
import type { Values } from "../kernels/values.ts";
import { type Dim, isKnown } from "../shape/dim.ts";
import type { Tensor } from "../shape/tensor.ts";
import { axisOf, countedAxis } from "./axis.ts";
import { AT_LAYER, atParam, type Report } from "./finding.ts";
import { ONES, ZEROS } from "./initial.ts";
import { normalizedGroups } from "./norm.ts";
import { type AffineValues, defineOp, type Operator, type WeightSpec, type WeightsOnly } from "./op.ts";
import { bool, int, number, oneOrMore, optional, type Param } from "./param.ts";

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
export function checkFixed(report: Report, sizes: readonly Dim[], input: Tensor, axis: string): void {
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

export const kerasNormalizations: readonly Operator[] = [
  batchNormalization,
  layerNormalization,
  groupNormalization,
  normalization,
];
