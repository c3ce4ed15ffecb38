/**
 * Winograd's minimal filtering, F(m × m, 3 × 3): an output tile of m × m cells from an input tile of (m + 2)² cells with
 * (m + 2)² multiplications per pair of channels, where the definition takes 9m².
 *
 *     V = Bᵀ x B        for each tile and input channel, a = m + 2 cells squared
 *     U = G w Gᵀ        for each pair of channels, once
 *     M = Σ V·U         over the input channels: a² products of matrices, tiles × channels
 *     y = Aᵀ M A        for each tile and output channel
 *
 * Tiles are worked off in blocks, so that V and M of one block stay in the cache. The a² products are the direct kernel
 * with as many groups. Source: Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (2016); the matrices for
 * m = 4 are those of its section 4.3, whose points 0, ±1, ±2 cost about four bits of the 24.
 */
import type { Pointwise } from "../backend.ts";
import type { Values } from "../values.ts";
import { applied } from "./activation.ts";
import { type FunctionWriter, f32x4, i32, type Local, type Operand, v128 } from "./assembler.ts";
import type { Core } from "./core.ts";
import type { Kernel } from "./kernel.ts";
import { FiniteCheck, gathered, inPieces, withFlag } from "./packing.ts";
import { padded, type Strides } from "./tensor.ts";

type Matrix = readonly (readonly number[])[];

/** F(m × m, 3 × 3). */
export interface Filtering {
  /** Output cells of a tile along one axis. */
  readonly m: 2 | 4;
  /** Input cells of a tile along one axis: m + 2. */
  readonly cells: number;
  /** Bᵀ, G and Aᵀ. */
  readonly input: Matrix;
  readonly weight: Matrix;
  readonly output: Matrix;
}

export const F2: Filtering = {
  m: 2,
  cells: 4,
  input: [
    [1, 0, -1, 0],
    [0, 1, 1, 0],
    [0, -1, 1, 0],
    [0, 1, 0, -1],
  ],
  weight: [
    [1, 0, 0],
    [1 / 2, 1 / 2, 1 / 2],
    [1 / 2, -1 / 2, 1 / 2],
    [0, 0, 1],
  ],
  output: [
    [1, 1, 1, 0],
    [0, 1, -1, -1],
  ],
};

export const F4: Filtering = {
  m: 4,
  cells: 6,
  input: [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
  ],
  weight: [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
  ],
  output: [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 0],
    [0, 1, 1, 4, 4, 0],
    [0, 1, -1, 8, -8, 1],
  ],
};

export interface WinogradGeometry {
  readonly filtering: Filtering;
  /** Tiles down and across one image, and of one block. */
  readonly tiles: readonly [number, number];
  readonly block: number;
  readonly channels: number;
  readonly outputs: number;
  /** Output cells of an image. */
  readonly size: readonly [number, number];
  readonly x: Strides;
  readonly y: Strides;
  readonly add: Strides | null;
  readonly activation: Pointwise | null;
  readonly fused: boolean;
}

/** Bytes of a cache line. */
const LINE = 64;

/**
 * Floats from one cell's matrix in V or M to the next cell's. Transforms touch one vector of each: an odd number of lines
 * spreads these over all sets of a cache.
 */
export function cellStride({ block }: Pick<WinogradGeometry, "block">, channels: number): number {
  const lines = Math.ceil((4 * block * padded(channels)) / LINE);
  return ((lines | 1) * LINE) / 4;
}

/** Tiles of a unit of work. */
const UNIT_TILES = 4;

/** Whether multiplying by a factor takes no multiplication. */
function isUnit(factor: number): boolean {
  return factor === 0 || Math.abs(factor) === 1;
}

/** Multiplies matrices of constants with vectors. */
class Combiner {
  private readonly constants = new Map<number, Local>();

  constructor(
    private readonly f: FunctionWriter,
    matrix: Matrix,
    private readonly fused: boolean,
  ) {
    for (const factor of new Set(matrix.flat())) {
      if (!isUnit(factor)) this.constants.set(factor, f.let("v128", f32x4.constant(factor)));
    }
  }

  /** Σ row[i]·inputs[i]. */
  sum(row: readonly number[], inputs: readonly Local[]): Operand {
    // Plain additions first, then subtractions, then products: the fewest instructions.
    const terms = row.flatMap((factor, index) => (factor === 0 ? [] : [{ factor, input: inputs[index]! }]));
    terms.sort((a, b) => Number(!isUnit(a.factor)) - Number(!isUnit(b.factor)) || b.factor - a.factor);
    const [first, ...rest] = terms as [(typeof terms)[number], ...typeof terms];
    const start = first.factor === 1 ? first.input : f32x4.mul(first.input, this.constants.get(first.factor)!);
    return rest.reduce<Operand>((sum, { factor, input }) => {
      if (factor === 1) return f32x4.add(sum, input);
      if (factor === -1) return f32x4.sub(sum, input);
      const constant = this.constants.get(factor)!;
      return this.fused ? f32x4.fusedMultiplyAdd(input, constant, sum) : f32x4.add(f32x4.mul(input, constant), sum);
    }, start);
  }

  /** matrix · square · matrixᵀ, by columns and then by rows: `read` gives a cell, `write` takes one. */
  sandwich(
    matrix: Matrix,
    read: (row: number, column: number) => Operand,
    write: (row: number, column: number, value: Local) => void,
  ): void {
    const cells = matrix[0]!.length;
    const half = matrix.map(() => this.f.locals("v128", cells));
    const line = this.f.locals("v128", cells);
    for (let column = 0; column < cells; column++) {
      for (const [row, vector] of line.entries()) this.f.set(vector, read(row, column));
      for (const [row, factors] of matrix.entries()) this.f.set(half[row]![column]!, this.sum(factors, line));
    }
    const value = this.f.local("v128");
    for (const [row, vectors] of half.entries()) {
      for (const [column, factors] of matrix.entries()) {
        this.f.set(value, this.sum(factors, vectors));
        write(row, column, value);
      }
    }
  }
}

/** Where a tile is: counted over all images, rows of tiles, and tiles in a row. */
function placeOf(f: FunctionWriter, tile: Local, [down, across]: readonly [number, number]) {
  const column = f.let("i32", i32.rem(tile, across));
  const rows = f.let("i32", i32.div(tile, across));
  return { column, row: f.let("i32", i32.rem(rows, down)), image: f.let("i32", i32.div(rows, down)) };
}

/** The frame of both transforms: over the tiles of a unit, counted in the block and in all. */
function overTiles(
  f: FunctionWriter,
  { block }: WinogradGeometry,
  unit: Local,
  bounds: { readonly first: Local; readonly count: Local },
  body: (inBlock: Local, tile: Local) => void,
): void {
  const inBlock = f.local("i32");
  const from = f.let("i32", i32.mul(unit, UNIT_TILES));
  const left = f.let("i32", i32.min(i32.sub(bounds.count, bounds.first), block));
  const to = f.let("i32", i32.min(i32.add(from, UNIT_TILES), left));
  const tile = f.local("i32");
  f.range(inBlock, from, to, 1, () => {
    f.set(tile, i32.add(bounds.first, inBlock));
    body(inBlock, tile);
  });
}

function codedKey(name: string, { filtering, ...rest }: WinogradGeometry): string {
  return `winograd ${name} ${filtering.m} ${JSON.stringify(rest)}`;
}

/**
 * V of one block: [cell][tile in block][channel]. `first` and `count` are numbers of tiles, not addresses. `x` is the
 * address of the cell that the first tap of the first output reads; every tile has all its cells, in the margin if need be.
 */
export function winogradInput(geometry: WinogradGeometry): Kernel<"x" | "v" | "first" | "count"> {
  const { filtering, tiles, block, channels, x, fused } = geometry;
  const { m, cells } = filtering;
  const stride = 4 * padded(channels);
  const cellStep = 4 * cellStride(geometry, channels);
  return {
    key: codedKey("input", { ...geometry, outputs: 0, y: x, add: null, activation: null }),
    addresses: ["x", "v", "first", "count"],
    units: Math.ceil(block / UNIT_TILES),
    work: UNIT_TILES * cells * cells * channels * 8,
    write(f, { x: base, v, first, count }, unit) {
      const combiner = new Combiner(f, filtering.input, fused);
      const [from, to, channel] = f.locals("i32", 3) as [Local, Local, Local];
      overTiles(f, geometry, unit, { first, count }, (inBlock, tile) => {
        const { image, row, column } = placeOf(f, tile, tiles);
        const start = i32.add(i32.mul(row, 4 * m * x.row), i32.mul(column, 4 * m * x.pixel));
        f.set(from, i32.add(i32.add(base, i32.mul(image, 4 * x.image)), start));
        f.set(to, i32.add(v, i32.mul(inBlock, stride)));
        f.range(channel, 0, stride, 16, () => {
          combiner.sandwich(
            filtering.input,
            (r, c) => v128.load(from, 4 * (r * x.row + c * x.pixel)),
            (r, c, value) => f.storeVector(to, value, (r * cells + c) * cellStep),
          );
          f.increase(from, 16);
          f.increase(to, 16);
        });
      });
    },
  };
}

/**
 * Outputs of one block from M: [cell][tile in block][output channel]. Cells beyond the edge are not stored. Sets the
 * number at `flag` to 1 where an output is not finite: then a tile has spread a NaN over its neighbours.
 */
export function winogradOutput(
  geometry: WinogradGeometry,
): Kernel<"m" | "bias" | "y" | "add" | "first" | "count" | "flag"> {
  const { filtering, tiles, block, outputs, size, y, add, activation, fused } = geometry;
  const { m, cells } = filtering;
  const stride = 4 * padded(outputs);
  const cellStep = 4 * cellStride(geometry, outputs);
  /** Cells of the last tile that exist. */
  const [lastRows, lastColumns] = size.map((length) => length - m * (Math.ceil(length / m) - 1)) as [number, number];
  return {
    key: codedKey("output", { ...geometry, channels: 0, x: y }),
    addresses: ["m", "bias", "y", "add", "first", "count", "flag"],
    units: Math.ceil(block / UNIT_TILES),
    work: UNIT_TILES * cells * cells * outputs * 8,
    write(f, { m: products, bias, y: yBase, add: addBase, first, count, flag }, unit) {
      const combiner = new Combiner(f, filtering.output, fused);
      const activate = applied(f, activation);
      const [from, to, added, channel] = f.locals("i32", 4) as [Local, Local, Local, Local];
      const [zero, spread] = [f.let("v128", f32x4.constant(0)), f.let("v128", f32x4.constant(0))];
      const biases = f.local("v128");
      overTiles(f, geometry, unit, { first, count }, (inBlock, tile) => {
        const { image, row, column } = placeOf(f, tile, tiles);
        const place = (base: Local, s: Strides) =>
          i32.add(
            i32.add(base, i32.mul(image, 4 * s.image)),
            i32.add(i32.mul(row, 4 * m * s.row), i32.mul(column, 4 * m * s.pixel)),
          );
        f.set(from, i32.add(products, i32.mul(inBlock, stride)));
        f.set(to, place(yBase, y));
        if (add) f.set(added, place(addBase, add));
        const write = (rows: number, columns: number) =>
          f.range(channel, 0, stride, 16, () => {
            f.set(biases, v128.load(i32.add(bias, channel)));
            combiner.sandwich(
              filtering.output,
              (r, c) => v128.load(from, (r * cells + c) * cellStep),
              (r, c, value) => {
                if (r >= rows || c >= columns) return;
                f.set(value, f32x4.add(value, biases));
                if (add) f.set(value, f32x4.add(value, v128.load(added, 4 * (r * add.row + c * add.pixel))));
                f.set(spread, f32x4.add(spread, f32x4.mul(value, zero)));
                activate?.(value);
                f.storeVector(to, value, 4 * (r * y.row + c * y.pixel));
              },
            );
            f.increase(from, 16);
            f.increase(to, 16);
            if (add) f.increase(added, 16);
          });
        const across = (rows: number) => {
          if (lastColumns === m) write(rows, m);
          else {
            f.if(
              i32.eq(column, tiles[1] - 1),
              () => write(rows, lastColumns),
              () => write(rows, m),
            );
          }
        };
        if (lastRows === m) across(m);
        else {
          f.if(
            i32.eq(row, tiles[0] - 1),
            () => across(lastRows),
            () => across(m),
          );
        }
      });
      f.if(v128.anyTrue(f32x4.ne(spread, spread)), () => f.storeInteger(flag, 1));
    },
  };
}

/** Channels whose numbers in U are written together, for each cell next to each other. */
const TOGETHER = 4;

/**
 * Writes U as the products read it, [cell][panel][channel][output in panel], from weights [output, channel, 3, 3].
 * @throws NotFinite
 */
export function filterWeights(
  core: Core,
  { data, dims: [outputs, channels] }: Values,
  filtering: Filtering,
  { panel, flipped }: { readonly panel: number; readonly flipped: boolean },
  target: number,
): void {
  const bufferBytes = 4 * filtering.cells ** 2 * TOGETHER * panel;
  withFlag(core, (flag) => {
    inPieces(core, data, 9 * channels! * panel, (source, first, end) => {
      core.withScratch((end - first) * bufferBytes, (buffers) => {
        const kernel = weightsKernel(filtering, flipped, core.fused, end - first, 8 * 36 * channels! * panel);
        core.run(kernel, { source, target, flag, buffers, first, outputs: outputs!, channels: channels!, panel });
      });
    });
  });
}

/**
 * A unit is one panel; outputs that are not there are copies of the last one, whose results nobody uses. As the cells of U
 * are far apart, a few channels' are collected in the unit's own buffer first: every cache line of U is written at once.
 * `first` is the first unit's number, `outputs`, `channels` and `panel` are numbers too.
 */
function weightsKernel(
  { m, weight, cells }: Filtering,
  flipped: boolean,
  fused: boolean,
  units: number,
  work: number,
): Kernel<"source" | "target" | "flag" | "buffers" | "first" | "outputs" | "channels" | "panel"> {
  return {
    key: `winograd weights ${[m, flipped, fused]}`,
    addresses: ["source", "target", "flag", "buffers", "first", "outputs", "channels", "panel"],
    ...{ units, work },
    write(f, { source, target, flag, buffers, first, outputs, channels, panel }, unit) {
      const combiner = new Combiner(f, weight, fused);
      const finite = new FiniteCheck(f);
      const rowBytes = f.let("i32", i32.mul(channels, 36));
      const lanes = f.let("i32", i32.mul(i32.div(i32.add(outputs, 3), 4), 4));
      const firstOutput = f.let("i32", i32.mul(i32.add(first, unit), panel));
      const width = f.let("i32", i32.min(i32.sub(lanes, firstOutput), panel));
      const cellBytes = f.let("i32", i32.mul(panel, 4 * TOGETHER));
      const buffer = f.let("i32", i32.add(buffers, i32.mul(unit, i32.mul(cellBytes, cells * cells))));
      const to = f.let("i32", i32.add(target, i32.mul(i32.mul(firstOutput, channels), 4)));

      const filters = f.locals("i32", 4);
      const [line, place, cell] = [f.local("v128"), f.local("i32"), f.local("i32")];
      /** Four outputs' filters of one channel, and on to the next channel. */
      const transform = () => {
        f.set(cell, place);
        combiner.sandwich(
          weight,
          (row, column) => {
            const tap = 3 * row + column;
            f.set(line, gathered(filters, 4 * (flipped ? 8 - tap : tap)));
            finite.sees(line);
            return line;
          },
          (_, __, value) => {
            f.storeVector(cell, value);
            f.set(cell, i32.add(cell, cellBytes));
          },
        );
        for (const filter of filters) f.increase(filter, 36);
        f.set(place, i32.add(place, i32.mul(width, 4)));
      };

      const [channel, some, output, count] = f.locals("i32", 4) as [Local, Local, Local, Local];
      const [from, at, end] = f.locals("i32", 3) as [Local, Local, Local];
      f.range(channel, 0, channels, TOGETHER, () => {
        f.set(some, i32.min(i32.sub(channels, channel), TOGETHER));
        f.range(output, 0, width, 4, () => {
          for (const [lane, filter] of filters.entries()) {
            const existing = i32.min(i32.add(i32.add(firstOutput, output), lane), i32.sub(outputs, 1));
            f.set(filter, i32.add(source, i32.add(i32.mul(existing, rowBytes), i32.mul(channel, 36))));
          }
          f.set(place, i32.add(buffer, i32.mul(output, 4)));
          f.range(count, 0, some, 1, transform);
        });
        f.set(cell, to);
        f.set(from, buffer);
        f.set(end, i32.mul(i32.mul(some, width), 4));
        f.repeat(cells * cells, () => {
          f.range(at, 0, end, 16, () => f.storeVector(i32.add(cell, at), v128.load(i32.add(from, at))));
          f.set(cell, i32.add(cell, i32.mul(i32.mul(lanes, channels), 4)));
          f.set(from, i32.add(from, cellBytes));
        });
        f.set(to, i32.add(to, end));
      });
      finite.tell(flag);
    },
  };
}
