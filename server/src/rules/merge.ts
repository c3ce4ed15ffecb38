/**
 * Where branches meet with sizes that differ: which axes, for which symbolic sizes they would agree, and what would mend it.
 */
import { fittingInput } from "#shared/graph/fit.ts";
import type { Graph } from "#shared/graph/graph.ts";
import { agreesWhen, compare, type Dim, isKnown, sub } from "#shared/shape/dim.ts";
import { axisName, channelAxis, spatialAxes, type Tensor } from "#shared/shape/tensor.ts";
import { makeWindow, outputSize } from "#shared/shape/window.ts";
import type { Words } from "../dialects/dialect.ts";
import { listed } from "./wording.ts";

/** An axis of each of two tensors, which should have one size. */
export type AxisPair = readonly [a: number, b: number];

/** Axes by their place from the front. */
export function alignedFirst(a: Tensor, b: Tensor): AxisPair[] {
  return Array.from({ length: Math.min(a.dims.length, b.dims.length) }, (_, axis) => [axis, axis] as const);
}

/** Axes by their place from the end, as broadcasting pairs them. */
export function alignedLast(a: Tensor, b: Tensor): AxisPair[] {
  return alignedFirst(a, b).map(([axis]) => {
    const fromEnd = Math.min(a.dims.length, b.dims.length) - axis;
    return [a.dims.length - fromEnd, b.dims.length - fromEnd] as const;
  });
}

/** The pairs whose sizes are not equal for all values of their symbols; unknown sizes never count. */
export function differing(a: Tensor, b: Tensor, pairs: readonly AxisPair[]): AxisPair[] {
  return pairs.filter(([i, j]) => {
    const [left, right] = [a.dims[i]!, b.dims[j]!];
    return isKnown(left) && isKnown(right) && compare(left, right) !== "equal";
  });
}

/** Whether symbols may have values for which all pairs agree: then nothing is wrong yet. */
export function mayAgree(a: Tensor, b: Tensor, pairs: readonly AxisPair[]): boolean {
  return pairs.length > 0 && pairs.every(([i, j]) => compare(a.dims[i]!, b.dims[j]!) === "sometimes");
}

/** The input before `index` that it differs from: the first it can never agree with, else the first it may not. */
export function opposite(
  inputs: readonly Tensor[],
  index: number,
  pairsOf: (a: Tensor, b: Tensor) => readonly AxisPair[],
): number {
  const earlier = inputs.slice(0, index);
  const found = (accept: (a: Tensor, pairs: readonly AxisPair[]) => boolean) =>
    earlier.findIndex((a) => accept(a, differing(a, inputs[index]!, pairsOf(a, inputs[index]!))));
  const never = found((a, pairs) => pairs.length > 0 && !mayAgree(a, inputs[index]!, pairs));
  return Math.max(0, never >= 0 ? never : found((_, pairs) => pairs.length > 0));
}

/**
 * `height and width 28 ≠ 27`; where symbols decide, `height H = 2*(H//2) only when H mod 2 is 0`. Where some sizes can
 * never agree, only those are told.
 */
export function differences(a: Tensor, b: Tensor, pairs: readonly AxisPair[], words: Words): string {
  const never = pairs.filter(([i, j]) => compare(a.dims[i]!, b.dims[j]!) === "different");
  const axes = new Map<string, string[]>();
  for (const [i, j] of never.length > 0 ? never : pairs) {
    const [left, right] = [a.dims[i]!, b.dims[j]!];
    const sizes =
      never.length > 0
        ? `${words.dim(left)} ≠ ${words.dim(right)}`
        : `${words.dim(left)} = ${words.dim(right)} only ${condition(left, right)}`;
    const name = i === channelAxis(a) ? "channels" : axisName(a, i);
    axes.set(sizes, [...(axes.get(sizes) ?? []), name]);
  }
  return listed([...axes].map(([sizes, names]) => `${listed(names)} ${sizes}`));
}

/** More residues than this are better counted. */
const MAX_RESIDUES = 6;

function condition(left: Dim, right: Dim): string {
  const agreement = agreesWhen(left, right);
  if (!agreement || agreement.residues.length === 0) return "for some sizes";
  const { symbol, period, residues } = agreement;
  const shown =
    residues.length > MAX_RESIDUES
      ? `${residues.slice(0, MAX_RESIDUES - 1).join(", ")} … ${residues.at(-1)}`
      : listed(residues, "or");
  return `when ${symbol} mod ${period} is ${shown}`;
}

/** The stride of a 1×1 window that takes every spatial size of `from` to that of `to`, or null. */
export function strideBetween(from: Tensor, to: Tensor): number | null {
  const strides = spatialAxes(from).map((axis) => {
    const [n, target] = [from.dims[axis], to.dims[axis]];
    if (typeof n !== "number" || typeof target !== "number" || target < 1) return null;
    const stride = Math.ceil(n / target);
    return outputSize(n, makeWindow({ kernel: 1, stride })) === target ? stride : null;
  });
  return common(strides);
}

/**
 * ` Use input height and width 448 or 480, which are multiples of 32.`: sizes of the model's input with which all its
 * branches meet, tried; "" where there are none near.
 */
export function betterInput(graph: Graph): string {
  const fitted = fittingInput(graph);
  if (!fitted) return "";
  const axes = new Map<string, string[]>();
  for (const { axis, sizes, multipleOf } of fitted.fits) {
    const multiples = sizes.length > 1 ? `multiples of ${multipleOf}` : `a multiple of ${multipleOf}`;
    const why = multipleOf === null ? "" : `, ${multiples}`;
    const words = `${listed(sizes, "or")}${why}`;
    axes.set(words, [...(axes.get(words) ?? []), axisName(fitted.input, axis)]);
  }
  return ` Use input ${[...axes].map(([sizes, names]) => `${listed(names)} ${sizes}`).join("; ")}.`;
}

/** How to level spatial sizes that differ: the whole factor to up-sample by, else the cells to crop or pad. */
export function levelling(
  a: { readonly tensor: Tensor; readonly name: string },
  b: { readonly tensor: Tensor; readonly name: string },
  pairs: readonly AxisPair[],
): string {
  const spatial = spatialAxes(a.tensor);
  if (pairs.length === 0 || a.tensor.dims.length !== b.tensor.dims.length) return "";
  if (!pairs.every(([axis]) => spatial.includes(axis))) return "";
  const by = common(pairs.map(([i, j]) => asNumber(sub(a.tensor.dims[i]!, b.tensor.dims[j]!))));
  if (by !== null && by < 0)
    return levelling(
      b,
      a,
      pairs.map(([i, j]) => [j, i] as const),
    );
  const factor = common(
    spatial.map((axis) => {
      const [large, small] = [a.tensor.dims[axis]!, b.tensor.dims[axis]!];
      if (typeof large !== "number" || typeof small !== "number") return null;
      return small > 0 && large % small === 0 ? large / small : null;
    }),
  );
  if (factor !== null && factor > 1) return ` Up-sample ${b.name} by ${factor}, or shrink ${a.name} by ${factor}.`;
  if (by === null) return "";
  return ` Crop ${a.name} or pad ${b.name} by ${by} in ${listed(pairs.map(([axis]) => axisName(a.tensor, axis)))}.`;
}

function asNumber(dim: Dim): number | null {
  return typeof dim === "number" ? dim : null;
}

/** The value that all have, or null. */
function common(values: readonly (number | null)[]): number | null {
  const [first] = values;
  return first !== undefined && values.every((value) => value === first) ? first : null;
}
