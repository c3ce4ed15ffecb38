/**
 * Tensors with numbers in them, what the engine refuses, and the check of sizes that comes before every allocation.
 */

/** A dense float32 tensor, row-major. */
export interface Values {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export type EngineProblem =
  /** A size is NaN, negative, fractional or 0 where something must be there. */
  | "bad-size"
  /** More bytes than the engine may take. */
  | "too-large"
  /** Inputs, weights and attributes do not fit together. */
  | "mismatch"
  /** The operator has no arithmetic of its own, or none yet. */
  | "cannot-run"
  | "missing-weight"
  | "cancelled";

/** Why the engine did not compute. Nothing has been allocated or changed when it is thrown. */
export class EngineError extends Error {
  constructor(
    readonly problem: EngineProblem,
    message: string,
    /** Bytes that it would have taken, for `too-large`. */
    readonly bytes?: number,
    /** Id of the graph's node where it happened; set by whoever runs a graph. */
    readonly node?: number,
  ) {
    super(message);
    this.name = "EngineError";
  }
}

/** Bytes of one float32 tensor that an engine allocates unless told otherwise: below what every runtime can index. */
export const LARGEST_TENSOR = 2 ** 31;

/**
 * The number of elements of a tensor, checked before anything is allocated.
 * @throws EngineError `bad-size` where a size is no integer ≥ 0, `too-large` where it takes more than `limit` bytes.
 */
export function elementCount(dims: readonly number[], limit = LARGEST_TENSOR): number {
  let count = 1;
  for (const size of dims) {
    if (!Number.isInteger(size) || size < 0) {
      throw new EngineError("bad-size", `[${dims.join(", ")}] is no shape: every size must be an integer ≥ 0`);
    }
    count *= size;
  }
  const bytes = 4 * count;
  if (bytes > limit) {
    throw new EngineError(
      "too-large",
      `[${dims.join(", ")}] takes ${bytes} bytes; at most ${limit} are allowed`,
      bytes,
    );
  }
  return count;
}

/** A tensor of zeros. @throws EngineError as `elementCount` does. */
export function zeros(dims: readonly number[], limit?: number): Values {
  return { dims, data: new Float32Array(elementCount(dims, limit)) };
}

/** A tensor over given numbers. @throws EngineError `mismatch` where there are more or fewer than its dims say. */
export function valuesOf(dims: readonly number[], data: Float32Array | readonly number[]): Values {
  const count = elementCount(dims);
  if (data.length !== count) {
    throw new EngineError("mismatch", `[${dims.join(", ")}] has ${count} elements, but ${data.length} are given`);
  }
  return { dims, data: data instanceof Float32Array ? data : Float32Array.from(data) };
}

/** Elements between neighbours along every axis. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length);
  let step = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= dims[axis]!;
  }
  return strides;
}
