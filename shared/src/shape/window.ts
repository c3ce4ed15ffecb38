/**
 * The window formula, written once. Shapes, cost, receptive field, kernels, hover text and the preview all read it here.
 *
 * Per spatial axis: a window of `kernel` taps, `dilation` apart, moves by `stride` over the input with `padBefore` and
 * `padAfter` cells added. Sources: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning";
 * PyTorch's pooling rules for `ceil`; Araujo, Norris & Sim (Distill 2019) for the receptive field.
 */
import { add, ceilDiv, type Dim, floorDiv, min, mod, mul, sub, unknown } from "./dim.ts";

export interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Cells added before and after; unknown where SAME padding depends on a symbolic size. */
  readonly padBefore: Dim;
  readonly padAfter: Dim;
  /** Round the number of steps up (pooling's ceil_mode); the last window must still start inside the input or padBefore. */
  readonly ceil: boolean;
  /** Padding was chosen by TensorFlow's SAME rule, so that the output is ⌈input / stride⌉. */
  readonly same: boolean;
}

/** One axis of one layer: the window and the sizes it connects. `axis` indexes the tensor's dims. */
export interface WindowUse {
  readonly axis: number;
  readonly input: Dim;
  readonly output: Dim;
  readonly window: Window;
  /** Set for a transposed window: cells added at the end of the output. */
  readonly outputPadding?: number;
}

/** A window along one axis with every size a number: output j reads inputs j·stride − padBefore + k·dilation. */
export interface Placement {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Negative where cells are cut off. */
  readonly padBefore: number;
  readonly padAfter: number;
}

/** The window as kernels take it. @throws RangeError where a size is not a number. */
export function placement({ input, output, window }: WindowUse): Placement {
  const { kernel, stride, dilation, padBefore, padAfter } = window;
  if (
    typeof input !== "number" ||
    typeof output !== "number" ||
    typeof padBefore !== "number" ||
    typeof padAfter !== "number"
  ) {
    throw new RangeError("a window over a size that is not a number");
  }
  return { input, output, kernel, stride, dilation, padBefore, padAfter };
}

/** A window without padding, stride 1, dilation 1, floor; override what differs. */
export function makeWindow(parts: Partial<Window> & { kernel: number }): Window {
  return { stride: 1, dilation: 1, padBefore: 0, padAfter: 0, ceil: false, same: false, ...parts };
}

/** d(k − 1) + 1: the cells a dilated kernel spans. */
export function effectiveKernel(w: Pick<Window, "kernel" | "dilation">): number {
  return w.dilation * (w.kernel - 1) + 1;
}

/** n + padBefore + padAfter. */
export function paddedSize(n: Dim, w: Window): Dim {
  return add(add(n, w.padBefore), w.padAfter);
}

/**
 * The number of window positions: ⌊(n + P − ke)/s⌋ + 1, where a value ≤ 0 means that the window does not fit.
 * With `ceil` the steps are rounded up and the last window must start before n + padBefore.
 */
export function outputSize(n: Dim, w: Window): Dim {
  if (w.same) return ceilDiv(n, w.stride);
  const ke = effectiveKernel(w);
  const room = sub(paddedSize(n, w), ke);
  if (!w.ceil) return add(floorDiv(room, w.stride), 1);
  if (typeof room === "number" && typeof w.padBefore === "number" && typeof n === "number") {
    const steps = Math.ceil(room / w.stride);
    return steps * w.stride >= n + w.padBefore ? steps : steps + 1;
  }
  // The last start j·s must be < n + pL, so j ≤ ⌊(n + pL − 1)/s⌋; both bounds are floors of n plus a constant.
  const lastStart = sub(add(n, w.padBefore), 1);
  return add(floorDiv(min(add(room, w.stride - 1), lastStart), w.stride), 1);
}

/** (n − 1)s − P + ke + op: the output of a transposed window (PyTorch's rule). */
export function transposedOutputSize(n: Dim, w: Window, outputPadding: number): Dim {
  const spread = add(mul(sub(n, 1), w.stride), effectiveKernel(w) + outputPadding);
  return sub(sub(spread, w.padBefore), w.padAfter);
}

/**
 * TensorFlow's SAME: total = max(0, (⌈n/s⌉ − 1)s + ke − n), the odd cell at the end (`upper`) or the start (`lower`).
 * Depends on n when s > 1, so it is unknown there for a symbolic n; the output size is still exact through `same`.
 */
export function samePadding(
  n: Dim,
  kernel: number,
  stride: number,
  dilation: number,
  odd: "upper" | "lower",
): { readonly padBefore: Dim; readonly padAfter: Dim; readonly same: true } {
  const ke = effectiveKernel({ kernel, dilation });
  let total: number;
  if (typeof n === "number") total = Math.max(0, (Math.ceil(n / stride) - 1) * stride + ke - n);
  else if (stride === 1) total = ke - 1;
  else {
    const why = unknown("SAME padding depends on the symbolic input size");
    return { padBefore: why, padAfter: why, same: true };
  }
  const less = Math.floor(total / 2);
  const more = total - less;
  return odd === "upper"
    ? { padBefore: less, padAfter: more, same: true }
    : { padBefore: more, padAfter: less, same: true };
}

/** The course note's total padding p: ⌈p/2⌉ before, ⌊p/2⌋ after. */
export function splitTotal(total: number): { readonly padBefore: number; readonly padAfter: number } {
  return { padBefore: Math.ceil(total / 2), padAfter: Math.floor(total / 2) };
}

/** (n + P − ke) mod s: non-zero where the formula is not an integer; null where it depends on a symbol. */
export function remainder(n: Dim, w: Window): number | null {
  return mod(sub(paddedSize(n, w), effectiveKernel(w)), w.stride);
}

/** Real input cells at the end that no window reads: max(0, remainder − padAfter); 0 with ceil. null where unknown. */
export function unreadInput(n: Dim, w: Window): number | null {
  const rest = remainder(n, w);
  if (rest === null || typeof w.padAfter !== "number") return null;
  if (w.ceil) {
    const o = outputSize(n, w);
    if (typeof o !== "number" || typeof n !== "number" || typeof w.padBefore !== "number") return null;
    const lastRead = (o - 1) * w.stride - w.padBefore + effectiveKernel(w);
    return Math.max(0, n - lastRead);
  }
  return Math.max(0, rest - w.padAfter);
}

/**
 * What one output position sees of the network's input, per axis. Position j sees
 * [start + j·jump, start + j·jump + size − 1]. Fractional jumps come from up-sampling. null: the whole input.
 */
export interface Field {
  readonly size: number;
  readonly jump: number;
  readonly start: number;
}

export const POINT: Field = { size: 1, jump: 1, start: 0 };

/** The field after a window on top of `field`; null where the padding is not a number. */
export function fieldThrough(field: Field, use: WindowUse): Field | null {
  const { window: w } = use;
  if (typeof w.padBefore !== "number") return null;
  const ke = effectiveKernel(w);
  if (use.outputPadding === undefined) {
    return {
      size: field.size + (ke - 1) * field.jump,
      jump: field.jump * w.stride,
      start: field.start - w.padBefore * field.jump,
    };
  }
  // Output j of a transposed window reads inputs ⌈(j + p − ke + 1)/s⌉ … ⌊(j + p)/s⌋: at most ⌈ke/s⌉ of them.
  const first = Math.ceil((w.padBefore - ke + 1) / w.stride);
  return {
    size: field.size + (Math.ceil(ke / w.stride) - 1) * field.jump,
    jump: field.jump / w.stride,
    start: field.start + first * field.jump,
  };
}

/** The input coordinate of the centre of output 0. */
export function fieldCentre(field: Field): number {
  return field.start + (field.size - 1) / 2;
}
