/** A transposed window whose kernel is no multiple of its stride. */

import { isInside } from "#shared/graph/graph.ts";
import { atParam } from "#shared/ops/finding.ts";
import { effectiveKernel } from "#shared/shape/window.ts";
import { multiplesBeside, setting, unsafe } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { accepts, alike, axesOf, offered, source } from "./wording.ts";

export const page: RulePage = {
  docs: `Each input position of a transposed convolution writes a kernel's worth of outputs, and neighbours write a stride further
on. Where the stride does not divide the kernel, some outputs are written by more positions than others, in the pattern of a
checkerboard that training has to unlearn; where the kernel is smaller than the stride, some are written by none and hold
nothing but the bias. Source: Odena, Dumoulin & Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [8, 16, 16]
layers:
  - {type: ConvTranspose2d, out_channels: 4, kernel_size: «3», stride: 2, padding: 1, output_padding: 1}
`,
      good: `cnn: 1
input: [8, 16, 16]
layers:
  - {type: ConvTranspose2d, out_channels: 4, kernel_size: 4, stride: 2, padding: 1}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 16, 16, 8]}},
    {"class_name": "Conv2DTranspose", "config": {"name": "a", "filters": 8, "kernel_size": [«3», 3], "strides": [2, 2], "padding": "same"}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 16, 16, 8]}},
    {"class_name": "Conv2DTranspose", "config": {"name": "a", "filters": 8, "kernel_size": [4, 4], "strides": [2, 2], "padding": "same"}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, nn.ConvTranspose2d, [16, «3», 2]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.ConvTranspose2d, [16, 2, 2]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=8x16x16
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.ConvTranspose2d, in_channels: 8, out_channels: 4, kernel_size: «3», stride: 2}
`,
      good: `# convlint: input=8x16x16
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.ConvTranspose2d, in_channels: 8, out_channels: 4, kernel_size: 4, stride: 2, padding: 1}
`,
    },
  },
};

export const unevenOverlap = defineRule({
  code: "uneven-overlap",
  severity: "information",
  optional: true,
  summary: "The kernel of a transposed convolution is no multiple of its stride: outputs are written unevenly.",
  check({ graph, report }, state) {
    for (const node of graph.nodes) {
      const { inference, inputs } = report.nodes[node.id]!;
      const input = inputs[0];
      if (!node.op.name.startsWith("ConvTranspose") || !inference?.windows || !input || isInside(graph, node)) continue;
      const uneven = inference.windows.findIndex(({ window }) => effectiveKernel(window) % window.stride !== 0);
      const use = inference.windows[uneven];
      if (use) state(node, atParam("kernel_size", uneven), { use, input });
    }
  },
  message: (context) => {
    const { node, words, data } = context;
    const { kernel, stride, dilation } = data.use.window;
    const span = effectiveKernel(data.use.window);
    const axes = axesOf(alike(context, data.use), data.input);
    const each =
      span < stride
        ? `${stride - span} of every ${stride} outputs are written by no input position`
        : `${span % stride} of every ${stride} outputs are written by ${Math.ceil(span / stride)} input positions, the others by ${Math.floor(span / stride)}`;
    const name = words.param(node?.op.name ?? "", "kernel_size");
    const near = dilation === 1 ? [Math.floor(kernel / stride), Math.ceil(kernel / stride)] : [];
    const kernels = [...new Set(near.filter((times) => times > 0).map((times) => times * stride))];
    const options = kernels.filter((size) => accepts(context, "kernel_size", size)).map((size) => `${name} ${size}`);
    const shape = kernels.length > 0 ? " with the padding that keeps the size" : "";
    const advice = offered([
      ...(options.length > 0 ? [`${options.join(" or ")}${shape}`] : []),
      "up-sampling followed by a convolution",
    ]);
    return `${span} is no multiple of stride ${stride}: ${each} (${axes}). Use ${advice}.`;
  },
  related: (context) => source(context, context.data.input),

  *fixes(context) {
    const { node, data } = context;
    const { window, outputPadding = 0 } = data.use;
    if (!node || window.dilation !== 1) return;
    for (const kernel of multiplesBeside(window.kernel, window.stride)) {
      const padding = outputPadding + window.kernel - kernel;
      const sized = setting(node, "kernel_size", kernel);
      // Where the output padding can make up for it, all sizes stay.
      if (padding >= 0 && padding < window.stride && padding !== outputPadding)
        yield unsafe(sized, setting(node, "output_padding", padding));
      yield unsafe(sized);
    }
  },
});
