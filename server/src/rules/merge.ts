/**
 * Where branches meet with sizes that differ: which axes, when a symbolic size would still agree, and what would mend it.
 */
import { agreesWhen, compare, type Dim, isKnown } from "#shared/shape/dim.ts";
import { axisName, channelAxis, type Tensor } from "#shared/shape/tensor.ts";
import { makeWindow, outputSize } from "#shared/shape/window.ts";
import type { Words } from "../dialects/dialect.ts";

/** The axes of two tensors of equal rank that can differ, apart from `except`. */
export function differingAxes(
  a: Tensor,
  b: Tensor,
  except: number | null,
  differ: (a: Dim, b: Dim) => boolean,
): number[] {
  const axes: number[] = [];
  for (const [axis, dim] of a.dims.entries()) {
    const other = b.dims[axis];
    if (axis !== except && other !== undefined && isKnown(dim) && isKnown(other) && differ(dim, other)) axes.push(axis);
  }
  return axes;
}

/** `height 28 ≠ 27 and width 28 ≠ 27`, for the pieces to be listed; where symbols decide, when they agree. */
export function differences(a: Tensor, b: Tensor, axes: readonly number[], words: Words): string[] {
  return axes.map((axis) => {
    const [left, right] = [a.dims[axis]!, b.dims[axis]!];
    const name = axis === channelAxis(a) ? "channels" : axisName(a, axis);
    const sizes = `${words.dim(left)} ≠ ${words.dim(right)}`;
    if (compare(left, right) === "different") return `${name} ${sizes}`;
    const agreement = agreesWhen(left, right);
    if (!agreement || agreement.residues.length === 0) return `${name} ${sizes} for some sizes`;
    const { symbol, period, residues } = agreement;
    const are = residues.length > 4 ? `${residues.slice(0, 4).join(", ")}, …` : residues.join(" or ");
    return `${name} ${sizes} unless ${symbol} mod ${period} is ${are}`;
  });
}

/** Whether some value of the symbols lets the two sizes agree: then it is a warning, not an error. */
export function maybeAgree(a: Tensor, b: Tensor, axes: readonly number[]): boolean {
  return axes.every((axis) => compare(a.dims[axis]!, b.dims[axis]!) === "sometimes");
}

/** The stride of a 1×1 window that takes every spatial size of `from` to that of `to`, or null. */
export function strideBetween(from: Tensor, to: Tensor, axes: readonly number[]): number | null {
  let stride: number | null = null;
  for (const axis of axes) {
    const [n, target] = [from.dims[axis]!, to.dims[axis]!];
    if (typeof n !== "number" || typeof target !== "number" || target < 1) return null;
    const candidate = Math.ceil(n / target);
    if (outputSize(n, makeWindow({ kernel: 1, stride: candidate })) !== target) return null;
    if (stride !== null && stride !== candidate) return null;
    stride = candidate;
  }
  return stride ?? 1;
}

/** The whole factor by which every axis of `from` must grow to reach `to`, or null. */
export function factorBetween(from: Tensor, to: Tensor, axes: readonly number[]): number | null {
  let factor: number | null = null;
  for (const axis of axes) {
    const [n, target] = [from.dims[axis]!, to.dims[axis]!];
    if (typeof n !== "number" || typeof target !== "number" || n < 1 || target % n !== 0) return null;
    if (factor !== null && factor !== target / n) return null;
    factor = target / n;
  }
  return factor;
}
