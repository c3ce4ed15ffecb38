/**
 * Operators that take a size from another tensor, where a module's sizes depend on its input: token sequences back to the
 * map they came from, a map resized to another.
 */
import { compare, product } from "../shape/dim.ts";
import { spatialAxes, type Tensor, withDims } from "../shape/tensor.ts";
import { AT_LAYER } from "./finding.ts";
import { reshaped, sizesOf } from "./image.ts";
import { defineOp, type Operator } from "./op.ts";
import { nearestTaps } from "./taps.ts";

const TWO = { least: 2, most: 2 };

const reshapeLike = defineOp({
  name: "ReshapeLike",
  summary: "Gives the first input the sizes of the second.",
  params: {},
  inputs: TWO,
  infer({ inputs, report }) {
    const [input, like] = inputs as readonly [Tensor, Tensor];
    if (compare(product(input.dims), product(like.dims)) === "different") {
      report("reshape-mismatch", AT_LAYER, { from: input.dims, to: like.dims, why: "the number of values changes" });
    }
    return { outputs: [like] };
  },
  run: reshaped,
  example: {
    attrs: {},
    inputs: [
      [1, 8, 16],
      [1, 8, 4, 4],
    ],
    output: [1, 8, 4, 4],
  },
});

const resizeLike = defineOp({
  name: "ResizeLike",
  summary: "Resizes the first input to the spatial sizes of the second (nearest neighbour).",
  params: {},
  inputs: TWO,
  infer({ inputs }) {
    const [input, like] = inputs as readonly [Tensor, Tensor];
    const from = spatialAxes(input);
    const to = spatialAxes(like);
    return { outputs: [withDims(input, new Map(from.map((axis, place) => [axis, like.dims[to[place] ?? axis]!])))] };
  },
  run(backend, { inputs, shapes, inference }) {
    let x = inputs[0]!;
    const sizes = sizesOf(inference.outputs[0]!);
    for (const axis of spatialAxes(shapes[0]!)) x = backend.resample(x, axis, nearestTaps(x.dims[axis]!, sizes[axis]!));
    return [x];
  },
  example: {
    attrs: {},
    inputs: [
      [1, 8, 2, 2],
      [1, 3, 4, 4],
    ],
    output: [1, 8, 4, 4],
  },
});

export const likeOps: readonly Operator[] = [reshapeLike, resizeLike];
