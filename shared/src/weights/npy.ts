/** Reads and writes NumPy's .npy. Source: numpy.lib.format, versions 1.0 to 3.0. */
import { strFromU8, strToU8 } from "fflate";
import { stridesOf, type Values } from "../kernels/values.ts";
import { Bytes, type WeightFile } from "./bytes.ts";
import { bytesPer, countOf, type NumberType, type StoredTensor, toFloat32 } from "./stored.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

export function isNpy({ bytes }: WeightFile): boolean {
  return MAGIC.every((byte, at) => bytes[at] === byte);
}

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly dims: readonly number[];
  /** Where the numbers begin. */
  readonly end: number;
}

/** @throws WeightFileError where the file is damaged or lies, or holds no plain numbers. */
export function readNpy(file: WeightFile, name: string): StoredTensor {
  const bytes = new Bytes(file);
  const { descr, fortran, dims, end } = headerOf(bytes);
  const { type, little } = typeOf(bytes, descr);
  const needed = countOf(dims)! * bytesPer(type);
  const data = bytes.slice(end, needed, `an array of ${descr} [${dims.join(", ")}]`);
  if (bytes.length !== end + needed) {
    bytes.refuse(end + needed, `${bytes.length - end - needed} bytes follow the array [${dims.join(", ")}]`);
  }
  return {
    name,
    dims,
    type: descr,
    file: file.name,
    keras: false,
    read: () => {
      const numbers = toFloat32(type, data, little);
      return { dims, data: fortran ? fromColumnMajor(dims, numbers) : numbers };
    },
  };
}

function headerOf(bytes: Bytes): Header {
  const lead = bytes.slice(0, 8, "the magic string");
  if (!MAGIC.every((byte, at) => lead[at] === byte)) bytes.refuse(0, "it does not begin like a .npy file");
  const version = lead[6]!;
  if (version < 1 || version > 3) bytes.refuse(6, `version ${version} of the format is not known`);
  const what = "the length of the header";
  const [start, length] = version === 1 ? [10, bytes.uint16(8, what)] : [12, bytes.uint32(8, what)];
  const text = strFromU8(bytes.slice(start, length, "the header"), version < 3);
  return { ...dictionaryOf(bytes, start, text), end: start + length };
}

const ENTRY = /\s*'(descr|fortran_order|shape)'\s*:\s*(?:'([^']*)'|(True|False)|\(([\d,\s]*)\))\s*(?:,|$)\s*/y;

/** `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` */
function dictionaryOf(bytes: Bytes, start: number, text: string): Omit<Header, "end"> {
  const inner = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1]?.trim();
  if (inner === undefined) bytes.refuse(start, "the header is no dictionary");
  const found = new Map<string, string>();
  ENTRY.lastIndex = 0;
  for (let at = 0; at < inner.length; at = ENTRY.lastIndex) {
    const entry = ENTRY.exec(inner);
    if (!entry) bytes.refuse(start, `the header says ${shortened(inner.slice(at))}, which is no plain array`);
    const [, key, string, bool, tuple] = entry;
    found.set(key!, (string ?? bool ?? tuple)!);
  }
  const [descr, order, shape] = ["descr", "fortran_order", "shape"].map((key) => found.get(key));
  if (descr === undefined || (order !== "True" && order !== "False") || shape === undefined) {
    bytes.refuse(start, `the header lacks descr, fortran_order or shape: ${shortened(inner)}`);
  }
  const sizes = shape.split(",").map((size) => size.trim());
  if (sizes.at(-1) === "") sizes.pop();
  const dims = sizes.map((size) => (size === "" ? Number.NaN : Number(size)));
  if (countOf(dims) === null) bytes.refuse(start, `(${shape}) is no shape`);
  return { descr, fortran: order === "True", dims };
}

function shortened(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`;
}

const TYPES: Readonly<Record<string, NumberType>> = {
  f8: "float64",
  f4: "float32",
  f2: "float16",
  i8: "int64",
  i4: "int32",
  i2: "int16",
  i1: "int8",
  u8: "uint64",
  u4: "uint32",
  u2: "uint16",
  u1: "uint8",
  b1: "bool",
};

function typeOf(bytes: Bytes, descr: string): { readonly type: NumberType; readonly little: boolean } {
  const [, order, name] = /^([<>|=]?)(\w+)$/.exec(descr) ?? [];
  const type = name !== undefined && Object.hasOwn(TYPES, name) ? TYPES[name]! : null;
  if (type !== null) return { type, little: order !== ">" };
  const why = descr.includes("O") ? "pickled objects, which are never unpacked" : "a type that cannot be read";
  return bytes.refuse(10, `the array holds ${JSON.stringify(shortened(descr))}: ${why}`);
}

/** Numbers whose first axis runs fastest, in an order in which the last one does. */
function fromColumnMajor(dims: readonly number[], numbers: Float32Array): Float32Array {
  const steps = stridesOf(dims.toReversed()).reverse();
  const index = new Array<number>(dims.length).fill(0);
  let from = 0;
  return numbers.map(() => {
    const value = numbers[from]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      index[axis]!++;
      if (index[axis]! < dims[axis]!) break;
      from -= index[axis]! * steps[axis]!;
      index[axis] = 0;
    }
    return value;
  });
}

/** A tensor as .npy, version 1.0, float32. */
export function writeNpy({ dims, data }: Values): Uint8Array {
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(", ")})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  // The numbers begin at a multiple of 64, behind a line feed.
  const start = 64 * Math.ceil((11 + text.length) / 64);
  const bytes = new Uint8Array(start + 4 * data.length);
  bytes.set([...MAGIC, 1, 0]);
  bytes.set(strToU8(`${text.padEnd(start - 11)}\n`, true), 10);
  const view = new DataView(bytes.buffer);
  view.setUint16(8, start - 10, true);
  for (const [at, value] of data.entries()) view.setFloat32(start + 4 * at, value, true);
  return bytes;
}
