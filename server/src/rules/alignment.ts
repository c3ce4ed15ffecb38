/** Branches that meet with equal sizes but stand for different places of the input. */
import { isInside, type Node } from "#shared/graph/graph.ts";
import { dependencyOrder, type ShapeReport } from "#shared/graph/infer.ts";
import { atInput, type Grid } from "#shared/ops/finding.ts";
import { axisName, spatialAxes, type Tensor } from "#shared/shape/tensor.ts";
import { effectiveKernel, type WindowUse } from "#shared/shape/window.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { numeral, sourceName, sources } from "./wording.ts";

export const page: RulePage = {
  docs: `Position j of a feature map stands for one place of the input: the centre of what it sees. Where branches are added or
concatenated, position j of one is paired with position j of the other, so both should stand for the same place. They do not
where one branch pads or strides differently: the sizes agree, and the picture is shifted against itself.

A kernel k with padding (k − 1)/2 keeps centres where they are; SAME padding with a stride on an even size, and an even kernel
without its counterpart, do not. Up-sampling with \`align_corners\` and layers that read everything are not judged. Source:
Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 2, stride: 2, name: main}
  - {type: MaxPool2d, kernel_size: 3, stride: 2, padding: 1, from: input, name: side}  # convlint: ignore[non-integer-size]
  - {type: Concat, from: [main, «side»]}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 2, stride: 2, name: main}
  - {type: MaxPool2d, kernel_size: 2, stride: 2, from: input, name: side}
  - {type: Concat, from: [main, side]}
`,
    },
    keras: {
      bad: `{
  "class_name": "Functional",
  "config": {
    "name": "small",
    "layers": [
      {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}, "inbound_nodes": []},
      {"class_name": "Conv2D", "name": "a", "config": {"name": "a", "filters": 3, "kernel_size": [2, 2], "strides": [2, 2]}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "MaxPooling2D", "name": "b", "config": {"name": "b", "pool_size": [3, 3], "strides": [2, 2], "padding": "same"}, "inbound_nodes": [[["in", 0, 0, {}]]]},
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
      {"class_name": "Conv2D", "name": "a", "config": {"name": "a", "filters": 3, "kernel_size": [2, 2], "strides": [2, 2]}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "MaxPooling2D", "name": "b", "config": {"name": "b", "pool_size": [2, 2], "strides": [2, 2]}, "inbound_nodes": [[["in", 0, 0, {}]]]},
      {"class_name": "Add", "name": "c", "config": {"name": "c"}, "inbound_nodes": [[["a", 0, 0, {}], ["b", 0, 0, {}]]]}
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
  - [-1, 1, nn.MaxPool2d, [2, 2]]
  - [-1, 1, nn.Upsample, [None, 2, nearest]]
  - [1, 1, nn.MaxPool2d, [3, 2, 1]]  # convlint: ignore[non-integer-size]
head:
  - [[-1, «0»], 1, Concat, [1]]
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [2, 2]]
  - [-1, 1, nn.Upsample, [None, 2, nearest]]
  - [1, 1, nn.MaxPool2d, [2, 2]]
head:
  - [[-1, 0], 1, Concat, [1]]
  - [-1, 1, Classify, [nc]]
`,
    },
  },
};

/** Closer than this is rounding: centres are fractions of small numbers. */
const TOLERANCE = 1e-6;

export const alignment = defineRule({
  code: "alignment",
  severity: "warning",
  optional: true,
  summary: "Branches meet with equal sizes, but their positions stand for different places of the input.",
  check({ graph, report }, state) {
    const grids: (readonly Grid[] | null)[] = [];
    for (const node of dependencyOrder(graph)) {
      const inputs = node.inputs.map((ref) => (ref ? (grids[ref.node] ?? null) : null));
      grids[node.id] = gridsThrough(node, report, inputs);
      const first = inputs[0];
      if (inputs.length < 2 || !first || isInside(graph, node) || !meets(node, report)) continue;
      for (const [index, other] of inputs.entries()) {
        const place = other?.findIndex((grid, axis) => differ(grid, first[axis]!)) ?? -1;
        if (!other || place < 0) continue;
        const tensors = report.nodes[node.id]!.inputs.map((tensor) => tensor!);
        const axis = spatialAxes(tensors[0]!)[place]!;
        state(node, atInput(index), { axis, inputs: tensors, index, grids: [first[place]!, other[place]!] });
        break;
      }
    }
  },
  message: (context) => {
    const { axis, inputs, index, grids } = context.data;
    const [first, other] = [sourceName(context, 0), sourceName(context, index)];
    const name = axisName(inputs[0]!, axis);
    const [a, b] = grids;
    if (Math.abs(a.jump - b.jump) > TOLERANCE) {
      return `${first} and ${other} have the same size, but neighbours in ${name} are ${numeral(a.jump)} input pixels apart in one and ${numeral(b.jump)} in the other: they drift apart from position to position. Give both branches the same strides.`;
    }
    const shift = b.centre - a.centre;
    return `${first} and ${other} have the same size but are shifted against each other by ${numeral(Math.abs(shift))} input pixels in ${name}: position 0 stands for ${numeral(a.centre)} in one and ${numeral(b.centre)} in the other. Pad and stride both branches alike: padding (kernel − 1)/2 keeps centres where they are.`;
  },
  related: (context) => {
    const { inputs, index } = context.data;
    return sources(context, [
      [0, inputs[0]!],
      [index, inputs[index]!],
    ]);
  },
});

/** Whether a node pairs positions of its inputs: sums and the like, and concatenation, where spatial sizes are equal. */
function meets({ op, id }: Node, report: ShapeReport): boolean {
  const { inputs, outputs } = report.nodes[id]!;
  if (!op.sums && !PAIRS.has(op.name)) return false;
  const output = outputs[0];
  return output !== null && output !== undefined && inputs.every((input) => input && sameSpatial(input, output));
}

const PAIRS = new Set(["Concat", "Sub", "Mul", "Div", "Maximum", "Minimum", "Average"]);

function gridsThrough(
  node: Node,
  report: ShapeReport,
  inputs: readonly (readonly Grid[] | null)[],
): readonly Grid[] | null {
  const { outputs, inference, inputs: tensors } = report.nodes[node.id]!;
  const output = outputs[0];
  if (!output || !inference) return null;
  const axes = spatialAxes(output);
  if (inputs.length === 0) return axes.map(() => ({ jump: 1, centre: 0 }));
  const before = inputs[0];
  if (!before || before.length !== axes.length) return null;
  if (inference.windows) {
    const grids = inference.windows.flatMap((use, index) => through(before[index], use) ?? []);
    return grids.length === axes.length && node.attrs.align_corners !== true ? grids : null;
  }
  // Without windows positions stay where they are, if the operator is one that goes from position to position.
  return node.op.field !== "all" && tensors[0] && sameSpatial(tensors[0], output) ? before : null;
}

/** A window looks at the middle of what it spans; a transposed one is that backwards. null where the padding is not known. */
function through(grid: Grid | undefined, { window, outputPadding }: WindowUse): Grid | null {
  const { stride, padBefore } = window;
  if (!grid || typeof padBefore !== "number") return null;
  const lead = (effectiveKernel(window) - 1) / 2 - padBefore;
  if (outputPadding === undefined) return { jump: grid.jump * stride, centre: grid.centre + lead * grid.jump };
  return { jump: grid.jump / stride, centre: grid.centre - (lead / stride) * grid.jump };
}

function differ(a: Grid, b: Grid): boolean {
  return Math.abs(a.jump - b.jump) > TOLERANCE || Math.abs(a.centre - b.centre) > TOLERANCE;
}

function sameSpatial(a: Tensor, b: Tensor): boolean {
  const [x, y] = [spatialAxes(a), spatialAxes(b)];
  const isSame = (axis: number, place: number) => {
    const [here, there] = [a.dims[axis]!, b.dims[y[place]!]!];
    return here === there || (typeof here !== "number" && String(here) === String(there));
  };
  return x.length > 0 && x.length === y.length && x.every(isSame);
}
