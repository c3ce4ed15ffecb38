/** Tensors as files hold them: numbers of any type, which become float32 when somebody reads them. */
import type { Values } from "../kernels/values.ts";

/** A tensor of a weight file. */
export interface StoredTensor {
  /** As the file says; in a folder of arrays, the path without the extension. */
  readonly name: string;
  readonly dims: readonly number[];
  /** As the file says: `F16`, `<f4`, `float32`. */
  readonly type: string;
  readonly file: string;
  /** The file is one of Keras's, whose kernels have the channels last. */
  readonly keras: boolean;
  /** The numbers as float32, row-major. May share the file's memory: not to be written to. */
  read(): Values;
}

export type NumberType =
  | "float64"
  | "float32"
  | "float16"
  | "bfloat16"
  | "float8-e4m3"
  | "float8-e5m2"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint64"
  | "uint32"
  | "uint16"
  | "uint8"
  | "bool";

/** A binary floating-point number with this many bits of exponent and fraction. Source: IEEE 754, 3.4. */
function small(bits: number, exponentBits: number, fractionBits: number): number {
  const sign = (bits >> (exponentBits + fractionBits)) & 1 ? -1 : 1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** Has no infinities: its greatest exponent holds numbers too. Source: Micikevicius et al. 2022, "FP8 Formats". */
function float8E4M3(bits: number): number {
  if ((bits & 0x7f) === 0x7f) return Number.NaN;
  if ((bits & 0x78) !== 0x78) return small(bits, 4, 3);
  return (bits & 0x80 ? -1 : 1) * (1 + (bits & 7) / 8) * 2 ** 8;
}

function bfloat16(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

const scratch = new DataView(new ArrayBuffer(4));

type Read = (view: DataView, at: number, little: boolean) => number;

const READERS: Readonly<Record<NumberType, { readonly size: number; readonly read: Read }>> = {
  float64: { size: 8, read: (view, at, little) => view.getFloat64(at, little) },
  float32: { size: 4, read: (view, at, little) => view.getFloat32(at, little) },
  float16: { size: 2, read: (view, at, little) => small(view.getUint16(at, little), 5, 10) },
  bfloat16: { size: 2, read: (view, at, little) => bfloat16(view.getUint16(at, little)) },
  "float8-e4m3": { size: 1, read: (view, at) => float8E4M3(view.getUint8(at)) },
  "float8-e5m2": { size: 1, read: (view, at) => small(view.getUint8(at), 5, 2) },
  int64: { size: 8, read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  int32: { size: 4, read: (view, at, little) => view.getInt32(at, little) },
  int16: { size: 2, read: (view, at, little) => view.getInt16(at, little) },
  int8: { size: 1, read: (view, at) => view.getInt8(at) },
  uint64: { size: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  uint32: { size: 4, read: (view, at, little) => view.getUint32(at, little) },
  uint16: { size: 2, read: (view, at, little) => view.getUint16(at, little) },
  uint8: { size: 1, read: (view, at) => view.getUint8(at) },
  bool: { size: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
};

export function bytesPer(type: NumberType): number {
  return READERS[type].size;
}

/** The number of elements; null where a size is none, or there are more than any file holds. */
export function countOf(dims: readonly unknown[]): number | null {
  let count = 1;
  for (const size of dims) {
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return null;
    count *= size;
  }
  // A product beyond 2⁵³ may come back into range by a size of 0, and is then still no sane shape.
  return Number.isSafeInteger(count) && dims.every((size) => (size as number) < 2 ** 48) ? count : null;
}

const HOST_IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Numbers of one type as float32, rounded to nearest. Shares memory where they are that already. */
export function toFloat32(type: NumberType, bytes: Uint8Array, little = true): Float32Array {
  const { size, read } = READERS[type];
  const count = bytes.byteLength / size;
  if (type === "float32" && little === HOST_IS_LITTLE) {
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    return new Float32Array(aligned.buffer as ArrayBuffer, aligned.byteOffset, count);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const result = new Float32Array(count);
  for (let at = 0; at < count; at++) result[at] = read(view, at * size, little);
  return result;
}
