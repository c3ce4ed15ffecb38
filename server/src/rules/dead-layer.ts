/** A layer whose output nobody reads. */
import { isComposite, type Layer, ownerOf } from "#shared/graph/graph.ts";
import { defineRule, type MessageContext, type RulePage } from "./rule.ts";
import { counted, nameOf } from "./wording.ts";

export const page: RulePage = {
  docs: `The layer's output reaches no output of the model: its parameters are stored, and perhaps computed, for nothing, and get no gradient.
Usually a \`from:\` names another layer than the one meant. Layers that serve only the dead one are told with it.

A second head is not dead once \`outputs:\` lists it.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: ReLU, name: stem}
  - {type: «Sigmoid», name: side}
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
    keras: {
      bad: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}, "inbound_nodes": []},
      {"class_name": "ReLU", "name": "a", "config": {"name": "a"}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": «"Conv2D"», "name": "b", "config": {"name": "b", "filters": 8, "kernel_size": [3, 3]}, "inbound_nodes": [[["in", 0, 0, {}]]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["a", 0, 0]]
  }
}
`,
      good: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}, "inbound_nodes": []},
      {"class_name": "ReLU", "name": "a", "config": {"name": "a"}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "Conv2D", "name": "b", "config": {"name": "b", "filters": 8, "kernel_size": [3, 3]}, "inbound_nodes": [[["in", 0, 0, {}]]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["a", 0, 0], ["b", 0, 0]]
  }
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
  - «[-1, 1, Conv, [32, 3, 1]]»
head:
  - [0, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
  - [-1, 1, Conv, [32, 3, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
  },
};

export const deadLayer = defineRule({
  code: "dead-layer",
  severity: "warning",
  tag: "unnecessary",
  summary: "Nothing reads the output of the layer.",
  message: (context) => {
    const { node } = context;
    if (node?.op.name === "Input")
      return `nothing reads ${nameOf(node.id, context)}. Read it from a layer, or remove it.`;
    const count = before(context).length;
    const also = count > 0 ? ` ${counted(count, "layer")} before it ${count === 1 ? "serves" : "serve"} only it.` : "";
    const advice = renumbered(context) ?? "Read it from a later layer, list it as an output, or remove it.";
    return `nothing reads the output of ${deadName(context)}.${also} ${advice}`;
  },
  related: (context) =>
    before(context).map((id) => ({
      range: context.graph.nodes[id]!.origin.type,
      message: `${nameOf(id, context)} serves only ${deadName(context)}`,
    })),

  *fixes(context) {
    const moved = inserted(context);
    if (moved) {
      const changes = [...moved.places].map(([at, value]) => ({ kind: "replace", at, value }) as const);
      yield { changes, safe: false, title: `read [${moved.meant.join(", ")}] in ${moved.reader.name}` };
    }
    const { node, graph } = context;
    const layer = node ? ownerOf(graph, node.id) : undefined;
    if (layer) yield { changes: [{ kind: "remove", at: layer.range }], safe: false, title: `remove ${layer.name}` };
  },
});

type Context = MessageContext<"dead-layer">;

/** Where a whole use of a block is dead, the finding is at the use, and is about the use. */
function deadName(context: Context): string {
  const { node, at, graph } = context;
  if (!node) return "this layer";
  const use = at.kind === "range" ? ownerOf(graph, node.id) : undefined;
  return use?.name ?? nameOf(node.id, context);
}

/**
 * Where layers are read by index and the next layer reads a list that ends a few rows above the dead one: rows were
 * inserted, and the list was not counted on. Such a file builds and trains.
 */
function renumbered(context: Context): string | null {
  const found = inserted(context);
  if (!found) return null;
  const { reader, indices, meant, shift } = found;
  const rows = counted(shift, "row");
  return `${reader.name} ${reader.type} reads [${indices.join(", ")}]; where ${rows} ${shift === 1 ? "was" : "were"} inserted above, it should read [${meant.join(", ")}].`;
}

/** What the next layer reads, what it was meant to, and where it says so. */
function inserted({ node, graph, words }: Context) {
  const dead = node ? ownerOf(graph, node.id) : undefined;
  const reader = dead && graph.layers.find(({ index }) => index === dead.index + 1);
  if (!words.byIndex || !reader) return null;
  const read = new Set<number>();
  for (let id = reader.nodes.first; id < reader.nodes.end; id++) {
    for (const ref of graph.nodes[id]!.inputs) {
      const source = ref && ref.node < reader.nodes.first ? ownerOf(graph, ref.node) : undefined;
      if (source) read.add(source.index);
    }
  }
  const indices = [...read].sort((a, b) => a - b);
  const shift = dead.index - (indices.at(-1) ?? dead.index);
  if (indices.length < 2 || shift < 1 || shift > MAX_SHIFT) return null;
  const meant = indices.map((index) => index + shift);
  const written = graph.nodes[reader.nodes.first]!.origin.inputs;
  const places = new Map(written.length === meant.length ? written.map((at, index) => [at, meant[index]!]) : []);
  return { reader, indices, meant, shift, places };
}

/** More inserted rows than this are no oversight in counting. */
const MAX_SHIFT = 4;

/**
 * The layers before the dead one that serve only it, by their last nodes, without the inside of a dead block. Nodes of a
 * layer that is one module of the file are one.
 */
function before({ data, node, at, graph }: Context): readonly number[] {
  const use = at.kind === "range" && node ? ownerOf(graph, node.id) : undefined;
  const last = new Map<Layer | number, number>();
  for (const id of data.only) {
    const owner = ownerOf(graph, id);
    if (owner !== undefined && owner === use) continue;
    last.set(owner && isComposite(graph, owner) ? owner : id, id);
  }
  return [...last.values()];
}
