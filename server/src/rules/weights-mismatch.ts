/** Stored weights of another shape than their layer's. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `A TF.js \`model.json\` lists the shape of every stored weight in \`weightsManifest\`. Where one differs from what the layer
of that name needs, loading the model fails. Either the topology was edited after saving, or the weights are another model's.`,
  examples: {
    keras: {
      bad: `{
  "modelTopology": {
    "class_name": "Sequential",
    "config": {"name": "small", "layers": [
      {"class_name": "Conv2D", "config": {
        "name": "conv", "filters": 16, "kernel_size": [3, 3], "batch_input_shape": [null, 9, 9, 1]}}
    ]}
  },
  "weightsManifest": [{"paths": ["weights.bin"], "weights": [
    {"name": "conv/kernel", "shape": «[3, 3, 1, 8]», "dtype": "float32"}
  ]}]
}
`,
      good: `{
  "modelTopology": {
    "class_name": "Sequential",
    "config": {"name": "small", "layers": [
      {"class_name": "Conv2D", "config": {
        "name": "conv", "filters": 8, "kernel_size": [3, 3], "batch_input_shape": [null, 9, 9, 1]}}
    ]}
  },
  "weightsManifest": [{"paths": ["weights.bin"], "weights": [
    {"name": "conv/kernel", "shape": [3, 3, 1, 8], "dtype": "float32"}
  ]}]
}
`,
    },
  },
};

export const weightsMismatch = defineRule({
  code: "weights-mismatch",
  severity: "error",
  summary: "The weights stored with a model do not have the shapes of its layers.",
  message: ({ data, words }) => {
    const stored = `[${data.stored.join(", ")}]`;
    const needed = `[${data.needed.map(words.dim).join(", ")}]`;
    return `${data.weight} of ${data.layer} is stored as ${stored}, but the layer needs ${needed}. Change the layer back to what was saved, or save the model again.`;
  },
});
