/**
 * Operators that take a size from another tensor, where a module's sizes depend on its input: token sequences back to the
 * map they came from, a map resized to another.
 */
import { compare, product } from "../shape/dim.ts";
import { spatialAxes, type Tensor, withDims } from "../shape/tensor.ts";
import { AT_LAYER } from "./finding.ts";
import { defineOp, type Operator } from "./op.ts";

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
