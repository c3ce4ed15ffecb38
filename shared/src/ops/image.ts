/**
 * Between a file's axis order and the images that backends compute on: [batch, channels, …spatial], with a batch of one
 * where the file has none.
 */
import type { Backend, Epilogue, Padding, Resident } from "../kernels/backend.ts";
import type { Values } from "../kernels/values.ts";
import type { Layout } from "../shape/tensor.ts";
import { type Placement, placement, type WindowUse } from "../shape/window.ts";
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
export function imageEpilogue(backend: Backend, { add, activation }: Epilogue, layout: Layout): Epilogue {
  return { ...(add ? { add: toImage(backend, add, layout) } : {}), ...(activation ? { activation } : {}) };
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

/** What the cells around an image hold, where they are not zeros that a kernel can skip. */
type Border = "reflect" | "replicate" | "circular";

/**
 * The windows as kernels take them, one per spatial axis; with a border that is not zeros it is added to the image first.
 */
export function placed(
  backend: Backend,
  image: Resident,
  windows: readonly WindowUse[],
  border: Border | "zeros",
): { readonly image: Resident; readonly axes: readonly Placement[] } {
  const axes = windows.map(placement);
  if (border === "zeros") return { image, axes };
  const padding: Padding = {
    before: [0, 0, ...axes.map(({ padBefore }) => padBefore)],
    after: [0, 0, ...axes.map(({ padAfter }) => padAfter)],
    fill: { kind: border },
  };
  return {
    image: backend.pad(image, padding),
    axes: axes.map((axis) => ({
      ...axis,
      input: axis.input + axis.padBefore + axis.padAfter,
      padBefore: 0,
      padAfter: 0,
    })),
  };
}

/** A kernel and its bias. */
export interface Kernel {
  readonly weight: Values;
  readonly bias: Values | null;
}

/**
 * The kernel with what is to be folded worked in: every output channel's weights times its scale, and its bias with the
 * shift. @param channelOf the output channel that element `at` of the weight belongs to.
 */
export function foldedKernel(
  { folded, derived }: Pick<Execution<unknown>, "folded" | "derived">,
  { weight, bias }: Kernel,
  channelOf: (at: number) => number,
): Kernel {
  if (!folded) return { weight, bias };
  const { mean, scale, shift } = folded;
  return {
    weight: derived("folded weight", () => ({
      dims: weight.dims,
      data: weight.data.map((value, at) => value * scale.data[channelOf(at)]!),
    })),
    bias: derived("folded bias", () => ({
      dims: shift.dims,
      data: shift.data.map(
        (value, channel) => ((bias?.data[channel] ?? 0) - mean.data[channel]!) * scale.data[channel]! + value,
      ),
    })),
  };
}
