/** A stride that jumps over input cells. */
import { unsafe, windowSetting } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { alike, axesOf, cellsOf, listed, source } from "./wording.ts";

export const page: RulePage = {
  docs: `Between two positions of the window lie rows or columns that no position reads: their values cannot influence the result. A
kernel at least as large as the stride reads everything.

A 1×1 convolution with a stride, as in the shortcut of a ResNet's residual block, does this on purpose; it is only a hint there.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: MaxPool2d, kernel_size: 2, stride: «3»}
`,
      good: `cnn: 1
input: [3, 33, 33]
layers:
  - {type: MaxPool2d, kernel_size: 3, stride: 3}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "MaxPooling2D", "config": {"name": "a", "pool_size": [2, 2], "strides": [«3», 3]}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 33, 33, 3]}},
    {"class_name": "MaxPooling2D", "config": {"name": "a", "pool_size": [3, 3], "strides": [3, 3]}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `# convlint: input=3x641x641
nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [2, «3»]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [2, 2]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.MaxPool2d, kernel_size: 2, stride: «3»}
`,
      good: `# convlint: input=3x33x33
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.MaxPool2d, kernel_size: 3, stride: 3}
`,
    },
  },
};

export const skipsPixels = defineRule({
  code: "skips-pixels",
  severity: "warning",
  // A strided 1×1 convolution is the shortcut of every ResNet: known, meant and harmless.
  grade: ({ data }) => (data.use.window.kernel === 1 ? "hint" : "warning"),
  summary: "The stride is larger than the kernel, so some input is never read.",
  message: (context) => {
    const { data, node, words } = context;
    const uses = alike(context, data.use);
    const { kernel, stride, dilation } = data.use.window;
    const read = new Set(Array.from({ length: Math.min(kernel, stride) }, (_, tap) => (tap * dilation) % stride)).size;
    const cells = listed(uses.map((use) => cellsOf(data.input, use.axis) + "s"));
    const op = node?.op.name ?? "";
    const kernelName = words.param(op, "kernel_size");
    const strideName = words.param(op, "stride");
    const advice =
      dilation === 1
        ? `Use ${kernelName} ${stride} or more, or ${strideName} ${kernel}${kernel > 1 ? " or less" : ""}.`
        : `Use ${strideName} 1, or another dilation.`;
    return `a stride of ${stride} over a kernel of ${kernel} never reads ${stride - read} of every ${stride} ${cells} (${axesOf(uses, data.input)}). ${advice}`;
  },
  related: (context) => source(context, context.data.input),

  *fixes(context) {
    const { node, data, report } = context;
    const { kernel, stride } = data.use.window;
    const windows = node ? (report.nodes[node.id]?.inference?.windows ?? []) : [];
    const uses = alike(context, data.use);
    // A 1×1 window with a stride is how shortcuts shrink.
    if (!node || kernel === 1) return;
    yield unsafe(windowSetting(node, "stride", kernel, windows, uses));
    yield unsafe(windowSetting(node, "kernel_size", stride, windows, uses));
  },
});
