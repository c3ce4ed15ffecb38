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
