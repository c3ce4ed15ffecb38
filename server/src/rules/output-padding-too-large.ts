/** Output padding that no stride or dilation makes room for. */
import { setting, unsafe } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `Several input sizes of a strided convolution give one output size; \`output_padding\` of the transposed convolution says which of
them to restore. So it must be smaller than the stride (or the dilation); frameworks refuse more.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [8, 14, 14]
layers:
  - {type: ConvTranspose2d, out_channels: 4, kernel_size: 3, stride: 2, padding: 1, output_padding: «2»}
`,
      good: `cnn: 1
input: [8, 14, 14]
layers:
  - {type: ConvTranspose2d, out_channels: 4, kernel_size: 3, stride: 2, padding: 1, output_padding: 1}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, nn.ConvTranspose2d, [16, 2, 2, 0, «2»]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.ConvTranspose2d, [16, 2, 2, 0, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.ConvTranspose2d, in_channels: 3, out_channels: 8, kernel_size: 2, stride: 2, output_padding: «2»}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.ConvTranspose2d, in_channels: 3, out_channels: 8, kernel_size: 2, stride: 2, output_padding: 1}
`,
    },
  },
};

export const outputPaddingTooLarge = defineRule({
  code: "output-padding-too-large",
  severity: "error",
  summary: "Output padding is not smaller than the stride or the dilation.",
  message: ({ data, node, words }) => {
    const name = node ? words.param(node.op.name, "output_padding") : "output_padding";
    const limit = Math.max(data.stride, data.dilation) - 1;
    return (
      `${name} ${data.outputPadding} must be smaller than the stride (${data.stride}) or the dilation (${data.dilation}). ` +
      `Use ${limit === 0 ? "0" : `at most ${limit}`}.`
    );
  },

  *fixes({ data, node, at }) {
    const limit = Math.max(data.stride, data.dilation) - 1;
    const index = at.kind === "param" ? at.index : undefined;
    if (node) yield unsafe(setting(node, "output_padding", limit, index));
    if (node) yield unsafe(setting(node, "output_padding", limit));
  },
});
