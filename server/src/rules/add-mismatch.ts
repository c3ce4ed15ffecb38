/** Branches that cannot be added (or otherwise combined element by element). */

import { channels, spatialAxes, type Tensor } from "#shared/shape/tensor.ts";
import { fittingInputs, levelled, otherSources } from "./mending.ts";
import {
  type AxisPair,
  alignedLast,
  betterInput,
  differences,
  differing,
  levelling,
  mayAgree,
  opposite,
  strideBetween,
} from "./merge.ts";
import { defineRule, type MessageContext, type RulePage } from "./rule.ts";
import { branch, sourceName, sources } from "./wording.ts";

type Context = MessageContext<"add-mismatch">;

export const page: RulePage = {
  docs: `Add, Mul and the like need equal sizes on every axis; only a size of 1 stretches to the other's. In a residual block
the shortcut must change its channels and stride exactly as the main branch does, usually by a 1×1 convolution.

With symbolic sizes the message says for which inputs the branches agree; where some do, it is only information.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [64, 56, 56]
layers:
  - {type: Conv2d, name: main, out_channels: 128, kernel_size: 3, padding: 1}
  - {type: Add, from: [main, «input»]}
`,
      good: `cnn: 1
input: [64, 56, 56]
layers:
  - {type: Conv2d, name: main, out_channels: 128, kernel_size: 3, padding: 1}
  - {type: Conv2d, name: shortcut, from: input, out_channels: 128, kernel_size: 1}
  - {type: Add, from: [main, shortcut]}
`,
    },
    keras: {
      bad: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}, "inbound_nodes": []},
      {"class_name": "Conv2D", "name": "a", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "padding": "same"}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "Conv2D", "name": "b", "config": {"name": "b", "filters": 9, "kernel_size": [1, 1]}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "Add", "name": "c", "config": {"name": "c"}, "inbound_nodes": [[["a", 0, 0, {}], «["b", 0, 0, {}]»]]}
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
      {"class_name": "Conv2D", "name": "b", "config": {"name": "b", "filters": 8, "kernel_size": [1, 1]}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "Add", "name": "c", "config": {"name": "c"}, "inbound_nodes": [[["a", 0, 0, {}], ["b", 0, 0, {}]]]}
    ],
    "input_layers": [["in", 0, 0]],
    "output_layers": [["c", 0, 0]]
  }
}
`,
    },
  },
};

export const addMismatch = defineRule({
  code: "add-mismatch",
  severity: "error",
  grade: ({ data }) => {
    const { a, b, pairs } = meeting(data);
    return mayAgree(a, b, pairs) ? "information" : "error";
  },
  summary: "Branches combined element by element have different sizes.",
  message: (context) => {
    const { data, node, words } = context;
    const { first, a, b, pairs } = meeting(data);
    const both = `${branch(context, first, a)} and ${branch(context, data.index, b)}`;
    const op = node ? words.op(node.op.name) : "the layer";
    const sizes = differences(a, b, pairs, words);
    if (mayAgree(a, b, pairs)) return `${op} combines ${both} only for some inputs: ${sizes}.`;
    const advice = betterInput(context.graph) || adviceFor(context, first, pairs);
    return `${op} cannot combine ${both}: ${sizes}.${advice}`;
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
        tensor.dims.every((dim, axis) => String(dim) === String(to.dims[axis]));
      yield* levelled(context, index, from, to, axes);
      yield* otherSources(context, index, fits);
    }
  },
});

/** The two inputs that do not meet, and where. A size of 1 stretches to any other. */
function meeting({ inputs, index }: Context["data"]) {
  const pairsOf = (a: Tensor, b: Tensor): readonly AxisPair[] =>
    alignedLast(a, b).filter(([i, j]) => a.dims[i] !== 1 && b.dims[j] !== 1);
  const first = opposite(inputs, index, pairsOf);
  const [a, b] = [inputs[first]!, inputs[index]!];
  return { first, a, b, pairs: differing(a, b, pairsOf(a, b)) };
}

/** A 1×1 convolution where it levels all sizes (put through the window formula first), else cropping and the like. */
function adviceFor(context: Context, first: number, pairs: readonly AxisPair[]): string {
  const { data, words } = context;
  const [a, b] = [data.inputs[first]!, data.inputs[data.index]!];
  const rank = spatialAxes(a).length;
  if (a.dims.length !== b.dims.length || rank > 3) return "";
  const names = { a: sourceName(context, first), b: sourceName(context, data.index) };
  const conv = `Conv${rank}d`;
  // The shortcut is normally named last.
  for (const [name, from, to] of [
    [names.b, b, a],
    [names.a, a, b],
  ] as const) {
    const stride = rank > 0 ? strideBetween(from, to) : null;
    if (stride === null) continue;
    const params = [
      `${words.param(conv, "kernel_size")}: 1`,
      ...(stride > 1 ? [`${words.param(conv, "stride")}: ${stride}`] : []),
      `${words.param(conv, "out_channels")}: ${words.dim(channels(to))}`,
    ];
    return ` Project ${name} with a ${words.op(conv)} (${params.join(", ")}).`;
  }
  return levelling({ tensor: a, name: names.a }, { tensor: b, name: names.b }, pairs);
}
