/** A required parameter is not written. */

import type { Param, Plain } from "#shared/ops/param.ts";
import { channelAxis } from "#shared/shape/tensor.ts";
import { setting, unsafe } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `The operator has no default for the parameter, so the layer cannot be built and its output size is not known.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - «Linear»
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: 10}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": «"Conv2D"», "config": {"name": "a", "filters": 8}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3]}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, «Conv», []]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: «torch.nn.Conv2d», in_channels: 3, out_channels: 8}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
`,
    },
  },
};

export const missingParameter = defineRule({
  code: "missing-parameter",
  severity: "error",
  summary: "A required parameter is missing.",
  message: ({ data, node, words }) => {
    if (node?.op.name !== data.of) return `${data.of} needs ${data.name}; add it.`;
    const name = words.param(data.of, data.name);
    const param = (node.op.params as Readonly<Record<string, Param<unknown>>>)[data.name];
    return `${words.op(data.of)} needs ${name}${param ? ` (${param.type.expected.replace(/ or null$/, "")})` : ""}; add it.`;
  },

  *fixes(context) {
    const { data, node, report } = context;
    const { name } = data;
    if (node?.op.name !== data.of) {
      const value = MODEL_VALUES[name];
      if (data.of === "the model" && value !== undefined) yield unsafe({ kind: "set", node: null, param: name, value });
      return;
    }
    const input = report.nodes[node.id]?.inputs[0];
    const channels = input ? input.dims[channelAxis(input)] : undefined;
    const actual = name === "in_features" ? input?.dims.at(-1) : channels;
    // What the layer reads is known; what it shall give is not.
    if (typeof actual === "number" && /^(?:in_|num_(?:features|channels|parameters)$)/.test(name))
      yield { changes: [setting(node, name, actual)], safe: true };
    if (typeof channels === "number" && name.startsWith("out_")) yield unsafe(setting(node, name, channels));
    const example = node.op.example.attrs[name];
    yield unsafe(setting(node, name, example ?? 1));
  },
});

/** What many models say. */
const MODEL_VALUES: Readonly<Record<string, Plain>> = { input: [3, 224, 224], nc: 80, layers: [] };
