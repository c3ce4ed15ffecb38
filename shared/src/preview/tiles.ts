/**
 * Pictures of planes: RGBA at the size they are shown in, and rows as numbers. However large a tensor is, a picture is
 * bounded by what the screen asks for.
 */
import {
  endsFor,
  INFINITE_COLOUR,
  NAN_COLOUR,
  type Palette,
  type PaletteName,
  paletteNamed,
  stepOf,
} from "./palette.ts";
import type { Planes } from "./planes.ts";
import type { ColourRange } from "./protocol.ts";

/** Pixels of one answer at most; planes that do not fit are left for another request. */
const MOST_PIXELS = 2 ** 22;
/** Values of one answer of `seriesOf` at most. */
const MOST_POINTS = 2 ** 20;

export interface TileRequest {
  readonly from: number;
  readonly to: number;
  readonly slice: number;
  readonly part?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  /** The largest picture of one plane. */
  readonly width: number;
  readonly height: number;
  /** `picture`: three planes as red, green and blue, one as grey, values from 0 to 1. */
  readonly palette: PaletteName | "picture";
  readonly range: ColourRange;
}

export interface Tiles {
  readonly from: number;
  /** May be less than was asked for. */
  readonly to: number;
  readonly slice: number;
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
  /** Least and greatest of each picture's palette. */
  readonly ranges: Float32Array<ArrayBuffer>;
}

/** Which cells of one axis a pixel stands for: [first, end). */
function spans(start: number, size: number, pixels: number): readonly (readonly [number, number])[] {
  return Array.from({ length: pixels }, (_, pixel) => {
    const first = start + Math.floor((pixel * size) / pixels);
    return [first, Math.max(first + 1, start + Math.floor(((pixel + 1) * size) / pixels))] as const;
  });
}

function whole(value: number, least: number, most: number): number {
  return Math.min(Math.max(Math.trunc(Number.isFinite(value) ? value : least), least), most);
}

/**
 * Pictures of the planes [from, to). A picture has a pixel for every cell, or fewer where it is larger than asked for: then
 * a pixel is the mean of its cells, and not a number where one of them is not.
 * @param bounds of the whole tensor, where the range is `tensor`.
 */
export function tilesOf(planes: Planes, request: TileRequest, bounds: readonly [number, number] | null): Tiles {
  const { layout } = planes;
  const part = request.part ?? { x: 0, y: 0, width: layout.width, height: layout.height };
  const x = whole(part.x, 0, layout.width - 1);
  const y = whole(part.y, 0, layout.height - 1);
  const partWidth = whole(part.width, 1, layout.width - x);
  const partHeight = whole(part.height, 1, layout.height - y);
  const width = whole(request.width, 1, Math.min(partWidth, 4096));
  const height = whole(request.height, 1, Math.min(partHeight, Math.floor(MOST_PIXELS / width)));
  const slice = whole(request.slice, 0, layout.depth - 1);
  const from = whole(request.from, 0, layout.planes - 1);
  const most = Math.max(Math.floor(MOST_PIXELS / (width * height)), 1);
  const to =
    request.palette === "picture" ? from + 1 : whole(request.to, from + 1, Math.min(layout.planes, from + most));
  const rgba = new Uint8ClampedArray(4 * width * height * (to - from));
  const ranges = new Float32Array(2 * (to - from));
  const [rows, columns] = [spans(y, partHeight, height), spans(x, partWidth, width)];
  const means = (plane: number) => averaged(planes, plane, slice, rows, columns);
  if (request.palette === "picture") {
    const colours = layout.planes >= 3 ? [0, 1, 2].map((each) => means(each)) : new Array(3).fill(means(0));
    for (let at = 0; at < width * height; at++) {
      rgba.set([255 * colours[0]![at]!, 255 * colours[1]![at]!, 255 * colours[2]![at]!, 255], 4 * at);
    }
    ranges.set([0, 1]);
    return { from, to, slice, width, height, rgba, ranges };
  }
  const palette = paletteNamed(request.palette);
  for (let plane = from; plane < to; plane++) {
    const [min, max] = endsOf(request, request.range === "plane" ? planes.bounds(plane) : bounds);
    ranges.set([min, max], 2 * (plane - from));
    paint(means(plane), palette, min, max, rgba.subarray(4 * width * height * (plane - from)));
  }
  return { from, to, slice, width, height, rgba, ranges };
}

function endsOf({ palette, range }: TileRequest, bounds: readonly [number, number] | null): readonly [number, number] {
  const [min, max] = typeof range === "object" ? [range.min, range.max] : (bounds ?? [0, 0]);
  return endsFor(palette as PaletteName, min, max);
}

function averaged(
  planes: Planes,
  plane: number,
  slice: number,
  rows: readonly (readonly [number, number])[],
  columns: readonly (readonly [number, number])[],
): Float64Array {
  const { data } = planes.values;
  const [sliceStep, rowStep, cellStep] = planes.steps;
  const start = planes.offsetOf(plane) + slice * sliceStep;
  const means = new Float64Array(rows.length * columns.length);
  let at = 0;
  for (const [top, bottom] of rows) {
    for (const [left, right] of columns) {
      let sum = 0;
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) sum += data[start + y * rowStep + x * cellStep]!;
      }
      means[at++] = sum / ((bottom - top) * (right - left));
    }
  }
  return means;
}

function paint(means: Float64Array, palette: Palette, min: number, max: number, rgba: Uint8ClampedArray): void {
  for (const [at, value] of means.entries()) {
    if (Number.isFinite(value)) {
      const step = 3 * stepOf(value, min, max);
      rgba[4 * at] = palette[step]!;
      rgba[4 * at + 1] = palette[step + 1]!;
      rgba[4 * at + 2] = palette[step + 2]!;
    } else rgba.set(Number.isNaN(value) ? NAN_COLOUR : INFINITE_COLOUR, 4 * at);
    rgba[4 * at + 3] = 255;
  }
}

export interface Series {
  readonly from: number;
  readonly to: number;
  readonly points: number;
  /** Planes × points × (least, greatest); NaN where a stretch holds no finite value. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** The first row of the planes [from, to), each in at most `points` stretches. */
export function seriesOf(planes: Planes, request: { from: number; to: number; points: number }): Series {
  const { layout, values } = planes;
  const points = whole(request.points, 1, Math.min(layout.width, MOST_POINTS));
  const from = whole(request.from, 0, layout.planes - 1);
  const most = Math.max(Math.floor(MOST_POINTS / points), 1);
  const to = whole(request.to, from + 1, Math.min(layout.planes, from + most));
  const cell = planes.steps[2];
  const result = new Float32Array(2 * points * (to - from)).fill(Number.NaN);
  let at = 0;
  for (let plane = from; plane < to; plane++) {
    const start = planes.offsetOf(plane);
    for (const [first, end] of spans(0, layout.width, points)) {
      for (let x = first; x < end; x++) {
        const value = values.data[start + x * cell]!;
        if (!Number.isFinite(value)) continue;
        if (!(result[at]! <= value)) result[at] = value;
        if (!(result[at + 1]! >= value)) result[at + 1] = value;
      }
      at += 2;
    }
  }
  return { from, to, points, values: result };
}
