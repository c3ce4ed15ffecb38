/** Padding for which another target's own has the same size, and another place. */
import { isInside } from "#shared/graph/graph.ts";
import { atParam, type FindingData } from "#shared/ops/finding.ts";
import { outputSize, samePadding, type WindowUse } from "#shared/shape/window.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { axesOf, source } from "./wording.ts";

export const page: RulePage = {
  docs: `PyTorch pads both sides alike; TensorFlow's SAME puts the odd cell at the end. On an even size, a 3×3 kernel with stride 2
gets one cell on each side from \`padding: 1\`, and none before and one after from SAME: the output has the same size, and is
shifted by one pixel. Weights trained in one framework and run in the other see a shifted picture in every such layer, and no
size says so. It is told where a model is meant for both: \`targets: [pytorch, tensorflow]\` in the file, a comment
\`# convlint: targets=pytorch,tensorflow\`, or the configuration.

Explicit padding carries over: ZeroPadding2D and VALID in Keras, \`F.pad\` in PyTorch.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
targets: [pytorch, tensorflow]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 3, stride: 2, padding: «same_upper»}
`,
      good: `cnn: 1
input: [3, 33, 33]
targets: [pytorch, tensorflow]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 3, stride: 2, padding: same_upper}
`,
    },
    keras: {
      bad: `// convlint: targets=keras,pytorch
{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "strides": [2, 2], "padding": «"same"»}}
  ]}
}
`,
      good: `// convlint: targets=keras,pytorch
{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "ZeroPadding2D", "config": {"name": "a", "padding": [[0, 1], [0, 1]]}},
    {"class_name": "Conv2D", "config": {"name": "b", "filters": 8, "kernel_size": [3, 3], "strides": [2, 2]}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `# convlint: targets=pytorch,tensorflow
nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [3, 2, «1»]]  # convlint: ignore[non-integer-size]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `# convlint: targets=pytorch,tensorflow
nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [2, 2]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: targets=pytorch,tensorflow
# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3, stride: 2, padding: «1»}  # convlint: ignore[non-integer-size]
`,
      good: `# convlint: targets=pytorch,tensorflow
# convlint: input=3x33x33
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3, stride: 2, padding: 1}
`,
    },
  },
};

export const sameShapeShifted = defineRule({
  code: "same-shape-shifted",
  severity: "warning",
  summary: "Another target's padding gives the same size, and an output that is shifted.",
  check({ graph, report, targets }, state) {
    if (!targets.includes("tensorflow") || targets.length < 2) return;
    for (const node of graph.nodes) {
      const { inference, inputs } = report.nodes[node.id]!;
      const input = inputs[0];
      if (!MOVES.test(node.op.name) || !inference?.windows || !input || isInside(graph, node)) continue;
      for (const use of inference.windows) {
        const other = otherPlace(use);
        if (!other || !targets.includes(other.target)) continue;
        state(node, atParam("padding"), { use, input, other });
        break;
      }
    }
  },
  message: ({ data: { use, input, other }, report, node }) => {
    const { padBefore, padAfter } = use.window;
    const all = node ? (report.nodes[node.id]!.inference?.windows ?? []) : [];
    const same = all.filter((one) => JSON.stringify(one.window) === JSON.stringify(use.window));
    const shift = Math.abs(other.padBefore - Number(padBefore));
    const pixels = `${shift} pixel${shift === 1 ? "" : "s"}`;
    const theirs = other.target === "pytorch" ? `PyTorch's padding ${other.padBefore}` : "TensorFlow's SAME";
    return `this layer pads ${padBefore} before and ${padAfter} after in ${axesOf(same.length > 0 ? same : [use], input)}. ${theirs} gives the same size ${use.output} but pads ${other.padBefore} and ${other.padAfter}: its output is shifted by ${pixels}. Pad in a layer of its own, which both frameworks have.`;
  },
  related: (context) => source(context, context.data.input),
});

const MOVES = /^(Conv|DepthwiseConv|SeparableConv|MaxPool|AvgPool)\dd$/;
/** Where the other framework's usual padding has the same output size and begins elsewhere; null where it does not. */
function otherPlace(use: WindowUse): FindingData["same-shape-shifted"]["other"] | null {
  const { input, output, window } = use;
  const { kernel, stride, dilation, padBefore, padAfter } = window;
  if (typeof padBefore !== "number" || typeof padAfter !== "number") return null;
  const same = samePadding(input, kernel, stride, dilation, "upper");
  const [before, after] = [same.padBefore, same.padAfter];
  if (typeof before !== "number" || typeof after !== "number") return null;
  if (window.same && padBefore !== padAfter) {
    const both = Math.max(padBefore, padAfter);
    const symmetric = { ...window, same: false, padBefore: both, padAfter: both };
    const fits = outputSize(input, symmetric) === output && both !== padBefore;
    if (fits) return { target: "pytorch", padBefore: both, padAfter: both };
    return before === padBefore ? null : { target: "tensorflow", padBefore: before, padAfter: after };
  }
  const isUsual = padBefore === padAfter && padBefore > 0;
  if (!isUsual || before === padBefore || outputSize(input, { ...window, ...same }) !== output) return null;
  return { target: "tensorflow", padBefore: before, padAfter: after };
}
