/** An operator that cannot take a tensor with this many axes. */
import { spatialAxes } from "#shared/shape/tensor.ts";
import { unsafe } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { branch, inputIndex, source, sourceOf } from "./wording.ts";

export const page: RulePage = {
  docs: `A 2-d convolution needs height and width, a 1-d one only a length; after Flatten there is neither. The framework
refuses such an input when the model runs.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - Flatten
  - {type: «Conv2d», out_channels: 8, kernel_size: 3}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 3}
  - Flatten
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Flatten", "config": {"name": "a"}},
    {"class_name": «"Conv2D"», "config": {"name": "b", "filters": 8, "kernel_size": [3, 3]}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3]}},
    {"class_name": "Flatten", "config": {"name": "b"}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, nn.Flatten, []]
  - [-1, 1, «nn.MaxPool2d», [2, 2]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [2, 2]]
  - [-1, 1, nn.ReLU, []]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Flatten}
    - {_target_: «torch.nn.Conv2d», in_channels: 3, out_channels: 8, kernel_size: 3}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
    - {_target_: torch.nn.Flatten}
`,
    },
  },
};

export const wrongRank = defineRule({
  code: "wrong-rank",
  severity: "error",
  summary: "The input has the wrong number of axes.",
  message: (context) => {
    const { data, node, graph, words } = context;
    const index = inputIndex(context, data.input);
    const from = sourceOf(context, index);
    const afterFlatten = node?.inputs.length === 1 && from !== null && graph.nodes[from.node]?.op.name === "Flatten";
    const advice = afterFlatten ? ` Put it before ${words.op("Flatten")}.` : "";
    return `${node ? words.op(node.op.name) : "the layer"} needs ${data.expected}, but gets ${branch(context, index, data.input)}.${advice}`;
  },
  related: (context) => source(context, context.data.input),

  *fixes(context) {
    const { data, node } = context;
    const axes = spatialAxes(data.input).length;
    const word = node ? context.words.op(node.op.name) : "";
    const other = word.replace(/[123](?=[dD](?:[A-Z]|$))/, String(axes));
    if (node && other !== word && axes >= 1 && axes <= 3)
      yield unsafe({ kind: "replace", at: node.origin.type, value: other, last: true });
  },
});
