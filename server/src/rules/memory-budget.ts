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
