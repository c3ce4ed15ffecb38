/** A map holds one key twice. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `YAML forbids a key twice in one map, and JSON readers keep only the last, so one of the two values silently does
nothing. ConvLint reads the last, as JSON readers do. Remove the one that is not meant.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: 10, «out_features»: 20}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: 20}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], «"filters"»: 9}}
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
«nc»: 20
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
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
    - {_target_: torch.nn.Dropout, p: 0.1, «p»: 0.2}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Dropout, p: 0.1}
`,
    },
  },
};

export const duplicateKey = defineRule({
  code: "duplicate-key",
  severity: "error",
  summary: "A key stands twice in one map.",
  message: ({ data }) => `"${data.key}" is written twice; the last one counts. Remove one of them.`,
  related: ({ data }) => [{ range: data.first, message: "written here first" }],

  *fixes({ data, at }) {
    if (at.kind !== "range") return;
    yield { changes: [{ kind: "remove", at: data.first }], safe: true, title: `remove the first ${data.key}` };
    yield { changes: [{ kind: "remove", at: at.range }], safe: false, title: `remove the last ${data.key}` };
  },
});
