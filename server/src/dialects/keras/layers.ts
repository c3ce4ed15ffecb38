/**
 * What each class of keras.layers is: the operators it stands for, and which of its keys give their parameters.
 * Source: the documentation of keras.layers (Keras 3), and of Keras 1 and 2 for older keys.
 */
import { bidirectional } from "#shared/ops/recurrent.ts";
import { spectral, timeDistributed } from "#shared/ops/wrapped.ts";
import { get, type Tree } from "../../syntax/tree.ts";
import { activation, type Binding, fixed, keep, type Step, step } from "./binding.ts";
import { Config } from "./config.ts";
import { functionSteps } from "./functions.ts";
import { attention, cells, classOf, convLstm, multiHeadAttention, recurrent } from "./sequences.ts";
import {
  adaptivePooling,
  convolution,
  cropping,
  depthwise,
  globalPooling,
  locallyConnected,
  pooling,
  resizing,
  separable,
  transposed,
  upSampling,
  zeroPadding,
} from "./windows.ts";

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

const dense: Binding = (config) => [
  step("Dense", { out_features: config.arg("units", "output_dim"), bias: config.arg("use_bias", "bias") }),
  ...activation(config),
];

function merging(name: string): Binding {
  return () => [step(name)];
}

/** @param own the parameter that only this normalisation has. */
function normalization(name: string, own: string): Binding {
  return (config) => {
    const names = ["axis", "epsilon", "center", "scale", own];
    return [step(name, Object.fromEntries(names.map((param) => [param, config.arg(param)])))];
  };
}

const concatenate: Binding = (config) => [step("Concat", { dim: config.arg("axis", "concat_axis") ?? fixed(-1) })];

/** Keras 1's one layer for all merges. */
const merge: Binding = (config) => {
  const mode = config.text("mode") ?? "sum";
  const names: Readonly<Record<string, string>> = { sum: "Add", mul: "Multiply", ave: "Average", max: "Maximum" };
  if (mode === "concat") return concatenate(config, undefined);
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

/** The operators of the layer inside a wrapper, read by its own binding; none where it is opaque. */
function inside(config: Config): readonly Step[] {
  const layer: Tree | undefined = get(config.tree, "layer");
  const binding = bindingOf(classOf(layer) ?? "", layer);
  return binding?.(new Config(get(layer, "config")), undefined) ?? [];
}

/** Wraps every operator of the layer inside. */
function wrapper(wrap: (step: Step, config: Config, index: number) => Step): Binding {
  return (config) => inside(config).map((step, index) => wrap(step, config, index));
}

/** A name that another version or library wrote for the same class. */
function same(...names: readonly string[]): (binding: Binding) => Readonly<Record<string, Binding>> {
  return (binding) => Object.fromEntries(names.map((name) => [name, binding]));
}

/** The class names of what there is for 1, 2 and 3 spatial axes. */
function windowsOf(axes: number): Readonly<Record<string, Binding>> {
  const name = (word: string) => `${word}${axes}D`;
  return {
    ...same(name("Conv"), name("Convolution"), name("AtrousConvolution"))(convolution(axes)),
    ...same(`Conv${axes}DTranspose`, `Convolution${axes}DTranspose`)(transposed(axes)),
    ...same(name("MaxPooling"), name("MaxPool"))(pooling("Max", axes)),
    ...same(name("AveragePooling"), name("AvgPool"))(pooling("Avg", axes)),
    ...same(name("GlobalMaxPooling"), name("GlobalMaxPool"))(globalPooling("Max", axes)),
    ...same(name("GlobalAveragePooling"), name("GlobalAvgPool"))(globalPooling("Avg", axes)),
    [name("AdaptiveMaxPooling")]: adaptivePooling("Max", axes),
    [name("AdaptiveAveragePooling")]: adaptivePooling("Avg", axes),
    [name("ZeroPadding")]: zeroPadding(axes),
    [name("Cropping")]: cropping(axes),
    [name("UpSampling")]: upSampling(axes),
    [name("ConvLSTM")]: convLstm(axes),
    [name("SpatialDropout")]: () => [step(name("SpatialDropout"))],
    ...(axes < 3
      ? {
          [name("DepthwiseConv")]: depthwise(axes),
          ...same(name("SeparableConv"), name("SeparableConvolution"))(separable(axes)),
          [name("LocallyConnected")]: locallyConnected(axes),
        }
      : {}),
  };
}

/** Augmentations and the like: they change values, not sizes. */
const KEEPING =
  "Rescaling UnitNormalization ThresholdedReLU AlphaDropout GaussianDropout GaussianNoise ActivityRegularization Masking " +
  "Identity RandomFlip RandomRotation RandomTranslation RandomZoom RandomContrast RandomBrightness RandomGrayscale RandomHue " +
  "RandomInvert RandomSaturation RandomSharpness RandomShear RandomPosterization RandomColorJitter RandomColorDegeneration " +
  "RandomErasing RandomGaussianBlur RandomPerspective RandomElasticTransform RandAugment AugMix MixUp CutMix AutoContrast " +
  "Solarization Equalization ContrastLimitedAdaptiveHistogramEqualization Hashing";

/** Turn every value into an integer, unless they are asked for another encoding. */
const encoding: Binding = (config) => ((config.text("output_mode") ?? "int") === "int" ? [step("Identity")] : []);

/** Layers of Keras whose sizes ConvLint has no rule for. */
const RULELESS = new Set(
  (
    "Lambda TFOpLambda SlicingOpLambda TensorFlowOpLayer EinsumDense CategoryEncoding TextVectorization HashedCrossing " +
    "MelSpectrogram STFTSpectrogram MaxNumBoundingBoxes GroupQueryAttention MaxoutDense Highway Deconvolution2D " +
    "LocallyConnected3D DenseFeatures Pipeline TFSMLayer TorchModuleWrapper JaxLayer FlaxLayer"
  ).split(" "),
);

/** Whether a class is Keras's own, with a rule here or not. */
export function isOfKeras(name: string, layer: Tree): boolean {
  return (
    isKerasModule(moduleOf(layer)) && (moduleOf(layer) !== null || RULELESS.has(name) || Object.hasOwn(bindings, name))
  );
}

function moduleOf(layer: Tree | undefined): string | null {
  const module = get(layer, "module");
  return module?.kind === "scalar" ? String(module.value) : null;
}

/** Files before Keras 3 name no module. */
function isKerasModule(module: string | null): boolean {
  return module === null || /^(?:tf_)?keras\b|^tensorflow\./.test(module);
}

/** What reads a class of layers; undefined where nothing is known of it. */
export function bindingOf(name: string, layer: Tree | undefined): Binding | undefined {
  // Keras 3 writes the module: a function `Reshape` and a class of the user's own are not the layer of that name.
  const module = moduleOf(layer);
  if (module?.startsWith("keras.src.ops.")) return (config, call) => functionSteps(name, config, call);
  if (!isKerasModule(module)) return undefined;
  return Object.hasOwn(bindings, name) ? bindings[name] : undefined;
}

/** By class name. Layers that are not here are opaque: nothing is said about what they do to a size. */
export const bindings: Readonly<Record<string, Binding>> = {
  ...windowsOf(1),
  ...windowsOf(2),
  ...windowsOf(3),
  ...same(...KEEPING.split(" "))(keep),
  ...same("Discretization", "IntegerLookup", "StringLookup")(encoding),
  Resizing: resizing,
  ...same(
    "CenterCrop",
    "RandomCrop",
  )((config) => [step("CenterCrop", { height: config.arg("height"), width: config.arg("width") })]),
  Normalization: (config) => [
    step("Normalization", { axis: config.arg("axis"), given: fixed(config.value("mean") !== undefined) }),
  ],
  ...same("Dense", "TimeDistributedDense")(dense),
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
  ...same(
    "BatchNormalization",
    "BatchNormalizationV1",
    "BatchNormalizationV2",
    "SyncBatchNormalization",
  )(normalization("BatchNormalization", "momentum")),
  LayerNormalization: normalization("LayerNormalization", "rms_scaling"),
  GroupNormalization: normalization("GroupNormalization", "groups"),
  RMSNormalization: (config) => [
    step("LayerNormalization", { axis: config.arg("axis"), epsilon: config.arg("epsilon"), center: fixed(false) }),
  ],
  LayerScale: (config) => [step("LayerScale", { projection_dim: config.arg("projection_dim") })],
  Activation: (config) => {
    const steps = activation(config);
    return steps.length > 0 ? steps : [step("Identity")];
  },
  ReLU: () => [step("ReLU")],
  LeakyReLU: () => [step("LeakyReLU")],
  ELU: () => [step("ELU")],
  PReLU: (config) => [step("ParametricReLU", { shared_axes: config.arg("shared_axes") })],
  Softmax: () => [step("Softmax", { dim: fixed(-1) })],
  Dropout: (config) => [step("Dropout", { p: config.arg("rate", "p") })],
  Embedding: (config) => [
    step("Embedding", { input_dim: config.arg("input_dim"), output_dim: config.arg("output_dim") }),
  ],
  SimpleRNN: recurrent("SimpleRNN"),
  ...same("GRU", "GRUV1", "GRUV2", "UnifiedGRU")(recurrent("GRU")),
  ...same("LSTM", "LSTMV1", "LSTMV2", "UnifiedLSTM")(recurrent("LSTM")),
  CuDNNGRU: recurrent("GRU", true),
  CuDNNLSTM: recurrent("LSTM", true),
  RNN: cells,
  MultiHeadAttention: multiHeadAttention,
  Attention: attention("Attention"),
  AdditiveAttention: attention("AdditiveAttention"),
  ...same(
    "TFOpLambda",
    "SlicingOpLambda",
  )((config, call) => functionSteps(config.text("function") ?? "", config, call)),
  TimeDistributed: wrapper(({ op, args }) => ({ op: timeDistributed(op), args })),
  Bidirectional: wrapper(({ op, args }, config) => ({
    op: bidirectional(op),
    args: { ...args, merge_mode: config.arg("merge_mode") },
  })),
  // Only the first operator has a kernel; what follows is the activation.
  SpectralNormalization: wrapper(({ op, args }, _, index) => ({ op: index === 0 ? spectral(op) : op, args })),
};
