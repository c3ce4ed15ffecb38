/**
 * What looks at all numbers of the last axes together: sums, means and extremes, softmax, and normalisation. Other axes are
 * brought to the end before, and back after. One unit of work is one row of numbers that belong together.
 *
 * Sums run in four lanes, and in pieces that are added up by themselves, so that errors do not grow with the row.
 */
import type { Reduction } from "../backend.ts";
import { checkAxis } from "../check.ts";
import { type FunctionWriter, f32x4, i32, type Local, type Operand, v128 } from "./assembler.ts";
import type { Core } from "./core.ts";
import { loadLanes } from "./elementwise.ts";
import type { Kernel } from "./kernel.ts";
import { exp, log, number, Scratch } from "./math.ts";
import { permute } from "./movement.ts";
import type { WasmTensor } from "./tensor.ts";

/** Vectors that one sum adds up before it is added to the rest. */
const CHAIN = 64;

/** Runs over a row of `length` numbers, vector by vector; `lanes` of each are numbers of the row. */
function overRow(f: FunctionWriter, length: number, row: Local, body: (at: Local, lanes: number) => void): void {
  const at = f.let("i32", row);
  const whole = Math.floor(length / 4);
  if (whole > 0) {
    const end = f.let("i32", i32.add(row, 16 * whole));
    f.until(() => {
      body(at, 4);
      f.increase(at, 16);
      return i32.ne(at, end);
    });
  }
  if (length % 4 > 0) body(at, length % 4);
}

/** The sum of something over a row, in all lanes of a new variable. */
function sumOver(f: FunctionWriter, length: number, row: Local, term: (at: Local, lanes: number) => Operand): Local {
  const [total, part] = f.locals("v128", 2) as [Local, Local];
  const left = f.let("i32", CHAIN);
  f.set(total, number(0));
  f.set(part, number(0));
  const finish = () => {
    f.set(total, f32x4.add(total, part));
    f.set(part, number(0));
  };
  overRow(f, length, row, (at, lanes) => {
    f.set(part, f32x4.add(part, firstLanes(term(at, lanes), lanes)));
    f.set(left, i32.sub(left, 1));
    f.if(i32.eq(left, 0), () => {
      finish();
      f.set(left, CHAIN);
    });
  });
  finish();
  return across(f, total, f32x4.add);
}

/** Zeros behind the first lanes. */
function firstLanes(vector: Operand, lanes: number): Operand {
  return lanes === 4
    ? vector
    : v128.shuffle(
        vector,
        number(0),
        [0, 1, 2, 3].map((lane) => (lane < lanes ? lane : 4)),
      );
}

/** Combines the four lanes; the result is in all of them. */
function across(f: FunctionWriter, vector: Local, combine: (a: Operand, b: Operand) => Operand): Local {
  f.set(vector, combine(vector, v128.shuffle(vector, vector, [1, 0, 3, 2])));
  f.set(vector, combine(vector, v128.shuffle(vector, vector, [2, 3, 0, 1])));
  return vector;
}

/** The extreme of a row, in all lanes; NaN wins. */
function extremeOver(f: FunctionWriter, length: number, row: Local, kind: "max" | "min"): Local {
  const combine = kind === "max" ? f32x4.max : f32x4.min;
  const least = kind === "max" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const best = f.let("v128", number(least));
  overRow(f, length, row, (at, lanes) => {
    const vector = loadLanes(at, lanes, 0);
    const rest = [0, 1, 2, 3].map((lane) => (lane < lanes ? lane : 4));
    f.set(best, combine(best, lanes === 4 ? vector : v128.shuffle(vector, number(least), rest)));
  });
  return across(f, best, combine);
}

/** A kernel whose units are the rows of a matrix [rows, length]. */
function rowKernel(
  name: string,
  rows: number,
  length: number,
  outputs: number,
  write: (f: FunctionWriter, from: Local, to: Local) => void,
): Kernel<"x" | "y"> {
  return {
    key: `${name} ${rows} ${length}`,
    addresses: ["x", "y"],
    units: rows,
    work: 40 * length,
    write(f, { x, y }, unit) {
      const from = f.let("i32", i32.add(x, i32.mul(unit, 4 * length)));
      const to = f.let("i32", i32.add(y, i32.mul(unit, 4 * outputs)));
      write(f, from, to);
    },
  };
}

function reduceKernel(kind: Reduction, rows: number, length: number): Kernel<"x" | "y"> {
  return rowKernel(`reduce-${kind}`, rows, length, 1, (f, from, to) => {
    const result =
      kind === "max" || kind === "min"
        ? extremeOver(f, length, from, kind)
        : sumOver(f, length, from, (at, lanes) => loadLanes(at, lanes, 0));
    if (kind === "mean") f.set(result, f32x4.div(result, number(length)));
    f.storeVector(to, result, 0, 1);
  });
}

function softmaxKernel(isLog: boolean, rows: number, length: number): Kernel<"x" | "y"> {
  return rowKernel(isLog ? "log-softmax" : "softmax", rows, length, length, (f, from, to) => {
    const scratch = new Scratch(f);
    const most = extremeOver(f, length, from, "max");
    const distance = f.let("i32", i32.sub(to, from));
    const raised = (at: Local, lanes: number) => f32x4.sub(loadLanes(at, lanes, 0), most);
    const value = f.local("v128");
    const sum = sumOver(f, length, from, (at, lanes) => {
      scratch.begin();
      f.set(value, exp(scratch, raised(at, lanes)));
      if (!isLog) f.storeVector(i32.add(at, distance), value, 0, lanes);
      return value;
    });
    scratch.begin();
    if (isLog) f.set(sum, log(scratch, sum));
    overRow(f, length, from, (at, lanes) => {
      const there = i32.add(at, distance);
      f.set(value, isLog ? f32x4.sub(raised(at, lanes), sum) : f32x4.div(loadLanes(there, lanes, 0), sum));
      f.storeVector(there, value, 0, lanes);
    });
  });
}

function normalizeKernel(epsilon: number, centred: boolean, rows: number, length: number): Kernel<"x" | "y"> {
  return rowKernel(`normalize-${epsilon}-${centred}`, rows, length, length, (f, from, to) => {
    const load = (at: Local, lanes: number) => loadLanes(at, lanes, 0);
    const mean = centred ? sumOver(f, length, from, load) : null;
    if (mean) f.set(mean, f32x4.div(mean, number(length)));
    const centre = (at: Local, lanes: number) => (mean ? f32x4.sub(load(at, lanes), mean) : load(at, lanes));
    const value = f.local("v128");
    const squares = sumOver(f, length, from, (at, lanes) => {
      f.set(value, centre(at, lanes));
      return f32x4.mul(value, value);
    });
    const variance = f32x4.add(f32x4.div(squares, number(length)), number(epsilon));
    const deviation = f.let("v128", f32x4.sqrt(variance));
    const distance = f.let("i32", i32.sub(to, from));
    overRow(f, length, from, (at, lanes) => {
      f.set(value, f32x4.div(centre(at, lanes), deviation));
      f.storeVector(i32.add(at, distance), value, 0, lanes);
    });
  });
}

/** A tensor with some of its axes at the end, as they are, and the way back. */
function withLast(core: Core, x: WasmTensor, axes: readonly number[]) {
  for (const axis of axes) checkAxis(x.dims, axis);
  const others = [...x.dims.keys()].filter((axis) => !axes.includes(axis));
  const order = [...others, ...[...axes].sort((a, b) => a - b)];
  const isOrdered = order.every((axis, at) => axis === at);
  const length = axes.reduce((product, axis) => product * x.dims[axis]!, 1);
  const rows = others.reduce((product, axis) => product * x.dims[axis]!, 1);
  const moved = isOrdered ? x : permute(core, x, order);
  const back = order.map((_, axis) => order.indexOf(axis));
  return { moved, rows, length, back: isOrdered ? null : back };
}

/** Computes on rows; the result has the tensor's dims. */
function onRows(
  core: Core,
  x: WasmTensor,
  axes: readonly number[],
  kernelOf: (rows: number, length: number) => Kernel<"x" | "y">,
): WasmTensor {
  const { moved, rows, length, back } = withLast(core, x, axes);
  const from = core.asRows(moved);
  const y = core.rows(moved.dims);
  core.run(kernelOf(rows, length), { x: from.address, y: core.asRows(y).address });
  if (moved !== x) core.release(moved);
  if (!back) return y;
  const result = permute(core, y, back);
  core.release(y);
  return result;
}

/** See `Backend.reduce`. No size is 0. */
export function reduce(core: Core, kind: Reduction, x: WasmTensor, axes: readonly number[]): WasmTensor {
  const { moved, rows, length } = withLast(core, x, axes);
  const from = core.asRows(moved);
  const y = core.rows(x.dims.map((size, axis) => (axes.includes(axis) ? 1 : size)));
  core.run(reduceKernel(kind, rows, length), { x: from.address, y: core.asRows(y).address });
  if (moved !== x) core.release(moved);
  return y;
}

/** See `Backend.softmax`. No size is 0. */
export function softmax(core: Core, x: WasmTensor, axis: number, isLog: boolean): WasmTensor {
  return onRows(core, x, [axis], (rows, length) => softmaxKernel(isLog, rows, length));
}

/** See `Backend.normalize`. No size is 0. */
export function normalize(
  core: Core,
  x: WasmTensor,
  axes: readonly number[],
  epsilon: number,
  centred: boolean,
): WasmTensor {
  return onRows(core, x, axes, (rows, length) => normalizeKernel(epsilon, centred, rows, length));
}
