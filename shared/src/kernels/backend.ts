/**
 * What an evaluator can do: the primitives that every operator's `run` is written in.
 *
 * A backend holds tensors in whatever layout is fast for it; operators see only their logical dims. Images are
 * [batch, channels, …spatial] here, whatever the file's layout. Two backends implement this: `reference` (plain loops,
 * float64 sums: the truth) and `wasm` (fast). A backend that has no kernel of its own for a rare primitive reads its
 * tensors, asks the reference, and enters the answer.
 *
 * Everything is synchronous: a backend with threads forks and joins inside a call. Weights come as plain `Values`; a
 * backend may pack them once and remember the packing by the identity of the object.
 */
import type { Placement } from "../shape/window.ts";
import { EngineError, type Values } from "./values.ts";

/** A tensor in a backend's hands. */
export interface Resident {
  readonly dims: readonly number[];
}

/** Polled between tiles; an AbortSignal is one, and so is a view of a flag in shared memory. */
export interface Signal {
  readonly aborted: boolean;
}

/** @throws EngineError `cancelled` once the signal is aborted. */
export function checkpoint(signal: Signal | null): void {
  if (signal?.aborted) throw new EngineError("cancelled", "cancelled");
}

/** A function of one number. NaN stays NaN in all of them. */
export type Pointwise =
  | {
      readonly kind:
        | "relu"
        | "selu"
        | "gelu"
        | "gelu-tanh"
        | "silu"
        | "mish"
        | "hardswish"
        | "hardsigmoid"
        | "softsign"
        | "sigmoid"
        | "logsigmoid"
        | "tanh"
        | "tanhshrink"
        | "square";
    }
  | { readonly kind: "leaky-relu"; readonly slope: number }
  | { readonly kind: "elu" | "celu"; readonly alpha: number }
  | { readonly kind: "clamp"; readonly least: number; readonly most: number }
  | { readonly kind: "hardshrink" | "softshrink"; readonly lambda: number }
  | { readonly kind: "softplus"; readonly beta: number; readonly threshold: number }
  /** x where x > above, else value. */
  | { readonly kind: "threshold"; readonly above: number; readonly value: number }
  /** scale·x + shift. */
  | { readonly kind: "affine"; readonly scale: number; readonly shift: number }
  /** x to a power, as IEEE pow. */
  | { readonly kind: "power"; readonly exponent: number };

/** Cells around an image along one spatial axis. */
export interface Surround {
  readonly before: number;
  readonly after: number;
}

/** What happens to a result before it is stored: first `add`, then `activation`. A backend fuses it into the kernel. */
export interface Epilogue<R extends Resident = Resident> {
  /** A tensor of the result's dims. */
  readonly add?: R;
  readonly activation?: Pointwise;
  /** The cells around the result that later windows will read as zeros: a backend may write them right away. */
  readonly margin?: readonly Surround[];
}

export interface Convolution<R extends Resident = Resident> extends Epilogue<R> {
  /** [out, in / groups, …kernel]. */
  readonly weight: Values;
  /** [out]. */
  readonly bias: Values | null;
  /** One per spatial axis; cells outside the input are zeros. */
  readonly axes: readonly Placement[];
  readonly groups: number;
  /** A true convolution, whose kernel is turned around; otherwise cross-correlation, as frameworks compute. */
  readonly flipped?: boolean;
}

export interface TransposedConvolution<R extends Resident = Resident> extends Epilogue<R> {
  /** [in, out / groups, …kernel]. */
  readonly weight: Values;
  /** [out]. */
  readonly bias: Values | null;
  /** Input j writes outputs j·stride − padBefore + k·dilation that exist; `output` includes the output padding. */
  readonly axes: readonly Placement[];
  readonly groups: number;
}

export interface Linear<R extends Resident = Resident> extends Epilogue<R> {
  /** [out, in]. */
  readonly weight: Values;
  /** [out]. */
  readonly bias: Values | null;
}

/** Which input cells one axis of a pooling reads for output j: window cells inside the input. */
export type Pooling =
  /** The greatest cell; padding never wins. With `indices`, also where it was in its flattened channel. */
  | { readonly kind: "max"; readonly axes: readonly Placement[]; readonly indices: boolean }
  /**
   * Sum over `divisor`; null divides by the window's cells: those in the input, and with `countPadding` those in the
   * padding too (cells that `ceil` adds beyond the padding never count). Source: torch.nn.functional.avg_pool2d.
   */
  | {
      readonly kind: "average";
      readonly axes: readonly Placement[];
      readonly countPadding: boolean;
      readonly divisor: number | null;
    };

/** Output i along an axis of n reads cells ⌊i·n/o⌋ … ⌈(i+1)·n/o⌉ − 1. `sizes` holds o for each spatial axis. */
export interface AdaptivePooling {
  readonly kind: "max" | "average";
  readonly sizes: readonly number[];
  /** With `max`: also where each was in its flattened channel. */
  readonly indices: boolean;
}

export interface Pooled<R extends Resident = Resident> {
  readonly values: R;
  /** As numbers, where asked for. */
  readonly indices: R | null;
}

/** (x − mean)·scale + shift, where each is 1-D with one value for every position along `axis`, or absent. */
export interface ScaleShift {
  readonly axis: number;
  readonly mean?: Values;
  readonly scale?: Values;
  readonly shift?: Values;
  readonly activation?: Pointwise;
}

export type Binary = "add" | "subtract" | "multiply" | "divide" | "maximum" | "minimum";
export type Reduction = "sum" | "mean" | "max" | "min";

/** Cells around a tensor, one entry per axis; negative amounts cut off. */
export interface Padding {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly fill:
    | { readonly kind: "constant"; readonly value: number }
    | { readonly kind: "reflect" | "replicate" | "circular" };
}

/** One axis of an interpolation as a table: output j is Σ weight·input over its taps, `count` of them. */
export interface Taps {
  readonly output: number;
  readonly count: number;
  /** output × count input indices; −1 where an output has fewer taps. */
  readonly indices: Int32Array;
  /** output × count weights. */
  readonly weights: Float64Array;
}

/** Two-dimensional sliding blocks. */
export interface Blocks {
  readonly axes: readonly [Placement, Placement];
}

/** What a backend did in a run of a network, ready to be done again with other inputs. */
export interface Recording {
  /**
   * Does a step again. Steps come in order, from the first one on.
   * @param owner whose run it is; a run that another one has overtaken cannot go on.
   * @param given what enters in this step, in the order in which it was recorded.
   * @returns what the step read; null where the recording is of no use (any longer) and the run must do without.
   * @throws EngineError `cancelled`.
   */
  replay(owner: object, step: number, given: readonly Values[]): readonly Values[] | null;
}

/** Listens to a run. */
export interface Recorder {
  /** Records all that the backend does in `work` as the next step. */
  step<T>(work: () => T): T;
  /** After the last step, when every tensor is released. Null where the run cannot be done again as it was. */
  finish(): Recording | null;
}

export interface Backend<R extends Resident = Resident> {
  readonly name: string;
  /** Set by whoever runs a network; kernels poll it between tiles and throw EngineError `cancelled`. */
  signal: Signal | null;
  /** Starts to record a run, where the backend gains by that. */
  record?(): Recorder;

  /** Takes a copy. @throws EngineError where it does not fit. */
  enter(values: Values): R;
  /** The numbers, row-major by the tensor's dims; the caller must not write to them. Stays valid after a release. */
  read(x: R): Values;
  /** Gives the memory back. Tensors made from this one (by reshape, for one) stay. */
  release(x: R): void;
  /** Runs `work` and releases every tensor made inside that it does not return; all of them where it throws. */
  tidy(work: () => readonly R[]): readonly R[];

  convolve(x: R, convolution: Convolution<R>): R;
  convolveTransposed(x: R, convolution: TransposedConvolution<R>): R;
  /** The last axis times weightᵀ, plus bias. */
  linear(x: R, linear: Linear<R>): R;
  /** Matrix product of the last two axes; the axes before them broadcast. */
  matmul(a: R, b: R): R;
  /** Over the last axes, one for each placement. */
  pool(x: R, pooling: Pooling): Pooled<R>;
  adaptivePool(x: R, pooling: AdaptivePooling): Pooled<R>;

  unary(x: R, f: Pointwise): R;
  /** Broadcasts as PyTorch does. */
  binary(kind: Binary, a: R, b: R): R;
  /** One affine function for every position along an axis. */
  scaleShift(x: R, along: ScaleShift): R;
  /** (x − mean)/√(variance + epsilon) over the axes together; not `centred`: x/√(mean square + epsilon). */
  normalize(x: R, axes: readonly number[], epsilon: number, centred: boolean): R;
  softmax(x: R, axis: number, log: boolean): R;
  /** The reduced axes stay, with size 1. */
  reduce(kind: Reduction, x: R, axes: readonly number[]): R;
  /** The `k` greatest along an axis, greatest first. */
  top(x: R, axis: number, k: number): R;

  resample(x: R, axis: number, taps: Taps): R;
  pad(x: R, padding: Padding): R;
  reshape(x: R, dims: readonly number[]): R;
  /** Output axis i is input axis order[i]. */
  permute(x: R, order: readonly number[]): R;
  /** `length` positions from `start`, `step` apart; a negative step runs backwards. */
  slice(x: R, axis: number, start: number, length: number, step: number): R;
  concat(xs: readonly R[], axis: number): R;
  /** Rows of a table [rows, width] by the integers in x: dims of x, then width. */
  lookup(x: R, table: Values): R;
  /** [N, C, H, W] → [N, C·kh·kw, blocks]. */
  unfold(x: R, blocks: Blocks): R;
  /** [N, C·kh·kw, blocks] → [N, C, H, W], where the placements' input sizes are H and W: adds what overlaps. */
  fold(x: R, blocks: Blocks): R;
}
