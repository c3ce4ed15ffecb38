/**
 * The truth: every primitive by its definition, in plain loops with float64 sums that are rounded once. Tests hold the
 * fast backend against it, and step-through shows its arithmetic.
 */
import type {
  AdaptivePooling,
  Backend,
  Binary,
  Blocks,
  Convolution,
  Linear,
  Padding,
  Pointwise,
  Pooled,
  Pooling,
  Reduction,
  ScaleShift,
  Signal,
  Taps,
  TransposedConvolution,
} from "../backend.ts";
import { LARGEST_TENSOR, type Values } from "../values.ts";
import { binary, linear, matmul, normalize, reduce, scaleShift, softmax, unary } from "./arithmetic.ts";
import { convolve, convolveTransposed } from "./convolution.ts";
import { concat, copied, fold, lookup, pad, permute, resample, reshape, slice, top, unfold } from "./movement.ts";
import { adaptivePool, pool } from "./pooling.ts";

export class Reference implements Backend<Values> {
  readonly name = "reference";
  signal: Signal | null = null;
  private readonly live = new Set<Values>();

  /** @param limit bytes of the largest single tensor. */
  constructor(private readonly limit = LARGEST_TENSOR) {}

  /** Bytes of the tensors that have not been released; tensors that share their numbers count once. */
  get residentBytes(): number {
    let bytes = 0;
    for (const data of new Set([...this.live].map((x) => x.data))) bytes += data.byteLength;
    return bytes;
  }

  private keep(x: Values): Values {
    this.live.add(x);
    return x;
  }

  private keepPooled(pooled: Pooled<Values>): Pooled<Values> {
    this.keep(pooled.values);
    if (pooled.indices) this.keep(pooled.indices);
    return pooled;
  }

  enter(values: Values): Values {
    return this.keep(copied(values));
  }

  read(x: Values): Values {
    return x;
  }

  release(x: Values): void {
    this.live.delete(x);
  }

  tidy(work: () => readonly Values[]): readonly Values[] {
    const before = new Set(this.live);
    let kept: ReadonlySet<Values> = new Set();
    try {
      const results = work();
      kept = new Set(results);
      return results;
    } finally {
      for (const x of this.live) if (!before.has(x) && !kept.has(x)) this.live.delete(x);
    }
  }

  convolve(x: Values, convolution: Convolution<Values>): Values {
    return this.keep(convolve(x, convolution, this.limit, this.signal));
  }

  convolveTransposed(x: Values, convolution: TransposedConvolution<Values>): Values {
    return this.keep(convolveTransposed(x, convolution, this.limit, this.signal));
  }

  linear(x: Values, parts: Linear<Values>): Values {
    return this.keep(linear(x, parts, this.limit, this.signal));
  }

  matmul(a: Values, b: Values): Values {
    return this.keep(matmul(a, b, this.limit, this.signal));
  }

  pool(x: Values, pooling: Pooling): Pooled<Values> {
    return this.keepPooled(pool(x, pooling, this.limit, this.signal));
  }

  adaptivePool(x: Values, pooling: AdaptivePooling): Pooled<Values> {
    return this.keepPooled(adaptivePool(x, pooling, this.limit, this.signal));
  }

  unary(x: Values, f: Pointwise): Values {
    return this.keep(unary(x, f, this.limit));
  }

  binary(kind: Binary, a: Values, b: Values): Values {
    return this.keep(binary(kind, a, b, this.limit));
  }

  scaleShift(x: Values, along: ScaleShift): Values {
    return this.keep(scaleShift(x, along, this.limit));
  }

  normalize(x: Values, axes: readonly number[], epsilon: number, centred: boolean): Values {
    return this.keep(normalize(x, axes, epsilon, centred, this.limit));
  }

  softmax(x: Values, axis: number, log: boolean): Values {
    return this.keep(softmax(x, axis, log, this.limit));
  }

  reduce(kind: Reduction, x: Values, axes: readonly number[]): Values {
    return this.keep(reduce(kind, x, axes, this.limit));
  }

  top(x: Values, axis: number, k: number): Values {
    return this.keep(top(x, axis, k, this.limit));
  }

  resample(x: Values, axis: number, taps: Taps): Values {
    return this.keep(resample(x, axis, taps, this.limit));
  }

  pad(x: Values, padding: Padding): Values {
    return this.keep(pad(x, padding, this.limit));
  }

  reshape(x: Values, dims: readonly number[]): Values {
    return this.keep(reshape(x, dims));
  }

  permute(x: Values, order: readonly number[]): Values {
    return this.keep(permute(x, order, this.limit));
  }

  slice(x: Values, axis: number, start: number, length: number, step: number): Values {
    return this.keep(slice(x, axis, start, length, step, this.limit));
  }

  concat(xs: readonly Values[], axis: number): Values {
    return this.keep(concat(xs, axis, this.limit));
  }

  lookup(x: Values, table: Values): Values {
    return this.keep(lookup(x, table, this.limit));
  }

  unfold(x: Values, blocks: Blocks): Values {
    return this.keep(unfold(x, blocks, this.limit));
  }

  fold(x: Values, blocks: Blocks): Values {
    return this.keep(fold(x, blocks, this.limit));
  }
}
