/** The model or a layer has more parameters than allowed. */
import { defineBudget, grouped } from "./budget.ts";
import type { RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `A model that has to fit somewhere has a budget of parameters: for the whole of it, for a layer, or both. Trainable values are
counted, weights and biases alike, each once; running statistics are not. A model over its budget is told at the layer that has
most of them.`,
  setting: { model: "1M" },
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 64, kernel_size: 3}
  - {type: «Conv2d», out_channels: 2048, kernel_size: 3}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 64, kernel_size: 3}
  - {type: Conv2d, out_channels: 512, kernel_size: 3}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 64]}},
    {"class_name": «"Conv2D"», "config": {"name": "a", "filters": 2048, "kernel_size": [3, 3]}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 64]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 512, "kernel_size": [3, 3]}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
  - [-1, 1, Conv, [2048, 3, 1]]
head:
  - [-1, 1, «Classify», [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
  - [-1, 1, Conv, [256, 3, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=64x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: «torch.nn.Conv2d», in_channels: 64, out_channels: 2048, kernel_size: 3}
`,
      good: `# convlint: input=64x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 64, out_channels: 512, kernel_size: 3}
`,
    },
  },
};

export const parameterBudget = defineBudget({
  code: "parameter-budget",
  summary: "The model or a layer has more parameters than allowed.",
  what: "parameters",
  noun: "parameters",
  cost: "params",
  written: grouped,
});
