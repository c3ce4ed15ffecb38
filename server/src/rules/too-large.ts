/** A limit of ConvLint itself. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `ConvLint bounds what a file may expand to (repeats, nested blocks, YAML aliases, size), so that no file can stop the editor.
This limit is ConvLint's, not a framework's: what lies beyond it is not checked.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
blocks:
  loop: [{type: «loop»}]
layers:
  - loop
`,
      good: `cnn: 1
input: [3, 32, 32]
blocks:
  twice: [ReLU, Sigmoid]
layers:
  - twice
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, «1000000», C2f, [64]]
head:
  - [-1, 1, «Classify», [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 3, C2f, [64]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
  },
};

export const tooLarge = defineRule({
  code: "too-large",
  severity: "error",
  summary: "The file is larger than ConvLint checks.",
  message: ({ data }) => `${data.what} exceeds ConvLint's limit of ${data.limit}; what lies beyond it is not checked.`,
});
