/**
 * Layers that move a window or change the size of a map: convolutions, pooling, padding, cropping and resizing.
 */

import type { Plain } from "#shared/ops/param.ts";
import { neverEmpty, ranked, untied } from "#shared/ops/wrapped.ts";
import { activation, type Binding, fixed, op, type Step, step } from "./binding.ts";
import type { Arg, Config } from "./config.ts";

/** `valid`, `same` (TensorFlow's: any stride, the odd cell at the end) and, along time, `causal`. */
function padding(config: Config, axes: number, causal: boolean): Arg | undefined {
  const arg = config.arg("padding", "border_mode");
  if (arg?.value === "same") return { ...arg, value: "same_upper" };
  if (arg === undefined || arg.value === "valid") return arg;
  if (arg.value === "causal" && causal) {
    const kernel = config.integers(axes, "kernel_size", "filter_length");
    const dilation = config.value("dilation_rate") === undefined ? [1] : config.integers(axes, "dilation_rate");
    return { ...arg, value: { left: kernel && dilation ? dilation[0]! * (kernel[0]! - 1) : 0 } };
  }
  return { ...arg, refused: causal ? '"valid", "same" or "causal"' : '"valid" or "same"' };
}

/** Keras 1 wrote the kernel's axes as keys of their own. */
function kernelSize(config: Config): Arg | undefined {
  const arg = config.arg("kernel_size", "filter_length");
  if (arg) return arg;
  const sizes = ["kernel_dim1", "kernel_dim2", "kernel_dim3", "nb_row", "nb_col"].flatMap(
    (key) => config.arg(key) ?? [],
  );
  return sizes.length === 0 ? undefined : { value: sizes.map(({ value }) => value), entry: sizes[0]!.entry };
}

const strideOf = (config: Config) => config.arg("strides", "subsample", "subsample_length", "stride");

const dilationOf = (config: Config) => config.arg("dilation_rate", "atrous_rate");

/** Dilation of layers that refuse it beside strides; depthwise and separable ones do not. */
function unstridedDilation(config: Config, axes: number): Arg | undefined {
  const arg = dilationOf(config);
  const strided = config.integers(axes, "strides", "subsample", "subsample_length")?.some((size) => size > 1);
  const dilated = config.integers(axes, "dilation_rate", "atrous_rate")?.some((size) => size > 1);
  return arg && strided && dilated ? { ...arg, refused: "1 where strides is more than 1" } : arg;
}

/** What every convolution has. */
export function windowed(config: Config, axes: number, causal = false): Step["args"] {
  return {
    kernel_size: kernelSize(config),
    stride: strideOf(config),
    padding: padding(config, axes, causal),
    dilation: dilationOf(config),
    bias: config.arg("use_bias", "bias"),
  };
}

export function filters(config: Config): Arg | undefined {
  return config.arg("filters", "nb_filter");
}

export function convolution(axes: number): Binding {
  return (config) => [
    step(`Conv${axes}d`, {
      ...windowed(config, axes, axes === 1),
      dilation: unstridedDilation(config, axes),
      out_channels: filters(config),
      groups: config.arg("groups"),
    }),
    ...activation(config),
  ];
}

export function depthwise(axes: number): Binding {
  return (config) => [
    step(`DepthwiseConv${axes}d`, { ...windowed(config, axes), depth_multiplier: config.arg("depth_multiplier") }),
    ...activation(config),
  ];
}

export function separable(axes: number): Binding {
  return (config) => [
    step(`SeparableConv${axes}d`, {
      ...windowed(config, axes),
      out_channels: filters(config),
      depth_multiplier: config.arg("depth_multiplier"),
    }),
    ...activation(config),
  ];
}

/**
 * Keras's output size of a transposed convolution as PyTorch's parameters: what `same` cuts off and what is added at the
 * end. valid: (n − 1)s + ke + op with op = max(ke, s) − ke by default; same: n·s, or (n − 1)s + ke mod 2 + op.
 */
export function transposed(axes: number): Binding {
  return (config) => {
    const written: Step["args"] = { ...windowed(config, axes), dilation: unstridedDilation(config, axes) };
    const kernel = config.integers(axes, "kernel_size");
    const stride =
      config.value("strides") === undefined ? new Array<number>(axes).fill(1) : config.integers(axes, "strides");
    const rate =
      config.value("dilation_rate") === undefined
        ? new Array<number>(axes).fill(1)
        : config.integers(axes, "dilation_rate");
    const extra = config.arg("output_padding");
    const args = { ...written, out_channels: filters(config), output_padding: extra };
    if (!kernel || !stride || !rate || written.padding?.refused) return [step(`ConvTranspose${axes}d`, args)];
    const given = extra && config.integers(axes, "output_padding");
    const same = written.padding?.value === "same_upper";
    const cut: number[] = [];
    const added: number[] = [];
    for (let axis = 0; axis < axes; axis++) {
      const reach = rate[axis]! * (kernel[axis]! - 1) + 1;
      const step = stride[axis]!;
      if (given) {
        cut.push(same ? reach - (reach % 2) : 0);
        added.push(given[axis]!);
      } else {
        cut.push(same ? Math.max(reach - step, 0) : 0);
        added.push(Math.max(step - reach, 0));
      }
    }
    const tooLarge = given?.some((size, axis) => size >= stride[axis]!);
    const entry = written.padding?.entry ?? null;
    return [
      step(`ConvTranspose${axes}d`, {
        ...args,
        padding: { value: sides(cut), entry },
        output_padding: extra
          ? { value: added, entry: extra.entry, ...(tooLarge ? { refused: "less than strides along every axis" } : {}) }
          : fixed(added),
      }),
      ...activation(config),
    ];
  };
}

const SIDE_NAMES = [
  ["left", "right"],
  ["top", "bottom"],
  ["front", "back"],
] as const;

/** Totals per axis as named sides, the smaller half first. */
function sides(totals: readonly number[]): { readonly [side: string]: number } {
  const named: Record<string, number> = {};
  for (const [axis, total] of totals.entries()) {
    const [before, after] = SIDE_NAMES[totals.length - 1 - axis]!;
    named[before] = Math.floor(total / 2);
    named[after] = Math.ceil(total / 2);
  }
  return named;
}

export function pooling(kind: "Max" | "Avg", axes: number): Binding {
  const pool = neverEmpty(op(`${kind}Pool${axes}d`));
  return (config) => [
    {
      op: pool,
      args: {
        kernel_size: config.arg("pool_size", "pool_length") ?? (kind === "Max" ? fixed(2) : undefined),
        stride: strideOf(config),
        padding: padding(config, axes, false),
        ...(kind === "Avg" ? { count_include_pad: fixed(false) } : {}),
      },
    },
  ];
}

export function globalPooling(kind: "Max" | "Avg", axes: number): Binding {
  const pool = ranked(op(`Global${kind}Pool`), axes + 2);
  return (config) => [{ op: pool, args: { keepdims: config.arg("keepdims") } }];
}

export function adaptivePooling(kind: "Max" | "Avg", axes: number): Binding {
  return (config) => [step(`Adaptive${kind}Pool${axes}d`, { output_size: config.arg("output_size") })];
}

/** A convolution with weights of its own at every place. */
export function locallyConnected(axes: number): Binding {
  const local = untied(op(`Conv${axes}d`));
  return (config) => [
    { op: local, args: { ...windowed(config, axes), out_channels: filters(config) } },
    ...activation(config),
  ];
}

/** A number, one per axis, or a pair per axis; as amounts per named side. */
function amounts(config: Config, key: string, axes: number): Arg | undefined {
  const arg = config.arg(key);
  if (!arg) return undefined;
  const written = axes === 1 && isPair(arg.value) ? [arg.value] : arg.value;
  const list = Array.isArray(written) ? written : new Array<Plain>(axes).fill(written);
  const named: Record<string, Plain> = {};
  for (const [axis, item] of list.entries()) {
    const names = SIDE_NAMES[axes - 1 - axis];
    if (!names || (Array.isArray(item) && item.length !== 2)) return { ...arg, refused: FORMS };
    const [before, after] = Array.isArray(item) ? (item as Plain[]) : [item, item];
    named[names[0]] = before!;
    named[names[1]] = after!;
  }
  return list.length === axes ? { ...arg, value: named } : { ...arg, refused: FORMS };
}

const FORMS = "a number, one per axis, or a pair per axis";

function isPair(value: Plain): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((item) => typeof item === "number");
}

export function zeroPadding(axes: number): Binding {
  const pad = ranked(op(`ZeroPad${axes}d`), axes + 2);
  return (config) => [{ op: pad, args: { padding: amounts(config, "padding", axes) } }];
}

export function cropping(axes: number): Binding {
  const crop = ranked(op("Crop"), axes + 2);
  return (config) => [{ op: crop, args: { cropping: amounts(config, "cropping", axes) } }];
}

/** UpSampling2D alone has an interpolation; Keras 1 and 1-D call the factor differently. */
export function upSampling(axes: number): Binding {
  const resize = ranked(op("Upsample"), axes + 2);
  return (config) => [
    { op: resize, args: { scale_factor: config.arg("size", "length") ?? fixed(2), mode: interpolation(config) } },
  ];
}

const INTERPOLATIONS: Readonly<Record<string, string>> = { bilinear: "bilinear", bicubic: "bicubic" };

/** Kinds that PyTorch does not have (lanczos) give the same sizes as nearest. */
function interpolation(config: Config): Arg {
  const arg = config.arg("interpolation");
  return { value: INTERPOLATIONS[String(arg?.value)] ?? "nearest", entry: arg?.entry ?? null };
}

export const resizing: Binding = (config) => {
  const [height, width] = [config.arg("height"), config.arg("width")];
  const size = { value: [height?.value ?? null, width?.value ?? null], entry: height?.entry ?? null };
  return [step("Upsample", { size, mode: interpolation(config) })];
};
