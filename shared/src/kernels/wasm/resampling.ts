/**
 * Interpolation along one axis, by a table of taps: every output position is a weighted sum of a few input positions, and
 * so is everything that lies behind that axis.
 *
 *     for each combination of the axes before, each output position, each piece of what lies behind
 *       for each vector in it: for each tap of the position: load, multiply, add; store
 */
import type { Taps } from "../backend.ts";
import { resampledDims } from "../check.ts";
import { f32x4, i32, v128 } from "./assembler.ts";
import type { Core } from "./core.ts";
import { loadLanes } from "./elementwise.ts";
import type { Kernel } from "./kernel.ts";
import { type Pixels, padded, type WasmTensor } from "./tensor.ts";

interface Geometry {
  /** Positions along the axes before, outermost first, with the floats between them in x and in y. */
  readonly before: readonly { readonly size: number; readonly x: number; readonly y: number }[];
  readonly outputs: number;
  /** Floats between neighbours along the output's axis. */
  readonly step: number;
  /** Floats that lie behind one position without a gap. */
  readonly inner: number;
  /** Most taps of a position. */
  readonly taps: number;
}

/** Floats of what lies behind that one unit of work does. */
const PIECE = 2048;

/** Per output: how many taps, then for each the bytes to its cell and its weight. */
function entrySize(taps: number): number {
  return 4 + 8 * taps;
}

function resampleKernel(geometry: Geometry): Kernel<"x" | "y" | "table"> {
  const { before, outputs, step, inner, taps } = geometry;
  const pieces = Math.ceil(inner / PIECE);
  return {
    key: `resample ${JSON.stringify(geometry)}`,
    addresses: ["x", "y", "table"],
    units: before.reduce((count, { size }) => count * size, 1) * outputs * pieces,
    work: 8 * taps * Math.min(inner, PIECE),
    write(f, addresses, unit) {
      const piece = f.let("i32", i32.rem(unit, pieces));
      const outer = f.let("i32", i32.div(unit, pieces));
      const position = f.let("i32", i32.rem(outer, outputs));
      f.set(outer, i32.div(outer, outputs));
      const from = f.let("i32", i32.add(addresses.x, i32.mul(piece, 4 * PIECE)));
      const to = f.let("i32", i32.add(addresses.y, i32.mul(piece, 4 * PIECE)));
      f.increase(to, i32.mul(position, 4 * step));
      for (const { size, x, y } of before.toReversed()) {
        const here = f.let("i32", i32.rem(outer, size));
        f.increase(from, i32.mul(here, 4 * x));
        f.increase(to, i32.mul(here, 4 * y));
        f.set(outer, i32.div(outer, size));
      }
      const entry = f.let("i32", i32.add(addresses.table, i32.mul(position, entrySize(taps))));
      const left = f.let("i32", i32.min(i32.sub(inner, i32.mul(piece, PIECE)), PIECE));
      const [count, tap, at] = [f.let("i32", i32.load(entry)), f.local("i32"), f.local("i32")];
      const sum = f.local("v128");
      const step4 = (lanes: number) => {
        const term = () => f32x4.mul(loadLanes(i32.add(from, i32.load(at, 4)), lanes, 0), v128.splat(at, 8));
        f.set(at, entry);
        // The first term is no sum with 0: −0 stays.
        f.set(sum, term());
        f.range(tap, 1, count, 1, () => {
          f.increase(at, 8);
          f.set(sum, f32x4.add(sum, term()));
        });
        f.storeVector(to, sum, 0, lanes);
      };
      f.while(i32.ge(left, 4), () => {
        step4(4);
        f.increase(from, 16);
        f.increase(to, 16);
        f.set(left, i32.sub(left, 4));
      });
      if (inner % 4 > 0) f.if(left, () => step4(inner % 4));
    },
  };
}

/** The table as integers and floats. @param step floats between the input's cells. */
function tableOf({ output, count, indices, weights }: Taps, step: number): Int32Array {
  const size = entrySize(count) / 4;
  const table = new Int32Array(output * size);
  const floats = new Float32Array(table.buffer);
  for (let j = 0; j < output; j++) {
    let used = 0;
    for (let tap = 0; tap < count; tap++) {
      const cell = indices[j * count + tap]!;
      if (cell < 0) continue;
      table[j * size + 1 + 2 * used] = 4 * cell * step;
      floats[j * size + 2 + 2 * used] = weights[j * count + tap]!;
      used++;
    }
    // Without any tap, nothing times the first cell.
    table[j * size] = Math.max(1, used);
  }
  return table;
}

/** Positions before an axis, and what is behind it, of an image as pixels; the axes are batch, planes, rows, columns. */
function pixelGeometry(x: Pixels, y: Pixels, axis: number) {
  const sizes = [x.batch, ...x.size];
  const strides = (form: Pixels) => [form.image, form.plane, form.row, form.pixel];
  const [of, to] = [strides(x), strides(y)];
  // What lies behind the axis is cut at the first axis that has a margin: only whole pixels never have.
  const behind = sizes.map((size, at) => ({ size, x: of[at]!, y: to[at]! })).filter((_, at) => at !== axis);
  return { before: behind.filter(({ size }) => size > 1), step: to[axis]!, cell: of[axis]!, inner: padded(x.channels) };
}

/** See `Backend.resample`. No size is 0. */
export function resample(core: Core, x: WasmTensor, axis: number, taps: Taps): WasmTensor {
  const dims = resampledDims(x.dims, axis, taps);
  const { output: outputs, count } = taps;
  const rank = dims.length;
  if (axis >= 2 && rank <= 5) {
    const from = core.asPixels(x);
    const y = core.image(dims);
    const to = core.asPixels(y);
    // An image of one channel may have pixels without gaps, which are read alone.
    const { before, step, cell, inner } = pixelGeometry(from.form, to.form, axis + 4 - rank);
    const geometry = { before, outputs, step, inner: from.form.pixel % 4 === 0 ? inner : 1, taps: count };
    run(core, geometry, tableOf(taps, cell), from.address, to.address);
    return y;
  }
  const from = core.asRows(x);
  const y = core.rows(dims);
  const inner = dims.slice(axis + 1).reduce((product, size) => product * size, 1);
  const outer = dims.slice(0, axis).reduce((product, size) => product * size, 1);
  const before = [{ size: outer, x: x.dims[axis]! * inner, y: outputs * inner }];
  run(
    core,
    { before, outputs, step: inner, inner, taps: count },
    tableOf(taps, inner),
    from.address,
    core.asRows(y).address,
  );
  return y;
}

function run(core: Core, geometry: Geometry, table: Int32Array, x: number, y: number): void {
  core.withIntegers(table, (address) => core.run(resampleKernel(geometry), { x, y, table: address }));
}
