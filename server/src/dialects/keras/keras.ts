/**
 * Keras models as JSON or YAML: `model.to_json()`, the config.json of a .keras file, and TF.js's model.json.
 */
import type { Dim } from "#shared/shape/dim.ts";
import { get } from "../../syntax/tree.ts";
import { type Dialect, shapeText, type Words } from "../dialect.ts";
import { bindings, KERAS_NAMES } from "./layers.ts";
import { declaredSize, lower } from "./lower.ts";
import { modelIn } from "./topology.ts";

/** Keras shows every size it cannot know as None. */
const dim = (size: Dim): string => (typeof size === "number" ? String(size) : "None");

const OPERATOR_NAMES: Readonly<Record<string, string>> = {
  Linear: "Dense",
  Concat: "Concatenate",
  Upsample: "UpSampling",
  Crop: "Cropping",
  ParametricReLU: "PReLU",
};

const words: Words = {
  param: (op, name) => {
    if (/^(?:Max|Avg)Pool/.test(op) && name === "kernel_size") return "pool_size";
    if (op === "Upsample" && name === "scale_factor") return "size";
    return KERAS_NAMES[name] ?? name;
  },
  op: (name) => {
    const window = /^(Conv|DepthwiseConv|SeparableConv|ConvTranspose|MaxPool|AvgPool|ZeroPad)(\d)d$/.exec(name);
    if (!window) return OPERATOR_NAMES[name] ?? name;
    const [, kind, axes] = window;
    if (kind === "ConvTranspose") return `Conv${axes}DTranspose`;
    const long = { MaxPool: "MaxPooling", AvgPool: "AveragePooling", ZeroPad: "ZeroPadding" }[kind!] ?? kind!;
    return `${long}${axes}D`;
  },
  dim,
  shape: (tensor) => shapeText(tensor, dim, "()"),
  value: (_op, name, value) => (name === "padding" && value === "same_upper" ? "same" : value),
  // Keras pads by word and always rounds down.
  takes: (_op, name, value) => (name === "padding" ? typeof value === "string" : name !== "ceil_mode"),
};

export const keras: Dialect = {
  name: "keras",
  words,
  // The rarest part first: a foreign megabyte is searched for it in no time.
  sniff: (text) => text.includes("_name") && text.includes("config") && /["']?class_name["']?\s*:/.test(text),
  matches: (root) => modelIn(root) !== undefined,
  lower,
  writing: {
    parameters: (layer) => get(layer, "config"),
    layer: (op) => ({ class_name: words.op(op), config: { name: op.toLowerCase() } }),
    size: ({ parent }, axis) => declaredSize(get(parent?.tree, "config"), axis),
  },
  vocabulary: () => Object.keys(bindings),
};
