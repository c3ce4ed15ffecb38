/** An addition that repeats a smaller branch along a spatial axis. */
import { isInside } from "#shared/graph/graph.ts";
import { atInput } from "#shared/ops/finding.ts";
import { isKnown } from "#shared/shape/dim.ts";
import { axisName, spatialAxes } from "#shared/shape/tensor.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { branch, listed, sourceName, sources } from "./wording.ts";

export const page: RulePage = {
  docs: `PyTorch and Keras add tensors of different sizes where one of them has size 1: its single row or column is repeated. So a
branch that lost its height and width, by one pooling too many, is added everywhere without a word.

Products are left alone: scaling channels by a 1×1 map is what squeeze-and-excitation is made of. Where an addition is meant,
as in a global context block, suppress this on its line.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [8, 32, 32]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1, name: main}
  - {type: GlobalAvgPool, keepdims: true, name: side}
  - {type: Add, from: [main, «side»]}
`,
      good: `cnn: 1
input: [8, 32, 32]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1, name: main}
  - {type: Conv2d, out_channels: 8, kernel_size: 1, name: side}
  - {type: Add, from: [main, side]}
`,
    },
    keras: {
      bad: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 8]}, "inbound_nodes": []},
      {"class_name": "Conv2D", "name": "a", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "padding": "same"}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "GlobalAveragePooling2D", "name": "b", "config": {"name": "b", "keepdims": true}, "inbound_nodes": [[["in", 0, 0, {}]]]},
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
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 8]}, "inbound_nodes": []},
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

/** What pairs values of the same place. */
const PAIRS = new Set(["Add", "Sub", "Maximum", "Minimum", "Average"]);

export const silentBroadcast = defineRule({
  code: "silent-broadcast",
  severity: "hint",
  summary: "An addition repeats a branch of height or width 1 along the other branch.",
  check({ graph, report }, state) {
    for (const node of graph.nodes) {
      if (!PAIRS.has(node.op.name) || isInside(graph, node)) continue;
      const { inputs, outputs } = report.nodes[node.id]!;
      const output = outputs[0];
      if (!output) continue;
      for (const [index, input] of inputs.entries()) {
        if (!input || input.dims.length !== output.dims.length) continue;
        const axes = spatialAxes(output).filter((axis) => {
          const whole = output.dims[axis]!;
          return input.dims[axis] === 1 && whole !== 1 && isKnown(whole);
        });
        if (axes.length > 0) state(node, atInput(index), { index, inputs: inputs.map((tensor) => tensor!), axes });
      }
    }
  },
  message: (context) => {
    const { index, inputs, axes } = context.data;
    const names = listed(axes.map((axis) => axisName(inputs[index]!, axis)));
    const other = inputs.findIndex((input) => axes.every((axis) => input.dims[axis] !== 1));
    const onto = other < 0 ? "the other branches" : branch(context, other, inputs[other]!);
    return `${branch(context, index, inputs[index]!)} has ${names} 1 and is repeated along ${onto}: every position in ${names} gets the same value. If ${sourceName(context, index)} should have a map of its own, take out what reduces it.`;
  },
  related: (context) => sources(context, [[context.data.index, context.data.inputs[context.data.index]!]]),
});
