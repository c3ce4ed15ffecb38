/** A layer whose output nobody reads. */
import { ownerOf } from "#shared/graph/graph.ts";
import { defineRule, type MessageContext } from "./rule.ts";
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
    const { node } = context;
    if (node?.op.name === "Input")
      return `nothing reads ${nameOf(node.id, context)}. Read it from a layer, or remove it.`;
    const count = before(context).length;
    const also = count > 0 ? ` ${counted(count, "layer")} before it ${count === 1 ? "serves" : "serve"} only it.` : "";
    return `nothing reads the output of ${deadName(context)}.${also} Read it from a later layer, list it as an output, or remove it.`;
  },
  related: (context) =>
    before(context).map((id) => ({
      range: context.graph.nodes[id]!.origin.type,
      message: `${nameOf(id, context)} serves only ${deadName(context)}`,
    })),
});

type Context = MessageContext<"dead-layer">;

/** Where a whole use of a block is dead, the finding is at the use, and is about the use. */
function deadName(context: Context): string {
  const { node, at, graph } = context;
  if (!node) return "this layer";
  const use = at.kind === "range" ? ownerOf(graph, node.id) : undefined;
  return use?.name ?? nameOf(node.id, context);
}

/** The layers before the dead one that serve only it, without the inside of a dead block. */
function before({ data, node, at, graph }: Context): readonly number[] {
  const use = at.kind === "range" && node ? ownerOf(graph, node.id) : undefined;
  return data.only.filter((id) => use === undefined || ownerOf(graph, id) !== use);
}
