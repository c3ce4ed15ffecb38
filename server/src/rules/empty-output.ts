/** An output without any value. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `One of the output's sizes is 0. Where the framework refuses that it is an error; where it goes on computing with
nothing, as PyTorch does after a slice that leaves nothing, it is a warning.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Upsample, scale_factor: «0.01»}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Upsample, scale_factor: 0.5}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Cropping2D", "config": {"name": "a", "cropping": «[[16, 16], [0, 0]]»}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Cropping2D", "config": {"name": "a", "cropping": [[8, 8], [0, 0]]}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, nn.Upsample, [None, «0.001», nearest]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.Upsample, [None, 0.5, nearest]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Upsample, scale_factor: «0.01»}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Upsample, scale_factor: 0.5}
`,
    },
  },
};

export const emptyOutput = defineRule({
  code: "empty-output",
  severity: "error",
  grade: ({ data }) => (data.fatal ? "error" : "warning"),
  summary: "The layer's output holds no values.",
  message: ({ data, at, node, words }) => {
    const written = at.kind === "param" && node?.origin.params.has(at.name) ? words.param(node.op.name, at.name) : null;
    return `the output ${words.shape(data.output)} holds no values: ${data.why}.${written ? ` Change ${written}.` : ""}`;
  },
});
