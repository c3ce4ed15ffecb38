/** A comment that suppresses nothing. */
import { respelt } from "./mending.ts";
import { didYouMean } from "./nearest.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `\`# convlint: ignore[code]\` takes a problem out of the line it stands on, \`ignore-next-line[code]\` out of the next one,
\`ignore-start[code]\` … \`ignore-end[code]\` out of the lines between, \`ignore-file[code]\` out of the file.
Where there is no such problem, or no such code, the comment hides nothing today and may hide a mistake tomorrow.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 2, stride: 2}  # convlint: ignore[«non-integer-size»]
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 3, stride: 2}  # convlint: ignore[non-integer-size] as in the paper
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {  // convlint: ignore[«non-integer-size»]
      "name": "a", "filters": 8, "kernel_size": [3, 3]}}
  ]}
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
  - [-1, 1, Conv, [64, 3, 1]]  # convlint: ignore[«non-integer-size»]
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
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}  # convlint: ignore[«groups-divide»]
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

export const unusedSuppression = defineRule({
  code: "unused-suppression",
  severity: "information",
  tag: "unnecessary",
  summary: "A comment suppresses a problem that is not there.",
  message: ({ data: { code, kind, why, candidates } }) => {
    if (why === "no-start")
      return `no ignore-start${code === null ? "" : `[${code}]`} stands above. Remove this comment.`;
    if (why === "unknown-directive")
      return `there is no directive ${kind}, so nothing is suppressed.${didYouMean(kind, candidates)}`;
    if (why === "unknown-code")
      return `there is no rule ${code}, so nothing is suppressed.${didYouMean(code ?? "", candidates)}`;
    return `${code === null ? "there is no problem" : `there is no ${code}`} ${WHERE[kind] ?? "here"} to suppress. Remove this comment.`;
  },

  *fixes({ data: { code, kind, why, candidates }, at }) {
    if (at.kind !== "range") return;
    if (why === "unknown-code") yield* respelt(at.range, code ?? "", candidates);
    if (why === "unknown-directive" && code === null) yield* respelt(at.range, kind, candidates);
    const title = `remove ${code === null ? "the suppression" : `the suppression of ${code}`}`;
    yield { changes: [{ kind: "remove", at: at.range }], safe: why !== "unknown-directive", title };
  },
});

const WHERE: Readonly<Record<string, string>> = {
  ignore: "on this line",
  "ignore-next-line": "on the next line",
  "ignore-start": "in this block",
  "ignore-file": "in this file",
};
