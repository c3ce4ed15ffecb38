/** Elementwise arithmetic, products, reductions and normalisation, in float64 and rounded once. */
import {
  type Binary,
  checkpoint,
  type Linear,
  type Pointwise,
  type Reduction,
  type ScaleShift,
  type Signal,
} from "../backend.ts";
import { broadcastDims, checkAxis, linearDims, matmulDims, sameDims } from "../check.ts";
import { EngineError, elementCount, stridesOf, type Values, zeros } from "../values.ts";
import { pointwise } from "./pointwise.ts";

/** Applies a function to every element. */
export function unary(x: Values, f: Pointwise, limit: number): Values {
  const result = zeros(x.dims, limit);
  const apply = pointwise(f);
  for (let at = 0; at < x.data.length; at++) result.data[at] = apply(x.data[at]!);
  return result;
}

const BINARY: Readonly<Record<Binary, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  maximum: Math.max,
  minimum: Math.min,
};

/** For every position of `dims` in order, the place of its element in a tensor that broadcasts to it. */
export function* places(dims: readonly number[], of: readonly number[]): Generator<number> {
  const strides = stridesOf(of);
  const skip = dims.length - of.length;
  const steps = dims.map((_, axis) => (axis < skip || of[axis - skip] === 1 ? 0 : strides[axis - skip]!));
  const index = new Array<number>(dims.length).fill(0);
  const count = elementCount(dims);
  let place = 0;
  for (let at = 0; at < count; at++) {
    yield place;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place += steps[axis]!;
      if (++index[axis]! < dims[axis]!) break;
      place -= steps[axis]! * dims[axis]!;
      index[axis] = 0;
    }
  }
}

/** Broadcasts as PyTorch does. */
export function binary(kind: Binary, a: Values, b: Values, limit: number): Values {
  const result = zeros(broadcastDims(a.dims, b.dims), limit);
  const apply = BINARY[kind];
  const [first, second] = [places(result.dims, a.dims), places(result.dims, b.dims)];
  for (let at = 0; at < result.data.length; at++) {
    result.data[at] = apply(a.data[first.next().value as number]!, b.data[second.next().value as number]!);
  }
  return result;
}

/** See `Backend.scaleShift`. */
export function scaleShift(x: Values, { axis, mean, scale, shift, activation }: ScaleShift, limit: number): Values {
  checkAxis(x.dims, axis);
  for (const values of [mean, scale, shift]) if (values) sameDims(values.dims, [x.dims[axis]!]);
  const result = zeros(x.dims, limit);
  const f = activation ? pointwise(activation) : (y: number) => y;
  const step = stridesOf(x.dims)[axis]!;
  for (let at = 0; at < x.data.length; at++) {
    const place = Math.floor(at / step) % x.dims[axis]!;
    const centred = mean ? x.data[at]! - mean.data[place]! : x.data[at]!;
    const scaled = scale ? centred * scale.data[place]! : centred;
    result.data[at] = f(shift ? scaled + shift.data[place]! : scaled);
  }
  return result;
}

/** Last axis times weightᵀ, plus bias. */
export function linear(
  x: Values,
  { weight, bias, add, activation }: Linear<Values>,
  limit: number,
  signal: Signal | null,
): Values {
  const result = zeros(linearDims(x.dims, weight, bias), limit);
  if (add) sameDims(add.dims, result.dims);
  const f = activation ? pointwise(activation) : (y: number) => y;
  const [out, features] = weight.dims as [number, number];
  for (let row = 0; row < result.data.length / Math.max(out, 1); row++) {
    checkpoint(signal);
    for (let o = 0; o < out; o++) {
      let sum = bias ? bias.data[o]! : 0;
      for (let i = 0; i < features; i++) sum += x.data[row * features + i]! * weight.data[o * features + i]!;
      const at = row * out + o;
      result.data[at] = f(add ? sum + add.data[at]! : sum);
    }
  }
  return result;
}

/** Matrix product of the last two axes. */
export function matmul(a: Values, b: Values, limit: number, signal: Signal | null): Values {
  const result = zeros(matmulDims(a.dims, b.dims), limit);
  const outer = result.dims.slice(0, -2);
  const [rows, inner] = a.dims.slice(-2) as [number, number];
  const columns = b.dims.at(-1)!;
  const [first, second] = [places(outer, a.dims.slice(0, -2)), places(outer, b.dims.slice(0, -2))];
  const count = elementCount(outer);
  for (let matrix = 0; matrix < count; matrix++) {
    checkpoint(signal);
    const left = (first.next().value as number) * rows * inner;
    const right = (second.next().value as number) * inner * columns;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) sum += a.data[left + i * inner + k]! * b.data[right + k * columns + j]!;
        result.data[(matrix * rows + i) * columns + j] = sum;
      }
    }
  }
  return result;
}

/** The dims with the axes' sizes replaced by 1. */
function reducedDims(dims: readonly number[], axes: readonly number[]): number[] {
  for (const axis of axes) checkAxis(dims, axis);
  return dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
}

/** Float64 sums of f(x, group) over the axes, one per group; `place` names the group of every element. */
function sums(x: Values, dims: readonly number[], f: (value: number, group: number) => number): Float64Array {
  const result = new Float64Array(elementCount(dims));
  const group = places(x.dims, dims);
  for (const value of x.data) {
    const place = group.next().value as number;
    result[place]! += f(value, place);
  }
  return result;
}

/** See `Backend.reduce`. */
export function reduce(kind: Reduction, x: Values, axes: readonly number[], limit: number): Values {
  const result = zeros(reducedDims(x.dims, axes), limit);
  const count = x.data.length / result.data.length;
  if (kind === "sum" || kind === "mean") {
    const total = sums(x, result.dims, (value) => value);
    for (const [at, sum] of total.entries()) result.data[at] = kind === "mean" ? sum / count : sum;
    return result;
  }
  if (count === 0) throw new EngineError("bad-size", `no ${kind} of nothing`);
  const better = kind === "max" ? Math.max : Math.min;
  result.data.fill(kind === "max" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
  const group = places(x.dims, result.dims);
  for (const value of x.data) {
    const place = group.next().value as number;
    result.data[place] = better(result.data[place]!, value);
  }
  return result;
}

/** See `Backend.normalize`. */
export function normalize(
  x: Values,
  axes: readonly number[],
  epsilon: number,
  centred: boolean,
  limit: number,
): Values {
  const result = zeros(x.dims, limit);
  const dims = reducedDims(x.dims, axes);
  const count = x.data.length / elementCount(dims);
  const mean = centred ? sums(x, dims, (value) => value / count) : new Float64Array(elementCount(dims));
  const variance = sums(x, dims, (value, group) => (value - mean[group]!) ** 2 / count);
  const group = places(x.dims, dims);
  for (const [at, value] of x.data.entries()) {
    const place = group.next().value as number;
    result.data[at] = (value - mean[place]!) / Math.sqrt(variance[place]! + epsilon);
  }
  return result;
}

/** See `Backend.softmax`. The greatest value is subtracted first, which changes nothing but the overflow. */
export function softmax(x: Values, axis: number, log: boolean, limit: number): Values {
  const result = zeros(x.dims, limit);
  const dims = reducedDims(x.dims, [axis]);
  const greatest = x.data.length === 0 ? result : reduce("max", x, [axis], limit);
  const total = sums(x, dims, (value, group) => Math.exp(value - greatest.data[group]!));
  const group = places(x.dims, dims);
  for (const [at, value] of x.data.entries()) {
    const place = group.next().value as number;
    const shifted = value - greatest.data[place]!;
    result.data[at] = log ? shifted - Math.log(total[place]!) : Math.exp(shifted) / total[place]!;
  }
  return result;
}
