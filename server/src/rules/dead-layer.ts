/** A layer whose output nobody reads. */
import { defineRule } from "./rule.ts";
import { counted, nameOf } from "./wording.ts";

export const deadLayer = defineRule({
  code: "dead-layer",
  severity: "warning",
  tag: "unnecessary",
  summary: "Nothing reads the output of the layer.",
  docs: `The layer's output reaches no output of the model: its parameters are stored, and perhaps computed, for nothing, and get no gradient.
Usually a \`from:\` names another layer than the one meant. Layers that serve only the dead one are told with it.

A second head is not dead once \`outputs:\` lists it.`,
  examples: {
    bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: ReLU, name: stem}
  - {type: Sigmoid, name: side}
  - {type: Tanh, from: stem}
`,
    good: `cnn: 1
input: [3, 32, 32]
outputs: [side, main]
layers:
  - {type: ReLU, name: stem}
  - {type: Sigmoid, name: side}
  - {type: Tanh, name: main, from: stem}
`,
  },
  message: (context) => {
    const { node, data } = context;
    const name = node ? nameOf(node.id, context) : "this layer";
    const count = data.only.length;
    const before =
      count > 0 ? ` ${counted(count, "layer")} before it ${count === 1 ? "serves" : "serve"} only it.` : "";
    return `nothing reads the output of ${name}.${before} Read it from a later layer, list it as an output, or remove it.`;
  },
  related: (context) =>
    context.data.only.map((id) => ({
      range: context.graph.nodes[id]!.origin.type,
      message: `${nameOf(id, context)} serves only this`,
    })),
});
