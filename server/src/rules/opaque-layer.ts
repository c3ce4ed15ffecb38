/** A layer of somebody's own. */
import { respelt } from "./mending.ts";
import { didYouMean } from "./nearest.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `Model files often name modules that a project has added to its framework. ConvLint cannot know them, so it says so once, assumes
the sizes most such modules have, and goes on. Sizes behind the layer are as good as that assumption.

If the framework itself refuses the name, the module has to be registered with its model builder.`,
  examples: {
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
  - [-1, 1, «MyAttention», [64]]
head:
  - [[1], 1, Detect, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
  - [-1, 1, C2f, [64]]
head:
  - [[1], 1, Detect, [nc]]
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": «"SpatialGate"», "config": {"name": "a", "ratio": 8}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "SeparableConv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3]}}
  ]}
}
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
    - {_target_: «my_project.SpatialGate», channels: 8}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3}
    - {_target_: torch.nn.ReLU}
`,
    },
  },
};

export const opaqueLayer = defineRule({
  code: "opaque-layer",
  severity: "hint",
  summary: "A layer that ConvLint does not know: its output sizes are assumed.",
  message: ({ data }) => {
    const { type, assumed, candidates, ofFramework } = data;
    if (ofFramework) return `ConvLint has no rule for the sizes of ${type}; it is taken to ${assumed}.`;
    const said = `${type} is a module ConvLint does not know; it is taken to ${assumed}.${didYouMean(type, candidates)}`;
    // A path is imported; a bare name must be known to the model builder.
    return type.includes(".") ? said : `${said} The framework loads this file only where ${type} is registered.`;
  },

  *fixes({ data, node, at }) {
    const range = at.kind === "range" ? at.range : node?.origin.type;
    // It may well be a module of the project's own.
    if (range) yield* respelt(range, data.type, data.candidates, false);
  },
});
