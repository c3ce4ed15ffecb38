/** Kernels that bring an image from one form into another: between rows and pixels, and into another margin. */
import { type FunctionWriter, f32, i32, type Local, type Operand, v128 } from "./assembler.ts";
import type { Kernel } from "./kernel.ts";
import { type Pixels, padded, type Strides } from "./tensor.ts";

/** Turns a square of four vectors over: lane i of vector j becomes lane j of vector i. */
export function transpose(f: FunctionWriter, square: readonly Local[]): void {
  const [a, b, c, d] = square as [Local, Local, Local, Local];
  const [low, high, lower, higher] = f.locals("v128", 4) as [Local, Local, Local, Local];
  f.set(low, v128.shuffle(a, b, [0, 4, 1, 5]));
  f.set(high, v128.shuffle(a, b, [2, 6, 3, 7]));
  f.set(lower, v128.shuffle(c, d, [0, 4, 1, 5]));
  f.set(higher, v128.shuffle(c, d, [2, 6, 3, 7]));
  f.set(a, v128.shuffle(low, lower, [0, 1, 4, 5]));
  f.set(b, v128.shuffle(low, lower, [2, 3, 6, 7]));
  f.set(c, v128.shuffle(high, higher, [0, 1, 4, 5]));
  f.set(d, v128.shuffle(high, higher, [2, 3, 6, 7]));
}

/**
 * The transposition of one row of an image: `width` numbers of each channel, `channelStep` bytes apart, against as many
 * pixels, `pixelStep` bytes apart. In squares of 4 × 4, and number by number where none fits.
 */
function transposeRow(
  f: FunctionWriter,
  { channels, width, channelStep, pixelStep }: Record<"channels" | "width" | "channelStep" | "pixelStep", number>,
  planar: Operand,
  pixels: Operand,
  toPixels: boolean,
): void {
  const [plane, pixel] = [f.local("i32"), f.local("i32")];
  const square = f.locals("v128", 4);
  const [wide, deep] = [Math.floor(width / 4), Math.floor(channels / 4)];
  const one = (channel: number, column: number) => {
    const [from, to] = toPixels ? [plane, pixel] : [pixel, plane];
    const [at, there] = [channel * channelStep + 4 * column, column * pixelStep + 4 * channel];
    f.storeFloat(to, f32.load(from, toPixels ? at : there), toPixels ? there : at);
  };
  const channelGroup = f.let("i32", 0);
  const across = (depth: number) => {
    f.set(plane, i32.add(planar, i32.mul(channelGroup, 4 * channelStep)));
    f.set(pixel, i32.add(pixels, i32.mul(channelGroup, 16)));
    f.repeat(wide, () => {
      if (depth === 4) {
        const [from, to, fromStep, toStep] = toPixels
          ? ([plane, pixel, channelStep, pixelStep] as const)
          : ([pixel, plane, pixelStep, channelStep] as const);
        for (const [index, vector] of square.entries()) f.set(vector, v128.load(from, index * fromStep));
        transpose(f, square);
        for (const [index, vector] of square.entries()) f.storeVector(to, vector, index * toStep);
      } else {
        for (let column = 0; column < 4; column++) for (let c = 0; c < depth; c++) one(c, column);
      }
      f.increase(plane, 16);
      f.increase(pixel, 4 * pixelStep);
    });
    for (let column = 0; column < width % 4; column++) for (let c = 0; c < depth; c++) one(c, column);
  };
  f.repeat(deep, () => {
    across(4);
    f.increase(channelGroup, 1);
  });
  if (channels % 4 > 0) across(channels % 4);
}

/** One unit per row of the image: where it starts, in bytes, in rows and as pixels. */
function rowStarts({ channels, size, row, plane, image }: Pixels, unit: Local) {
  const [planes, rows, columns] = size;
  const y = i32.rem(unit, rows);
  const z = i32.rem(i32.div(unit, rows), planes);
  const n = i32.div(unit, planes * rows);
  const cells = planes * rows * columns;
  return {
    planar: i32.add(i32.mul(n, 4 * channels * cells), i32.add(i32.mul(z, 4 * rows * columns), i32.mul(y, 4 * columns))),
    pixels: i32.add(i32.mul(n, 4 * image), i32.add(i32.mul(z, 4 * plane), i32.mul(y, 4 * row))),
  };
}

function transposition(form: Pixels, toPixels: boolean): Kernel<"from" | "to"> {
  const { batch, channels, size, pixel } = form;
  const [planes, rows, columns] = size;
  const { row, plane, image } = form;
  return {
    key: `transpose ${[toPixels, channels, ...size, pixel, row, plane, image]}`,
    addresses: ["from", "to"],
    units: batch * planes * rows,
    work: 4 * columns * channels,
    write(f, { from, to }, unit) {
      const starts = rowStarts(form, unit);
      const planar = f.let("i32", i32.add(toPixels ? from : to, starts.planar));
      const pixels = f.let("i32", i32.add(toPixels ? to : from, starts.pixels));
      const channelStep = 4 * planes * rows * columns;
      transposeRow(f, { channels, width: columns, channelStep, pixelStep: 4 * pixel }, planar, pixels, toPixels);
    },
  };
}

/** From rows to the first pixel behind the margin. */
export function rowsToPixels(to: Pixels): Kernel<"from" | "to"> {
  return transposition(to, true);
}

/** From the first pixel behind the margin to rows. */
export function pixelsToRows(from: Pixels): Kernel<"from" | "to"> {
  return transposition(from, false);
}

/** From the first pixel of one image to that of another with other strides. */
export function pixelsToPixels(a: Pixels, b: Pixels): Kernel<"from" | "to"> {
  const [planes, rows, columns] = a.size;
  const strides = ({ pixel, row, plane, image }: Pixels) => [pixel, row, plane, image];
  return {
    key: `copy ${[a.channels, ...a.size, ...strides(a), ...strides(b)]}`,
    addresses: ["from", "to"],
    units: a.batch * planes * rows,
    work: 4 * columns * a.channels,
    write(f, addresses, unit) {
      const from = f.let("i32", i32.add(addresses.from, rowStarts(a, unit).pixels));
      const to = f.let("i32", i32.add(addresses.to, rowStarts(b, unit).pixels));
      if (a.pixel === b.pixel) {
        f.copy(to, from, 4 * columns * a.pixel);
        return;
      }
      f.repeat(columns, () => {
        for (let c = 0; c < a.channels; c++) f.storeFloat(to, f32.load(from, 4 * c), 4 * c);
        f.increase(from, 4 * a.pixel);
        f.increase(to, 4 * b.pixel);
      });
    },
  };
}

/** An image in blocks: four channels of all its cells, the margin's among them, then the next four. */
export interface Blocks extends Strides {
  /** Floats from four channels to the next four. */
  readonly vector: number;
  readonly count: number;
}

/** The blocks of an image as pixels. */
export function blocksOf({ batch, channels, pixel, row, plane, image }: Pixels): Blocks {
  const vector = (4 * image) / pixel;
  const vectors = padded(channels) / 4;
  const shrunk = (stride: number) => (4 * stride) / pixel;
  return {
    ...{ pixel: 4, row: shrunk(row), plane: shrunk(plane), image: vectors * vector },
    ...{ vector, count: batch * vectors * vector },
  };
}

/** From the first cell of the margin to blocks. */
export function pixelsToBlocks(form: Pixels): Kernel<"from" | "to"> {
  const { batch, channels, pixel, row, image } = form;
  const columns = row / pixel;
  const rows = image / row;
  const vectors = padded(channels) / 4;
  const { vector, image: blocksImage } = blocksOf(form);
  return {
    key: `blocks ${[channels, pixel, row, image]}`,
    addresses: ["from", "to"],
    units: batch * rows,
    work: 4 * columns * channels,
    write(f, addresses, unit) {
      const [y, n] = [i32.rem(unit, rows), i32.div(unit, rows)];
      const start = i32.add(i32.mul(n, 4 * image), i32.mul(y, 4 * row));
      const from = f.let("i32", i32.add(addresses.from, start));
      const line = i32.add(i32.mul(n, 4 * blocksImage), i32.mul(y, 16 * columns));
      const to = f.let("i32", i32.add(addresses.to, line));
      const [source, target] = [f.local("i32"), f.local("i32")];
      f.repeat(vectors, () => {
        f.set(source, from);
        f.set(target, to);
        f.repeat(columns, () => {
          f.storeVector(target, v128.load(source));
          f.increase(source, 4 * pixel);
          f.increase(target, 16);
        });
        f.increase(from, 16);
        f.increase(to, 4 * vector);
      });
    },
  };
}
