/**
 * Convolutions (cross-correlations, as every framework computes them): ordinary, depthwise and separable.
 * Sources: torch.nn.Conv1d–3d; keras.layers.DepthwiseConv and SeparableConv for the other two.
 */
import { add, compare, type Dim, exactQuotient, mod, mul, product, unknown } from "../shape/dim.ts";
import { channelAxis, channels, type Tensor } from "../shape/tensor.ts";
import type { Placement, WindowUse } from "../shape/window.ts";
import { AT_LAYER, atParam, type Report } from "./finding.ts";
import { bordered, imageEpilogue, kernelOf, onImage, placements } from "./image.ts";
import { byFan, KERNEL } from "./initial.ts";
import { defineOp, type Inference, type Operator, type WeightSpec } from "./op.ts";
import { absent, bool, int, oneOf, optional, perAxis, required } from "./param.ts";
import {
  ALL_WORDS,
  axesOf,
  type Geometry,
  noPadding,
  outputOf,
  paddingType,
  placeWindows,
  positionCount,
  unknownOutput,
  WRONG_RANK,
} from "./windowed.ts";

type PaddingMode = "zeros" | "reflect" | "replicate" | "circular";

/** Parameters of every convolution that moves a window over `axes` spatial axes. */
function spatialParams(axes: number) {
  const size = perAxis(axes, int(1));
  const ones = new Array<number>(axes).fill(1);
  return {
    kernel_size: required(size, "Cells of the kernel along each axis."),
    stride: optional(size, ones, "Step of the kernel along each axis."),
    padding: optional(
      paddingType(axes, int(), ALL_WORDS),
      noPadding(axes),
      'Cells added around the input: a number for each side, one per axis, {top, bottom, left, right}, {total: p} (⌈p/2⌉ before, ⌊p/2⌋ after), or "same", "valid", "same_upper", "same_lower".',
    ),
    dilation: optional(size, ones, "Distance between the cells that the kernel reads."),
  };
}

const bias = optional(bool, true, "Adds a learned bias per output channel.");
const inChannels = absent(int(0), "Channels of the input; taken from the input where absent.");
const outChannels = required(int(1), "Channels of the output: the number of kernels.");
const paddingMode = optional(
  oneOf("zeros", "reflect", "replicate", "circular"),
  "zeros",
  "What the added cells hold: zeros, or the input mirrored, repeated at its edge, or wrapped around.",
);
const depthMultiplier = optional(int(1), 1, "Output channels per input channel of the depthwise step.");

/** Checks a written channel count against the input; the written one is what the weights have. */
export function checkedChannels(written: number | null, input: Tensor, report: Report): Dim {
  const actual = channels(input);
  if (written === null) return actual;
  if (compare(written, actual) === "different") {
    report("channels-mismatch", atParam("in_channels"), { param: "in_channels", written, actual, input });
  }
  return written;
}

/** Reports the first channel count that `groups` does not divide; the channels of one group, unknown where it does not. */
export function channelsPerGroup(groups: number, input: Dim, output: number, report: Report): Dim {
  const rest = mod(input, groups);
  if (rest !== null && rest !== 0) {
    report("groups-divide", atParam("groups"), { groups, what: "input channels", count: input });
  } else if (output % groups !== 0) {
    report("groups-divide", atParam("groups"), { groups, what: "output channels", count: output });
  }
  return groups === 1 ? input : (exactQuotient(input, groups) ?? unknown("channels that do not divide into groups"));
}

/** Refusals that come from what the padding is filled with. Source: torch.nn.functional.pad. */
function checkPaddingMode(
  { padding, padding_mode: mode }: SpatialAttrs,
  input: Tensor,
  uses: readonly WindowUse[],
  report: Report,
): void {
  if (mode === "circular" && !input.layout.batched) {
    report("wrong-rank", AT_LAYER, { input, expected: "a batch axis for circular padding" });
    return;
  }
  if (mode === "zeros") {
    if (padding.kind !== "explicit") return;
    const isNegative = (amount: number) => amount < 0;
    const negative = padding.before.find(isNegative) ?? padding.after.find(isNegative);
    if (negative !== undefined) {
      report("bad-value", atParam("padding"), { name: "padding", value: negative, expected: "an integer ≥ 0" });
    }
    return;
  }
  if (mode === "replicate") return;
  for (const { input: n, window } of uses) {
    if (typeof n !== "number" || typeof window.padBefore !== "number" || typeof window.padAfter !== "number") continue;
    const most = Math.max(window.padBefore, window.padAfter);
    const limit = mode === "reflect" ? n - 1 : n;
    if (most <= limit) continue;
    const why =
      mode === "reflect" ? "reflection needs less padding than input" : "circular padding wraps around once at most";
    report("padding-too-large", atParam("padding"), { padding: most, limit, why });
    return;
  }
}

interface SpatialAttrs extends Geometry {
  readonly padding_mode: PaddingMode;
}

function place(attrs: SpatialAttrs, spatial: readonly number[], input: Tensor, report: Report): readonly WindowUse[] {
  const uses = placeWindows(input, spatial, attrs, report);
  checkPaddingMode(attrs, input, uses, report);
  return uses;
}

/** Kernels, and the bias that goes with the last of them where there is one. */
function weightsOf(kernels: readonly WeightSpec[], hasBias: boolean): readonly WeightSpec[] {
  if (!hasBias) return kernels;
  const [count, ...fan] = kernels.at(-1)!.dims;
  return [...kernels, { name: "bias", dims: [count!], trainable: true, initial: byFan(product(fan)) }];
}

/** A window of one cell over each of n. */
function pointPlacement(n: number): Placement {
  return { input: n, output: n, kernel: 1, stride: 1, dilation: 1, padBefore: 0, padAfter: 0 };
}

/** What follows a layer whose parameters are broken still knows the channels. */
function recover(axes: number) {
  return (attrs: { readonly out_channels?: number }, inputs: readonly Tensor[]): Inference => ({
    outputs: [unknownOutput(inputs[0]!, axes, attrs.out_channels ?? unknown(NOT_CHECKED), NOT_CHECKED)],
  });
}

const NOT_CHECKED = "a parameter is missing or wrong";

/** A batch of one with 8 cells along each spatial axis. */
function exampleInput(count: number, axes: number): number[] {
  return [1, count, ...new Array<number>(axes).fill(8)];
}

function convolution(axes: number): Operator {
  return defineOp({
    name: `Conv${axes}d`,
    summary: `Slides learned kernels over ${axes === 1 ? "a sequence" : axes === 2 ? "an image" : "a volume"}.`,
    axes,
    params: {
      in_channels: inChannels,
      out_channels: outChannels,
      ...spatialParams(axes),
      groups: optional(int(1), 1, "Splits the channels into groups that do not see each other; divides both counts."),
      bias,
      padding_mode: paddingMode,
    },
    infer({ attrs, inputs, report }): Inference {
      const input = inputs[0]!;
      const out = attrs.out_channels;
      const spatial = axesOf(input, axes, report);
      if (!spatial) return { outputs: [unknownOutput(input, axes, out, WRONG_RANK)] };
      const uses = place(attrs, spatial, input, report);
      const perGroup = channelsPerGroup(attrs.groups, checkedChannels(attrs.in_channels, input, report), out, report);
      const kernel: Dim[] = [out, perGroup, ...attrs.kernel_size];
      return {
        outputs: [outputOf(input, uses, out)],
        windows: uses,
        weights: weightsOf([{ name: "weight", dims: kernel, trainable: true, initial: KERNEL }], attrs.bias),
        macs: mul(product(kernel), positionCount(uses)),
      };
    },
    recover: recover(axes),
    fuses: "addition",
    folds: channelAxis,
    run: (backend, execution) =>
      onImage(backend, execution, (whole, layout) => {
        const { image, axes } = bordered(backend, whole, placements(execution), execution.attrs.padding_mode);
        const { groups } = execution.attrs;
        const epilogue = imageEpilogue(backend, execution.epilogue, layout);
        return [backend.convolve(image, { ...kernelOf(execution), axes, groups, ...epilogue })];
      }),
    example: {
      attrs: { out_channels: 4, kernel_size: 4, stride: 2, padding: 1 },
      inputs: [exampleInput(3, axes)],
      output: [1, 4, ...new Array<number>(axes).fill(4)],
    },
  });
}

function depthwise(axes: number): Operator {
  return defineOp({
    name: `DepthwiseConv${axes}d`,
    summary: "Convolves every channel with kernels of its own.",
    axes,
    params: {
      in_channels: inChannels,
      depth_multiplier: depthMultiplier,
      ...spatialParams(axes),
      bias,
      padding_mode: paddingMode,
    },
    infer({ attrs, inputs, report }): Inference {
      const input = inputs[0]!;
      const spatial = axesOf(input, axes, report);
      if (!spatial) return { outputs: [unknownOutput(input, axes, unknown(WRONG_RANK), WRONG_RANK)] };
      const out = mul(checkedChannels(attrs.in_channels, input, report), attrs.depth_multiplier);
      const uses = place(attrs, spatial, input, report);
      const kernel: Dim[] = [out, 1, ...attrs.kernel_size];
      return {
        outputs: [outputOf(input, uses, out)],
        windows: uses,
        weights: weightsOf([{ name: "weight", dims: kernel, trainable: true, initial: KERNEL }], attrs.bias),
        macs: mul(product(kernel), positionCount(uses)),
      };
    },
    fuses: "addition",
    folds: channelAxis,
    run: (backend, execution) =>
      onImage(backend, execution, (whole, layout) => {
        const { image, axes } = bordered(backend, whole, placements(execution), execution.attrs.padding_mode);
        const groups = image.dims[1]!;
        const epilogue = imageEpilogue(backend, execution.epilogue, layout);
        return [backend.convolve(image, { ...kernelOf(execution), axes, groups, ...epilogue })];
      }),
    example: {
      attrs: { kernel_size: 3, padding: 1, depth_multiplier: 2 },
      inputs: [exampleInput(3, axes)],
      output: exampleInput(6, axes),
    },
  });
}

function separable(axes: number): Operator {
  return defineOp({
    name: `SeparableConv${axes}d`,
    summary: "A depthwise convolution, then a 1×1 convolution that mixes the channels.",
    axes,
    params: {
      in_channels: inChannels,
      out_channels: outChannels,
      ...spatialParams(axes),
      depth_multiplier: depthMultiplier,
      bias,
      padding_mode: paddingMode,
    },
    infer({ attrs, inputs, report }): Inference {
      const input = inputs[0]!;
      const out = attrs.out_channels;
      const spatial = axesOf(input, axes, report);
      if (!spatial) return { outputs: [unknownOutput(input, axes, out, WRONG_RANK)] };
      const uses = place(attrs, spatial, input, report);
      const middle = mul(checkedChannels(attrs.in_channels, input, report), attrs.depth_multiplier);
      const each: Dim[] = [middle, 1, ...attrs.kernel_size];
      const mix: Dim[] = [out, middle, ...attrs.kernel_size.map(() => 1)];
      const weights: WeightSpec[] = [
        { name: "depthwise.weight", dims: each, trainable: true, initial: KERNEL },
        { name: "pointwise.weight", dims: mix, trainable: true, initial: KERNEL },
      ];
      const cells = positionCount(uses);
      const perPosition = mul(middle, product([...attrs.kernel_size]));
      return {
        outputs: [outputOf(input, uses, out)],
        windows: uses,
        weights: weightsOf(weights, attrs.bias),
        macs: mul(add(perPosition, mul(middle, out)), cells),
      };
    },
    recover: recover(axes),
    fuses: "addition",
    folds: channelAxis,
    run: (backend, execution) =>
      onImage(backend, execution, (whole, layout) => {
        const { image, axes } = bordered(backend, whole, placements(execution), execution.attrs.padding_mode);
        const weight = execution.weight("depthwise.weight");
        const each = backend.convolve(image, { weight, bias: null, axes, groups: image.dims[1]! });
        const mixing = axes.map(({ output }) => pointPlacement(output));
        const kernel = kernelOf(execution, undefined, "pointwise.weight");
        const epilogue = imageEpilogue(backend, execution.epilogue, layout);
        return [backend.convolve(each, { ...kernel, axes: mixing, groups: 1, ...epilogue })];
      }),
    example: {
      attrs: { out_channels: 5, kernel_size: 3, padding: "same" },
      inputs: [exampleInput(3, axes)],
      output: exampleInput(5, axes),
    },
  });
}

export const convolutionOps: readonly Operator[] = [
  ...[1, 2, 3].map(convolution),
  ...[1, 2].map(depthwise),
  ...[1, 2].map(separable),
];
