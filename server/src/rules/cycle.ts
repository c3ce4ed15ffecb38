/** Layers that feed each other. */
import { defineRule, type RulePage } from "./rule.ts";
import { nameOf } from "./wording.ts";

export const page: RulePage = {
  docs: `A feed-forward network computes each layer from layers before it. In a circle none can be first, so none of its layers
has a size.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: ReLU, name: a, from: b}
  - {type: Sigmoid, name: b, from: «a»}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: ReLU, name: a}
  - {type: Sigmoid, name: b, from: a}
`,
    },
    keras: {
      bad: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}, "inbound_nodes": []},
      {"class_name": «"Add"», "name": "a", "config": {"name": "a"}, "inbound_nodes": [[["in", 0, 0, {}], ["b", 0, 0, {}]]]},
      {"class_name": "ReLU", "name": "b", "config": {"name": "b"}, "inbound_nodes": [[["a", 0, 0, {}]]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["b", 0, 0]]
  }
}
`,
      good: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}, "inbound_nodes": []},
      {"class_name": "Add", "name": "a", "config": {"name": "a"}, "inbound_nodes": [[["in", 0, 0, {}], ["in", 0, 0, {}]]]},
      {"class_name": "ReLU", "name": "b", "config": {"name": "b"}, "inbound_nodes": [[["a", 0, 0, {}]]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["b", 0, 0]]
  }
}
`,
    },
  },
};

export const cycle = defineRule({
  code: "cycle",
  severity: "error",
  summary: "Layers depend on each other in a circle.",
  message: ({ data }) => {
    const path = [...data.path, data.path[0] ?? ""];
    return `layers feed each other in a circle: ${path.join(" → ")}. Let one of them read a layer before the circle.`;
  },
  related: (context) =>
    context.graph.nodes
      .filter((node) => node !== context.node && context.data.path.includes(node.scope))
      .map((node) => ({ range: node.origin.type, message: `${nameOf(node.id, context)} is part of the circle` })),
});
