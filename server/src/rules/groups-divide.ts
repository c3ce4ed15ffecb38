/** Channels that cannot be split into equal groups. */

import { channelAxis } from "#shared/shape/tensor.ts";
import { multiplesBeside, setting, unsafe } from "./mending.ts";
import { defineRule, type MessageContext, type RulePage } from "./rule.ts";
import { listed } from "./wording.ts";

export const page: RulePage = {
  docs: `A grouped convolution splits its input and output channels into equal groups, and group normalisation splits its channels, so
the number of groups must divide each count. Frameworks refuse anything else when the layer is built.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 64, kernel_size: 3, groups: «2»}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 63, kernel_size: 3, groups: 3}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "groups": «4»}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 4]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "groups": 4}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1, None, «7»]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1, None, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3, groups: «2»}
`,
      good: `# convlint: input=4x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 4, out_channels: 8, kernel_size: 3, groups: 2}
`,
    },
  },
};

export const groupsDivide = defineRule({
  code: "groups-divide",
  severity: "error",
  summary: "Groups do not divide the channels.",
  message: (context) => {
    const { data, node, at, words } = context;
    const op = node?.op.name ?? "";
    const param = at.kind === "param" ? words.param(op, at.name) : words.param(op, "groups");
    const sum =
      typeof data.count === "number" && data.groups > 0
        ? ` (${data.count} = ${data.groups}·${Math.floor(data.count / data.groups)} + ${data.count % data.groups})`
        : "";
    const better = nearestDivisors(countsOf(context), data.groups);
    const advice = better.length > 0 ? ` Use ${param}: ${listed(better, "or")}.` : "";
    const what = node && Object.hasOwn(node.op.params, data.what) ? "channels" : data.what;
    return `${words.dim(data.count)} ${what} cannot be split into ${data.groups} groups${sum}.${advice}`;
  },

  *fixes(context) {
    const { data, node, at } = context;
    if (!node) return;
    const param = at.kind === "param" ? at.name : "groups";
    for (const groups of nearestDivisors(countsOf(context), data.groups)) yield unsafe(setting(node, param, groups));
    const { out_channels: out } = node.attrs;
    if (data.what !== "output channels" || typeof out !== "number") return;
    for (const channels of multiplesBeside(out, data.groups)) yield unsafe(setting(node, "out_channels", channels));
  },
});

/** Every count that the groups must divide; null where one is not a number. */
function countsOf({ data, node, report }: MessageContext<"groups-divide">): number[] | null {
  const counts = [data.count];
  const out = node?.attrs.out_channels;
  if (typeof out === "number") {
    counts.push(out);
    const input = node ? report.nodes[node.id]?.inputs[0] : null;
    if (input) counts.push(input.dims[channelAxis(input)]!);
  }
  return counts.every((count) => typeof count === "number") ? counts : null;
}

/** The divisors of all counts that lie nearest below and above. */
function nearestDivisors(counts: readonly number[] | null, groups: number): number[] {
  if (!counts || counts.some((count) => count < 1)) return [];
  const most = Math.min(...counts);
  const firstDivisor = (start: number, step: number) => {
    for (let at = start; at >= 1 && at <= most; at += step) if (counts.every((count) => count % at === 0)) return [at];
    return [];
  };
  return [...firstDivisor(Math.min(groups - 1, most), -1), ...firstDivisor(groups + 1, 1)];
}
