/**
 * How a direct convolution is cut up: into tiles of pixels and panels of outputs that fit the registers, into strips of
 * rows whose tiles come out even, and into units of work that fit the second-level cache.
 */
import type { Pointwise } from "../backend.ts";
import type { Size3, Strides } from "./tensor.ts";

/** What of the sum stays in registers. */
export interface Tile {
  readonly pixels: number;
  /** Output channels of a panel, in vectors of four. */
  readonly vectors: number;
  /** Terms of the sum that the innermost loop does in one go. */
  readonly unroll: number;
}

export interface DirectGeometry {
  readonly batch: number;
  readonly groups: number;
  /** Input and output channels of one group. */
  readonly channels: number;
  readonly outputs: number;
  /** Windows, for planes, rows and columns. */
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
  readonly tile: Tile;
  readonly fused: boolean;
}

/** Accumulators that hide the latency of a multiply-add: four cycles, two at once. */
const IN_FLIGHT = 8;

/** Bytes of pixels, and of weights, that a unit of work runs over again and again: they stay in the second-level cache. */
const NEAR = 2 ** 17;

/** Operations of a unit of work. */
const UNIT = 2 ** 22;

/** Pixels that follow one another, cut into tiles of nearly equal size. */
function tilesOf(pixels: number, most: number): number[] {
  const count = Math.ceil(pixels / most);
  const tiles = new Array<number>(count).fill(most);
  const missing = count * most - pixels;
  // Whole tiles are the fastest; the last two share what is left.
  if (missing > 0 && count > 1) {
    const left = 2 * most - missing;
    tiles.splice(-2, 2, Math.ceil(left / 2), Math.floor(left / 2));
  } else if (missing > 0) tiles[0] = pixels;
  return tiles;
}

/** What tiles take for one term of the sum: too few accumulators wait for each other. */
function costOf(tiles: readonly number[], vectors: number): number {
  return tiles.reduce((sum, pixels) => sum + Math.max(pixels * vectors, IN_FLIGHT) + 1, 0);
}

/** Output rows that are cut into tiles together, so that few tiles are small ones. */
function stripOf(rows: number, columns: number, tile: Tile): number {
  let [best, least] = [1, Number.POSITIVE_INFINITY];
  for (let strip = 1; strip <= Math.min(rows, 8); strip++) {
    if (strip > 1 && strip * columns > 130) break;
    const last = rows % strip;
    const cost =
      Math.floor(rows / strip) * costOf(tilesOf(strip * columns, tile.pixels), tile.vectors) +
      (last > 0 ? costOf(tilesOf(last * columns, tile.pixels), tile.vectors) : 0);
    if (cost * (1 + 0.002 * strip) < least) [best, least] = [strip, cost * (1 + 0.002 * strip)];
  }
  return best;
}

/**
 * Rows that lie next to each other without a gap are one long row, which is cut anew: the shorter rows are, the more
 * small tiles there are.
 */
export function flattened(geometry: DirectGeometry): DirectGeometry {
  const { kernel, size, stride, x, y, add } = geometry;
  const [planes, rows, columns] = size;
  const isPoint = kernel.every((cells) => cells === 1);
  const gapless = (s: Strides, step: number) => s.row * step === columns * s.pixel * step && step === 1;
  if (!isPoint || !gapless(x, stride[1]) || stride[2] !== 1) return geometry;
  if (!gapless(y, 1) || (add && !gapless(add, 1))) return geometry;
  const pixels = rows * columns;
  if (pixels <= 64) return { ...geometry, size: [planes, 1, pixels] };
  const lengths = [48, 42, 36, 54, 60, 56, 64, 52, 50, 49];
  const even = lengths.find((length) => pixels % length === 0);
  if (even === undefined) return geometry;
  const wide = (s: Strides): Strides => ({ ...s, row: even * s.pixel });
  return { ...geometry, size: [planes, pixels / even, even], x: wide(x), y: wide(y), add: add && wide(add) };
}

/** How the outputs of a group are cut into panels: whole ones, and a narrower last one. */
export function panelsOf(outputs: number, vectors: number) {
  const whole = Math.floor(outputs / (4 * vectors));
  const rest = Math.ceil((outputs - whole * 4 * vectors) / 4);
  return { whole, rest, count: whole + (rest > 0 ? 1 : 0) };
}

/** Terms of the sum of one output. */
export function termsOf({ kernel, channels }: Pick<DirectGeometry, "kernel" | "channels">): number {
  return kernel[0] * kernel[1] * kernel[2] * channels;
}

/** How a geometry is cut into units of work: some strips of output rows, of panels of outputs, and of small groups. */
export function cut(geometry: DirectGeometry) {
  const { batch, groups, outputs, stride, size, x, y, tile } = geometry;
  const [planes, rows, columns] = size;
  const stripRows = stripOf(rows, columns, tile);
  const strips = Math.ceil(rows / stripRows);
  const panels = panelsOf(outputs, tile.vectors);
  const near = 4 * stripRows * (stride[1] * x.row + y.row);
  const panelBytes = 16 * tile.vectors * termsOf(geometry);
  const panelWork = 8 * stripRows * columns * tile.vectors * Math.max(1, termsOf(geometry));
  const most = Math.max(UNIT / 32, Math.min(UNIT, (panelWork * strips * panels.count * planes * batch * groups) / 16));
  /** As many parts as fit, in units of nearly equal size. */
  const evenly = (count: number, ...fit: number[]) => {
    const most = Math.max(1, Math.floor(Math.min(count, ...fit)));
    return Math.ceil(count / Math.ceil(count / most));
  };
  const unitStrips = evenly(strips, NEAR / near, most / panelWork);
  const stripsWork = panelWork * unitStrips;
  const unitPanels = evenly(panels.count, NEAR / panelBytes, most / stripsWork);
  const groupsWork = stripsWork * unitPanels;
  // Groups that share pixels share cache lines.
  const together = x.group === undefined && unitPanels === panels.count;
  const unitGroups = together ? evenly(groups, NEAR / (panelBytes * panels.count), most / groupsWork) : 1;
  return {
    ...{ stripRows, strips, panels, unitStrips, unitPanels, unitGroups },
    stripUnits: Math.ceil(strips / unitStrips),
    panelUnits: Math.ceil(panels.count / unitPanels),
    groupUnits: Math.ceil(groups / unitGroups),
    work: groupsWork * unitGroups,
  };
}

/** Pixels in one tile: where they are, in bytes behind the first one. */
export interface Placed {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly add: readonly number[];
}

/** Equal tiles that follow one another at equal distances. */
interface TileRun {
  readonly tile: Placed;
  readonly count: number;
  /** Of the first tile from the start of the strip, and of each from the one before. In bytes. */
  readonly start: { readonly x: number; readonly y: number; readonly add: number };
  readonly step: { readonly x: number; readonly y: number; readonly add: number };
}

/** The tiles of a strip of some rows. */
export function placeTiles({ size, stride, x, y, add, tile }: DirectGeometry, rows: number): TileRun[] {
  const columns = size[2];
  const at = (pixel: number) => {
    const [row, column] = [Math.floor(pixel / columns), pixel % columns];
    return {
      x: 4 * (row * stride[1] * x.row + column * stride[2] * x.pixel),
      y: 4 * (row * y.row + column * y.pixel),
      add: add ? 4 * (row * add.row + column * add.pixel) : 0,
    };
  };
  const runs: TileRun[] = [];
  let first = 0;
  for (const pixels of tilesOf(rows * columns, tile.pixels)) {
    const start = at(first);
    const places = Array.from({ length: pixels }, (_, index) => at(first + index));
    const placed = {
      x: places.map((place) => place.x - start.x),
      y: places.map((place) => place.y - start.y),
      add: places.map((place) => place.add - start.add),
    };
    first += pixels;
    const last = runs.at(-1);
    if (last && JSON.stringify(last.tile) === JSON.stringify(placed)) {
      const end = {
        x: last.start.x + (last.count - 1) * last.step.x,
        y: last.start.y + (last.count - 1) * last.step.y,
        add: last.start.add + (last.count - 1) * last.step.add,
      };
      const step = { x: start.x - end.x, y: start.y - end.y, add: start.add - end.add };
      if (last.count === 1 || JSON.stringify(step) === JSON.stringify(last.step)) {
        runs[runs.length - 1] = { ...last, count: last.count + 1, step };
        continue;
      }
    }
    runs.push({ tile: placed, count: 1, start, step: { x: 0, y: 0, add: 0 } });
  }
  return runs;
}
