/** No output sees as much of the image as an object fills. */
import { ownerOf } from "#shared/graph/graph.ts";
import { AT_TYPE } from "#shared/ops/finding.ts";
import { pixels } from "./option.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `An output that sees less of the image than an object fills decides by a part of it. The receptive field of the model's
outputs, the largest where there are several, should be at least as large as the objects; in practice about twice, as what lies
at its edge counts little. Outputs that see the whole input, as behind a fully connected layer, always do.

How large objects are, only the task knows: \`object\` says it, in pixels of the model's input.`,
  setting: { object: 32 },
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 128, 128]
layers:
  - {type: Conv2d, out_channels: 16, kernel_size: 3, padding: 1}
  - {type: MaxPool2d, kernel_size: 2}
  - {type: «Conv2d», out_channels: 4, kernel_size: 3, padding: 1}
`,
      good: `cnn: 1
input: [3, 128, 128]
layers:
  - {type: Conv2d, out_channels: 16, kernel_size: 7, padding: 3}
  - {type: MaxPool2d, kernel_size: 4}
  - {type: Conv2d, out_channels: 4, kernel_size: 7, padding: 3}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 128, 128, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3]}},
    {"class_name": «"Conv2D"», "config": {"name": "b", "filters": 8, "kernel_size": [3, 3]}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 128, 128, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "dilation_rate": [8, 8]}},
    {"class_name": "Conv2D", "config": {"name": "b", "filters": 8, "kernel_size": [3, 3], "dilation_rate": [8, 8]}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, Conv, [16, 3, 1]]
head:
  - [-1, 1, «Conv», [16, 3, 1]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [16, 21, 1]]
head:
  - [-1, 1, Conv, [16, 21, 1]]
`,
    },
    torch: {
      bad: `# convlint: input=3x128x128
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
    - {_target_: «torch.nn.Conv2d», in_channels: 8, out_channels: 8, kernel_size: 3}
`,
      good: `# convlint: input=3x128x128
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3, dilation: 8}
    - {_target_: torch.nn.Conv2d, in_channels: 8, out_channels: 8, kernel_size: 3, dilation: 8}
`,
    },
  },
};

export const receptiveFieldSmallerThanObject = defineRule({
  code: "receptive-field-smaller-than-object",
  severity: "warning",
  optional: true,
  summary: "No output of the model sees as much of the image as an object fills.",
  options: { object: pixels("How large objects are, in pixels of the input: one number, or one for each axis.") },
  check({ graph, report }, state, { object }) {
    if (object === null) return;
    let widest: { readonly node: number; readonly sizes: readonly number[] } | null = null;
    for (const { node } of graph.outputs) {
      const field = report.nodes[node]?.field;
      if (!field || field.length === 0) return; // It sees everything, or nobody knows.
      const sizes = field.map(({ size }) => size);
      if (!widest || sum(sizes) > sum(widest.sizes)) widest = { node, sizes };
    }
    if (!widest || (object.length !== 1 && object.length !== widest.sizes.length)) return;
    const wanted = widest.sizes.map((_, axis) => object[object.length === 1 ? 0 : axis]!);
    if (widest.sizes.every((size, axis) => size >= wanted[axis]!)) return;
    state(graph.nodes[widest.node]!, AT_TYPE, { field: widest.sizes, object: wanted });
  },
  message: ({ data: { field, object }, node, graph }) => {
    const [sees, fills] = [field, object].map((sizes) => sizes.join(" × "));
    const name = (node && ownerOf(graph, node.id)?.name) ?? "the output";
    const which = graph.outputs.length > 1 ? `, which sees most of all outputs,` : "";
    return `${name}${which} sees ${sees} pixels of the input, and objects fill ${fills}. Use more or larger kernels, dilation, or more strides before it.`;
  },
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
