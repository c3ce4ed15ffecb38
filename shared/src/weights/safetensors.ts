/**
 * Reads .safetensors: the length of a JSON header, the header, the numbers. Source: the format's description and checks,
 * github.com/huggingface/safetensors: a header of at most 100 MB that begins with `{`, and tensors that cover the rest of
 * the file without gaps and overlaps.
 */
import { strFromU8 } from "fflate";
import { Bytes, type WeightFile } from "./bytes.ts";
import { bytesPer, countOf, type NumberType, type StoredTensor, toFloat32 } from "./stored.ts";

const TYPES: Readonly<Record<string, NumberType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  F8_E4M3: "float8-e4m3",
  F8_E5M2: "float8-e5m2",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U64: "uint64",
  U32: "uint32",
  U16: "uint16",
  U8: "uint8",
  BOOL: "bool",
};

const LONGEST_HEADER = 100_000_000;

interface Entry {
  readonly name: string;
  readonly type: NumberType;
  readonly written: string;
  readonly dims: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Whether a file of any name looks like one. */
export function isSafetensors({ bytes }: WeightFile): boolean {
  return bytes.length > 8 && bytes[8] === 0x7b && bytes[5] === 0 && bytes[6] === 0 && bytes[7] === 0;
}

/** The tensors of a file, in the file's order. @throws WeightFileError where the file is damaged or lies. */
export function readSafetensors(file: WeightFile): StoredTensor[] {
  const bytes = new Bytes(file);
  const length = bytes.uint64(0, "the length of the header");
  if (length > LONGEST_HEADER) bytes.refuse(0, `a header of ${length} bytes; at most ${LONGEST_HEADER} are allowed`);
  const start = 8 + length;
  const header = parseHeader(bytes, bytes.slice(8, length, "the header"));
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, value]) => entryOf(bytes, name, value))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(bytes, start, entries);
  return entries.map(({ name, type, written, dims, begin, end }) => ({
    name,
    dims,
    type: written,
    file: file.name,
    keras: false,
    read: () => ({ dims, data: toFloat32(type, file.bytes.subarray(start + begin, start + end)) }),
  }));
}

function parseHeader(bytes: Bytes, text: Uint8Array): object {
  try {
    const header: unknown = JSON.parse(strFromU8(text));
    if (typeof header === "object" && header !== null && !Array.isArray(header)) return header;
  } catch (error) {
    bytes.refuse(8, `the header is no JSON: ${(error as Error).message}`);
  }
  return bytes.refuse(8, "the header is no JSON object");
}

function entryOf(bytes: Bytes, name: string, value: unknown): Entry {
  const { dtype, shape, data_offsets } = (value ?? {}) as Record<string, unknown>;
  const type = typeof dtype === "string" && Object.hasOwn(TYPES, dtype) ? TYPES[dtype]! : null;
  if (type === null) bytes.refuse(8, `${name}: the type ${JSON.stringify(dtype)} cannot be read`);
  const count = Array.isArray(shape) ? countOf(shape) : null;
  if (count === null) bytes.refuse(8, `${name}: ${JSON.stringify(shape)} is no shape`);
  const offsets = Array.isArray(data_offsets) ? data_offsets : [];
  const [begin, end] = offsets as [number, number];
  if (offsets.length !== 2 || countOf(offsets) === null || begin > end) {
    bytes.refuse(8, `${name}: ${JSON.stringify(data_offsets)} are no offsets`);
  }
  const needed = count * bytesPer(type);
  if (end - begin !== needed) {
    const why = `${name}: ${dtype} [${(shape as number[]).join(", ")}] takes ${needed} bytes, not the ${end - begin} from ${begin} to ${end}`;
    bytes.refuse(8, why);
  }
  return { name, type, written: dtype as string, dims: shape as number[], begin, end };
}

/** The tensors must follow each other from the first to the last byte behind the header. */
function checkCoverage(bytes: Bytes, start: number, entries: readonly Entry[]): void {
  let at = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== at) {
      const what = begin > at ? `leaves a gap after byte ${at}` : `overlaps the tensor before it, which ends at ${at}`;
      bytes.refuse(start + Math.min(at, begin), `${name} begins at ${begin} of the numbers and ${what}`);
    }
    if (start + end > bytes.length) {
      bytes.refuse(bytes.length, `${name} ends at byte ${start + end}, the file at ${bytes.length}`);
    }
    at = end;
  }
  if (start + at !== bytes.length) bytes.refuse(start + at, `${bytes.length - start - at} bytes belong to no tensor`);
}
