/**
 * Direct convolution: one kernel for all that is a sum over taps and channels, whatever the stride, dilation, groups and
 * number of axes. 1×1 convolutions, products of matrices and the phases of transposed convolutions are special cases.
 *
 * It is a product of matrices whose left side, the windows, is never written down (implicit GEMM). A tile of a few
 * pixels times one panel of output channels stays in registers through the whole sum:
 *
 *     for each strip of output rows, each tile in it
 *       for each group, each panel of its output channels          as many as fit the second-level cache
 *         for each tap (plane, row, column) and input channel
 *           one vector of weights per four outputs; one number of each pixel, in all lanes; multiply and add
 *         add, activate, store
 *
 * The addresses of a tile's pixels relative to its first one are constants in the code, so tiles may well run on from one
 * row into the next. Sources: Goto & van de Geijn 2008 for the blocking; Dukhan, "The Indirect Convolution Algorithm".
 */
import { applied } from "./activation.ts";
import { type FunctionWriter, f32x4, i32, type Local, type Operand, v128 } from "./assembler.ts";
import type { Kernel } from "./kernel.ts";
import type { Strides } from "./tensor.ts";
import { cut, type DirectGeometry, flattened, type Placed, placeTiles, termsOf } from "./tiling.ts";

/** Distances between pixels that stay in registers. */
const OFFSETS = 6;

/** Widest row of taps whose weights stay in registers beside ten sums. */
const NARROW = 3;

/** Terms that one accumulator sums up before it is added to the rest, so that errors do not grow with channels. */
const CHAIN = 576;

/** Stretches of memory that the sum of one output runs over, the same for every tap row. */
function stretches({ kernel, dilation, channels, x }: DirectGeometry) {
  // Taps whose channels lie next to each other are one stretch.
  const joined = dilation[2] === 1 && x.pixel === channels;
  const [count, length] = joined ? [1, kernel[2] * channels] : [kernel[2], channels];
  // In a row of taps longer than a chain, the sum is split inside; otherwise after each row.
  const pieces = Math.ceil(length / CHAIN);
  return { count, length, pieces, isSplit: kernel[0] * kernel[1] * count * length > CHAIN };
}

/** What tiles are read from and written to. */
type Moving = "x" | "y" | "add";

/** Whether tiles read a whole row of taps at once: for this few outputs, loading inputs takes longer than multiplying. */
function readsRows(geometry: DirectGeometry): boolean {
  const { kernel, tile } = geometry;
  return tile.vectors === 1 && kernel[2] > 1 && kernel[2] <= NARROW && stretches(geometry).pieces === 1;
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
  private readonly later: Local;
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
    [this.weight, this.plane, this.row] = f.locals("i32", 3) as [Local, Local, Local];
    [this.tap, this.later, this.end] = f.locals("i32", 3) as [Local, Local, Local];
    this.activate = applied(f, geometry.activation);
  }

  /** One tile: its sums, and what becomes of them. `lanes` of the last vector are channels. */
  tile(placed: Placed, vectors: number, lanes: number, at: Record<Moving | "weight" | "bias", Local>): void {
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
    const tap = () => {
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
      }
      f.increase(this.tap, 4 * (dilation[2] * x.pixel - length));
    };
    f.set(this.weight, at.weight);
    f.set(this.plane, at.x);
    f.repeat(kernel[0], () => {
      f.set(this.row, this.plane);
      f.repeat(kernel[1], () => {
        f.set(this.tap, this.row);
        if (pieces === 1) begin();
        if (readsRows(geometry)) this.rowOfTaps(offsets);
        else f.repeat(count, () => tap());
        if (pieces === 1) finish();
        f.increase(this.row, 4 * dilation[1] * x.row);
      });
      f.increase(this.plane, 4 * dilation[0] * x.plane);
    });
  }

  /** The terms of one stretch of numbers that lie next to each other. `tap` and `weight` move behind what they read. */
  private stretch(offsets: readonly number[], vectors: number, length: number): void {
    const { f, tap, weight } = this;
    this.inRounds(length, (terms) => {
      for (let term = 0; term < terms; term++) {
        this.term(offsets, vectors, term);
        f.increase(tap, 4);
      }
      f.increase(weight, 16 * vectors * terms);
    });
  }

  /**
   * The terms of one row of taps, channel by channel. Windows overlap: an input number is loaded once for all the taps
   * that see it, whose weights stay in registers. `weight` moves behind the row.
   */
  private rowOfTaps(offsets: readonly number[]): void {
    const { f, tap, weight, weights, factor } = this;
    const { kernel, dilation, channels, x } = this.geometry;
    const uses = new Map<number, { readonly pixel: number; readonly column: number }[]>();
    for (let column = 0; column < kernel[2]; column++) {
      for (const [pixel, offset] of offsets.entries()) {
        const cell = offset + 4 * column * dilation[2] * x.pixel;
        uses.set(cell, [...(uses.get(cell) ?? []), { pixel, column }]);
      }
    }
    const cells = [...uses.keys()].sort((a, b) => a - b);
    this.inRounds(channels, (terms) => {
      for (let term = 0; term < terms; term++) {
        for (const [column, vector] of weights.slice(0, kernel[2]).entries()) {
          f.set(vector, v128.load(weight, 16 * (column * channels + term)));
        }
        for (const [index, cell] of cells.entries()) {
          this.loadInput(factor, cells, index);
          for (const { pixel, column } of uses.get(cell)!) this.accumulate(this.sums[pixel]!, factor, weights[column]!);
        }
        f.increase(tap, 4);
      }
      f.increase(weight, 16 * terms);
    });
    f.increase(weight, 16 * (kernel[2] - 1) * channels);
  }

  /** Writes `step` so often that it does `length` terms from `tap` on, which it moves. */
  private inRounds(length: number, step: (terms: number) => void): void {
    const { f, tap, end } = this;
    // Where a V8 does not unroll a little well, it does not unroll a lot either.
    const most = this.geometry.tile.unroll;
    const unroll = most > 1 && length <= 24 ? length : most;
    const rounds = Math.floor(length / unroll);
    if (rounds === 1) step(unroll);
    else {
      f.set(end, i32.add(tap, 4 * unroll * rounds));
      f.until(() => {
        step(unroll);
        return i32.ne(tap, end);
      });
    }
    if (length % unroll > 0) step(length % unroll);
  }

  /** One term of the sums of all pixels: an input number of each, times a panel of weights. */
  private term(offsets: readonly number[], vectors: number, term: number): void {
    const { f, weight, weights, factor, sums } = this;
    const loadWeights = (into: Local, v: number) => f.set(into, v128.load(weight, 16 * (term * vectors + v)));
    const sum = (pixel: number, v: number) => sums[pixel * vectors + v]!;
    // Whichever side has fewer vectors stays in registers.
    if (vectors <= offsets.length) {
      for (let v = 0; v < vectors; v++) loadWeights(weights[v]!, v);
      for (let pixel = 0; pixel < offsets.length; pixel++) {
        this.loadInput(factor, offsets, pixel);
        for (let v = 0; v < vectors; v++) this.accumulate(sum(pixel, v), factor, weights[v]!);
      }
    } else {
      for (let pixel = 0; pixel < offsets.length; pixel++) this.loadInput(weights[pixel]!, offsets, pixel);
      for (let v = 0; v < vectors; v++) {
        loadWeights(factor, v);
        for (let pixel = 0; pixel < offsets.length; pixel++) this.accumulate(sum(pixel, v), weights[pixel]!, factor);
      }
    }
  }

  /**
   * One of the numbers `offsets` behind `tap`, in all lanes. V8 adds the offset of such a load to the start of memory
   * first: as long as only few offsets occur, in whatever term, these sums stay in registers.
   */
  private loadInput(into: Local, offsets: readonly number[], index: number): void {
    const { f, tap, later } = this;
    const first = index - (index % OFFSETS);
    if (first > 0 && index === first) f.set(later, i32.add(tap, offsets[first]!));
    f.set(into, first > 0 ? v128.splat(later, offsets[index]! - offsets[first]!) : v128.splat(tap, offsets[index]!));
  }

  private accumulate(sum: Local, a: Local, b: Local): void {
    const { fused } = this.geometry;
    this.f.set(sum, fused ? f32x4.fusedMultiplyAdd(a, b, sum) : f32x4.add(f32x4.mul(a, b), sum));
  }
}

/**
 * The kernel of a geometry. `x` is the address of the cell that the first tap of the first output reads, `y` and `add`
 * those of the first pixel; `weight` and `bias` are packed in panels of a tile's
 * width.
 */
export function directKernel(given: DirectGeometry): Kernel<"x" | "weight" | "bias" | "y" | "add"> {
  const geometry = flattened(given);
  const { batch, groups, channels, outputs, stride, size, x, y, add, tile } = geometry;
  const [planes, rows] = size;
  const { stripRows, strips, panels, unitStrips, unitPanels, unitGroups, work, ...units } = cut(geometry);
  const { stripUnits, panelUnits, groupUnits } = units;
  const vectors = panels.whole * tile.vectors + panels.rest;
  const { batch: _, ...coded } = geometry;
  return {
    key: `direct ${JSON.stringify(coded)}`,
    addresses: ["x", "weight", "bias", "y", "add"],
    units: batch * planes * groupUnits * stripUnits * panelUnits,
    work,
    write(f, addresses, unit) {
      const writer = new TileWriter(f, geometry);
      // unit = (((image, plane), groups), strips), panels: neighbours share their input.
      const outer = f.let("i32", unit);
      const next = (count: number) => {
        const index = f.let("i32", i32.rem(outer, count));
        f.set(outer, i32.div(outer, count));
        return index;
      };
      const some = (unitCount: number, length: number, count: number) => {
        const first = f.let("i32", i32.mul(next(unitCount), length));
        return [first, f.let("i32", i32.min(i32.add(first, length), count))] as const;
      };
      const [firstPanel, lastPanel] = some(panelUnits, unitPanels, panels.count);
      const [firstStrip, lastStrip] = some(stripUnits, unitStrips, strips);
      const [firstGroup, lastGroup] = some(groupUnits, unitGroups, groups);
      const [plane, image] = [next(planes), outer];

      // Where the unit's weights are, and where the first strip of the plane begins.
      const lane = i32.add(i32.mul(firstGroup, 16 * vectors), i32.mul(firstPanel, 16 * tile.vectors));
      const weight = f.let("i32", i32.add(addresses.weight, i32.mul(lane, termsOf(geometry))));
      const bias = f.let("i32", i32.add(addresses.bias, lane));
      const slab = (name: Moving, s: Strides, planeStep: number, groupStep: number, panelStep: number) => {
        const inPixel = i32.add(i32.mul(firstGroup, 4 * (s.group ?? groupStep)), i32.mul(firstPanel, panelStep));
        const inImage = i32.add(i32.mul(plane, 4 * planeStep * s.plane), inPixel);
        return f.let("i32", i32.add(addresses[name], i32.add(i32.mul(image, 4 * s.image), inImage)));
      };
      const base = {
        x: slab("x", x, stride[0], channels, 0),
        y: slab("y", y, 1, outputs, 16 * tile.vectors),
        add: add ? slab("add", add, 1, outputs, 16 * tile.vectors) : addresses.add,
      };
      const rowStep = { x: stride[1] * x.row, y: y.row, add: add?.row ?? 0 };
      const written: readonly Moving[] = add ? ["y", "add"] : ["y"];
      const moving: readonly Moving[] = ["x", ...written];
      const places = () => ({ x: f.local("i32"), y: f.local("i32"), add: f.local("i32") });
      const [start, place] = [places(), places()];
      const at = { ...places(), weight: f.local("i32"), bias: f.local("i32") };
      const [strip, group, panel] = f.locals("i32", 3) as [Local, Local, Local];

      const panelOf = (placed: Placed, vectors: number, lanes: number) => {
        writer.tile(placed, vectors, lanes, at);
        f.increase(at.weight, 16 * vectors * termsOf(geometry));
        for (const name of ["bias", ...written] as const) f.increase(at[name], 16 * vectors);
      };
      // Behind the last channel of a pixel there may be the next pixel, or another group's channel.
      const room = groups === 1 || y.group !== undefined ? y.pixel : outputs;
      const lastLanes = room >= 4 * Math.ceil(outputs / 4) ? 4 : outputs - 4 * (Math.ceil(outputs / 4) - 1);
      const lastWhole = f.let("i32", i32.min(lastPanel, panels.whole));
      const allPanels = (placed: Placed) => {
        if (panels.whole > 0) f.range(panel, firstPanel, lastWhole, 1, () => panelOf(placed, tile.vectors, 4));
        if (panels.rest > 0) f.if(i32.ne(lastPanel, lastWhole), () => panelOf(placed, panels.rest, lastLanes));
      };
      const allGroups = (placed: Placed) => {
        f.set(at.weight, weight);
        f.set(at.bias, bias);
        if (unitGroups === 1) {
          allPanels(placed);
          return;
        }
        f.range(group, firstGroup, lastGroup, 1, () => {
          allPanels(placed);
          f.increase(at.x, 4 * channels);
          for (const name of written) f.increase(at[name], 4 * outputs - 16 * vectors);
        });
      };
      const tiles = (rowsOfStrip: number) => {
        for (const run of placeTiles(geometry, rowsOfStrip)) {
          for (const name of moving) f.set(place[name], i32.add(start[name], run.start[name]));
          f.repeat(run.count, () => {
            for (const name of moving) f.set(at[name], place[name]);
            allGroups(run.tile);
            for (const name of moving) f.increase(place[name], run.step[name]);
          });
        }
      };
      f.range(strip, firstStrip, lastStrip, 1, () => {
        for (const name of moving) {
          f.set(start[name], i32.add(base[name], i32.mul(strip, 4 * stripRows * rowStep[name])));
        }
        const last = rows % stripRows;
        if (last === 0) tiles(stripRows);
        else if (strips === 1) tiles(last);
        else {
          f.if(
            i32.eq(strip, strips - 1),
            () => tiles(last),
            () => tiles(stripRows),
          );
        }
      });
    },
  };
}
