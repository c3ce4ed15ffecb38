/**
 * Depthwise convolution: every channel has a window of its own. The lanes of a vector are four channels of one pixel.
 *
 *     for each output row, each tile of a few pixels in it, each four channels
 *       for each tap (plane, row, column)
 *         one vector of weights; one vector of each pixel; multiply and add
 *       add, activate, store
 *
 * Narrow windows overlap: each input vector is loaded once per row of taps and used for every tap that covers it. Wide
 * windows have no registers left for that; twelve sums at once keep the multipliers busy while loads are repeated. Wide
 * windows also read the same cells so often that the four channels are first brought together (`pixelsToBlocks`): as
 * pixels, they would share every cache line with channels whose turn comes later.
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
}

/** Widest window whose weights of one row of taps stay in registers. */
const NARROW = 5;

/** Rows of taps that are written out; more are a loop. */
const WRITTEN_ROWS = 5;

/** Taps of a wide window that are written out in one go. */
const WRITTEN_TAPS = 8;

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

/** Floats between the weights of neighbouring taps, and of neighbouring vectors of channels. */
function weightSteps({ channels, kernel, vector }: DepthwiseGeometry) {
  const isBlocked = vector !== 4;
  return { tap: panelOf(channels, isBlocked), vector: isBlocked ? 4 * kernel[0] * kernel[1] * kernel[2] : 4 };
}

/** Writes the multiply-adds of one row of taps into the sums of a tile of pixels. */
function rowOfTaps(f: FunctionWriter, geometry: DepthwiseGeometry, sums: readonly Local[]) {
  const { kernel, stride, dilation, x, fused } = geometry;
  const [pixelStep, tapStep] = [4 * stride[2] * x.pixel, 4 * dilation[2] * x.pixel];
  const weightStep = 4 * weightSteps(geometry).tap;
  const input = f.local("v128");
  const weights = f.locals("v128", Math.min(NARROW, kernel[2]));
  const accumulate = (sum: Local, weight: Local) =>
    f.set(sum, fused ? f32x4.fusedMultiplyAdd(input, weight, sum) : f32x4.add(f32x4.mul(input, weight), sum));

  /** Column by column of the input: each is loaded once, each weight when it is first needed. */
  const narrow = (from: Local, weight: Local, xOffset: number, weightOffset: number) => {
    const columns = new Map<number, { readonly pixel: number; readonly tap: number }[]>();
    for (let pixel = 0; pixel < sums.length; pixel++) {
      for (let tap = 0; tap < kernel[2]; tap++) {
        const column = pixel * pixelStep + tap * tapStep;
        columns.set(column, [...(columns.get(column) ?? []), { pixel, tap }]);
      }
    }
    const loaded = new Set<number>();
    for (const [column, uses] of [...columns].sort(([a], [b]) => a - b)) {
      for (const { tap } of uses) {
        if (loaded.has(tap)) continue;
        loaded.add(tap);
        f.set(weights[tap]!, v128.load(weight, weightOffset + tap * weightStep));
      }
      f.set(input, v128.load(from, xOffset + column));
      for (const { pixel, tap } of uses) accumulate(sums[pixel]!, weights[tap]!);
    }
  };

  /** Tap by tap; `from` and `weight` move behind the row. */
  const wide = (from: Local, weight: Local) => {
    const taps = (count: number) => {
      for (let tap = 0; tap < count; tap++) {
        f.set(weights[0]!, v128.load(weight, tap * weightStep));
        for (const [pixel, sum] of sums.entries()) {
          f.set(input, v128.load(from, tap * tapStep + pixel * pixelStep));
          accumulate(sum, weights[0]!);
        }
      }
      f.increase(from, count * tapStep);
      f.increase(weight, count * weightStep);
    };
    f.repeat(Math.floor(kernel[2] / WRITTEN_TAPS), () => taps(WRITTEN_TAPS));
    taps(kernel[2] % WRITTEN_TAPS);
  };
  return { narrow, wide };
}

/** Writes the sums over all taps: `x` and `weight` are where the first tap of four channels reads. */
function sumOfTaps(f: FunctionWriter, geometry: DepthwiseGeometry, sums: readonly Local[], x: Local, weight: Local) {
  const { kernel, dilation, x: strides } = geometry;
  const rowStep = 4 * dilation[1] * strides.row;
  const weightStep = 4 * weightSteps(geometry).tap * kernel[2];
  const { narrow, wide } = rowOfTaps(f, geometry, sums);
  const [plane, row, from] = [f.let("i32", x), f.local("i32"), f.local("i32")];
  f.repeat(kernel[0], () => {
    f.set(row, plane);
    if (kernel[2] <= NARROW && kernel[1] <= WRITTEN_ROWS) {
      for (let tap = 0; tap < kernel[1]; tap++) narrow(row, weight, tap * rowStep, tap * weightStep);
      f.increase(weight, kernel[1] * weightStep);
    } else {
      f.repeat(kernel[1], () => {
        f.set(from, row);
        if (kernel[2] > NARROW) wide(from, weight);
        else {
          narrow(from, weight, 0, 0);
          f.increase(weight, weightStep);
        }
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
        const most = kernel[2] > NARROW ? 12 : 4;
        for (const { pixels, count } of tilesOf(columns, most)) f.repeat(count, () => tile(pixels));
      });
    },
  };
}
