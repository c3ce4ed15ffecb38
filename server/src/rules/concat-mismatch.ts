/** Branches that cannot be concatenated. */

import { axisName, type Tensor } from "#shared/shape/tensor.ts";
import { fittingInputs, levelled, otherSources } from "./mending.ts";
import {
  type AxisPair,
  alignedFirst,
  betterInput,
  differences,
  differing,
  levelling,
  mayAgree,
  opposite,
} from "./merge.ts";
import { defineRule, type MessageContext, type RulePage } from "./rule.ts";
import { branch, sourceName, sources } from "./wording.ts";

type Context = MessageContext<"concat-mismatch">;

export const page: RulePage = {
  docs: `Concatenation joins tensors along one axis, normally the channels; every other size must be equal. It goes wrong where one
branch pads or strides differently, and in U-Nets whose input is not a multiple of the total stride: an up-sampled 27 is
54, but the skip connection has 55.

With symbolic sizes the message says for which inputs the branches agree; where some do, it is only information.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, name: a, from: input, out_channels: 8, kernel_size: 3, padding: 1}
  - {type: Conv2d, name: b, from: input, out_channels: 8, kernel_size: 3}
  - {type: Concat, from: [a, «b»]}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, name: a, from: input, out_channels: 8, kernel_size: 3, padding: 1}
  - {type: Conv2d, name: b, from: input, out_channels: 8, kernel_size: 3, padding: 1}
  - {type: Concat, from: [a, b]}
`,
    },
    keras: {
      bad: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}, "inbound_nodes": []},
      {"class_name": "Conv2D", "name": "a", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3]}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "Concatenate", "name": "c", "config": {"name": "c", "axis": -1}, "inbound_nodes": [[["in", 0, 0, {}], «["a", 0, 0, {}]»]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["c", 0, 0]]
  }
}
`,
      good: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}, "inbound_nodes": []},
      {"class_name": "Conv2D", "name": "a", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "padding": "same"}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "Concatenate", "name": "c", "config": {"name": "c", "axis": -1}, "inbound_nodes": [[["in", 0, 0, {}], ["a", 0, 0, {}]]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["c", 0, 0]]
  }
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 2, 2, 0]]
  - [-1, 1, Conv, [64, 2, 2, 0]]
head:
  - [[-1, «0»], 1, Concat, [1]]
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 2, 2, 0]]
  - [-1, 1, Conv, [64, 2, 2, 0]]
head:
  - [-1, 1, nn.Upsample, [None, 2, nearest]]
  - [[-1, 0], 1, Concat, [1]]
  - [-1, 1, Classify, [nc]]
`,
    },
  },
};

export const concatMismatch = defineRule({
  code: "concat-mismatch",
  severity: "error",
  grade: ({ data }) => {
    const { a, b, pairs } = meeting(data);
    return mayAgree(a, b, pairs) ? "information" : "error";
  },
  summary: "Concatenated branches differ in another axis than the one they are joined along.",
  message: (context) => {
    const { data, words } = context;
    const { first, a, b, pairs } = meeting(data);
    const both = `${branch(context, first, a)} and ${branch(context, data.index, b)}`;
    const sizes = differences(a, b, pairs, words);
    if (mayAgree(a, b, pairs)) return `concatenating ${both} works only for some inputs: ${sizes}.`;
    const advice =
      betterInput(context.graph) ||
      levelling(
        { tensor: a, name: sourceName(context, first) },
        { tensor: b, name: sourceName(context, data.index) },
        pairs,
      );
    return `cannot concatenate ${both} along the ${axisName(a, data.axis)} axis: ${sizes}.${advice}`;
  },
  related: (context) => {
    const { first, a, b } = meeting(context.data);
    return sources(context, [
      [first, a],
      [context.data.index, b],
    ]);
  },

  *fixes(context) {
    const { first, a, b, pairs } = meeting(context.data);
    yield* fittingInputs(context);
    // The branch that joins is normally named last.
    for (const [index, from, to, side] of [
      [context.data.index, b, a, 1],
      [first, a, b, 0],
    ] as const) {
      const axes = pairs.map((pair) => pair[side]);
      const fits = (tensor: Tensor) =>
        tensor.dims.length === to.dims.length &&
        tensor.dims.every((dim, axis) => axis === context.data.axis || String(dim) === String(to.dims[axis]));
      yield* levelled(context, index, from, to, axes);
      yield* otherSources(context, index, fits);
    }
  },
});

/** The two inputs that do not meet, and where. */
function meeting({ inputs, index, axis }: Context["data"]) {
  const pairsOf = (a: Tensor, b: Tensor): readonly AxisPair[] => alignedFirst(a, b).filter(([at]) => at !== axis);
  const first = opposite(inputs, index, pairsOf);
  const [a, b] = [inputs[first]!, inputs[index]!];
  return { first, a, b, pairs: differing(a, b, pairsOf(a, b)) };
}
