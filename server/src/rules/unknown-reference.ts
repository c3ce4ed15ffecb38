/** A layer reads from something that does not exist. */
import { respelt } from "./mending.ts";
import { nearest } from "./nearest.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { listed } from "./wording.ts";

/** More names than this help nobody. */
const MAX_NAMES = 8;

export const page: RulePage = {
  docs: `The name or index belongs to no layer and no input, so what flows in is not known; layers that depend on it stay
silent. An index counts the layers from 0, a negative one backwards from the layer that reads.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: ReLU, name: stem}
  - {type: Sigmoid, from: «stme»}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: ReLU, name: stem}
  - {type: Sigmoid, from: stem}
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
      {"class_name": "MaxPooling2D", "name": "b", "config": {"name": "b", "pool_size": [2, 2]}, "inbound_nodes": [[«["A", 0, 0, {}]»]]}
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
      {"class_name": "ReLU", "name": "a", "config": {"name": "a"}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "MaxPooling2D", "name": "b", "config": {"name": "b", "pool_size": [2, 2]}, "inbound_nodes": [[["a", 0, 0, {}]]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["b", 0, 0]]
  }
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
head:
  - [[-1, «7»], 1, Concat, [1]]
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
  - [-1, 1, Conv, [64, 3, 1]]
head:
  - [[-1, 0], 1, Concat, [1]]
  - [-1, 1, Classify, [nc]]
`,
    },
  },
};

export const unknownReference = defineRule({
  code: "unknown-reference",
  severity: "error",
  summary: "A reference names no layer.",
  message: ({ data }) => {
    if (data.detail) return `there is no ${data.name}: ${data.detail}.`;
    if (/^\d+$/.test(data.name)) return `there is no layer ${data.name}; layers count from 0.`;
    if (/^-\d+$/.test(data.name)) return `there are fewer than ${data.name.slice(1)} layers before this one.`;
    const close = nearest(data.name, data.candidates);
    const names = data.candidates.slice(0, MAX_NAMES);
    const advice = close
      ? ` Did you mean ${close}?`
      : names.length > 0
        ? ` There is ${listed(names)}${data.candidates.length > MAX_NAMES ? " and more" : ""}.`
        : " Give that layer a name.";
    return `no layer is called "${data.name}".${advice}`;
  },

  *fixes({ data, node, at }) {
    const range = at.kind === "range" ? at.range : at.kind === "input" ? node?.origin.inputs[at.index] : undefined;
    if (range) yield* respelt(range, data.name, data.candidates);
  },
});
