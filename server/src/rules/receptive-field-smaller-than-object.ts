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
