/** A written channel count that is not the input's. */
import { setting } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { branch, counted, inputIndex, source } from "./wording.ts";

export const page: RulePage = {
  docs: `The layer's weights are made for another number of channels than the one that arrives, so the framework refuses the input. Where the
format can infer the count, leaving it out cannot go wrong.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, in_channels: «1», out_channels: 8, kernel_size: 3}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, nn.Conv2d, [«64», 3, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.Conv2d, [3, 3, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
    - {_target_: torch.nn.Conv2d, in_channels: «16», out_channels: 8, kernel_size: 3}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
    - {_target_: torch.nn.Conv2d, in_channels: 8, out_channels: 8, kernel_size: 3}
`,
    },
  },
};

export const channelsMismatch = defineRule({
  code: "channels-mismatch",
  severity: "error",
  summary: "The written channel count is not the input's.",
  message: (context) => {
    const { data, node, words } = context;
    const index = inputIndex(context, data.input);
    const param = node ? words.param(node.op.name, data.param) : data.param;
    const optional =
      node?.op.params[data.param]?.required === false && words.takes?.(node.op.name, data.param, null) !== false;
    const op = node ? words.op(node.op.name) : "the layer";
    const said =
      `${op} takes ${counted(data.written, "channel")} but gets ${words.dim(data.actual)} ` +
      `from ${branch(context, index, data.input)}`;
    // Some builders work the count out themselves, and get it wrong where a layer gives another than it declares.
    const isWritten = node?.origin.params.has(data.param) !== false;
    if (!isWritten) return `${said}: the model builder reckons with ${data.written} there.`;
    return `${said}; set ${param}: ${words.dim(data.actual)}${optional ? " or leave it out" : ""}.`;
  },
  related: (context) => source(context, context.data.input),

  *fixes({ data, node, at }) {
    const { actual, param } = data;
    if (!node?.origin.params.has(param) || typeof actual !== "number") return;
    const index = at.kind === "param" ? at.index : undefined;
    yield { changes: [setting(node, param, actual, index)], safe: true };
  },
});
