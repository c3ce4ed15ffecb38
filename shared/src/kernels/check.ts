/**
 * The dims that every primitive gives, and what it refuses, known before anything is allocated: one home for all backends.
 */
import { effectiveKernel, type Placement } from "../shape/window.ts";
import type { Blocks, Convolution, Padding, Taps, TransposedConvolution } from "./backend.ts";
import { EngineError, type Values } from "./values.ts";

function shown(dims: readonly number[]): string {
  return `[${dims.join(", ")}]`;
}

function mismatch(why: string): never {
  throw new EngineError("mismatch", why);
}

function checkPlacement(axis: Placement, size: number, transposed: boolean): void {
  const { kernel, stride, dilation, input, output, padBefore, padAfter } = axis;
  for (const [name, value, least] of [
    ["kernel", kernel, 1],
    ["stride", stride, 1],
    ["dilation", dilation, 1],
    ["output", output, 0],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new EngineError("bad-size", `a window's ${name} must be an integer ≥ ${least}, not ${value}`);
    }
  }
  if (!Number.isSafeInteger(padBefore) || !Number.isSafeInteger(padAfter)) {
    throw new EngineError("bad-size", `a window's padding must be integers, not ${padBefore} and ${padAfter}`);
  }
  if (input !== size) mismatch(`a window placed over ${input} cells moves over ${size}`);
  // Rounding up lets the last window reach less than a stride over the end.
  const reach = (output - 1) * stride + effectiveKernel(axis);
  if (!transposed && output > 0 && reach > input + padBefore + padAfter + stride - 1) {
    mismatch(
      `${output} windows that reach over ${reach} cells do not fit into ${input} with padding ${padBefore} and ${padAfter}`,
    );
  }
}

/** Checks placements against the last axes of `dims`; the axes before them, then the output sizes. */
export function windowedDims(dims: readonly number[], axes: readonly Placement[], transposed = false): number[] {
  const first = dims.length - axes.length;
  if (first < 0) mismatch(`${axes.length} windows over ${shown(dims)}`);
  for (const [index, axis] of axes.entries()) checkPlacement(axis, dims[first + index]!, transposed);
  return [...dims.slice(0, first), ...axes.map((axis) => axis.output)];
}

function checkVector(name: string, values: Values | null | undefined, count: number): void {
  if (values && (values.dims.length !== 1 || values.dims[0] !== count)) {
    mismatch(`${name} is ${shown(values.dims)}, not [${count}]`);
  }
}

function checkKernel(
  dims: readonly number[],
  { weight, axes, groups }: Pick<Convolution, "weight" | "axes" | "groups">,
): void {
  if (dims.length !== axes.length + 2) mismatch(`${axes.length} windows over ${shown(dims)}, which is no image`);
  if (dims.some((size) => size === 0)) throw new EngineError("bad-size", `${shown(dims)} is empty`);
  if (!Number.isSafeInteger(groups) || groups < 1) {
    throw new EngineError("bad-size", `groups must be a positive integer, not ${groups}`);
  }
  const kernel = weight.dims.slice(2);
  if (kernel.length !== axes.length || kernel.some((size, index) => size !== axes[index]!.kernel)) {
    mismatch(`the weight is ${shown(weight.dims)}, the windows are ${shown(axes.map((axis) => axis.kernel))}`);
  }
}

/** The dims of a convolution's output. @throws EngineError where input, weight and windows do not fit. */
export function convolutionDims(dims: readonly number[], convolution: Convolution): number[] {
  const { weight, bias, groups, axes, add } = convolution;
  checkKernel(dims, convolution);
  const [out, perGroup] = weight.dims as [number, number];
  if (perGroup * groups !== dims[1] || out % groups !== 0) {
    mismatch(`a weight ${shown(weight.dims)} in ${groups} groups over ${dims[1]} channels`);
  }
  checkVector("the bias", bias, out);
  const result = [dims[0]!, out, ...windowedDims(dims, axes).slice(2)];
  if (add) sameDims(add.dims, result);
  return result;
}

/** The dims of a transposed convolution's output. @throws EngineError where input, weight and windows do not fit. */
export function transposedDims(dims: readonly number[], convolution: TransposedConvolution): number[] {
  const { weight, bias, groups, axes, add } = convolution;
  checkKernel(dims, convolution);
  const [count, perGroup] = weight.dims as [number, number];
  if (count !== dims[1] || count % groups !== 0) {
    mismatch(`a weight ${shown(weight.dims)} in ${groups} groups over ${dims[1]} channels`);
  }
  checkVector("the bias", bias, perGroup * groups);
  const result = [dims[0]!, perGroup * groups, ...windowedDims(dims, axes, true).slice(2)];
  if (add) sameDims(add.dims, result);
  return result;
}

/** @throws EngineError `mismatch` where two tensors that must have the same dims do not. */
export function sameDims(a: readonly number[], b: readonly number[]): void {
  if (a.length !== b.length || a.some((size, axis) => size !== b[axis])) mismatch(`${shown(a)} is not ${shown(b)}`);
}

/** The dims of x·weightᵀ + bias. @throws EngineError where they do not fit. */
export function linearDims(dims: readonly number[], weight: Values, bias: Values | null): number[] {
  const [out, features] = weight.dims;
  if (dims.length === 0 || weight.dims.length !== 2 || features !== dims.at(-1)) {
    mismatch(`a weight ${shown(weight.dims)} over ${shown(dims)}`);
  }
  checkVector("the bias", bias, out!);
  return [...dims.slice(0, -1), out!];
}

/** The dims tensors broadcast to, aligned at their last axes. @throws EngineError `mismatch` where they cannot. */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((dims) => dims.length));
  const result = new Array<number>(rank).fill(1);
  for (const dims of shapes) {
    for (const [index, size] of dims.entries()) {
      const axis = rank - dims.length + index;
      const before = result[axis]!;
      if (before !== size && before !== 1 && size !== 1) {
        mismatch(`${shapes.map(shown).join(" and ")} do not broadcast`);
      }
      if (before === 1) result[axis] = size;
    }
  }
  return result;
}

/** The dims of a matrix product of tensors with at least two axes. @throws EngineError `mismatch`. */
export function matmulDims(a: readonly number[], b: readonly number[]): number[] {
  if (a.length < 2 || b.length < 2 || a.at(-1) !== b.at(-2)) mismatch(`${shown(a)} times ${shown(b)}`);
  return [...broadcastDims(a.slice(0, -2), b.slice(0, -2)), a.at(-2)!, b.at(-1)!];
}

/** @throws EngineError `mismatch` where there is no such axis. */
export function checkAxis(dims: readonly number[], axis: number): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= dims.length) mismatch(`${shown(dims)} has no axis ${axis}`);
}

/** The dims after padding. @throws EngineError where more is mirrored, wrapped or cut off than there is. */
export function paddedDims(dims: readonly number[], { before, after, fill }: Padding): number[] {
  if (before.length !== dims.length || after.length !== dims.length)
    mismatch(`padding of other axes than ${shown(dims)}`);
  return dims.map((size, axis) => {
    const [head, tail] = [before[axis]!, after[axis]!];
    const most = fill.kind === "reflect" ? size - 1 : fill.kind === "circular" ? size : Number.POSITIVE_INFINITY;
    if (Math.max(head, tail) > Math.max(most, 0))
      mismatch(`${fill.kind} padding of ${head} and ${tail} around ${size} cells`);
    if (size === 0 && fill.kind !== "constant" && head + tail > 0) mismatch(`${fill.kind} padding around no cells`);
    return size + head + tail;
  });
}

/** The dims of a permuted tensor. @throws EngineError `mismatch` where `order` is no permutation. */
export function permutedDims(dims: readonly number[], order: readonly number[]): number[] {
  if (order.length !== dims.length || new Set(order).size !== dims.length)
    mismatch(`${shown(order)} permutes no ${shown(dims)}`);
  return order.map((axis) => {
    checkAxis(dims, axis);
    return dims[axis]!;
  });
}

/** The dims of a slice. @throws EngineError `mismatch` where it reads outside. */
export function slicedDims(
  dims: readonly number[],
  axis: number,
  start: number,
  length: number,
  step: number,
): number[] {
  checkAxis(dims, axis);
  const last = start + (length - 1) * step;
  const size = dims[axis]!;
  const whole = [start, length, step].every(Number.isSafeInteger) && length >= 0;
  if (!whole || (length > 0 && (Math.min(start, last) < 0 || Math.max(start, last) >= size))) {
    mismatch(`${length} positions from ${start} in steps of ${step} out of ${size}`);
  }
  return dims.with(axis, length);
}

/** The dims of tensors joined along an axis. @throws EngineError `mismatch`. */
export function concatDims(shapes: readonly (readonly number[])[], axis: number): number[] {
  const first = shapes[0] ?? mismatch("nothing to join");
  checkAxis(first, axis);
  let total = 0;
  for (const dims of shapes) {
    sameDims(dims.toSpliced(axis, 1), first.toSpliced(axis, 1));
    total += dims[axis]!;
  }
  return first.with(axis, total);
}

/** The dims of all blocks of an image as columns. @throws EngineError `mismatch`. */
export function unfoldedDims(dims: readonly number[], { axes }: Blocks): number[] {
  if (dims.length !== 4) mismatch(`${shown(dims)} is no image of two axes`);
  windowedDims(dims, axes);
  return [dims[0]!, dims[1]! * axes[0].kernel * axes[1].kernel, axes[0].output * axes[1].output];
}

/** The dims of the image that columns of blocks add up to. @throws EngineError `mismatch`. */
export function foldedDims(dims: readonly number[], { axes }: Blocks): number[] {
  const cells = axes[0].kernel * axes[1].kernel;
  const blocks = axes[0].output * axes[1].output;
  if (dims.length !== 3 || dims[1]! % cells !== 0 || dims[2] !== blocks) {
    mismatch(`${shown(dims)} are no ${blocks} blocks of ${cells} cells`);
  }
  return [dims[0]!, dims[1]! / cells, axes[0].input, axes[1].input];
}

/** The dims after interpolating along an axis. @throws EngineError `mismatch` where the table reads outside. */
export function resampledDims(
  dims: readonly number[],
  axis: number,
  { output, count, indices, weights }: Taps,
): number[] {
  checkAxis(dims, axis);
  if (indices.length !== output * count || weights.length !== output * count) {
    mismatch(`a table of ${indices.length} cells and ${weights.length} weights for ${output} × ${count} taps`);
  }
  const size = dims[axis]!;
  if (indices.some((cell) => cell >= size)) mismatch(`a table that reads outside ${size} cells`);
  return dims.with(axis, output);
}

/** The dims of an adaptive pooling over the last axes. @throws EngineError where there are too few, or no cells. */
export function adaptiveDims(dims: readonly number[], sizes: readonly number[]): number[] {
  const first = dims.length - sizes.length;
  if (first < 0) mismatch(`${sizes.length} output sizes for ${shown(dims)}`);
  if (dims.slice(first).includes(0)) throw new EngineError("bad-size", `${shown(dims)} has no cells to pool`);
  return [...dims.slice(0, first), ...sizes];
}
