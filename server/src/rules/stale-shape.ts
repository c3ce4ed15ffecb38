/** A layer behind the first that declares an input it does not get. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `Keras reads \`batch_input_shape\` only on the first layer of a model; further down it is ignored, and TF.js warns. Usually a
layer was put before it later, or the shape was copied along. Nothing breaks, but who reads the file is misled.`,
  examples: {
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "Conv2D", "config": {
      "name": "a", "filters": 8, "kernel_size": [3, 3], "batch_input_shape": [null, 9, 9, 1]}},
    {"class_name": "Conv2D", "config": {
      "batch_input_shape": «[null, 9, 9, 1]», "name": "b", "filters": 8, "kernel_size": [3, 3]}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "Conv2D", "config": {
      "name": "a", "filters": 8, "kernel_size": [3, 3], "batch_input_shape": [null, 9, 9, 1]}},
    {"class_name": "Conv2D", "config": {
      "name": "b", "filters": 8, "kernel_size": [3, 3]}}
  ]}
}
`,
    },
  },
};

export const staleShape = defineRule({
  code: "stale-shape",
  severity: "warning",
  summary: "A layer declares another input shape than the layers before it give.",
  message: ({ data, words }) =>
    `the layer declares the input ${words.shape(data.declared)} but gets ${words.shape(data.actual)}. Keras ignores it here; remove it, or write what the layer gets.`,

  *fixes({ at }) {
    if (at.kind === "range")
      yield { changes: [{ kind: "remove", at: at.range }], safe: true, title: "remove the shape" };
  },
});
