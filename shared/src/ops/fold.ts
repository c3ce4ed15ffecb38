/** Sliding blocks as columns, and back. Source: torch.nn.Unfold and Fold. */
import { type Dim, exactQuotient, mod, mul, product, unknown } from "../shape/dim.ts";
import { channels, type Layout, type Tensor } from "../shape/tensor.ts";
import { makeWindow, outputSize, type Placement } from "../shape/window.ts";
import { AT_LAYER, AT_TYPE, atParam } from "./finding.ts";
import { onImage } from "./image.ts";
import { defineOp, type Inference, type Operator } from "./op.ts";
import { int, optional, perAxis, required } from "./param.ts";
import { axesOf, type Geometry, placeWindows, positionCount } from "./windowed.ts";

const size = perAxis(2, int(1));

const blockParams = {
  kernel_size: required(size, "Height and width of a block."),
  dilation: optional(size, [1, 1], "Distance between the cells of a block."),
  padding: optional(perAxis(2, int(0)), [0, 0], "Zeros added on every side."),
  stride: optional(size, [1, 1], "Step between blocks."),
};

interface BlockAttrs {
  readonly kernel_size: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly number[];
  readonly stride: readonly number[];
}

/** Blocks along height and width of an image. */
function blocksOver(attrs: BlockAttrs, sizes: readonly number[]): [Placement, Placement] {
  const along = (index: number): Placement => {
    const [kernel, stride, dilation] = [attrs.kernel_size[index]!, attrs.stride[index]!, attrs.dilation[index]!];
    const pad = attrs.padding[index]!;
    const window = makeWindow({ kernel, stride, dilation, padBefore: pad, padAfter: pad });
    const output = outputSize(sizes[index]!, window) as number;
    return { input: sizes[index]!, output, kernel, stride, dilation, padBefore: pad, padAfter: pad };
  };
  return [along(0), along(1)];
}

/** [batch, channels, others…] in the axis order of the layout. */
function arranged(like: Tensor, channelCount: Dim, others: readonly Dim[]): Tensor {
  const layout: Layout = like.layout;
  const rest = layout.channels === "first" ? [channelCount, ...others] : [...others, channelCount];
  return { dims: layout.batched ? [like.dims[0] ?? unknown("a missing batch axis"), ...rest] : rest, layout };
}

const unfold = defineOp({
  name: "Unfold",
  summary: "Copies every sliding block of an image into a column (im2col).",
  axes: 2,
  params: blockParams,
  infer({ attrs, inputs, report }): Inference {
    const input = inputs[0]!;
    const spatial = axesOf(input, 2, report);
    const lost = unknown("the blocks could not be counted");
    if (!spatial) return { outputs: [arranged(input, lost, [lost])] };
    const padding = { kind: "explicit", before: attrs.padding, after: attrs.padding } as const;
    const geometry: Geometry = { ...attrs, padding };
    const uses = placeWindows(input, spatial, geometry, report);
    return { outputs: [arranged(input, mul(channels(input), product([...attrs.kernel_size])), [positionCount(uses)])] };
  },
  field: "all",
  recover(_, inputs) {
    const lost = unknown("a parameter is missing or wrong");
    return { outputs: [arranged(inputs[0]!, lost, [lost])] };
  },
  run: (backend, execution) =>
    onImage(backend, execution, (image) => [
      backend.unfold(image, { axes: blocksOver(execution.attrs, image.dims.slice(2)) }),
    ]),
  example: { attrs: { kernel_size: 3 }, inputs: [[1, 2, 5, 5]], output: [1, 18, 9] },
});

const fold = defineOp({
  name: "Fold",
  summary: "Adds columns of blocks up into an image: the gradient of Unfold.",
  params: { output_size: required(size, "Height and width of the image."), ...blockParams },
  infer({ attrs, inputs, report }): Inference {
    const input = inputs[0]!;
    const { layout } = input;
    const rank = layout.batched ? 3 : 2;
    if (input.dims.length !== rank) {
      report("wrong-rank", AT_TYPE, { input, expected: `${rank} axes (channels times block cells, and blocks)` });
      return { outputs: [arranged(input, unknown("the input has the wrong number of axes"), attrs.output_size)] };
    }
    const columns = channels(input);
    const length = input.dims[layout.channels === "first" ? rank - 1 : rank - 2]!;
    const cells = attrs.kernel_size[0]! * attrs.kernel_size[1]!;
    const rest = mod(columns, cells);
    if (rest !== null && rest !== 0) {
      report("not-divisible", atParam("kernel_size"), {
        what: "channels",
        size: columns,
        by: cells,
        why: `${attrs.kernel_size.join(" × ")} cells in each block`,
      });
    }
    const count = exactQuotient(columns, cells) ?? unknown(`channels that ${cells} does not divide`);
    const image = arranged(input, count, attrs.output_size);
    const counts = blocksOver(attrs, attrs.output_size).map(({ output }) => output);
    const blocks = counts[0]! * counts[1]!;
    if (counts.some((count) => count < 1) || (typeof length === "number" && length !== blocks)) {
      const why = `an image of ${attrs.output_size.join(" × ")} has ${counts.join(" × ")} blocks, not ${length}`;
      report("reshape-mismatch", AT_LAYER, { from: input.dims, to: image.dims, why });
    }
    return { outputs: [image] };
  },
  field: "all",
  recover(attrs, inputs) {
    const lost = unknown("a parameter is missing or wrong");
    return { outputs: [arranged(inputs[0]!, lost, attrs.output_size ?? [lost, lost])] };
  },
  run: (backend, execution) =>
    onImage(backend, execution, (columns) => [
      backend.fold(columns, { axes: blocksOver(execution.attrs, execution.attrs.output_size) }),
    ]),
  example: { attrs: { output_size: 5, kernel_size: 3 }, inputs: [[1, 18, 9]], output: [1, 2, 5, 5] },
});

export const foldOps: readonly Operator[] = [unfold, fold];
