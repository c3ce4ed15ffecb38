/**
 * Direct convolution: one kernel for all that is a sum over taps and channels, whatever the stride, dilation, groups and
 * number of axes. 1×1 convolutions, products of matrices and the phases of transposed convolutions are special cases.
 *
 * It is a product of matrices whose left side, the windows, is never written down (implicit GEMM). A tile of a few
 * pixels times one panel of output channels stays in registers through the whole sum:
 *
 *     for each panel of output channels                 the weights of one panel stay in the cache
 *       for each strip of output rows, each tile in it
 *         for each tap (plane, row, column) and input channel
 *           one vector of weights per four outputs; one number of each pixel, in all lanes; multiply and add
 *         add, activate, store
 *
 * The addresses of a tile's pixels relative to its first one are constants in the code, so tiles may well run on from one
 * row into the next. Sources: Goto & van de Geijn 2008 for the blocking; Dukhan, "The Indirect Convolution Algorithm".
 */
import type { Pointwise } from "../backend.ts";
import { applied } from "./activation.ts";
import { type FunctionWriter, f32x4, i32, type Local, type Operand, v128 } from "./assembler.ts";
import type { Kernel } from "./kernel.ts";
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

/** Terms that one accumulator sums up before it is added to the rest, so that errors do not grow with channels. */
const CHAIN = 1152;

/** Accumulators that hide the latency of a multiply-add: four cycles, two at once. */
const IN_FLIGHT = 8;

/** Bytes of input that a unit of work runs over for every panel: they stay in the second-level cache. */
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
function stripRows(rows: number, columns: number, tile: Tile): number {
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
function flattened(geometry: DirectGeometry): DirectGeometry {
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
function panelsOf(outputs: number, vectors: number) {
  const whole = Math.floor(outputs / (4 * vectors));
  const rest = Math.ceil((outputs - whole * 4 * vectors) / 4);
  return { whole, rest, count: whole + (rest > 0 ? 1 : 0) };
}

/** Terms of the sum of one output. */
function termsOf({ kernel, channels }: Pick<DirectGeometry, "kernel" | "channels">): number {
  return kernel[0] * kernel[1] * kernel[2] * channels;
}

/** How a geometry is cut into units of work. */
function cut(geometry: DirectGeometry) {
  const { batch, groups, outputs, stride, size, x, y, tile } = geometry;
  const [planes, rows, columns] = size;
  const strip = stripRows(rows, columns, tile);
  const strips = Math.ceil(rows / strip);
  const panels = panelsOf(outputs, tile.vectors);
  const near = 4 * strip * (stride[1] * x.row + y.row);
  const panelWork = 2 * strip * columns * termsOf(geometry) * 4 * tile.vectors;
  const most = Math.max(UNIT / 32, Math.min(UNIT, (panelWork * strips * panels.count * planes * batch * groups) / 16));
  const stripsFit = Math.min(strips, Math.max(1, Math.floor(NEAR / near)), Math.max(1, Math.floor(most / panelWork)));
  const stripUnits = Math.ceil(strips / stripsFit);
  const unitStrips = Math.ceil(strips / stripUnits);
  const panelsFit = Math.min(panels.count, Math.max(1, Math.floor(most / (panelWork * unitStrips))));
  const panelUnits = Math.ceil(panels.count / panelsFit);
  const unitPanels = Math.ceil(panels.count / panelUnits);
  return {
    ...{ strip, strips, panels, unitStrips, unitPanels },
    stripUnits: Math.ceil(strips / unitStrips),
    panelUnits: Math.ceil(panels.count / unitPanels),
    work: panelWork * unitStrips * unitPanels,
  };
}

/** Pixels in one tile: where they are, in bytes behind the first one. */
interface Placed {
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
function placeTiles({ size, stride, x, y, add, tile }: DirectGeometry, rows: number): TileRun[] {
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

/** Stretches of memory that the sum of one output runs over, the same for every tap row. */
function stretches({ kernel, dilation, channels, x }: DirectGeometry) {
  // Taps whose channels lie next to each other are one stretch.
  const joined = dilation[2] === 1 && x.pixel === channels;
  const [count, length] = joined ? [1, kernel[2] * channels] : [kernel[2], channels];
  // In a row of taps longer than a chain, the sum is split inside; otherwise after each row.
  const pieces = Math.ceil(length / CHAIN);
  return { count, length, pieces, isSplit: kernel[0] * kernel[1] * count * length > CHAIN };
}

/** Writes the tiles of one strip and one panel. Holds the variables that the levels of the loop nest share. */
class TileWriter {
  private readonly sums: readonly Local[];
  private readonly weights: readonly Local[];
  private readonly factor: Local;
  private readonly weight: Local;
  private readonly plane: Local;
  private readonly row: Local;
  private readonly tap: Local;
  private readonly end: Local;
  private readonly activate: ((vector: Local) => void) | null;

  constructor(
    private readonly f: FunctionWriter,
    private readonly geometry: DirectGeometry,
  ) {
    const { pixels, vectors } = geometry.tile;
    this.sums = f.locals("v128", pixels * vectors);
    this.weights = f.locals("v128", Math.max(vectors, pixels));
    this.factor = f.local("v128");
    [this.weight, this.plane, this.row, this.tap, this.end] = f.locals("i32", 5) as [Local, Local, Local, Local, Local];
    this.activate = applied(f, geometry.activation);
  }

  /** One tile: its sums, and what becomes of them. `lanes` of the last vector are channels. */
  tile(placed: Placed, vectors: number, lanes: number, at: Record<"x" | "y" | "add" | "weight" | "bias", Local>): void {
    const { f, geometry } = this;
    const pixels = placed.x.length;
    const sum = (pixel: number, vector: number) => this.sums[pixel * vectors + vector]!;
    const { isSplit } = stretches(geometry);
    const each = (body: (vector: Local, pixel: number, v: number, kept: number) => void) => {
      for (let p = 0; p < pixels; p++) {
        for (let v = 0; v < vectors; v++) body(sum(p, v), p, v, v === vectors - 1 ? lanes : 4);
      }
    };
    const y = (pixel: number, v: number) => placed.y[pixel]! + 16 * v;
    each((vector, _, v) => f.set(vector, v128.load(at.bias, 16 * v)));
    if (isSplit) {
      // The output itself holds what has been summed up so far.
      each((vector, p, v, kept) => f.storeVector(at.y, vector, y(p, v), kept));
    }
    const begin = () => isSplit && each((vector) => f.set(vector, f32x4.constant(0)));
    const finish = () => {
      if (!isSplit) return;
      each((vector, p, v, kept) => {
        f.set(vector, f32x4.add(vector, this.loadVector(at.y, y(p, v), kept)));
        f.storeVector(at.y, vector, y(p, v), kept);
      });
    };
    this.sumUp(placed.x, vectors, at, begin, finish);
    each((vector, p, v, kept) => {
      if (geometry.add) f.set(vector, f32x4.add(vector, this.loadVector(at.add, placed.add[p]! + 16 * v, kept)));
      this.activate?.(vector);
      f.storeVector(at.y, vector, y(p, v), kept);
    });
  }

  private loadVector(address: Operand, offset: number, lanes: number): Operand {
    if (lanes === 4) return v128.load(address, offset);
    if (lanes === 1) return v128.loadOne(address, offset);
    const two = v128.loadTwo(address, offset);
    return lanes === 2 ? two : v128.loadLane(address, two, 2, offset + 8);
  }

  /** The loop nest over planes, rows and columns of taps. `begin` and `finish` stand around the sum of each chain. */
  private sumUp(
    offsets: readonly number[],
    vectors: number,
    at: Record<"x" | "weight", Local>,
    begin: () => void,
    finish: () => void,
  ): void {
    const { f, geometry } = this;
    const { kernel, dilation, x } = geometry;
    const { count, length, pieces } = stretches(geometry);
    // A phase of a transposed convolution may have no taps.
    if (termsOf(geometry) === 0) return;
    f.set(this.weight, at.weight);
    f.set(this.plane, at.x);
    f.repeat(kernel[0], () => {
      f.set(this.row, this.plane);
      f.repeat(kernel[1], () => {
        f.set(this.tap, this.row);
        if (pieces === 1) begin();
        f.repeat(count, () => {
          if (pieces === 1) this.stretch(offsets, vectors, length);
          else {
            const whole = Math.floor(length / pieces / 4) * 4;
            const piece = (terms: number) => {
              begin();
              this.stretch(offsets, vectors, terms);
              finish();
            };
            f.repeat(pieces - 1, () => piece(whole));
            piece(length - (pieces - 1) * whole);
            f.increase(this.tap, -4 * length);
          }
          f.increase(this.tap, 4 * dilation[2] * x.pixel);
        });
        if (pieces === 1) finish();
        f.increase(this.row, 4 * dilation[1] * x.row);
      });
      f.increase(this.plane, 4 * dilation[0] * x.plane);
    });
  }

  /**
   * The terms of one stretch of numbers that lie next to each other, from `tap` on; `weight` moves behind what it read.
   * In one piece `tap` stays; where the caller cuts a stretch into pieces, it moves.
   */
  private stretch(offsets: readonly number[], vectors: number, length: number): void {
    const { f, tap, weight } = this;
    // Where a V8 does not unroll a little well, it does not unroll a lot either.
    const most = this.geometry.tile.unroll;
    const unroll = most > 1 && length <= 24 ? length : most;
    const rounds = Math.floor(length / unroll);
    const step = (terms: number) => {
      for (let term = 0; term < terms; term++) this.term(offsets, vectors, term);
      f.increase(weight, 16 * vectors * terms);
      f.increase(tap, 4 * terms);
    };
    if (rounds === 1) step(unroll);
    else {
      f.set(this.end, i32.add(tap, 4 * unroll * rounds));
      f.until(() => {
        step(unroll);
        return i32.ne(tap, this.end);
      });
    }
    if (length % unroll > 0) step(length % unroll);
    if (stretches(this.geometry).pieces === 1) f.increase(tap, -4 * length);
  }

  /** One term of the sums of all pixels: an input number of each, times a panel of weights. */
  private term(offsets: readonly number[], vectors: number, term: number): void {
    const { f, tap, weight, weights, factor, sums } = this;
    const accumulate = (pixel: number, v: number, input: Local, weights: Local) => {
      const sum = sums[pixel * vectors + v]!;
      f.set(
        sum,
        this.geometry.fused ? f32x4.fusedMultiplyAdd(input, weights, sum) : f32x4.add(f32x4.mul(input, weights), sum),
      );
    };
    const loadWeights = (into: Local, v: number) => f.set(into, v128.load(weight, 16 * (term * vectors + v)));
    const loadInput = (into: Local, pixel: number) => f.set(into, v128.splat(tap, offsets[pixel]! + 4 * term));
    // Whichever side has fewer vectors stays in registers.
    if (vectors <= offsets.length) {
      for (let v = 0; v < vectors; v++) loadWeights(weights[v]!, v);
      for (let pixel = 0; pixel < offsets.length; pixel++) {
        loadInput(factor, pixel);
        for (let v = 0; v < vectors; v++) accumulate(pixel, v, factor, weights[v]!);
      }
    } else {
      for (let pixel = 0; pixel < offsets.length; pixel++) loadInput(weights[pixel]!, pixel);
      for (let v = 0; v < vectors; v++) {
        loadWeights(factor, v);
        for (let pixel = 0; pixel < offsets.length; pixel++) accumulate(pixel, v, weights[pixel]!, factor);
      }
    }
  }
}

/**
 * The kernel of a geometry. `x` is the address of the cell that the first tap of the first output reads, `y` and `add`
 * those of the first pixel; `weight` is packed by `packDirect`, `bias` has the outputs of all panels.
 */
export function directKernel(given: DirectGeometry): Kernel<"x" | "weight" | "bias" | "y" | "add"> {
  const geometry = flattened(given);
  const { batch, groups, channels, outputs, stride, size, x, y, add, tile } = geometry;
  const [planes, rows] = size;
  const { strip, strips, panels, unitStrips, unitPanels, stripUnits, panelUnits, work } = cut(geometry);
  const panelFloats = termsOf(geometry) * 4 * tile.vectors;
  const groupFloats = termsOf(geometry) * 4 * (panels.whole * tile.vectors + panels.rest);
  const groupBias = 4 * (panels.whole * tile.vectors + panels.rest);
  const { batch: _, ...coded } = geometry;
  return {
    key: `direct ${JSON.stringify(coded)}`,
    addresses: ["x", "weight", "bias", "y", "add"],
    units: batch * planes * groups * stripUnits * panelUnits,
    work,
    write(f, addresses, unit) {
      const writer = new TileWriter(f, geometry);
      const at = {
        ...{ x: f.local("i32"), y: f.local("i32"), add: f.local("i32") },
        ...{ weight: f.local("i32"), bias: f.local("i32") },
      };
      // unit = (((image, plane), group), strips), panels: neighbours share their input.
      const [panelUnit, outer] = [f.let("i32", i32.rem(unit, panelUnits)), f.let("i32", i32.div(unit, panelUnits))];
      const firstStrip = f.let("i32", i32.mul(i32.rem(outer, stripUnits), unitStrips));
      f.set(outer, i32.div(outer, stripUnits));
      const group = f.let("i32", i32.rem(outer, groups));
      f.set(outer, i32.div(outer, groups));
      const [plane, image] = [f.let("i32", i32.rem(outer, planes)), f.let("i32", i32.div(outer, planes))];
      const slab = (s: Strides, step: number, groupStep: number) =>
        i32.add(
          i32.mul(image, 4 * s.image),
          i32.add(i32.mul(plane, 4 * step * s.plane), i32.mul(group, 4 * (s.group ?? groupStep))),
        );
      const base = {
        x: f.let("i32", i32.add(addresses.x, slab(x, stride[0], channels))),
        y: f.let("i32", i32.add(addresses.y, slab(y, 1, outputs))),
        add: f.let("i32", add ? i32.add(addresses.add, slab(add, 1, outputs)) : 0),
      };
      const firstPanel = f.let("i32", i32.mul(panelUnit, unitPanels));
      const lastPanel = f.let("i32", i32.min(i32.add(firstPanel, unitPanels), panels.count));
      const lastStrip = f.let("i32", i32.min(i32.add(firstStrip, unitStrips), strips));
      const [panel, stripIndex] = [f.local("i32"), f.local("i32")];
      const start = { x: f.local("i32"), y: f.local("i32"), add: f.local("i32") };

      const tiles = (rowsOfStrip: number, vectors: number, lanes: number) => {
        for (const run of placeTiles(geometry, rowsOfStrip)) {
          f.set(at.x, i32.add(start.x, run.start.x));
          f.set(at.y, i32.add(start.y, run.start.y));
          if (add) f.set(at.add, i32.add(start.add, run.start.add));
          f.repeat(run.count, () => {
            writer.tile(run.tile, vectors, lanes, at);
            if (run.count === 1) return;
            f.increase(at.x, run.step.x);
            f.increase(at.y, run.step.y);
            if (add) f.increase(at.add, run.step.add);
          });
        }
      };
      const overStrips = (vectors: number, lanes: number) => {
        f.range(stripIndex, firstStrip, lastStrip, 1, () => {
          const channel = i32.mul(panel, 16 * tile.vectors);
          f.set(start.x, i32.add(base.x, i32.mul(stripIndex, 4 * strip * stride[1] * x.row)));
          f.set(start.y, i32.add(base.y, i32.add(channel, i32.mul(stripIndex, 4 * strip * y.row))));
          if (add) f.set(start.add, i32.add(base.add, i32.add(channel, i32.mul(stripIndex, 4 * strip * add.row))));
          const last = rows % strip;
          if (last === 0) tiles(strip, vectors, lanes);
          else if (strips === 1) tiles(last, vectors, lanes);
          else {
            f.if(
              i32.eq(stripIndex, strips - 1),
              () => tiles(last, vectors, lanes),
              () => tiles(strip, vectors, lanes),
            );
          }
        });
      };
      // Behind the last channel of a pixel there may be the next pixel, or another group's channel.
      const room = groups === 1 || y.group !== undefined ? y.pixel : outputs;
      const lastLanes = room >= 4 * Math.ceil(outputs / 4) ? 4 : outputs - 4 * (Math.ceil(outputs / 4) - 1);
      const narrow = () => overStrips(panels.rest, lastLanes);
      const wide = () => overStrips(tile.vectors, 4);
      f.range(panel, firstPanel, lastPanel, 1, () => {
        f.set(
          at.weight,
          i32.add(addresses.weight, i32.add(i32.mul(group, 4 * groupFloats), i32.mul(panel, 4 * panelFloats))),
        );
        f.set(
          at.bias,
          i32.add(addresses.bias, i32.add(i32.mul(group, 4 * groupBias), i32.mul(panel, 16 * tile.vectors))),
        );
        if (panels.rest === 0) wide();
        else if (panels.whole === 0) narrow();
        else f.if(i32.eq(panel, panels.whole), narrow, wide);
      });
    },
  };
}

/** What packed weights depend on. */
type Packing = Pick<DirectGeometry, "groups" | "channels" | "outputs" | "kernel" | "tile">;

/** How many floats packed weights and biases take. */
export function directWeights(geometry: Packing): { readonly weight: number; readonly bias: number } {
  const { whole, rest } = panelsOf(geometry.outputs, geometry.tile.vectors);
  const lanes = geometry.groups * 4 * (whole * geometry.tile.vectors + rest);
  return { weight: lanes * termsOf(geometry), bias: lanes };
}

/**
 * Writes weights in the order in which the kernel reads them: [group][panel][plane][row][column][channel][output in
 * panel]; outputs that are not there are zeros.
 * @param at the index in the source of group g's output o, channel c, tap t is g·group + o·output + c·channel + taps[t].
 */
export function packDirect(
  target: Float32Array,
  source: Float32Array,
  geometry: Packing,
  at: Readonly<Record<"group" | "output" | "channel", number>> & { readonly taps: readonly number[] },
): void {
  const { groups, channels, outputs, tile } = geometry;
  const wide = 4 * tile.vectors;
  let to = 0;
  for (let group = 0; group < groups; group++) {
    for (let first = 0; first < outputs; first += wide) {
      const real = Math.min(wide, outputs - first);
      const lanes = 4 * Math.ceil(real / 4);
      for (const tap of at.taps) {
        for (let channel = 0; channel < channels; channel++) {
          let from = group * at.group + first * at.output + channel * at.channel + tap;
          for (let lane = 0; lane < lanes; lane++) {
            target[to++] = lane < real ? source[from]! : 0;
            from += at.output;
          }
        }
      }
    }
  }
}

/** Writes biases as panels have them; none is zeros. */
export function packBias(
  target: Float32Array,
  bias: Float32Array | null,
  { groups, outputs }: Pick<DirectGeometry, "groups" | "outputs">,
): void {
  target.fill(0);
  if (!bias) return;
  const lanes = target.length / groups;
  for (let group = 0; group < groups; group++) {
    target.set(bias.subarray(group * outputs, (group + 1) * outputs), group * lanes);
  }
}
