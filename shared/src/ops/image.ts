/**
 * Between a file's axis order and the images that backends compute on: [batch, channels, …spatial], with a batch of one
 * where the file has none.
 */
import type { Backend, Epilogue, Resident } from "../kernels/backend.ts";
import type { Layout } from "../shape/tensor.ts";

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
