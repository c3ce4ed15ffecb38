/** The text is not YAML or JSON at some place. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `The parser stopped making sense of the text at the marked place. The layers that could still be read keep their
hints; what the mark covers is not checked.

Most often a bracket, brace or quote is not closed, a colon lacks the space after it, or a line is indented by a tab.

A model in UTF-16, as some Windows programs write it, is told as that: save it as UTF-8, as frameworks read it.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - «{»type: Linear, out_features: 10
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: 10}
`,
    },
    keras: {
      bad: `«{»
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3]}}
  ]
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
  - «[»-1, 1, Conv, [64, 3, 1]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - «{»_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3
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

export const syntax = defineRule({
  code: "syntax",
  severity: "error",
  summary: "The text is not valid YAML or JSON.",
  message: ({ data }) => data.message,
});
