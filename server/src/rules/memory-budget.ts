/** The activations of the model or a layer take more memory than allowed. */
import { defineBudget } from "./budget.ts";
import type { RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `A device with little memory has a budget for activations: all that the layers hand on, for the whole model as training keeps
it, or for the single layer that takes most. Counted are float32 values of one sample, four bytes each.`,
  setting: { layer: "1MiB" },
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 64, 64]
layers:
  - {type: «Conv2d», out_channels: 128, kernel_size: 3, padding: 1}
`,
      good: `cnn: 1
input: [3, 64, 64]
layers:
  - {type: Conv2d, out_channels: 32, kernel_size: 3, padding: 1}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 64, 64, 3]}},
    {"class_name": «"Conv2D"», "config": {"name": "a", "filters": 128, "kernel_size": [3, 3], "padding": "same"}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 64, 64, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 32, "kernel_size": [3, 3], "padding": "same"}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `# convlint: input=3x64x64
nc: 80
backbone:
  - [-1, 1, «nn.Upsample», [None, 8, nearest]]
  - [-1, 1, nn.MaxPool2d, [16, 16]]
head:
  - [-1, 1, «Classify», [nc]]
`,
      good: `# convlint: input=3x64x64
nc: 80
backbone:
  - [-1, 1, nn.Upsample, [None, 2, nearest]]
  - [-1, 1, nn.MaxPool2d, [16, 16]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x64x64
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: «torch.nn.Conv2d», in_channels: 3, out_channels: 128, kernel_size: 3, padding: 1}
`,
      good: `# convlint: input=3x64x64
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 32, kernel_size: 3, padding: 1}
`,
    },
  },
};

export const memoryBudget = defineBudget({
  code: "memory-budget",
  summary: "The activations of the model or a layer take more memory than allowed.",
  what: "bytes of activations for one sample",
  noun: "of activations",
  cost: "activationBytes",
  written: mebibytes,
});

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)} MiB`;
}
