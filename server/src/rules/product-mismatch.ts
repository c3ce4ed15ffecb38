/** A matrix product whose inner sizes differ. */
import { defineRule, type RulePage } from "./rule.ts";
import { branch, sources } from "./wording.ts";

export const page: RulePage = {
  docs: `A matrix product sums over the last axis of its first input and the axis before the last of its second (Dot: over the axes it
names), so these sizes must be equal. A transpose is the usual way to bring the right axis there.`,
  examples: {
    native: {
      bad: `cnn: 1
input: {a: [8, 16], b: [8, 16]}
layers:
  - {type: MatMul, from: [a, «b»]}
`,
      good: `cnn: 1
input: {a: [8, 16], b: [8, 16]}
layers:
  - {type: Transpose, from: b, dim0: 1, dim1: 2, name: turned}
  - {type: MatMul, from: [a, turned]}
`,
    },
    keras: {
      bad: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 8, 3]}, "inbound_nodes": []},
      {"class_name": "Dense", "name": "a", "config": {"name": "a", "units": 4}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "Dot", "name": "c", "config": {"name": "c", "axes": [2, 2]}, "inbound_nodes": [[["in", 0, 0, {}], «["a", 0, 0, {}]»]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["c", 0, 0]]
  }
}
`,
      good: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 8, 3]}, "inbound_nodes": []},
      {"class_name": "Dense", "name": "a", "config": {"name": "a", "units": 3}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "Dot", "name": "c", "config": {"name": "c", "axes": [2, 2]}, "inbound_nodes": [[["in", 0, 0, {}], ["a", 0, 0, {}]]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["c", 0, 0]]
  }
}
`,
    },
  },
};

export const productMismatch = defineRule({
  code: "product-mismatch",
  severity: "error",
  summary: "The axes that a product sums over have different sizes.",
  message: (context) => {
    const { data, node, words } = context;
    const [a, b] = data.inputs;
    const op = node ? words.op(node.op.name) : "the layer";
    const [first, second] = data.axes;
    return (
      `${op} cannot multiply ${branch(context, 0, a)} with ${branch(context, 1, b)}: ` +
      `it sums over axis ${first} of the one, which has size ${words.dim(a.dims[first]!)}, and axis ${second} of the other, ` +
      `which has ${words.dim(b.dims[second]!)}. Permute an input so that both sizes are equal.`
    );
  },
  related: (context) => sources(context, [...context.data.inputs.entries()]),
});
