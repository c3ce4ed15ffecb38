/**
 * Between a file's axis order and the images that backends compute on: [batch, channels, …spatial], with a batch of one
 * where the file has none.
 */
import type { Backend, Epilogue, Padding, Resident } from "../kernels/backend.ts";
import type { Values } from "../kernels/values.ts";
import type { Layout, Tensor } from "../shape/tensor.ts";
import { type Placement, placement } from "../shape/window.ts";
import type { Execution } from "./op.ts";

/** The axes of channels-last [N, …spatial, C] in channels-first order. */
function toFirst(rank: number): number[] {
  return [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, index) => index + 1)];
}

/** The axes of channels-first [N, C, …spatial] in channels-last order. */
function toLast(rank: number): number[] {
  return [0, ...Array.from({ length: rank - 2 }, (_, index) => index + 2), 1];
}

/** A tensor of the file as an image. */
export function toImage(backend: Backend, x: Resident, layout: Layout): Resident {
  const batched = layout.batched ? x : backend.reshape(x, [1, ...x.dims]);
  const rank = batched.dims.length;
  return layout.channels === "first" || rank < 3 ? batched : backend.permute(batched, toFirst(rank));
}

/** An image as a tensor of the file. */
export function fromImage(backend: Backend, image: Resident, layout: Layout): Resident {
  const rank = image.dims.length;
  const ordered = layout.channels === "first" || rank < 3 ? image : backend.permute(image, toLast(rank));
  return layout.batched ? ordered : backend.reshape(ordered, ordered.dims.slice(1));
}

/** What follows the image's computation, its addition as an image too. */
export function imageEpilogue(backend: Backend, { add, ...rest }: Epilogue, layout: Layout): Epilogue {
  return { ...rest, ...(add ? { add: toImage(backend, add, layout) } : {}) };
}

/** Runs something on the first input as an image, which gives images. */
export function onImage(
  backend: Backend,
  { inputs, shapes }: Pick<Execution<unknown>, "inputs" | "shapes">,
  work: (image: Resident, layout: Layout) => readonly Resident[],
): readonly Resident[] {
  const { layout } = shapes[0]!;
  return work(toImage(backend, inputs[0]!, layout), layout).map((image) => fromImage(backend, image, layout));
}

/** The dims of a tensor whose sizes are all numbers. @throws RangeError where one is not. */
export function sizesOf({ dims }: Tensor): readonly number[] {
  return dims.map((size) => {
    if (typeof size === "number") return size;
    throw new RangeError(`${size} is not a number`);
  });
}

/** The first input under the dims of the first output, for operators that move nothing. */
export function reshaped(
  backend: Backend,
  { inputs, inference }: Pick<Execution<unknown>, "inputs" | "inference">,
): readonly Resident[] {
  return [backend.reshape(inputs[0]!, sizesOf(inference.outputs[0]!))];
}

/** The windows of an execution as kernels take them, one per spatial axis. */
export function placements({ inference, cannot }: Pick<Execution<unknown>, "inference" | "cannot">): Placement[] {
  return (inference.windows ?? cannot("its windows are not known")).map(placement);
}

/** What the cells around an image hold, where they are not zeros that a kernel can skip. */
type Border = "reflect" | "replicate" | "circular";

/** The image with a border that is not zeros added to it, and the windows over that. */
export function bordered(
  backend: Backend,
  image: Resident,
  axes: readonly Placement[],
  border: Border | "zeros",
): { readonly image: Resident; readonly axes: readonly Placement[] } {
  if (border === "zeros") return { image, axes };
  const padding: Padding = {
    before: [0, 0, ...axes.map(({ padBefore }) => padBefore)],
    after: [0, 0, ...axes.map(({ padAfter }) => padAfter)],
    fill: { kind: border },
  };
  const within = (axis: Placement) => axis.input + axis.padBefore + axis.padAfter;
  return {
    image: backend.pad(image, padding),
    axes: axes.map((axis) => ({ ...axis, input: within(axis), padBefore: 0, padAfter: 0 })),
  };
}

/** A kernel and its bias. */
export interface Kernel {
  readonly weight: Values;
  readonly bias: Values | null;
}

/** A weight as stretches of numbers that belong to one output channel each. */
export interface Stretches {
  readonly length: number;
  channelOf(stretch: number): number;
}

function scaled({ dims, data }: Values, by: Values, { length, channelOf }: Stretches): Values {
  const result = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += length) {
    const factor = by.data[channelOf(start / length)]!;
    for (let at = start; at < start + length; at++) result[at] = data[at]! * factor;
  }
  return { dims, data: result };
}

/**
 * The operator's `weight` and `bias`, with what is to be folded worked in: every output channel's weights times its scale.
 * @param stretches of the weight; one for each index of the first axis by default.
 */
export function kernelOf(
  {
    attrs,
    weight: named,
    folded,
    derived,
  }: Pick<Execution<{ readonly bias: boolean }>, "attrs" | "weight" | "folded" | "derived">,
  stretches?: Stretches,
  name = "weight",
): Kernel {
  const weight = named(name);
  const bias = attrs.bias ? named("bias") : null;
  if (!folded) return { weight, bias };
  const { mean, scale, shift } = folded;
  const rows: Stretches = { length: weight.data.length / weight.dims[0]!, channelOf: (row) => row };
  return {
    weight: derived("folded weight", () => scaled(weight, scale, stretches ?? rows)),
    bias: derived("folded bias", () => ({
      dims: shift.dims,
      data: shift.data.map((value, at) => ((bias?.data[at] ?? 0) - mean.data[at]!) * scale.data[at]! + value),
    })),
  };
}
