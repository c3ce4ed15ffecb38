/**
 * ONNX's Resize: by Interpolate where that is the same, otherwise by a table of taps made here, which the engine's `resample`
 * applies. Source: onnx.ai/onnx/operators/onnx__Resize.html and its reference implementation.
 */
import type { Ref } from "#shared/graph/graph.ts";
import type { Taps } from "#shared/kernels/backend.ts";
import { valuesOf } from "#shared/kernels/values.ts";
import type { NodeView } from "./lowering.ts";

export function upsample(node: NodeView): Ref {
  return interpolate(node, node.list("scales", 1)!.slice(2), null);
}

export function resize(node: NodeView): Ref {
  const dims = node.dims(0);
  const axes = (node.list("axes") ?? dims.map((_, axis) => axis)).map((axis) => (axis < 0 ? axis + dims.length : axis));
  const spread = (list: readonly number[], otherwise: (axis: number) => number) =>
    dims.map((_, axis) => (axes.includes(axis) ? list[axes.indexOf(axis)]! : otherwise(axis))).slice(2);
  const [roi, scales, sizes] = [node.list("", 1), node.list("", 2), node.list("", 3)];
  const corners = roi?.length ? spreadCorners(spread, roi) : null;
  if (scales?.length)
    return interpolate(
      node,
      spread(scales, () => 1),
      null,
      corners,
    );
  const wanted = spread(sizes!, (axis) => dims[axis]!);
  const policy = node.word("keep_aspect_ratio_policy", "stretch");
  if (policy === "stretch") return interpolate(node, null, wanted, corners);
  const factors = wanted.map((size, axis) => size / dims[axis + 2]!);
  const factor = policy === "not_larger" ? Math.min(...factors) : Math.max(...factors);
  const kept = factors.map(() => factor);
  const rounded = dims.slice(2).map((size) => Math.floor(factor * size + 0.5));
  return interpolate(node, kept, rounded, corners);
}

/** Starts and ends along every spatial axis, as fractions of it. */
interface Corners {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

function spreadCorners(
  spread: (list: readonly number[], otherwise: (axis: number) => number) => number[],
  roi: readonly number[],
): Corners {
  const half = roi.length / 2;
  return { starts: spread(roi.slice(0, half), () => 0), ends: spread(roi.slice(half), () => 1) };
}

const MODES: Readonly<Record<string, readonly string[]>> = {
  nearest: ["nearest", "nearest", "nearest"],
  linear: ["linear", "bilinear", "trilinear"],
  cubic: ["", "bicubic", ""],
};

/** Where both are given, outputs are of the sizes and positions by the scales. */
function interpolate(
  node: NodeView,
  scales: readonly number[] | null,
  sizes: readonly number[] | null,
  corners: Corners | null = null,
): Ref {
  const torch = asInterpolate(node, scales, sizes);
  if (torch) return node.to.layer("Interpolate", torch, [node.input(0)]);
  const before = node.dims(0).slice(2);
  let x = node.input(0);
  const outside: boolean[][] = [];
  for (const [index, input] of before.entries()) {
    const output = sizes?.[index] ?? Math.floor(input * scales![index]!);
    const scale = scales?.[index] ?? output / input;
    const roi = corners ? ([corners.starts[index]!, corners.ends[index]!] as const) : null;
    const axis: Axis = { input, output, scale, length: scales && !sizes ? input * scale : output, roi };
    outside.push(outsideOf(node, axis));
    const taps = tapsOf(node, axis);
    const dims = node.to.dims(x).with(index + 2, output);
    x = node.to.primitive("resample", [x], dims, (backend, [value]) => backend.resample(value!, index + 2, taps));
  }
  return outside.flat().includes(true) ? withOutside(node, x, outside) : x;
}

/** The parameters of Interpolate, where it does the same. */
function asInterpolate(node: NodeView, scales: readonly number[] | null, sizes: readonly number[] | null) {
  const mode = node.word("mode", "nearest");
  const position = node.word("coordinate_transformation_mode", "half_pixel");
  if (node.flag("exclude_outside") || node.flag("antialias") || (scales && sizes)) return null;
  const name = MODES[mode]![node.dims(0).length - 3]!;
  const size = scales === null ? { size: [...sizes!] } : { scale_factor: [...scales] };
  if (mode === "nearest") {
    // The cell under the middle of an output is the one under its corner where every cell becomes several.
    const whole =
      scales?.every(Number.isInteger) === true && node.word("nearest_mode", "round_prefer_floor")[0] === "r";
    return whole && position === "half_pixel" ? { ...size, mode: name } : null;
  }
  const aligned = position === "align_corners";
  if (aligned ? sizes === null && !scales!.every(Number.isInteger) : position !== "half_pixel") return null;
  return { ...size, mode: name, align_corners: aligned };
}

interface Axis {
  readonly input: number;
  readonly output: number;
  /** Output cells per input cell. */
  readonly scale: number;
  /** Of the output before rounding. */
  readonly length: number;
  readonly roi: readonly [start: number, end: number] | null;
}

/** Where output j lies among the input's cells. */
function positionOf(node: NodeView, { input, output, scale, length, roi }: Axis, j: number): number {
  const half = (j + 0.5) / scale - 0.5;
  switch (node.word("coordinate_transformation_mode", "half_pixel")) {
    case "align_corners":
      return length === 1 ? 0 : (j * (input - 1)) / (length - 1);
    case "asymmetric":
      return j / scale;
    case "half_pixel_symmetric":
      return (input / 2) * (1 - output / length) + half;
    case "pytorch_half_pixel":
      return length === 1 ? -0.5 : half;
    case "tf_crop_and_resize": {
      const [start, end] = roi!;
      return output > 1
        ? (input - 1) * (start + (j * (end - start)) / (output - 1))
        : ((start + end) / 2) * (input - 1);
    }
    default:
      return half;
  }
}

const NEAREST: Readonly<Record<string, (at: number) => number>> = {
  round_prefer_floor: (at) => Math.ceil(at - 0.5),
  round_prefer_ceil: (at) => Math.floor(at + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

function cubicWeight(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function tapsOf(node: NodeView, axis: Axis): Taps {
  const mode = node.word("mode", "nearest");
  const last = axis.input - 1;
  const stretch = node.flag("antialias") ? Math.min(axis.scale, 1) : 1;
  const a = node.number("cubic_coeff_a", -0.75);
  const reach = (mode === "cubic" ? 2 : 1) / stretch;
  const rows = Array.from({ length: axis.output }, (_, j): [number, number][] => {
    const at = positionOf(node, axis, j);
    if (mode === "nearest") {
      const cell = NEAREST[node.word("nearest_mode", "round_prefer_floor")]!(at);
      return [[Math.min(Math.max(cell, 0), last), 1]];
    }
    const weightAt = (cell: number) => {
      if (node.flag("exclude_outside") && (cell < 0 || cell > last)) return 0;
      const distance = (cell - at) * stretch;
      return mode === "cubic" ? cubicWeight(distance, a) : Math.max(0, 1 - Math.abs(distance));
    };
    const first = Math.ceil(at - reach);
    const cells = Array.from({ length: Math.floor(at + reach) - first + 1 }, (_, index) => first + index);
    const total = cells.reduce((sum, cell) => sum + weightAt(cell), 0);
    return cells.map((cell) => [Math.min(Math.max(cell, 0), last), weightAt(cell) / total]);
  });
  const count = Math.max(...rows.map((row) => row.length));
  const indices = new Int32Array(axis.output * count).fill(-1);
  const weights = new Float64Array(axis.output * count);
  for (const [j, row] of rows.entries()) {
    for (const [tap, [cell, weight]] of row.entries()) {
      indices[j * count + tap] = cell;
      weights[j * count + tap] = weight;
    }
  }
  return { output: axis.output, count, indices, weights };
}

/** Outputs of a crop that lie outside of the input. */
function outsideOf(node: NodeView, axis: Axis): boolean[] {
  const crops = node.word("coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  return Array.from({ length: axis.output }, (_, j) => {
    const at = positionOf(node, axis, j);
    return crops && (at < 0 || at > axis.input - 1);
  });
}

/** Outputs that are outside along any axis are a constant. */
function withOutside(node: NodeView, x: Ref, outside: readonly (readonly boolean[])[]): Ref {
  const value = node.number("extrapolation_value", 0);
  const sizes = outside.map((axis) => axis.length);
  const flags = outside.reduce<boolean[]>(
    (before, axis) => before.flatMap((flag) => axis.map((one) => flag || one)),
    [false],
  );
  const keep = node.to.enter(
    valuesOf(
      [1, 1, ...sizes],
      flags.map((flag) => (flag ? 0 : 1)),
    ),
  );
  const add = node.to.enter(
    valuesOf(
      [1, 1, ...sizes],
      flags.map((flag) => (flag ? value : 0)),
    ),
  );
  return node.to.layer("Add", {}, [node.to.layer("Mul", {}, [x, keep]), add]);
}
