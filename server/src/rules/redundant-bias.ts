/** A bias that the normalisation behind it takes away. */

import { isInside, type Node, readersOf } from "#shared/graph/graph.ts";
import { atParam } from "#shared/ops/finding.ts";
import { channels } from "#shared/shape/tensor.ts";
import { setting, unsafe } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { counted, nameOf } from "./wording.ts";

export const page: RulePage = {
  docs: `Batch and instance normalisation subtract each channel's mean, and with it any constant that was added to the channel: the
bias before them has no effect on the output and no gradient. It costs memory and an addition, and its values mean nothing.
The normalisation's own shift does the work.

Well-known models are published with such biases (VGG with batch normalisation, the ResNets of Keras), and files that load
their weights must keep them: so this is off unless it is asked for.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: «Conv2d», out_channels: 16, kernel_size: 3, padding: 1}
  - BatchNorm2d
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 16, kernel_size: 3, padding: 1, bias: false}
  - BatchNorm2d
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": «"Conv2D"», "config": {"name": "a", "filters": 8, "kernel_size": [3, 3]}},
    {"class_name": "BatchNormalization", "config": {"name": "b"}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "use_bias": false}},
    {"class_name": "BatchNormalization", "config": {"name": "b"}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, «nn.Conv2d», [3, 3, 1]]
  - [-1, 1, nn.BatchNorm2d, [3]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.Conv2d, [3, 3, 1, 1, 0, 1, 1, False]]
  - [-1, 1, nn.BatchNorm2d, [3]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: «torch.nn.Conv2d», in_channels: 3, out_channels: 8, kernel_size: 3}
    - {_target_: torch.nn.BatchNorm2d, num_features: 8}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3, bias: false}
    - {_target_: torch.nn.BatchNorm2d, num_features: 8}
`,
    },
  },
};

export const redundantBias = defineRule({
  code: "redundant-bias",
  severity: "information",
  optional: true,
  summary: "A bias right before a normalisation that subtracts it again.",
  check({ graph, report }, state) {
    for (const node of graph.nodes) {
      const hasBias = report.nodes[node.id]!.inference?.weights?.some(({ name }) => name === "bias");
      const output = report.nodes[node.id]!.outputs[0];
      if (!hasBias || !LINEAR.test(node.op.name) || !output || isInside(graph, node)) continue;
      const [reader, ...others] = readersOf(graph, node.id);
      if (!reader || others.length > 0 || graph.outputs.some((ref) => ref.node === node.id)) continue;
      if (!subtractsMeans(reader, output.dims.length)) continue;
      state(node, atParam("bias"), { normalisation: reader.id, count: channels(output) });
    }
  },
  message: (context) => {
    const { node, words, data } = context;
    const op = node?.op.name ?? "";
    return `${nameOf(data.normalisation, context)} subtracts each channel's mean, and with it the ${counted(data.count, "bias value")} of ${nameOf(node?.id ?? -1, context)}: they have no effect. Write ${words.param(op, "bias")}: false.`;
  },
  related: (context) => [
    {
      range: context.graph.nodes[context.data.normalisation]!.origin.type,
      message: "subtracts the mean of each channel",
    },
  ],

  *fixes({ node }) {
    // Files that load saved weights have to keep it.
    if (node) yield unsafe(setting(node, "bias", false));
  },
});

const LINEAR = /^(Conv|ConvTranspose|DepthwiseConv|SeparableConv)\dd$|^(Linear|Dense)$/;

/** Whether a node removes whatever is constant over a channel. */
function subtractsMeans({ op, attrs }: Node, rank: number): boolean {
  if (/^(BatchNorm|InstanceNorm)\dd$/.test(op.name)) return true;
  // Over another axis, or without centring, the constant stays.
  const axes = attrs.axis as readonly number[] | undefined;
  return op.name === "BatchNormalization" && axes?.length === 1 && (axes[0] === -1 || axes[0] === rank - 1);
}
