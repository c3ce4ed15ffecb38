/**
 * The fast backend: SIMD kernels that are written while the program runs, each for the geometry it computes.
 *
 *     const backend = createWasmBackend();
 *     … new Network(sized, weights).run({ backend, inputs, wanted }) …
 *
 * A primitive without a kernel of its own is computed by the reference. How to add a family of kernels: ARCHITECTURE.md.
 */
import type {
  AdaptivePooling,
  Backend,
  Binary,
  Blocks,
  Convolution,
  Epilogue,
  Linear,
  Padding,
  Pointwise,
  Pooled,
  Pooling,
  Recorder,
  Reduction,
  ScaleShift,
  Signal,
  Taps,
  TransposedConvolution,
} from "../backend.ts";
import { convolutionDims, linearDims, matmulDims, paddedDims, transposedDims } from "../check.ts";
import { Reference } from "../reference/reference.ts";
import { EngineError, elementCount, type Values } from "../values.ts";
import { fuses } from "./activation.ts";
import { convolve } from "./convolution.ts";
import { Core } from "./core.ts";
import type { Threads } from "./crew.ts";
import { binary, scaleShift, unary } from "./elementwise.ts";
import { linear, matmul } from "./linear.ts";
import { Memory } from "./memory.ts";
import { concat, pad, permute, slice } from "./movement.ts";
import { NotFinite } from "./packing.ts";
import { adaptivePool, canPool, pool } from "./pooling.ts";
import { normalize, reduce, softmax } from "./reduction.ts";
import { resample } from "./resampling.ts";
import type { WasmTensor } from "./tensor.ts";
import { convolveTransposed } from "./transposed.ts";

/** Bytes that a backend's memory may grow to unless told otherwise: what 32-bit addresses reach. */
export const LARGEST_MEMORY = 2 ** 32;

export interface WasmBackendOptions {
  /** Bytes that the engine's memory may grow to; at most 4 GiB, which is what there is unless told otherwise. */
  readonly limit?: number;
  /** Keeps every result within 1e-5 of the greatest: for values that are shown digit by digit. */
  readonly exact?: boolean;
  /** Threads besides the caller's; one is enough, and all there is where memory cannot be shared. */
  readonly threads?: Threads;
}

/** Makes a backend with a memory of its own. Its memory goes when nobody has the backend any more. */
export function createWasmBackend(options: WasmBackendOptions = {}): WasmBackend {
  const { limit = LARGEST_MEMORY, exact = false } = options;
  const isShared = options.threads !== undefined && options.threads.count > 1 && "SharedArrayBuffer" in globalThis;
  const threads = isShared ? options.threads! : null;
  return new WasmBackend(new Core(new Memory(limit, isShared), { exact, threads }));
}

export class WasmBackend implements Backend<WasmTensor> {
  readonly name = "wasm";
  private readonly reference: Reference;
  private readonly notFinite = new WeakSet<Values>();

  constructor(readonly core: Core) {
    this.reference = new Reference(core.memory.limit);
  }

  get signal(): Signal | null {
    return this.core.signal;
  }

  set signal(signal: Signal | null) {
    this.core.signal = signal;
    this.reference.signal = signal;
  }

  /** Bytes of the tensors that have not been released. */
  get residentBytes(): number {
    return this.core.memory.used - this.core.packed.bytes - this.core.codeBytes - this.core.recordedBytes;
  }

  /** Bytes of the weights that are remembered in packed form. */
  get packedBytes(): number {
    return this.core.packed.bytes;
  }

  /** Forgets the packed weights, and with them the recorded run; they are packed again when they are needed. */
  forgetWeights(): void {
    this.core.packed.clear();
  }

  record(): Recorder {
    return this.core.record();
  }

  /** Ends the backend's threads. It must not be used any more. */
  dispose(): void {
    this.core.dispose();
  }

  /** Asks the reference. */
  private viaReference(
    xs: readonly WasmTensor[],
    compute: (reference: Reference, xs: readonly Values[]) => Values,
  ): WasmTensor {
    this.core.unrecorded();
    return this.core.enter(
      compute(
        this.reference,
        xs.map((x) => this.read(x)),
      ),
    );
  }

  private pooledViaReference(
    x: WasmTensor,
    compute: (reference: Reference, x: Values) => Pooled<Values>,
  ): Pooled<WasmTensor> {
    this.core.unrecorded();
    const { values, indices } = compute(this.reference, this.read(x));
    return { values: this.core.enter(values), indices: indices && this.core.enter(indices) };
  }

  enter(values: Values): WasmTensor {
    return this.core.enter(values);
  }

  read(x: WasmTensor): Values {
    return this.core.read(x);
  }

  release(x: WasmTensor): void {
    this.core.release(x);
  }

  tidy(work: () => readonly WasmTensor[]): readonly WasmTensor[] {
    return this.core.tidy(work);
  }

  convolve(x: WasmTensor, convolution: Convolution<WasmTensor>): WasmTensor {
    const dims = convolutionDims(x.dims, convolution);
    return this.weighted(x, convolution, dims, convolve, (of, on, parts) => of.convolve(on, parts));
  }

  convolveTransposed(x: WasmTensor, convolution: TransposedConvolution<WasmTensor>): WasmTensor {
    const dims = transposedDims(x.dims, convolution);
    return this.weighted(x, convolution, dims, convolveTransposed, (of, on, parts) => of.convolveTransposed(on, parts));
  }

  linear(x: WasmTensor, parts: Linear<WasmTensor>): WasmTensor {
    const dims = linearDims(x.dims, parts.weight, parts.bias);
    return this.weighted(x, parts, [...dims, ...x.dims], linear, (of, on, all) => of.linear(on, all));
  }

  /** Computes with weights, unless that is a matter for the reference. */
  private weighted<E extends Epilogue<WasmTensor> & { readonly weight: Values }>(
    x: WasmTensor,
    parts: E,
    sizes: readonly number[],
    compute: (core: Core, x: WasmTensor, parts: E) => WasmTensor,
    refer: (reference: Reference, x: Values, parts: Omit<E, "add"> & { readonly add?: Values }) => Values,
  ): WasmTensor {
    if (!sizes.includes(0) && !this.notFinite.has(parts.weight)) {
      try {
        return this.core.packed.during(() => this.withActivation(parts, (all) => compute(this.core, x, all)));
      } catch (error) {
        if (!(error instanceof NotFinite)) throw error;
        this.notFinite.add(parts.weight);
      }
    }
    const { add, ...rest } = parts;
    return this.viaReference(add ? [x, add] : [x], (reference, [from, added]) =>
      refer(reference, from!, added ? { ...rest, add: added } : rest),
    );
  }

  /** Applies what kernels cannot apply themselves after them. */
  private withActivation<E extends { readonly activation?: Pointwise }>(
    parts: E,
    compute: (parts: E) => WasmTensor,
  ): WasmTensor {
    const { activation, ...rest } = parts;
    if (!activation || fuses(activation)) return compute(parts);
    const sums = compute(rest as E);
    const result = this.unary(sums, activation);
    this.release(sums);
    return result;
  }

  matmul(a: WasmTensor, b: WasmTensor): WasmTensor {
    if (matmulDims(a.dims, b.dims).includes(0) || a.dims.at(-1) === 0) {
      return this.viaReference([a, b], (reference, [left, right]) => reference.matmul(left!, right!));
    }
    return matmul(this.core, a, b);
  }

  pool(x: WasmTensor, pooling: Pooling): Pooled<WasmTensor> {
    const isEmpty = [...x.dims, ...pooling.axes.map(({ output }) => output)].includes(0);
    const indices = pooling.kind === "max" && pooling.indices;
    if (!isEmpty && canPool(x, pooling.axes.length, indices)) {
      return { values: pool(this.core, x, pooling), indices: null };
    }
    return this.pooledViaReference(x, (reference, from) => reference.pool(from, pooling));
  }

  adaptivePool(x: WasmTensor, pooling: AdaptivePooling): Pooled<WasmTensor> {
    const { kind, sizes } = pooling;
    const isEmpty = [...x.dims, ...sizes].includes(0);
    if (!isEmpty && canPool(x, sizes.length, kind === "max" && pooling.indices)) {
      return { values: adaptivePool(this.core, x, pooling), indices: null };
    }
    return this.pooledViaReference(x, (reference, from) => reference.adaptivePool(from, pooling));
  }

  unary(x: WasmTensor, f: Pointwise): WasmTensor {
    if (fuses(f) && !x.dims.includes(0)) return unary(this.core, x, f);
    return this.viaReference([x], (reference, [from]) => reference.unary(from!, f));
  }

  binary(kind: Binary, a: WasmTensor, b: WasmTensor): WasmTensor {
    if (!a.dims.includes(0) && !b.dims.includes(0)) return binary(this.core, kind, a, b);
    return this.viaReference([a, b], (reference, [left, right]) => reference.binary(kind, left!, right!));
  }

  scaleShift(x: WasmTensor, along: ScaleShift): WasmTensor {
    if (!x.dims.includes(0)) {
      return this.withActivation(along, (parts) => scaleShift(this.core, x, parts));
    }
    return this.viaReference([x], (reference, [from]) => reference.scaleShift(from!, along));
  }

  normalize(x: WasmTensor, axes: readonly number[], epsilon: number, centred: boolean): WasmTensor {
    if (!x.dims.includes(0)) return normalize(this.core, x, axes, epsilon, centred);
    return this.viaReference([x], (reference, [from]) => reference.normalize(from!, axes, epsilon, centred));
  }

  softmax(x: WasmTensor, axis: number, log: boolean): WasmTensor {
    if (!x.dims.includes(0)) return softmax(this.core, x, axis, log);
    return this.viaReference([x], (reference, [from]) => reference.softmax(from!, axis, log));
  }

  reduce(kind: Reduction, x: WasmTensor, axes: readonly number[]): WasmTensor {
    if (!x.dims.includes(0)) return reduce(this.core, kind, x, axes);
    return this.viaReference([x], (reference, [from]) => reference.reduce(kind, from!, axes));
  }

  top(x: WasmTensor, axis: number, k: number): WasmTensor {
    return this.viaReference([x], (reference, [from]) => reference.top(from!, axis, k));
  }

  resample(x: WasmTensor, axis: number, taps: Taps): WasmTensor {
    if (!x.dims.includes(0) && taps.output > 0) return resample(this.core, x, axis, taps);
    return this.viaReference([x], (reference, [from]) => reference.resample(from!, axis, taps));
  }

  pad(x: WasmTensor, padding: Padding): WasmTensor {
    if (!x.dims.includes(0) && !paddedDims(x.dims, padding).some((size) => size <= 0))
      return pad(this.core, x, padding);
    return this.viaReference([x], (reference, [from]) => reference.pad(from!, padding));
  }

  reshape(x: WasmTensor, dims: readonly number[]): WasmTensor {
    const [count, wanted] = [elementCount(x.dims), elementCount(dims)];
    if (count !== wanted) {
      throw new EngineError("mismatch", `[${x.dims.join(", ")}] cannot become [${dims.join(", ")}]`);
    }
    return this.core.share(x, dims);
  }

  permute(x: WasmTensor, order: readonly number[]): WasmTensor {
    return permute(this.core, x, order);
  }

  slice(x: WasmTensor, axis: number, start: number, length: number, step: number): WasmTensor {
    return slice(this.core, x, axis, start, length, step);
  }

  concat(xs: readonly WasmTensor[], axis: number): WasmTensor {
    return concat(this.core, xs, axis);
  }

  lookup(x: WasmTensor, table: Values): WasmTensor {
    return this.viaReference([x], (reference, [from]) => reference.lookup(from!, table));
  }

  unfold(x: WasmTensor, blocks: Blocks): WasmTensor {
    return this.viaReference([x], (reference, [from]) => reference.unfold(from!, blocks));
  }

  fold(x: WasmTensor, blocks: Blocks): WasmTensor {
    return this.viaReference([x], (reference, [from]) => reference.fold(from!, blocks));
  }
}
