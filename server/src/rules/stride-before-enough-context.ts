/** A stride at a place where outputs have hardly seen more than their own step. */
import { isInside } from "#shared/graph/graph.ts";
import { atParam } from "#shared/ops/finding.ts";
import { axisName } from "#shared/shape/tensor.ts";
import { ratio } from "./option.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { numeral, source } from "./wording.ts";

export const page: RulePage = {
  docs: `A stride throws positions away, for good. What it keeps should have seen its surroundings by then: where the receptive field
is hardly larger than the step between neighbouring outputs, each output knows only its own patch, and an edge between two
patches is seen whole by nobody. ResNet's first stride comes at a ratio of 3.5 (7 pixels seen at a step of 2), YOLO's at 1.5.

Networks that cut the image into patches on purpose, such as ConvNeXt, have a ratio of 1 there: so this is off unless it is
asked for.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 64, 64]
layers:
  - {type: MaxPool2d, kernel_size: «2»}
  - {type: Conv2d, out_channels: 16, kernel_size: 3, padding: 1}
`,
      good: `cnn: 1
input: [3, 64, 64]
layers:
  - {type: Conv2d, out_channels: 16, kernel_size: 3, padding: 1}
  - {type: MaxPool2d, kernel_size: 2}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 64, 64, 3]}},
    {"class_name": "MaxPooling2D", "config": {"name": "a", "pool_size": [«2», 2]}},
    {"class_name": "Conv2D", "config": {"name": "b", "filters": 8, "kernel_size": [3, 3]}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 64, 64, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3]}},
    {"class_name": "MaxPooling2D", "config": {"name": "b", "pool_size": [2, 2]}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [2, «2»]]
  - [-1, 1, Conv, [16, 3, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [16, 3, 1]]
  - [-1, 1, nn.MaxPool2d, [2, 2]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x64x64
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.MaxPool2d, kernel_size: «2»}
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
`,
      good: `# convlint: input=3x64x64
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
    - {_target_: torch.nn.MaxPool2d, kernel_size: 2}
`,
    },
  },
};

export const strideBeforeEnoughContext = defineRule({
  code: "stride-before-enough-context",
  severity: "information",
  optional: true,
  summary: "A stride comes before its outputs have seen more than their own patch of the image.",
  options: {
    least: ratio("How many times larger than the step between neighbouring outputs the receptive field must be.", 1.5),
  },
  check({ graph, report }, state, { least }) {
    for (const node of graph.nodes) {
      const { inference, field, inputs } = report.nodes[node.id]!;
      const input = inputs[0];
      if (!field || !input || !inference?.windows || isInside(graph, node)) continue;
      for (const [index, { axis, window, outputPadding, output }] of inference.windows.entries()) {
        const { size, jump } = field[index] ?? { size: 0, jump: 0 };
        // One output alone has no neighbours.
        if (window.stride === 1 || outputPadding !== undefined || output === 1 || size >= jump * (least ?? 0)) continue;
        state(node, atParam("stride", index), { axis, input, size, jump, least: least ?? 0 });
        break;
      }
    }
  },
  message: (context) => {
    const { axis, input, size, jump, least } = context.data;
    return `after this stride neighbouring outputs are ${numeral(jump)} input pixels apart in ${axisName(input, axis)} and each has seen ${numeral(size)}: ${numeral(size / jump)} times the step, less than ${numeral(least)}. Put a convolution before it, or use a larger kernel.`;
  },
  related: (context) => source(context, context.data.input),
});
