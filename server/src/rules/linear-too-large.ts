/** A fully connected layer with more weights than it is allowed. */
import { atParam } from "#shared/ops/finding.ts";
import { product } from "#shared/shape/dim.ts";
import { quantity } from "./option.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { factored, source } from "./wording.ts";

export const page: RulePage = {
  docs: `A fully connected layer has a weight for every pair of input and output. Behind a Flatten of a map that is still large it
soon has more weights than all convolutions together: 9 in 10 of VGG16's stand in its first. Pooling before the Flatten, down
to one value per channel where that will do, makes it small.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [64, 28, 28]
layers:
  - Flatten
  - {type: Linear, out_features: «1024»}
`,
      good: `cnn: 1
input: [64, 28, 28]
layers:
  - GlobalAvgPool
  - {type: Linear, out_features: 1024}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 28, 28, 64]}},
    {"class_name": "Flatten", "config": {"name": "a"}},
    {"class_name": "Dense", "config": {"name": "b", "units": «1024»}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 28, 28, 64]}},
    {"class_name": "GlobalAveragePooling2D", "config": {"name": "a"}},
    {"class_name": "Dense", "config": {"name": "b", "units": 1024}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 21841
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
head:
  - [-1, 1, «Classify», [nc]]
`,
      good: `nc: 1000
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=64x28x28
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Flatten}
    - {_target_: torch.nn.Linear, in_features: 50176, out_features: «1024»}
`,
      good: `# convlint: input=64x28x28
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.AdaptiveAvgPool2d, output_size: 1}
    - {_target_: torch.nn.Flatten}
    - {_target_: torch.nn.Linear, in_features: 64, out_features: 1024}
`,
    },
  },
};

export const linearTooLarge = defineRule({
  code: "linear-too-large",
  severity: "warning",
  optional: true,
  summary: "A fully connected layer has more weights than allowed.",
  options: { max: quantity("The most weights that one fully connected layer may have.", 10_000_000) },
  check({ graph, report }, state, { max }) {
    for (const node of graph.nodes) {
      if (node.op.name !== "Linear" && node.op.name !== "Dense") continue;
      const { inference, inputs } = report.nodes[node.id]!;
      const matrix = inference?.weights?.find(({ name }) => name === "weight" || name === "kernel");
      const weights = matrix ? product(matrix.dims) : 0;
      if (typeof weights !== "number" || max === null || weights <= max || !inputs[0]) continue;
      const ref = node.inputs[0];
      const isFlat = ref && graph.nodes[ref.node]?.op.name === "Flatten";
      const flattened = isFlat ? report.nodes[ref.node]!.inputs[0] : null;
      state(node, atParam("out_features"), { weights, max, input: inputs[0], ...(flattened ? { flattened } : {}) });
    }
  },
  message: (context) => {
    const { weights, max, input, flattened } = context.data;
    const count = (value: unknown) => Number(value).toLocaleString("en");
    const features = input.dims.at(-1)!;
    const from = flattened ? factored(features, flattened.dims.slice(1), context.words.dim) : String(features);
    const advice = flattened ? "Pool before the Flatten" : "Take fewer features";
    return `${count(weights)} weights for ${from} features, more than the ${count(max)} that are allowed. ${advice}, or give fewer outputs.`;
  },
  related: (context) => source(context, context.data.input),
});
