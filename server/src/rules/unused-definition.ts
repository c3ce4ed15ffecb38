/** A variable, block, block parameter or anchor that nothing uses. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `A name is defined and never used: a variable that no expression reads, a block that is no layer's type, a parameter that its
block ignores, an anchor without an alias. Either what should use it uses something else, so that changing it does nothing, or
it is left over.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
vars: {width: 64, «depth»: 3}
layers:
  - {type: Conv2d, out_channels: "\${width}", kernel_size: 3}
`,
      good: `cnn: 1
input: [3, 32, 32]
vars: {width: 64, depth: 3}
layers:
  - {type: Conv2d, out_channels: "\${width}", kernel_size: 3, repeat: "\${depth}"}
`,
    },
    keras: {
      file: "model.yaml",
      bad: `class_name: Sequential
config:
  name: small
  layers:
    - {class_name: InputLayer, config: {name: in, batch_input_shape: [null, 32, 32, 3]}}
    - {class_name: Conv2D, config: {name: a, filters: 8, kernel_size: «&kernel» [3, 3]}}
    - {class_name: Conv2D, config: {name: b, filters: 8, kernel_size: [3, 3]}}
`,
      good: `class_name: Sequential
config:
  name: small
  layers:
    - {class_name: InputLayer, config: {name: in, batch_input_shape: [null, 32, 32, 3]}}
    - {class_name: Conv2D, config: {name: a, filters: 8, kernel_size: &kernel [3, 3]}}
    - {class_name: Conv2D, config: {name: b, filters: 8, kernel_size: *kernel}}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, Conv, «&stem» [64, 3, 1]]
  - [-1, 1, Conv, [64, 3, 1]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, &stem [64, 3, 1]]
  - [-1, 1, Conv, *stem]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - «&act» {_target_: torch.nn.Tanh}
    - {_target_: torch.nn.Sigmoid}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - &act {_target_: torch.nn.Tanh}
    - *act
`,
    },
  },
};

export const unusedDefinition = defineRule({
  code: "unused-definition",
  severity: "information",
  tag: "unnecessary",
  summary: "Something is given a name and never used.",
  message: ({ data: { kind, name } }) => `nothing uses the ${kind} ${name}. Use it, or remove it.`,

  *fixes({ data, at }) {
    if (at.kind === "range")
      yield { changes: [{ kind: "remove", at: at.range }], safe: false, title: `remove ${data.kind} ${data.name}` };
  },
});
