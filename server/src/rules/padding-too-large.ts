/** Padding that the operator or its mode refuses. */
import { defineRule } from "./rule.ts";

export const paddingTooLarge = defineRule({
  code: "padding-too-large",
  severity: "error",
  summary: "There is more padding than the operator allows.",
  docs: `Pooling takes at most half its window as padding, so that every window sees some input. Reflection mirrors the input
without its edge, so it must be smaller than the input; circular padding can be no larger. Frameworks refuse more.`,
  examples: {
    bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: MaxPool2d, kernel_size: 2, stride: 2, padding: 2}
`,
    good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: MaxPool2d, kernel_size: 2, stride: 2, padding: 1}
`,
  },
  message: ({ data, words }) =>
    `padding ${words.dim(data.padding)} is too large: ${data.why}. Use at most ${words.dim(data.limit)}.`,
});
