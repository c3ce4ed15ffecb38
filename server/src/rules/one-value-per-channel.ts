/** A normalisation that sees a single value. */
import { defineRule, type RulePage } from "./rule.ts";
import { branch, source } from "./wording.ts";

export const page: RulePage = {
  docs: `The mean of a single value is the value itself and its variance is 0, so the normalised result is always 0 and nothing is
learned. PyTorch refuses it while training. It happens where earlier layers have shrunk the image to 1 × 1.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [16, 1, 1]
layers:
  - «InstanceNorm2d»
`,
      good: `cnn: 1
input: [16, 4, 4]
layers:
  - InstanceNorm2d
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.AdaptiveAvgPool2d, output_size: 1}
    - {_target_: «torch.nn.InstanceNorm2d», num_features: 3}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.InstanceNorm2d, num_features: 3}
    - {_target_: torch.nn.AdaptiveAvgPool2d, output_size: 1}
`,
    },
  },
};

export const oneValuePerChannel = defineRule({
  code: "one-value-per-channel",
  severity: "error",
  summary: "A normalisation sees one value per channel.",
  message: (context) => {
    const { data, node, words } = context;
    const op = node ? words.op(node.op.name) : "the layer";
    return (
      `${op} normalises one value per channel of ${branch(context, 0, data.input)}, which always gives 0. ` +
      "Put it where more than one pixel is left, or remove it."
    );
  },
  related: (context) => source(context, context.data.input),
});
