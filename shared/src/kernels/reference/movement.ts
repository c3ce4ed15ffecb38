/** What moves values about: padding, slices, axes, joins, tables, blocks, interpolation by a table of taps. */
import type { Placement } from "../../shape/window.ts";
import type { Blocks, Padding, Taps } from "../backend.ts";
import {
  checkAxis,
  concatDims,
  foldedDims,
  paddedDims,
  permutedDims,
  resampledDims,
  sameDims,
  slicedDims,
  unfoldedDims,
} from "../check.ts";
import { EngineError, elementCount, stridesOf, type Values, zeros } from "../values.ts";

/** A result whose element at every index is the input's element at `source(index)`, or `fill` where that is −1. */
function gather(
  x: Values,
  dims: readonly number[],
  limit: number,
  source: (index: readonly number[]) => number,
  fill = 0,
): Values {
  const result = zeros(dims, limit);
  const index = new Array<number>(dims.length).fill(0);
  for (let at = 0; at < result.data.length; at++) {
    const place = source(index);
    result.data[at] = place < 0 ? fill : x.data[place]!;
    for (let axis = dims.length - 1; axis >= 0 && ++index[axis]! === dims[axis]; axis--) index[axis] = 0;
  }
  return result;
}

/** The input cell that a padded cell shows; −1 for a constant. */
function paddedCell(kind: Padding["fill"]["kind"], cell: number, size: number): number {
  if (cell >= 0 && cell < size) return cell;
  switch (kind) {
    case "constant":
      return -1;
    case "replicate":
      return cell < 0 ? 0 : size - 1;
    case "reflect":
      return cell < 0 ? -cell : 2 * (size - 1) - cell;
    case "circular":
      return (cell + size) % size;
  }
}

/** See `Backend.pad`. */
export function pad(x: Values, padding: Padding, limit: number): Values {
  const { before, fill } = padding;
  const strides = stridesOf(x.dims);
  const source = (index: readonly number[]) => {
    let place = 0;
    for (const [axis, at] of index.entries()) {
      const cell = paddedCell(fill.kind, at - before[axis]!, x.dims[axis]!);
      if (cell < 0) return -1;
      place += cell * strides[axis]!;
    }
    return place;
  };
  return gather(x, paddedDims(x.dims, padding), limit, source, fill.kind === "constant" ? fill.value : 0);
}

/** The same values under other dims. @throws EngineError `mismatch` where their number changes. */
export function reshape(x: Values, dims: readonly number[]): Values {
  if (elementCount(dims) !== x.data.length) {
    throw new EngineError("mismatch", `[${x.dims.join(", ")}] cannot become [${dims.join(", ")}]`);
  }
  return { dims, data: x.data };
}

/** Output axis i is input axis order[i]. */
export function permute(x: Values, order: readonly number[], limit: number): Values {
  const dims = permutedDims(x.dims, order);
  const strides = stridesOf(x.dims);
  return gather(x, dims, limit, (index) => index.reduce((place, at, axis) => place + at * strides[order[axis]!]!, 0));
}

/** See `Backend.slice`. */
export function slice(x: Values, axis: number, start: number, length: number, step: number, limit: number): Values {
  const dims = slicedDims(x.dims, axis, start, length, step);
  const strides = stridesOf(x.dims);
  const first = start * strides[axis]!;
  return gather(x, dims, limit, (index) =>
    index.reduce((place, at, other) => place + at * strides[other]! * (other === axis ? step : 1), first),
  );
}

/** Joins along an axis. */
export function concat(xs: readonly Values[], axis: number, limit: number): Values {
  const result = zeros(
    concatDims(
      xs.map((x) => x.dims),
      axis,
    ),
    limit,
  );
  const outer = result.dims.slice(0, axis).reduce((count, size) => count * size, 1);
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const x of xs) {
      const length = x.data.length / outer;
      result.data.set(x.data.subarray(row * length, (row + 1) * length), at);
      at += length;
    }
  }
  return result;
}

/** See `Backend.lookup`. @throws EngineError `mismatch` where an entry of x is no row of the table. */
export function lookup(x: Values, table: Values, limit: number): Values {
  const [rows, width] = table.dims;
  if (rows === undefined || width === undefined || table.dims.length !== 2) {
    throw new EngineError("mismatch", `[${table.dims.join(", ")}] is no table of rows`);
  }
  const result = zeros([...x.dims, width], limit);
  for (const [at, row] of x.data.entries()) {
    if (!Number.isInteger(row) || row < 0 || row >= rows) {
      throw new EngineError("mismatch", `${row} is no row of a table of ${rows}`);
    }
    result.data.set(table.data.subarray(row * width, (row + 1) * width), at * width);
  }
  return result;
}

/** Along one axis, the input cell of window j's tap k, or −1 in the padding. */
function cellOf(axis: Placement, j: number, k: number): number {
  const cell = j * axis.stride - axis.padBefore + k * axis.dilation;
  return cell >= 0 && cell < axis.input ? cell : -1;
}

/** Calls `visit` with (column element, image element) for every cell of every block that lies inside the image. */
function overBlocks(
  { axes: [height, width] }: Blocks,
  images: number,
  visit: (column: number, cell: number) => void,
): void {
  let column = 0;
  for (let image = 0; image < images; image++) {
    for (let a = 0; a < height.kernel; a++) {
      for (let b = 0; b < width.kernel; b++) {
        for (let i = 0; i < height.output; i++) {
          for (let j = 0; j < width.output; j++, column++) {
            const y = cellOf(height, i, a);
            const x = cellOf(width, j, b);
            if (y >= 0 && x >= 0) visit(column, (image * height.input + y) * width.input + x);
          }
        }
      }
    }
  }
}

/** See `Backend.unfold`. */
export function unfold(x: Values, blocks: Blocks, limit: number): Values {
  const result = zeros(unfoldedDims(x.dims, blocks), limit);
  overBlocks(blocks, x.dims[0]! * x.dims[1]!, (column, cell) => {
    result.data[column] = x.data[cell]!;
  });
  return result;
}

/** See `Backend.fold`. */
export function fold(x: Values, blocks: Blocks, limit: number): Values {
  const result = zeros(foldedDims(x.dims, blocks), limit);
  const sums = new Float64Array(result.data.length);
  overBlocks(blocks, result.dims[0]! * result.dims[1]!, (column, cell) => {
    sums[cell]! += x.data[column]!;
  });
  result.data.set(sums);
  return result;
}

/** See `Backend.resample`. */
export function resample(x: Values, axis: number, taps: Taps, limit: number): Values {
  const result = zeros(resampledDims(x.dims, axis, taps), limit);
  const step = stridesOf(x.dims)[axis]!;
  const outer = x.dims.slice(0, axis).reduce((count, size) => count * size, 1);
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (let j = 0; j < taps.output; j++) {
      for (let inner = 0; inner < step; inner++) {
        let sum = 0;
        for (let tap = j * taps.count; tap < (j + 1) * taps.count; tap++) {
          const cell = taps.indices[tap]!;
          if (cell >= 0) sum += taps.weights[tap]! * x.data[(row * x.dims[axis]! + cell) * step + inner]!;
        }
        result.data[at] = sum;
        at++;
      }
    }
  }
  return result;
}

/** Greatest first; a NaN is greater than all. */
function descending(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  return b - a || 0;
}

/** See `Backend.top`. */
export function top(x: Values, axis: number, k: number, limit: number): Values {
  checkAxis(x.dims, axis);
  const size = x.dims[axis]!;
  if (!Number.isInteger(k) || k < 0 || k > size) throw new EngineError("mismatch", `the greatest ${k} of ${size}`);
  const result = zeros(x.dims.with(axis, k), limit);
  const step = stridesOf(x.dims)[axis]!;
  for (let line = 0; line < x.data.length / Math.max(size, 1); line++) {
    const [row, inner] = [Math.floor(line / step), line % step];
    const cells = Array.from({ length: size }, (_, cell) => x.data[(row * size + cell) * step + inner]!);
    for (const [place, value] of cells.sort(descending).slice(0, k).entries()) {
      result.data[(row * k + place) * step + inner] = value;
    }
  }
  return result;
}

/** A copy that the caller may keep. */
export function copied(x: Values): Values {
  sameDims([elementCount(x.dims)], [x.data.length]);
  return { dims: [...x.dims], data: x.data.slice() };
}
