/** A layer type that the format does not have. */
import { respelt } from "./mending.ts";
import { didYouMean } from "./nearest.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `The type names no operator of the format and no block of the file, so its output size cannot be known. Layers
after it keep the number of axes, but their sizes show as \`?\` and nothing is reported about them.

Names are PyTorch's and case counts: \`Conv2d\`, \`BatchNorm2d\`, \`ReLU\`.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: «Linaer», out_features: 10}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: 10}
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: «torch.nn.Convv2d», in_channels: 3, out_channels: 8, kernel_size: 3}
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

export const unknownLayer = defineRule({
  code: "unknown-layer",
  severity: "error",
  summary: "A layer's type is not known.",
  message: ({ data }) => {
    const hint = didYouMean(data.type, data.candidates);
    return `there is no layer type "${data.type}".${hint || " Sizes after it are not known."}`;
  },

  *fixes({ data, node, at }) {
    const range = at.kind === "range" ? at.range : node?.origin.type;
    if (range) yield* respelt(range, data.type, data.candidates);
  },
});
