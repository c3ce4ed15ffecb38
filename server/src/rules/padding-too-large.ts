/** Padding that the operator or its mode refuses. */
import { setting, unsafe } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `Pooling takes at most half its window as padding, so that every window sees some input. Reflection mirrors the input
without its edge, so it must be smaller than the input; circular padding can be no larger. Frameworks refuse more.

Up to 2.0 PyTorch left the dilation of a pooling window out of account, and later versions count it: padding between the two
is a warning that names the version.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: MaxPool2d, kernel_size: 2, stride: 2, padding: «2»}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: MaxPool2d, kernel_size: 2, stride: 2, padding: 1}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [2, 2, «2»]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [2, 2, 0]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.MaxPool2d, kernel_size: 2, padding: «2»}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.MaxPool2d, kernel_size: 2, padding: 1}
`,
    },
  },
};

export const paddingTooLarge = defineRule({
  code: "padding-too-large",
  severity: "error",
  summary: "There is more padding than the operator allows.",
  grade: ({ data }) => (data.accepted === undefined ? "error" : "warning"),
  message: ({ data, words }) => {
    const [padding, limit] = [words.dim(data.padding), words.dim(data.limit)];
    if (data.accepted === undefined) return `padding ${padding} is too large: ${data.why}. Use at most ${limit}.`;
    return `padding ${padding} is too large before ${data.accepted}: ${data.why}; later versions count the dilated kernel. Use at most ${limit}, or require ${data.accepted}.`;
  },

  *fixes({ data, node, at }) {
    if (!node || at.kind !== "param" || typeof data.limit !== "number" || data.limit < 0) return;
    yield unsafe(setting(node, at.name, data.limit, at.index));
    yield unsafe(setting(node, at.name, data.limit));
  },
});
