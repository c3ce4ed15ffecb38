/** The axes of windows in threes, and small facts about them that the convolutions share. */
import { effectiveKernel, type Placement } from "../../shape/window.ts";
import type { Surround } from "../backend.ts";
import type { Core } from "./core.ts";
import { type Margin, NO_MARGIN, type Size3, type Strides, size3 } from "./tensor.ts";
import type { Tile } from "./tiling.ts";

/** A convolution with everything about its axes in threes. */
export interface Windows {
  readonly axes: readonly [Placement, Placement, Placement];
  readonly kernel: Size3;
  readonly stride: Size3;
  readonly dilation: Size3;
  readonly size: Size3;
}

/** An axis of one cell, which stands in where there are fewer than three. */
const SINGLE: Placement = { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, padBefore: 0, padAfter: 0 };

/** The windows of axes. */
export function windowsOf(axes: readonly Placement[]): Windows {
  const three = [...new Array<Placement>(3 - axes.length).fill(SINGLE), ...axes] as unknown as Windows["axes"];
  const each = (of: (axis: Placement) => number) => three.map(of) as unknown as Size3;
  return {
    axes: three,
    kernel: each((axis) => axis.kernel),
    stride: each((axis) => axis.stride),
    dilation: each((axis) => axis.dilation),
    size: each((axis) => axis.output),
  };
}

/** The cells around the input that windows read. */
export function marginOf(axes: Windows["axes"]): Margin {
  const before = axes.map(({ padBefore }) => Math.max(0, padBefore)) as unknown as Size3;
  const after = axes.map((axis) =>
    Math.max(0, (axis.output - 1) * axis.stride + effectiveKernel(axis) - axis.padBefore - axis.input),
  ) as unknown as Size3;
  return { before, after };
}

/**
 * The margin of a result that later windows will read over the edges of. Where those may be 3 × 3, it is wide enough for
 * whole tiles of Winograd's filtering.
 */
export function marginFor(dims: readonly number[], later: readonly Surround[] | undefined): Margin {
  if (!later) return NO_MARGIN;
  const size = size3(dims.slice(2));
  const none: Surround = { before: 0, after: 0 };
  const each = [...new Array<Surround>(3 - later.length).fill(none), ...later];
  const before = each.map((axis) => Math.max(0, axis.before)) as unknown as Size3;
  const after = each.map((axis, index) => {
    const isSame = axis.before === 1 && axis.after === 1;
    return isSame ? 4 * Math.ceil(size[index]! / 4) + 1 - size[index]! : Math.max(0, axis.after);
  }) as unknown as Size3;
  return { before, after };
}

/** Pixels × panel that suit so many pixels: with few of them, a wider panel keeps enough sums in flight. */
export function tileFor(core: Core, pixels: number, outputs: number): Tile {
  const { unroll } = core.tile;
  if (outputs <= 4) return { pixels: 10, vectors: 1, unroll };
  if (pixels >= 4) return core.tile;
  return { pixels, vectors: [8, 4, 3][pixels - 1]!, unroll };
}

/** The taps of a kernel in the order in which windows read them: backwards for one that is turned around. */
export function tapOrder(kernel: Size3, flipped: boolean): number[] {
  const count = product(kernel);
  return Array.from({ length: count }, (_, tap) => (flipped ? count - 1 - tap : tap));
}

export function product(size: Size3): number {
  return size[0] * size[1] * size[2];
}

export function stridesOf({ pixel, row, plane, image }: Strides): Strides {
  return { pixel, row, plane, image };
}
