/** Too few or too many inputs. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `Add and Concat join several branches; most other layers read exactly one. In the native format \`from:\` names the inputs; without it
a layer reads only the one before.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: ReLU, name: a}
  - {type: Sigmoid, name: b, from: a}
  - {type: Tanh, from: [a, «b»]}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: ReLU, name: a}
  - {type: Sigmoid, name: b, from: a}
  - {type: Add, from: [a, b]}
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
      {"class_name": "Conv2D", "name": "b", "config": {"name": "b", "filters": 8, "kernel_size": [3, 3]}, "inbound_nodes": [[["in", 0, 0, {}], «["a", 0, 0, {}]»]]}
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
      {"class_name": "Conv2D", "name": "b", "config": {"name": "b", "filters": 8, "kernel_size": [3, 3]}, "inbound_nodes": [[["a", 0, 0, {}]]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["b", 0, 0]]
  }
}
`,
    },
    torch: {
      bad: `# convlint: input=16
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: «torch.nn.Bilinear», in1_features: 16, in2_features: 16, out_features: 8}
`,
      good: `# convlint: input=16
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Linear, in_features: 16, out_features: 8}
`,
    },
  },
};

export const wrongInputCount = defineRule({
  code: "wrong-input-count",
  severity: "error",
  summary: "A layer reads too few or too many inputs.",
  message: ({ data, node, words }) => {
    const op = node ? words.op(node.op.name) : "the layer";
    const least = node?.op.inputs?.least ?? 1;
    const advice =
      data.got < least ? "Name every layer that it reads." : "Join them first, with Add or Concat, or drop the rest.";
    return `${op} takes ${data.expected} but gets ${data.got}. ${advice}`;
  },
});
