/** A window larger than its padded input. */

import { sub } from "#shared/shape/dim.ts";
import { effectiveKernel, outputSize, paddedSize, type Window, type WindowUse } from "#shared/shape/window.ts";
import { otherInputs, otherWindows, setting, unsafe } from "./mending.ts";
import { defineRule, type MessageContext, type RulePage } from "./rule.ts";
import { accepts, alike, axesOf, mostPadding, offered, source } from "./wording.ts";

export const page: RulePage = {
  docs: `No window fits, so the output would have no cells. PyTorch and Keras refuse it; TensorFlow and ONNX runtimes
may answer with garbage, so it is an error in every format. It usually means that earlier layers have already shrunk the
image too far for this input size.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 4, 4]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: «7»}
`,
      good: `cnn: 1
input: [3, 4, 4]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 7, padding: 3}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 4, 4, 8]}},
    {"class_name": "AveragePooling2D", "config": {"name": "a", "pool_size": [«7», 7]}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 7, 7, 8]}},
    {"class_name": "AveragePooling2D", "config": {"name": "a", "pool_size": [7, 7]}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `# convlint: input=3x32x32
nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [«64», 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `# convlint: input=3x128x128
nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [64, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=8x4x4
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.AvgPool2d, kernel_size: «7»}
`,
      good: `# convlint: input=8x7x7
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.AvgPool2d, kernel_size: 7}
`,
    },
  },
};

export const windowTooLarge = defineRule({
  code: "window-too-large",
  severity: "error",
  summary: "The kernel is larger than its padded input.",
  message: (context) => {
    const { data, words } = context;
    const { use, input } = data;
    const { window } = use;
    const axes = axesOf(alike(context, use), input);
    const spans = effectiveKernel(window);
    const dilated = window.dilation === 1 ? "" : ` = ${window.dilation}·(${window.kernel} − 1) + 1`;
    const padded = paddedSize(use.input, window);
    const isPadded = String(padded) !== String(use.input);
    const padding = isPadded ? ` (${words.dim(use.input)} + ${window.padBefore} + ${window.padAfter} padding)` : "";
    const kernel = window.dilation === 1 ? "kernel" : "dilated kernel";
    const fits = typeof padded === "number" && padded >= spans;
    const over = fits
      ? `input ${axes} ${words.dim(use.input)} before padding`
      : `input ${axes} ${words.dim(padded)}${padding}`;
    return `the ${kernel} ${spans}${dilated} is larger than the ${over}: no window fits.${fits ? "" : adviceFor(use, axes, context)}`;
  },
  related: (context) => source(context, context.data.input),

  *fixes(context) {
    const { node, data } = context;
    const { input, window } = data.use;
    const uses = alike(context, data.use);
    if (!node || typeof input !== "number") return;
    const fits = (changed: Window) => Number(outputSize(input, changed)) >= 1;
    for (const change of otherWindows(context, node, uses, fits, { params: ["kernel_size", "padding"], count: 1 }))
      yield unsafe(change);
    if (accepts(context, "padding", "same_upper") && !accepts(context, "padding", 0))
      yield unsafe(setting(node, "padding", "same_upper"));
    const least = sub(effectiveKernel(window), sub(paddedSize(input, window), input));
    if (typeof least === "number") yield* otherInputs(context, uses, [least - input]);
  },
});

function adviceFor(use: WindowUse, axes: string, context: MessageContext<"window-too-large">): string {
  const { node } = context;
  const swapped = swappedInput(context);
  if (swapped) return swapped;
  const { input, window } = use;
  const { padBefore, padAfter } = window;
  if (typeof padBefore !== "number" || typeof padAfter !== "number" || typeof input !== "number") return "";
  const fits = (size: number, changed: Partial<typeof window>) => {
    const output = outputSize(size, { ...window, ...changed });
    return typeof output === "number" && output >= 1;
  };
  const options: string[] = [];
  const largest = Math.floor((input + padBefore + padAfter - 1) / window.dilation) + 1;
  const smaller = { ...use, window: { ...window, kernel: largest } };
  const isPadded = Math.max(padBefore, padAfter) <= mostPadding(node, smaller);
  if (largest >= 1 && isPadded && accepts(context, "kernel_size", largest) && fits(input, { kernel: largest }))
    options.push(`a kernel of at most ${largest}`);
  const padding = Math.ceil((effectiveKernel(window) - input) / 2);
  const isTaken = accepts(context, "padding", padding) && padding <= mostPadding(node, use);
  if (isTaken && fits(input, { padBefore: padding, padAfter: padding })) options.push(`padding ${padding}`);
  // Keras pads by word only.
  else if (!accepts(context, "padding", 0) && accepts(context, "padding", "same_upper")) options.push("padding same");
  const least = sub(effectiveKernel(window), padBefore + padAfter);
  if (typeof least === "number" && fits(least, {})) options.push(`input ${axes} of at least ${least}`);
  return options.length === 0 ? "" : ` Use ${offered(options)}.`;
}

/** An image's channels where the format reads its height: `(3, 224, 224)` in a file whose layers are channels last. */
function swappedInput({ graph, report, words }: MessageContext<"window-too-large">): string | null {
  for (const id of graph.inputs) {
    const image = report.nodes[id]?.outputs[0];
    const [, first, second, third] = image?.dims ?? [];
    const isSwapped = image?.layout.channels === "last" && image.dims.length === 4 && (first === 1 || first === 3);
    if (!isSwapped || typeof second !== "number" || typeof third !== "number" || third < 16) continue;
    const meant = words.shape({ ...image, dims: [image.dims[0]!, second, third, first] });
    return ` The input ${words.shape(image)} is read with its channels last, as an image ${first} high: write ${meant}, or declare that channels come first.`;
  }
  return null;
}
