/** The model or a layer takes more multiply-accumulates than allowed. */
import { defineBudget, grouped } from "./budget.ts";
import type { RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `A model that has to be fast has a budget of multiply-accumulates: for the whole of it, for a layer, or both. They are counted
for one sample at the input size the file is checked with, one per multiplication in convolutions, fully connected layers and
products; a bias, an activation and a normalisation count nothing. Twice the number are the floating-point operations.`,
  setting: { layer: "10M" },
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 64, 64]
layers:
  - {type: «Conv2d», out_channels: 64, kernel_size: 5, padding: 2}
`,
      good: `cnn: 1
input: [3, 64, 64]
layers:
  - {type: Conv2d, out_channels: 64, kernel_size: 3, padding: 1}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 64, 64, 3]}},
    {"class_name": «"Conv2D"», "config": {"name": "a", "filters": 64, "kernel_size": [5, 5], "padding": "same"}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 64, 64, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 64, "kernel_size": [3, 3], "padding": "same"}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `# convlint: input=3x64x64
nc: 80
backbone:
  - [-1, 1, «Conv», [64, 5, 1]]
  - [-1, 1, nn.MaxPool2d, [8, 8]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `# convlint: input=3x64x64
nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
  - [-1, 1, nn.MaxPool2d, [8, 8]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x64x64
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: «torch.nn.Conv2d», in_channels: 3, out_channels: 64, kernel_size: 5, padding: 2}
`,
      good: `# convlint: input=3x64x64
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 64, kernel_size: 3, padding: 1}
`,
    },
  },
};

export const macBudget = defineBudget({
  code: "mac-budget",
  summary: "The model or a layer takes more multiply-accumulates than allowed.",
  what: "multiply-accumulates for one sample",
  noun: "multiply-accumulates",
  cost: "macs",
  written: grouped,
});
