/**
 * Depthwise convolution: every channel has a window of its own. The lanes of a vector are four channels of one pixel.
 *
 *     for each output row, each tile of a few pixels in it, each four channels
 *       for each tap (plane, row, column)
 *         one vector of weights; one vector of each pixel; multiply and add
 *       add, activate, store
 *
 * Windows overlap: each input vector is loaded once per row of taps, or per few taps of a wide row, and used for every
 * tap that covers it. Wide windows also read the same cells so often that the four channels are first brought together
 * (`pixelsToBlocks`): as pixels, they would share every cache line with channels whose turn comes later.
 */
import type { Pointwise } from "../backend.ts";
import { applied } from "./activation.ts";
import { type FunctionWriter, f32x4, i32, type Local, v128 } from "./assembler.ts";
import type { Kernel } from "./kernel.ts";
import { padded, type Size3, type Strides } from "./tensor.ts";

export interface DepthwiseGeometry {
  readonly batch: number;
  readonly channels: number;
  readonly kernel: Size3;
  readonly stride: Size3;
  readonly dilation: Size3;
  /** Output cells. */
  readonly size: Size3;
  readonly x: Strides;
  readonly y: Strides;
  /** Of the tensor that is added. */
  readonly add: Strides | null;
  readonly activation: Pointwise | null;
  readonly fused: boolean;
  /** Floats from four channels of the input to the next four: 4 as pixels, more in blocks. */
  readonly vector: number;
  /** Pixels of a tile at most. */
  readonly pixels: number;
}

/** Widest window whose weights of one row of taps stay in registers. */
const NARROW = 5;

/** Rows of taps that are written out; more are a loop. */
const WRITTEN_ROWS = 5;

/** Taps of a row of a wider window that are worked off together. */
const TAPS = 4;

/** Operations of a unit of work. */
const UNIT = 2 ** 21;

/** Whether the kernel wants its input in blocks. */
export function isWideWindow(kernel: Size3): boolean {
  return kernel[2] > NARROW;
}

/** Channels of a panel of packed weights: all of them, and in blocks four. */
export function panelOf(channels: number, isBlocked: boolean): number {
  return isBlocked ? 4 : padded(channels);
}

/**
 * Pixels of a tile: with the weights of a row of taps and one input their sums fill 15 registers. A V8 that loads first
 * what it needs later has none left for that many.
 */
export function depthwisePixels(kernel: Size3, unrolls: boolean): number {
  if (isWideWindow(kernel)) return 14 - TAPS;
  return unrolls ? 14 - kernel[2] : 4;
}

/** Floats between the weights of neighbouring taps, and of neighbouring vectors of channels. */
function weightSteps({ channels, kernel, vector }: DepthwiseGeometry) {
  const isBlocked = vector !== 4;
  return { tap: panelOf(channels, isBlocked), vector: isBlocked ? 4 * kernel[0] * kernel[1] * kernel[2] : 4 };
}

/**
 * Writes the multiply-adds of some neighbouring taps of a row into the sums of a tile of pixels, column by column of the
 * input: each is loaded once for all taps that see it. `from` and `weight` are where the first tap reads, plus offsets.
 */
function tapsOf(f: FunctionWriter, geometry: DepthwiseGeometry, sums: readonly Local[]) {
  const { stride, dilation, x, fused } = geometry;
  const weightStep = 4 * weightSteps(geometry).tap;
  const input = f.local("v128");
  const weights = f.locals("v128", NARROW);
  return (taps: number, from: Local, weight: Local, xOffset = 0, weightOffset = 0) => {
    const columns = new Map<number, { readonly sum: Local; readonly tap: number }[]>();
    for (const [pixel, sum] of sums.entries()) {
      for (let tap = 0; tap < taps; tap++) {
        const column = 4 * (pixel * stride[2] + tap * dilation[2]) * x.pixel;
        columns.set(column, [...(columns.get(column) ?? []), { sum, tap }]);
      }
    }
    for (let tap = 0; tap < taps; tap++) f.set(weights[tap]!, v128.load(weight, weightOffset + tap * weightStep));
    for (const [column, uses] of [...columns].sort(([a], [b]) => a - b)) {
      f.set(input, v128.load(from, xOffset + column));
      for (const { sum, tap } of uses) {
        const by = weights[tap]!;
        f.set(sum, fused ? f32x4.fusedMultiplyAdd(input, by, sum) : f32x4.add(f32x4.mul(input, by), sum));
      }
    }
  };
}

/** Writes the sums over all taps: `x` and `weight` are where the first tap of four channels reads. */
function sumOfTaps(f: FunctionWriter, geometry: DepthwiseGeometry, sums: readonly Local[], x: Local, weight: Local) {
  const { kernel, dilation, x: strides } = geometry;
  const rowStep = 4 * dilation[1] * strides.row;
  const weightStep = 4 * weightSteps(geometry).tap;
  const write = tapsOf(f, geometry, sums);
  const [plane, row, from] = [f.let("i32", x), f.local("i32"), f.local("i32")];
  f.repeat(kernel[0], () => {
    f.set(row, plane);
    if (kernel[2] <= NARROW && kernel[1] <= WRITTEN_ROWS) {
      for (let tap = 0; tap < kernel[1]; tap++)
        write(kernel[2], row, weight, tap * rowStep, tap * kernel[2] * weightStep);
      f.increase(weight, kernel[1] * kernel[2] * weightStep);
    } else {
      f.repeat(kernel[1], () => {
        f.set(from, row);
        const some = (taps: number) => {
          write(taps, from, weight);
          f.increase(from, taps * 4 * dilation[2] * strides.pixel);
          f.increase(weight, taps * weightStep);
        };
        const most = kernel[2] <= NARROW ? NARROW : TAPS;
        f.repeat(Math.floor(kernel[2] / most), () => some(most));
        if (kernel[2] % most > 0) some(kernel[2] % most);
        f.increase(row, rowStep);
      });
    }
    f.increase(plane, 4 * dilation[0] * strides.plane);
  });
}

/** Pixels of a row in tiles of nearly equal size: how many tiles of how many pixels. */
function tilesOf(columns: number, most: number): { readonly pixels: number; readonly count: number }[] {
  const count = Math.ceil(columns / most);
  const [pixels, larger] = [Math.floor(columns / count), columns % count];
  return [
    { pixels: pixels + 1, count: larger },
    { pixels, count: count - larger },
  ].filter((tiles) => tiles.count > 0);
}

/**
 * The kernel of a geometry. `x` is the address of the cell that the first tap of the first output reads, `y` and `add`
 * those of the first pixel; `weight` is packed in panels of `panelOf` channels.
 */
export function depthwiseKernel(geometry: DepthwiseGeometry): Kernel<"x" | "weight" | "bias" | "y" | "add"> {
  const { batch, channels, kernel, stride, size, x, y, add, activation } = geometry;
  const [planes, rows, columns] = size;
  // As pixels all channels of a tile in one go; in blocks, four channels through all tiles.
  const vectorUnits = geometry.vector === 4 ? 1 : padded(channels) / 4;
  const vectors = padded(channels) / 4 / vectorUnits;
  const rowWork = 8 * columns * vectors * kernel[0] * kernel[1] * kernel[2];
  const unitRows = Math.max(1, Math.min(Math.ceil(rows / 8), Math.floor(UNIT / rowWork)));
  const rowUnits = Math.ceil(rows / unitRows);
  const { batch: _, ...coded } = geometry;
  return {
    key: `depthwise ${JSON.stringify(coded)}`,
    addresses: ["x", "weight", "bias", "y", "add"],
    units: batch * planes * vectorUnits * rowUnits,
    work: unitRows * rowWork,
    write(f, addresses, unit) {
      const activate = applied(f, activation);
      const slab = f.let("i32", i32.div(unit, rowUnits));
      const firstVector = f.let("i32", i32.mul(i32.rem(slab, vectorUnits), vectors));
      const lastVector = f.let("i32", i32.add(firstVector, vectors));
      f.set(slab, i32.div(slab, vectorUnits));
      const [plane, image] = [f.let("i32", i32.rem(slab, planes)), f.let("i32", i32.div(slab, planes))];
      const first = f.let("i32", i32.mul(i32.rem(unit, rowUnits), unitRows));
      const last = f.let("i32", i32.min(i32.add(first, unitRows), rows));
      const [row, vector] = [f.local("i32"), f.local("i32")];
      const at = { x: f.local("i32"), y: f.local("i32"), add: f.local("i32") };
      const [from, weight, to, added] = f.locals("i32", 4) as [Local, Local, Local, Local];
      const startOf = (base: Local, strides: Strides, planeStep: number, rowStep: number) =>
        i32.add(
          i32.add(base, i32.mul(image, 4 * strides.image)),
          i32.add(i32.mul(plane, 4 * planeStep * strides.plane), i32.mul(row, 4 * rowStep * strides.row)),
        );

      const tile = (pixels: number) => {
        const sums = f.locals("v128", pixels);
        f.range(vector, firstVector, lastVector, 1, () => {
          const channel = i32.mul(vector, 16);
          for (const sum of sums) f.set(sum, v128.load(i32.add(addresses.bias, channel)));
          f.set(from, i32.add(at.x, i32.mul(vector, 4 * geometry.vector)));
          f.set(weight, i32.add(addresses.weight, i32.mul(vector, 4 * weightSteps(geometry).vector)));
          sumOfTaps(f, geometry, sums, from, weight);
          f.set(to, i32.add(at.y, channel));
          if (add) f.set(added, i32.add(at.add, channel));
          for (const [pixel, sum] of sums.entries()) {
            if (add) f.set(sum, f32x4.add(sum, v128.load(added, 4 * pixel * add.pixel)));
            activate?.(sum);
            f.storeVector(to, sum, 4 * pixel * y.pixel);
          }
        });
        f.increase(at.x, 4 * pixels * stride[2] * x.pixel);
        f.increase(at.y, 4 * pixels * y.pixel);
        if (add) f.increase(at.add, 4 * pixels * add.pixel);
      };

      f.range(row, first, last, 1, () => {
        f.set(at.x, startOf(addresses.x, x, stride[0], stride[1]));
        f.set(at.y, startOf(addresses.y, y, 1, 1));
        if (add) f.set(at.add, startOf(addresses.add, add, 1, 1));
        for (const { pixels, count } of tilesOf(columns, geometry.pixels)) f.repeat(count, () => tile(pixels));
      });
    },
  };
}
