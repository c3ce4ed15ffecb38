/**
 * Poolings, with windows and adaptive: four channels of a pixel in the lanes of a vector, several vectors at once.
 *
 *     for each output row, each output pixel in it, each few vectors of channels
 *       for each plane, row and column of cells that the window has inside the input
 *         the greater one, or the sum
 *       divide, store
 *
 * What a window reads along an axis stands in a table that is written beside the tensors: where it starts, how many cells
 * it has, and how many count for the mean. Borders, adaptive windows and dilation are then nothing special.
 */
import type { Placement } from "../../shape/window.ts";
import type { AdaptivePooling, Pooling } from "../backend.ts";
import { adaptiveDims, windowedDims } from "../check.ts";
import { type FunctionWriter, f32x4, i32, i32x4, type Local, type Operand, v128 } from "./assembler.ts";
import type { Core } from "./core.ts";
import type { Kernel } from "./kernel.ts";
import { padded, type Size3, type Strides, type WasmTensor } from "./tensor.ts";

/** What one output cell reads along an axis. */
interface Span {
  /** The first cell. */
  readonly first: number;
  readonly cells: number;
  /** Cells that the mean is over. */
  readonly counted: number;
}

/** The spans of one axis, and from cell to cell of a window. */
interface AxisSpans {
  readonly spans: readonly Span[];
  readonly step: number;
}

interface PoolGeometry {
  readonly kind: "max" | "average";
  readonly batch: number;
  readonly channels: number;
  /** Output cells. */
  readonly size: Size3;
  /** Between the cells of a window, for planes, rows and columns. */
  readonly step: Size3;
  readonly x: Strides;
  readonly y: Strides;
  /** The mean is over this many cells, whatever the window has. */
  readonly divisor: number | null;
}

/** Bytes of one entry of a table: where the window starts, in bytes, its cells, and those that count. */
const ENTRY = 12;

/** Terms that one sum adds up before it is added to the rest, so that errors do not grow with the window. */
const CHAIN = 64;

/** Groups of vectors that one unit of work does. */
const GROUPS = 4;

/** Vectors that are done at once: as many as divide them. */
function groupOf(vectors: number): number {
  return [4, 3, 2, 1].find((count) => vectors % count === 0)!;
}

type Tables = "planes" | "rows" | "columns";

function poolKernel(geometry: PoolGeometry): Kernel<"x" | "y" | Tables> {
  const { kind, batch, channels, size, step, x, y, divisor } = geometry;
  const [planes, rows, columns] = size;
  // An image of one channel may have pixels without gaps.
  const isGapless = x.pixel % 4 !== 0;
  const vectors = padded(channels) / 4;
  const group = groupOf(vectors);
  const groups = vectors / group;
  const blocks = Math.ceil(groups / GROUPS);
  return {
    key: `pool ${JSON.stringify(geometry)}`,
    addresses: ["x", "y", "planes", "rows", "columns"],
    units: batch * planes * rows * blocks,
    work: 64 * columns * Math.min(groups, GROUPS) * group,
    write(f, addresses, unit) {
      const block = f.let("i32", i32.rem(unit, blocks));
      const outer = f.let("i32", i32.div(unit, blocks));
      const row = f.let("i32", i32.rem(outer, rows));
      f.set(outer, i32.div(outer, rows));
      const [plane, image] = [f.let("i32", i32.rem(outer, planes)), f.let("i32", i32.div(outer, planes))];
      const entries = {
        planes: f.let("i32", i32.add(addresses.planes, i32.mul(plane, ENTRY))),
        rows: f.let("i32", i32.add(addresses.rows, i32.mul(row, ENTRY))),
        columns: f.let("i32", addresses.columns),
      };
      const start = f.let("i32", i32.add(addresses.x, i32.mul(image, 4 * x.image)));
      f.increase(start, i32.load(entries.planes));
      f.increase(start, i32.load(entries.rows));
      const to = f.let("i32", i32.add(addresses.y, i32.mul(image, 4 * y.image)));
      f.increase(to, i32.add(i32.mul(plane, 4 * y.plane), i32.mul(row, 4 * y.row)));
      const firstGroup = f.let("i32", i32.mul(block, GROUPS));
      const lastGroup = f.let("i32", i32.min(i32.add(firstGroup, GROUPS), groups));
      const [column, at, from] = f.locals("i32", 3) as [Local, Local, Local];
      const window = new WindowWriter(f, kind, group, step, x, isGapless);
      f.range(column, 0, columns, 1, () => {
        const counted = (entry: Local) => i32.load(entry, 8);
        const cells = () => i32.mul(counted(entries.planes), i32.mul(counted(entries.rows), counted(entries.columns)));
        const by = kind === "max" ? null : divisor === null ? i32x4.toFloats(i32x4.splat(cells())) : divisor;
        f.range(at, firstGroup, lastGroup, 1, () => {
          const offset = i32.mul(at, 16 * group);
          f.set(from, i32.add(i32.add(start, i32.load(entries.columns)), offset));
          window.combine(from, entries);
          window.store(i32.add(to, offset), by);
        });
        f.increase(entries.columns, ENTRY);
        f.increase(to, 4 * y.pixel);
      });
    },
  };
}

/** Writes the loops over the cells of one window, for a few vectors of channels. */
class WindowWriter {
  private readonly results: readonly Local[];
  /** Sums of one row of cells. */
  private readonly parts: readonly Local[];
  private readonly divisor: Local;

  constructor(
    private readonly f: FunctionWriter,
    private readonly kind: "max" | "average",
    group: number,
    private readonly step: Size3,
    private readonly x: Strides,
    private readonly isGapless: boolean,
  ) {
    this.results = f.locals("v128", group);
    this.parts = kind === "average" ? f.locals("v128", group) : [];
    this.divisor = f.local("v128");
  }

  /** Runs over all cells; `from` is the first one. */
  combine(from: Local, entries: Readonly<Record<Tables, Local>>): void {
    const { f, kind, results, step, x } = this;
    const [plane, row, cell] = [f.let("i32", from), f.local("i32"), f.local("i32")];
    const [z, y] = f.locals("i32", 2) as [Local, Local];
    const cells = (entry: Local) => i32.load(entry, 4);
    for (const result of results) f.set(result, f32x4.constant(kind === "max" ? Number.NEGATIVE_INFINITY : 0));
    f.range(z, 0, cells(entries.planes), 1, () => {
      f.set(row, plane);
      f.range(y, 0, cells(entries.rows), 1, () => {
        f.set(cell, row);
        this.row(cell, cells(entries.columns));
        f.increase(row, 4 * step[1] * x.row);
      });
      f.increase(plane, 4 * step[0] * x.plane);
    });
  }

  private load(cell: Local, vector: number): Operand {
    return this.isGapless ? v128.loadOne(cell) : v128.load(cell, 16 * vector);
  }

  /** The cells of one row; `cell` moves behind them. */
  private row(cell: Local, count: Operand): void {
    const { f, kind, results, parts, step, x } = this;
    const [index, left, end] = f.locals("i32", 3) as [Local, Local, Local];
    const next = () => f.increase(cell, 4 * step[2] * x.pixel);
    if (kind === "max") {
      // The maximum that NaN wins.
      f.range(index, 0, count, 1, () => {
        for (const [v, result] of results.entries()) f.set(result, f32x4.max(result, this.load(cell, v)));
        next();
      });
      return;
    }
    f.set(end, count);
    f.range(left, 0, end, CHAIN, () => {
      for (const part of parts) f.set(part, f32x4.constant(0));
      f.range(index, left, i32.min(i32.add(left, CHAIN), end), 1, () => {
        for (const [v, part] of parts.entries()) f.set(part, f32x4.add(part, this.load(cell, v)));
        next();
      });
      for (const [v, part] of parts.entries()) f.set(results[v]!, f32x4.add(results[v]!, part));
    });
  }

  /** @param by what the sums are divided by; null for none. */
  store(to: Operand, by: Operand | null): void {
    const { f, results, divisor } = this;
    if (by !== null) f.set(divisor, typeof by === "number" ? f32x4.constant(by) : by);
    for (const [v, result] of results.entries()) {
      if (by !== null) f.set(result, f32x4.div(result, divisor));
      f.storeVector(to, result, 16 * v);
    }
  }
}

/** Windows along an axis; one that has no cell inside the input has the mean 0. */
function windowSpans({ input, output, kernel, stride, dilation, padBefore, padAfter }: Placement, counts: boolean) {
  return Array.from({ length: output }, (_, j): Span => {
    const start = j * stride - padBefore;
    const skipped = Math.min(kernel, Math.max(0, Math.ceil(-start / dilation)));
    const reach = (end: number) => Math.min(kernel, Math.max(0, Math.ceil((end - start) / dilation)));
    const cells = Math.max(0, reach(input) - skipped);
    const first = start + skipped * dilation;
    return { first: cells > 0 ? first : 0, cells, counted: Math.max(1, counts ? reach(input + padAfter) : cells) };
  });
}

function adaptiveSpans(n: number, o: number): Span[] {
  return Array.from({ length: o }, (_, j) => {
    const first = Math.floor((j * n) / o);
    const cells = Math.ceil(((j + 1) * n) / o) - first;
    return { first, cells, counted: cells };
  });
}

const SINGLE: AxisSpans = { spans: [{ first: 0, cells: 1, counted: 1 }], step: 1 };

/** @param axes one for each of the last axes of x, at most three. No output size is 0. */
function pooled(
  core: Core,
  x: WasmTensor,
  axes: readonly AxisSpans[],
  { kind, divisor }: Pick<PoolGeometry, "kind" | "divisor">,
): WasmTensor {
  const rank = x.dims.length - axes.length;
  const lead = x.dims.slice(0, rank);
  const images = rank === 2 ? x : core.share(x, [1, product(lead), ...x.dims.slice(rank)]);
  const [batch, channels] = images.dims as [number, number];
  const from = core.asPixels(images);
  const y = core.image([batch, channels, ...axes.map(({ spans }) => spans.length)]);
  const to = core.asPixels(y);
  const three = [...new Array<AxisSpans>(3 - axes.length).fill(SINGLE), ...axes] as [AxisSpans, AxisSpans, AxisSpans];
  const each = (of: (axis: AxisSpans) => number) => three.map(of) as unknown as Size3;
  const geometry: PoolGeometry = {
    ...{ kind, batch, channels, divisor },
    ...{ size: each(({ spans }) => spans.length), step: each(({ step }) => step) },
    ...{ x: stridesOf(from.form), y: stridesOf(to.form) },
  };
  const cellSteps = [from.form.plane, from.form.row, from.form.pixel];
  const numbers = three.flatMap(({ spans }, axis) =>
    spans.flatMap(({ first, cells, counted }) => [4 * first * cellSteps[axis]!, cells, counted]),
  );
  core.withIntegers(numbers, (planes) => {
    const rows = planes + ENTRY * geometry.size[0];
    const columns = rows + ENTRY * geometry.size[1];
    core.run(poolKernel(geometry), { x: from.address, y: to.address, planes, rows, columns });
  });
  if (rank === 2) return y;
  const result = core.share(y, [...lead, ...y.dims.slice(2)]);
  core.release(images);
  core.release(y);
  return result;
}

function stridesOf({ pixel, row, plane, image }: Strides): Strides {
  return { pixel, row, plane, image };
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((count, size) => count * size, 1);
}

/** Whether the kernel can do it: it gives no indices, and has three axes. */
export function canPool(x: WasmTensor, axes: number, indices: boolean): boolean {
  return !indices && axes <= 3 && x.dims.length > axes;
}

/** See `Backend.pool`; without indices. */
export function pool(core: Core, x: WasmTensor, pooling: Pooling): WasmTensor {
  windowedDims(x.dims, pooling.axes);
  const counts = pooling.kind === "average" && pooling.countPadding;
  const axes = pooling.axes.map((axis) => ({ spans: windowSpans(axis, counts), step: axis.dilation }));
  return pooled(core, x, axes, { kind: pooling.kind, divisor: pooling.kind === "max" ? null : pooling.divisor });
}

/** See `Backend.adaptivePool`; without indices. */
export function adaptivePool(core: Core, x: WasmTensor, { kind, sizes }: AdaptivePooling): WasmTensor {
  adaptiveDims(x.dims, sizes);
  const first = x.dims.length - sizes.length;
  const axes = sizes.map((o, index) => ({ spans: adaptiveSpans(x.dims[first + index]!, o), step: 1 }));
  return pooled(core, x, axes, { kind, divisor: null });
}
