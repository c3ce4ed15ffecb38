/**
 * What each class of keras.layers is: the operators it stands for, and which of its keys give their parameters.
 * Source: the documentation of keras.layers (Keras 3), and of Keras 1 and 2 for older keys.
 */
import { operators } from "#shared/ops/index.ts";
import { bidirectional, kerasOperators, neverEmpty, ranked, timeDistributed } from "#shared/ops/keras.ts";
import type { Operator } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { get, type Tree } from "../../syntax/tree.ts";
import { type Arg, Config } from "./config.ts";

/** One operator of a layer, with its parameters by canonical name. */
export interface Step {
  readonly op: Operator;
  readonly args: Readonly<Record<string, Arg | undefined>>;
}

type Binding = (config: Config) => readonly Step[];

/** Keras's names of our parameters, by operator where they differ between operators. */
export const KERAS_NAMES: Readonly<Record<string, string>> = {
  out_channels: "filters",
  out_features: "units",
  stride: "strides",
  dilation: "dilation_rate",
  bias: "use_bias",
  shape: "target_shape",
  dim: "axis",
  p: "rate",
};

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: "ReLU",
  relu6: "ReLU6",
  leaky_relu: "LeakyReLU",
  elu: "ELU",
  selu: "SELU",
  gelu: "GELU",
  celu: "CELU",
  silu: "SiLU",
  swish: "SiLU",
  mish: "Mish",
  sigmoid: "Sigmoid",
  hard_sigmoid: "Hardsigmoid",
  hard_silu: "Hardswish",
  hard_swish: "Hardswish",
  log_sigmoid: "LogSigmoid",
  tanh: "Tanh",
  softplus: "Softplus",
  softsign: "Softsign",
  softmax: "Softmax",
  log_softmax: "LogSoftmax",
};

function op(name: string): Operator {
  const found = kerasOperators.get(name) ?? operators.get(name);
  if (!found) throw new RangeError(`no operator ${name}`);
  return found;
}

function step(name: string, args: Step["args"] = {}): Step {
  return { op: op(name), args };
}

function fixed(value: Plain): Arg {
  return { value, entry: null };
}

/** The activation that a layer applies last; a function of the user's own keeps every size too. */
function activation(config: Config): readonly Step[] {
  const written = config.value("activation");
  const word =
    typeof written === "object" && written !== null && !Array.isArray(written)
      ? (written as { readonly [key: string]: Plain }).class_name
      : written;
  if (typeof word !== "string" || word === "linear") return [];
  const name = ACTIVATIONS[word.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase()];
  if (!name) return [step("Identity")];
  return [step(name, name.endsWith("oftmax") ? { dim: fixed(-1) } : {})];
}

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
function windowed(config: Config, axes: number, causal = false): Step["args"] {
  return {
    kernel_size: kernelSize(config),
    stride: strideOf(config),
    padding: padding(config, axes, causal),
    dilation: dilationOf(config),
    bias: config.arg("use_bias", "bias"),
  };
}

function filters(config: Config): Arg | undefined {
  return config.arg("filters", "nb_filter");
}

function convolution(axes: number): Binding {
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

function depthwise(axes: number): Binding {
  return (config) => [
    step(`DepthwiseConv${axes}d`, { ...windowed(config, axes), depth_multiplier: config.arg("depth_multiplier") }),
    ...activation(config),
  ];
}

function separable(axes: number): Binding {
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
function transposed(axes: number): Binding {
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

function pooling(kind: "Max" | "Avg", axes: number): Binding {
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

function globalPooling(kind: "Max" | "Avg", axes: number): Binding {
  const pool = ranked(op(`Global${kind}Pool`), axes + 2);
  return (config) => [{ op: pool, args: { keepdims: config.arg("keepdims") } }];
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

function zeroPadding(axes: number): Binding {
  const pad = ranked(op(`ZeroPad${axes}d`), axes + 2);
  return (config) => [{ op: pad, args: { padding: amounts(config, "padding", axes) } }];
}

function cropping(axes: number): Binding {
  const crop = ranked(op("Crop"), axes + 2);
  return (config) => [{ op: crop, args: { cropping: amounts(config, "cropping", axes) } }];
}

/** UpSampling2D alone has an interpolation; Keras 1 and 1-D call the factor differently. */
function upSampling(axes: number): Binding {
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

const resizing: Binding = (config) => {
  const [height, width] = [config.arg("height"), config.arg("width")];
  const size = { value: [height?.value ?? null, width?.value ?? null], entry: height?.entry ?? null };
  return [step("Upsample", { size, mode: interpolation(config) })];
};

const dense: Binding = (config) => [
  step("Dense", { out_features: config.arg("units", "output_dim"), bias: config.arg("use_bias", "bias") }),
  ...activation(config),
];

/** Layers that keep every size and have no weights. */
const keep: Binding = () => [step("Identity")];

function merging(name: string): Binding {
  return () => [step(name)];
}

/** Functions of TensorFlow that act on every element by itself; `x + 1` in a model's code is one. */
const ELEMENTWISE =
  /^(?:__operators__\.)?(?:math\.|nn\.|clip_by_value|cast|identity|stop_gradient)?(?:add|sub|subtract|mul|multiply|div|divide|truediv|divide_no_nan|maximum|minimum|pow|square|sqrt|rsqrt|exp|log|abs|negative|sigmoid|tanh|relu6?|elu|selu|gelu|silu|swish|softplus|leaky_relu|erf|)$/;

/** A call of a TensorFlow function inside a functional model; the others are opaque. */
const tensorFlowCall: Binding = (config) => {
  const name = config.text("function") ?? "";
  return ELEMENTWISE.test(name) && name !== "" ? [step("Add")] : [];
};

const concatenate: Binding = (config) => [step("Concat", { dim: config.arg("axis", "concat_axis") ?? fixed(-1) })];

/** Keras 1's one layer for all merges. */
const merge: Binding = (config) => {
  const mode = config.text("mode") ?? "sum";
  const names: Readonly<Record<string, string>> = { sum: "Add", mul: "Multiply", ave: "Average", max: "Maximum" };
  if (mode === "concat") return concatenate(config);
  if (mode === "dot") return [step("Dot", { axes: config.arg("dot_axes") ?? fixed(-1) })];
  return names[mode] ? [step(names[mode]!)] : [];
};

const permute: Binding = (config) => {
  const arg = config.arg("dims");
  if (!arg || !Array.isArray(arg.value)) return [step("Permute", { dims: arg })];
  const sorted = [...arg.value].sort((a, b) => Number(a) - Number(b));
  const refused = sorted.some((dim, index) => dim !== index + 1);
  const items = { ...arg, value: [0, ...arg.value], ...(refused ? { refused: "every axis from 1 once" } : {}) };
  return [step("Permute", { dims: items })];
};

const reshape: Binding = (config) => [step("Reshape", { shape: config.arg("target_shape", "dims") })];

function recurrent(name: string): Binding {
  return (config) => [
    step(name, {
      units: config.arg("units", "output_dim"),
      return_sequences: config.arg("return_sequences"),
      return_state: config.arg("return_state"),
      use_bias: config.arg("use_bias"),
      // Written by Keras 2.1 and later; before that there was one bias.
      reset_after: config.arg("reset_after") ?? fixed(false),
    }),
  ];
}

/** The layer inside a wrapper, read by its own binding. */
function inside(config: Config): readonly Step[] | null {
  const layer: Tree | undefined = get(config.tree, "layer");
  const name = get(layer, "class_name");
  const binding = name?.kind === "scalar" ? bindings[String(name.value)] : undefined;
  return binding ? binding(new Config(get(layer, "config"))) : null;
}

const wrapTime: Binding = (config) => (inside(config) ?? []).map(({ op, args }) => ({ op: timeDistributed(op), args }));

const wrapBoth: Binding = (config) =>
  (inside(config) ?? []).map(({ op, args }) => ({
    op: bidirectional(op),
    args: { ...args, merge_mode: config.arg("merge_mode") },
  }));

/** By class name. Layers that are not here are opaque: nothing is said about what they do to a size. */
export const bindings: Readonly<Record<string, Binding>> = {
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  Conv3D: convolution(3),
  Convolution1D: convolution(1),
  Convolution2D: convolution(2),
  Convolution3D: convolution(3),
  AtrousConvolution1D: convolution(1),
  AtrousConvolution2D: convolution(2),
  DepthwiseConv1D: depthwise(1),
  DepthwiseConv2D: depthwise(2),
  SeparableConv1D: separable(1),
  SeparableConv2D: separable(2),
  SeparableConvolution2D: separable(2),
  Conv1DTranspose: transposed(1),
  Conv2DTranspose: transposed(2),
  Conv3DTranspose: transposed(3),
  Convolution2DTranspose: transposed(2),
  MaxPooling1D: pooling("Max", 1),
  MaxPooling2D: pooling("Max", 2),
  MaxPooling3D: pooling("Max", 3),
  AveragePooling1D: pooling("Avg", 1),
  AveragePooling2D: pooling("Avg", 2),
  AveragePooling3D: pooling("Avg", 3),
  GlobalMaxPooling1D: globalPooling("Max", 1),
  GlobalMaxPooling2D: globalPooling("Max", 2),
  GlobalMaxPooling3D: globalPooling("Max", 3),
  GlobalAveragePooling1D: globalPooling("Avg", 1),
  GlobalAveragePooling2D: globalPooling("Avg", 2),
  GlobalAveragePooling3D: globalPooling("Avg", 3),
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  ZeroPadding3D: zeroPadding(3),
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
  Cropping3D: cropping(3),
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  UpSampling3D: upSampling(3),
  Resizing: resizing,
  CenterCrop: (config) => [step("CenterCrop", { height: config.arg("height"), width: config.arg("width") })],
  Rescaling: keep,
  Normalization: (config) => [
    step("Normalization", { axis: config.arg("axis"), given: fixed(config.value("mean") !== undefined) }),
  ],
  Dense: dense,
  Flatten: () => [step("Flatten")],
  Reshape: reshape,
  Permute: permute,
  RepeatVector: (config) => [step("RepeatVector", { n: config.arg("n") })],
  Add: merging("Add"),
  Subtract: merging("Subtract"),
  Multiply: merging("Multiply"),
  Average: merging("Average"),
  Maximum: merging("Maximum"),
  Minimum: merging("Minimum"),
  Concatenate: concatenate,
  Dot: (config) => [step("Dot", { axes: config.arg("axes"), normalize: config.arg("normalize") })],
  Merge: merge,
  BatchNormalization: (config) => [
    step("BatchNormalization", {
      axis: config.arg("axis"),
      momentum: config.arg("momentum"),
      epsilon: config.arg("epsilon"),
      center: config.arg("center"),
      scale: config.arg("scale"),
    }),
  ],
  LayerNormalization: (config) => [
    step("LayerNormalization", {
      axis: config.arg("axis"),
      epsilon: config.arg("epsilon"),
      center: config.arg("center"),
      scale: config.arg("scale"),
      rms_scaling: config.arg("rms_scaling"),
    }),
  ],
  GroupNormalization: (config) => [
    step("GroupNormalization", {
      groups: config.arg("groups"),
      axis: config.arg("axis"),
      epsilon: config.arg("epsilon"),
      center: config.arg("center"),
      scale: config.arg("scale"),
    }),
  ],
  UnitNormalization: keep,
  LayerScale: (config) => [step("LayerScale", { projection_dim: config.arg("projection_dim") })],
  Activation: (config) => {
    const steps = activation(config);
    return steps.length > 0 ? steps : [step("Identity")];
  },
  ReLU: () => [step("ReLU")],
  LeakyReLU: () => [step("LeakyReLU")],
  ELU: () => [step("ELU")],
  ThresholdedReLU: keep,
  PReLU: (config) => [step("ParametricReLU", { shared_axes: config.arg("shared_axes") })],
  Softmax: () => [step("Softmax", { dim: fixed(-1) })],
  Dropout: (config) => [step("Dropout", { p: config.arg("rate", "p") })],
  SpatialDropout1D: () => [step("SpatialDropout1D")],
  SpatialDropout2D: () => [step("SpatialDropout2D")],
  SpatialDropout3D: () => [step("SpatialDropout3D")],
  AlphaDropout: keep,
  GaussianDropout: keep,
  GaussianNoise: keep,
  ActivityRegularization: keep,
  Masking: keep,
  Identity: keep,
  RandomFlip: keep,
  RandomRotation: keep,
  RandomTranslation: keep,
  RandomZoom: keep,
  RandomContrast: keep,
  RandomBrightness: keep,
  Embedding: (config) => [
    step("Embedding", { input_dim: config.arg("input_dim"), output_dim: config.arg("output_dim") }),
  ],
  SimpleRNN: recurrent("SimpleRNN"),
  GRU: recurrent("GRU"),
  LSTM: recurrent("LSTM"),
  TFOpLambda: tensorFlowCall,
  TimeDistributed: wrapTime,
  Bidirectional: wrapBoth,
};
