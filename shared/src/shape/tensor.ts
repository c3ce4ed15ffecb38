/**
 * A tensor as the checker sees it: its dims and which axis means what. No values live here.
 */
import { type Dim, unknown } from "./dim.ts";

/** Which axis is the batch and which holds the channels; the others are spatial, in order. */
export interface Layout {
  readonly batched: boolean;
  readonly channels: "first" | "last";
}

export const CHANNELS_FIRST: Layout = { batched: true, channels: "first" };
export const CHANNELS_LAST: Layout = { batched: true, channels: "last" };

/** dims in the file's own axis order, batch first where there is one. */
export interface Tensor {
  readonly dims: readonly Dim[];
  readonly layout: Layout;
}

export function tensor(dims: readonly Dim[], layout: Layout): Tensor {
  return { dims, layout };
}

/** The index of the channel axis; with [N, F] that is F in both layouts. −1 for a tensor without one. */
export function channelAxis(t: Tensor): number {
  const first = t.layout.batched ? 1 : 0;
  if (t.dims.length <= first) return -1;
  return t.layout.channels === "first" ? first : t.dims.length - 1;
}

/** The channel count. @throws RangeError on a tensor without a channel axis: check `dims.length` first. */
export function channels(t: Tensor): Dim {
  const axis = channelAxis(t);
  if (axis < 0) throw new RangeError("a tensor without a channel axis");
  return t.dims[axis]!;
}

/** Indices of the spatial axes, outermost first (depth, height, width). */
export function spatialAxes(t: Tensor): number[] {
  const channel = channelAxis(t);
  const axes: number[] = [];
  for (let axis = t.layout.batched ? 1 : 0; axis < t.dims.length; axis++) if (axis !== channel) axes.push(axis);
  return axes;
}

/** The same tensor with some dims replaced. */
export function withDims(t: Tensor, replace: ReadonlyMap<number, Dim>): Tensor {
  return { dims: t.dims.map((dim, axis) => replace.get(axis) ?? dim), layout: t.layout };
}

/** A tensor of the same rank and batch, nothing else known. */
export function unknownLike(like: Tensor, why: string): Tensor {
  return {
    dims: like.dims.map((dim, axis) => (axis === 0 && like.layout.batched ? dim : unknown(why))),
    layout: like.layout,
  };
}

/** What a spatial axis is called in messages: `width`, `height`, `depth`, or `length` where there is only one. */
export function axisName(t: Tensor, axis: number): string {
  if (t.layout.batched && axis === 0) return "batch";
  if (axis === channelAxis(t)) return "channel";
  const spatial = spatialAxes(t);
  const place = spatial.indexOf(axis);
  if (spatial.length === 1) return "length";
  if (spatial.length <= 3) return ["width", "height", "depth"][spatial.length - 1 - place] ?? `axis ${axis}`;
  return `axis ${axis}`;
}
