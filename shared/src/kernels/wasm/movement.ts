/**
 * What moves numbers about without computing: slices, concatenations, permutations and constant padding are copies between
 * two views, a view being an address and a stride for every axis. Images stay pixels where they are pixels.
 */
import type { Padding } from "../backend.ts";
import { concatDims, paddedDims, permutedDims, slicedDims } from "../check.ts";
import { stridesOf } from "../values.ts";
import type { Core } from "./core.ts";
import { joined, walkKernel } from "./elementwise.ts";
import { resample } from "./resampling.ts";
import type { Pixels, WasmTensor } from "./tensor.ts";

/** Part of a tensor's numbers, by its logical axes. */
interface View {
  /** Of its first number. */
  readonly address: number;
  readonly sizes: readonly number[];
  /** Floats between neighbours. */
  readonly strides: readonly number[];
}

/** An image may be kept as pixels. */
function isImage(dims: readonly number[]): boolean {
  return dims.length >= 3 && dims.length <= 5;
}

function isPixels({ storage: { form } }: WasmTensor): boolean {
  return form.kind === "pixels";
}

function pixelView(
  { address, form }: { readonly address: number; readonly form: Pixels },
  dims: readonly number[],
): View {
  const { image, plane, row, pixel } = form;
  return { address, sizes: dims, strides: [image, 1, ...[plane, row, pixel].slice(5 - dims.length)] };
}

function rowView({ address }: { readonly address: number }, dims: readonly number[]): View {
  return { address, sizes: dims, strides: stridesOf(dims) };
}

/** A tensor as it lies. */
function viewOf(core: Core, x: WasmTensor): View {
  return isPixels(x) ? pixelView(core.asPixels(x), x.dims) : rowView(core.asRows(x), x.dims);
}

/** A new tensor whose numbers somebody still has to write. */
function made(core: Core, dims: readonly number[], asPixels: boolean): { readonly y: WasmTensor; readonly view: View } {
  if (asPixels) {
    const y = core.image(dims);
    return { y, view: pixelView(core.asPixels(y), dims) };
  }
  const y = core.rows(dims);
  return { y, view: rowView(core.asRows(y), dims) };
}

/** Positions along an axis, from `start` on and `step` apart. */
function part(view: View, axis: number, start: number, length: number, step = 1): View {
  const stride = view.strides[axis]!;
  return {
    address: view.address + 4 * start * stride,
    sizes: view.sizes.with(axis, length),
    strides: view.strides.with(axis, stride * step),
  };
}

function permutedView({ address, sizes, strides }: View, order: readonly number[]): View {
  return { address, sizes: order.map((axis) => sizes[axis]!), strides: order.map((axis) => strides[axis]!) };
}

/** Copies one view to another of the same sizes, along its axes from the widest stride to the narrowest. */
function copy(core: Core, from: View, to: View): void {
  if (to.sizes.includes(0)) return;
  const axes = [...to.sizes.keys()].filter((axis) => to.sizes[axis]! > 1);
  axes.sort((a, b) => to.strides[b]! - to.strides[a]!);
  const of = ({ strides }: View) => axes.map((axis) => strides[axis]!);
  const joint = joined({ sizes: axes.map((axis) => to.sizes[axis]!), strides: [of(from), of(to)] });
  // Where the narrowest numbers of the target lie apart, as the pixels of one channel do, each is a row of its own.
  const apart = joint.strides[1]!.at(-1) !== 1;
  const walk = apart ? { sizes: [...joint.sizes, 1], strides: joint.strides.map((strides) => [...strides, 1]) } : joint;
  core.run(
    walkKernel("copy", walk, () => () => {}),
    { t0: from.address, t1: to.address },
  );
}

/** See `Backend.slice`. */
export function slice(
  core: Core,
  x: WasmTensor,
  axis: number,
  start: number,
  length: number,
  step: number,
): WasmTensor {
  const dims = slicedDims(x.dims, axis, start, length, step);
  const from = viewOf(core, x);
  const { y, view } = made(core, dims, isPixels(x));
  copy(core, part(from, axis, start, length, step), view);
  return y;
}

/** See `Backend.concat`. */
export function concat(core: Core, xs: readonly WasmTensor[], axis: number): WasmTensor {
  const dims = concatDims(
    xs.map((x) => x.dims),
    axis,
  );
  const asPixels = isImage(dims) && xs.some(isPixels);
  const froms = xs.map((x) => (asPixels ? pixelView(core.asPixels(x), x.dims) : rowView(core.asRows(x), x.dims)));
  const { y, view } = made(core, dims, asPixels);
  let start = 0;
  for (const from of froms) {
    const length = from.sizes[axis]!;
    copy(core, from, part(view, axis, start, length));
    start += length;
  }
  return y;
}

/** Whether an order brings the channels of [batch, …spatial, channels] to the front: then they lie as pixels have them. */
function isToFirst(order: readonly number[]): boolean {
  const rank = order.length;
  return (
    rank >= 3 &&
    rank <= 5 &&
    order[0] === 0 &&
    order[1] === rank - 1 &&
    order.slice(2).every((axis, at) => axis === at + 1)
  );
}

/** See `Backend.permute`. */
export function permute(core: Core, x: WasmTensor, order: readonly number[]): WasmTensor {
  const dims = permutedDims(x.dims, order);
  const from = permutedView(viewOf(core, x), order);
  const { y, view } = made(core, dims, isToFirst(order));
  copy(core, from, view);
  return y;
}

/** Where the cells of an axis come from that is mirrored, repeated or wrapped at its ends. */
function sources(size: number, before: number, after: number, kind: "reflect" | "replicate" | "circular"): number[] {
  const last = size - 1;
  return Array.from({ length: size + before + after }, (_, at) => {
    const cell = at - before;
    if (cell >= 0 && cell <= last) return cell;
    if (kind === "replicate") return cell < 0 ? 0 : last;
    if (kind === "circular") return cell < 0 ? cell + size : cell - size;
    return cell < 0 ? -cell : 2 * last - cell;
  });
}

/** See `Backend.pad`. No size is 0, before or after. */
export function pad(core: Core, x: WasmTensor, padding: Padding): WasmTensor {
  const dims = paddedDims(x.dims, padding);
  const { before, after, fill } = padding;
  if (fill.kind === "constant") return surrounded(core, x, dims, padding, fill.value);
  let result = x;
  for (const [axis, size] of x.dims.entries()) {
    if (before[axis] === 0 && after[axis] === 0) continue;
    const indices = Int32Array.from(sources(size, before[axis]!, after[axis]!, fill.kind));
    const weights = new Float64Array(indices.length).fill(1);
    const wider = resample(core, result, axis, { output: indices.length, count: 1, indices, weights });
    if (result !== x) core.release(result);
    result = wider;
  }
  return result === x ? core.share(x, x.dims) : result;
}

function surrounded(
  core: Core,
  x: WasmTensor,
  dims: readonly number[],
  { before, after }: Padding,
  value: number,
): WasmTensor {
  let from = viewOf(core, x);
  const { y, view } = made(core, dims, isPixels(x));
  const { form } = y.storage;
  const count = form.kind === "pixels" ? form.count : dims.reduce((product, size) => product * size, 1);
  core.fill(y.storage.block.address, count, value);
  if (form.kind === "pixels") core.clearMargin(y);
  let to = view;
  for (const [axis, size] of x.dims.entries()) {
    const [first, last] = [Math.max(0, -before[axis]!), size - Math.max(0, -after[axis]!)];
    const length = Math.max(0, last - first);
    from = part(from, axis, Math.min(first, size), length);
    to = part(to, axis, Math.max(0, before[axis]!), length);
  }
  copy(core, from, to);
  return y;
}
