/** An average pool directly behind a 1×1 convolution. */
import { isInside, readersOf } from "#shared/graph/graph.ts";
import { AT_TYPE } from "#shared/ops/finding.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { nameOf } from "./wording.ts";

export const page: RulePage = {
  docs: `A 1×1 convolution mixes channels within a position, an average mixes positions within a channel: both are linear and do not
touch each other, so they can change places. With the average first the convolution runs on the small map: the same values for
a fraction of the multiplications. It is the same only where nothing stands between them and the pooling has no padding.

The transitions of the original DenseNet are built the slow way round, so this is off unless it is asked for.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [64, 32, 32]
layers:
  - {type: Conv2d, out_channels: 32, kernel_size: 1}
  - {type: «AvgPool2d», kernel_size: 2}
`,
      good: `cnn: 1
input: [64, 32, 32]
layers:
  - {type: AvgPool2d, kernel_size: 2}
  - {type: Conv2d, out_channels: 32, kernel_size: 1}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 64]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 32, "kernel_size": [1, 1]}},
    {"class_name": «"AveragePooling2D"», "config": {"name": "b", "pool_size": [2, 2]}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 64]}},
    {"class_name": "AveragePooling2D", "config": {"name": "a", "pool_size": [2, 2]}},
    {"class_name": "Conv2D", "config": {"name": "b", "filters": 32, "kernel_size": [1, 1]}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, nn.Conv2d, [3, 3, 1]]
  - [-1, 1, «nn.AvgPool2d», [2]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.AvgPool2d, [2]]
  - [-1, 1, nn.Conv2d, [3, 3, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=64x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 64, out_channels: 32, kernel_size: 1}
    - {_target_: «torch.nn.AvgPool2d», kernel_size: 2}
`,
      good: `# convlint: input=64x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.AvgPool2d, kernel_size: 2}
    - {_target_: torch.nn.Conv2d, in_channels: 64, out_channels: 32, kernel_size: 1}
`,
    },
  },
};

const AVERAGES = /^(AvgPool|AdaptiveAvgPool)\dd$|^GlobalAvgPool$/;

export const poolAfter1x1 = defineRule({
  code: "pool-after-1x1",
  severity: "information",
  optional: true,
  summary: "An average pool behind a 1×1 convolution gives the same in front of it, for less work.",
  check({ graph, report }, state) {
    for (const node of graph.nodes) {
      const before = node.inputs[0] ? graph.nodes[node.inputs[0].node] : undefined;
      if (!before || !AVERAGES.test(node.op.name) || isInside(graph, node) || isInside(graph, before)) continue;
      const { windows: mixing = [] } = report.nodes[before.id]!.inference ?? {};
      const isMixing =
        /^Conv\dd$/.test(before.op.name) &&
        mixing.every(({ window: w }) => w.kernel === 1 && w.stride === 1 && w.padBefore === 0 && w.padAfter === 0);
      const { windows = [] } = report.nodes[node.id]!.inference ?? {};
      const isPadded = windows.some(({ window: w }) => w.padBefore !== 0 || w.padAfter !== 0 || w.ceil);
      if (!isMixing || isPadded || readersOf(graph, before.id).length !== 1) continue;
      const cells = cellCount(report.nodes[before.id]!.outputs[0]?.dims);
      const pooled = cellCount(report.nodes[node.id]!.outputs[0]?.dims);
      const { macs } = report.nodes[before.id]!.cost;
      if (typeof macs !== "number" || cells === null || pooled === null || pooled >= cells) continue;
      state(node, AT_TYPE, { convolution: before.id, macs, swapped: (macs / cells) * pooled });
    }
  },
  message: (context) => {
    const { convolution, macs, swapped } = context.data;
    const count = (value: number) => value.toLocaleString("en");
    return `the average and the 1×1 convolution ${nameOf(convolution, context)} before it can change places: the same values with ${count(swapped)} instead of ${count(macs)} multiply-accumulates. Put the pooling first.`;
  },
  related: (context) => [
    { range: context.graph.nodes[context.data.convolution]!.origin.type, message: "the 1×1 convolution" },
  ],
});

/** The product of all sizes but the first, which is the batch; both tensors have the same channels. */
function cellCount(dims: readonly unknown[] = []): number | null {
  let count = 1;
  for (const dim of dims.slice(1)) {
    if (typeof dim !== "number") return null;
    count *= dim;
  }
  return dims.length > 1 ? count : null;
}
