/** Layers of the table: what they compute, with which numbers, and what is right. */
import { readFileSync } from "node:fs";
import { Reference } from "#shared/kernels/reference/reference.ts";
import type { Values } from "#shared/kernels/values.ts";
import type { Placement } from "#shared/shape/window.ts";

/** A row of layers.json: a convolution, or a transposed one, over an image. */
export interface LayerRow {
  readonly name: string;
  readonly op?: "conv" | "convT";
  /** [batch, channels, height, width]. */
  readonly x: readonly number[];
  /** Output channels. */
  readonly K: number;
  /** Kernel, stride and dilation along height and width. */
  readonly k: readonly [number, number];
  readonly s?: readonly [number, number];
  readonly d?: readonly [number, number];
  /** Padding: top, left, bottom, right. */
  readonly p?: readonly [number, number, number, number];
  readonly g?: number;
}

export interface Layer {
  readonly name: string;
  readonly transposed: boolean;
  readonly x: readonly number[];
  /** [out, in / groups, …kernel]; transposed [in, out / groups, …kernel]. */
  readonly w: readonly number[];
  readonly y: readonly number[];
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly padding: readonly [number, number, number, number];
  readonly groups: number;
  /** Billions of additions and multiplications. */
  readonly gflop: number;
}

export function layerOf(row: LayerRow): Layer {
  const { name, x, K, k: kernel, s: stride = [1, 1], d: dilation = [1, 1], p: padding = [0, 0, 0, 0], g = 1 } = row;
  const transposed = row.op === "convT";
  const [batch, channels, ...cells] = x as [number, number, number, number];
  const size = cells.map((n, axis) => {
    const span = dilation[axis]! * (kernel[axis]! - 1) + 1;
    const around = padding[axis]! + padding[axis + 2]!;
    return transposed ? (n - 1) * stride[axis]! + span - around : Math.floor((n + around - span) / stride[axis]!) + 1;
  });
  const w = transposed ? [channels, K / g, ...kernel] : [K, channels / g, ...kernel];
  const positions = transposed ? cells[0]! * cells[1]! : size[0]! * size[1]!;
  const gflop = (2 * batch * positions * w.reduce((product, each) => product * each, 1)) / 1e9;
  return { name, transposed, x, w, y: [batch, K, ...size], kernel, stride, dilation, padding, groups: g, gflop };
}

export function readTable(file: string): LayerRow[] {
  return JSON.parse(readFileSync(file, "utf8")) as LayerRow[];
}

export function countOf(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

/** Uniform in ±scale, by xorshift32. */
export function numbers(count: number, seed: number, scale = 1): Float32Array {
  let state = seed;
  return new Float32Array(count).map(() => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) / 2 ** 31 - 1) * scale;
  });
}

export interface LayerData {
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly b: Float32Array;
}

export function dataOf({ x, w, y }: Layer): LayerData {
  const scale = 1 / Math.sqrt(countOf(w.slice(1)));
  return { x: numbers(countOf(x), 17), w: numbers(countOf(w), 29, scale), b: numbers(y[1]!, 43) };
}

export function placementsOf({ x, y, kernel, stride, dilation, padding }: Layer): Placement[] {
  return [0, 1].map((axis) => ({
    input: x[axis + 2]!,
    output: y[axis + 2]!,
    kernel: kernel[axis]!,
    stride: stride[axis]!,
    dilation: dilation[axis]!,
    padBefore: padding[axis]!,
    padAfter: padding[axis + 2]!,
  }));
}

/** The right answer, with sums in float64. */
export function answerOf(layer: Layer, { x, w, b }: LayerData): Float32Array {
  const reference = new Reference();
  const weight: Values = { dims: layer.w, data: w };
  const parts = { weight, bias: { dims: [b.length], data: b }, axes: placementsOf(layer), groups: layer.groups };
  const values = { dims: layer.x, data: x };
  return (layer.transposed ? reference.convolveTransposed(values, parts) : reference.convolve(values, parts)).data;
}
