/**
 * Reads the weights of TensorFlow.js: a model.json whose `weightsManifest` lists tensors, and binary files that hold them
 * one after the other. Source: tfjs-core, io/types.ts (WeightsManifestEntry) and io/io_utils.ts (decodeWeights).
 */
import { strFromU8 } from "fflate";
import { type WeightFile, WeightFileError } from "./bytes.ts";
import { bytesPer, countOf, type NumberType, type StoredTensor, toFloat32 } from "./stored.ts";

const TYPES: Readonly<Record<string, NumberType>> = {
  float32: "float32",
  float16: "float16",
  int32: "int32",
  uint16: "uint16",
  uint8: "uint8",
  bool: "bool",
};

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A JSON file as it reads; null where it is no object. */
export function parsedObject({ name, bytes }: WeightFile): Json | null {
  try {
    const value: unknown = JSON.parse(strFromU8(bytes));
    return isObject(value) ? value : null;
  } catch (error) {
    throw new WeightFileError(name, 0, `it is no JSON: ${(error as Error).message}`);
  }
}

/**
 * @param model model.json, which `manifest` is the `weightsManifest` of.
 * @param files where the shards are found, by path beside model.json or by name.
 * @returns the tensors, and the shards that were read.
 * @throws WeightFileError where the manifest is no manifest, a shard is missing, or shards are longer or shorter than it says.
 */
export function readTfjs(
  model: WeightFile,
  manifest: unknown,
  files: readonly WeightFile[],
): { readonly tensors: StoredTensor[]; readonly shards: ReadonlySet<WeightFile> } {
  if (!Array.isArray(manifest)) throw new WeightFileError(model.name, 0, "weightsManifest is no list");
  const shards = new Set<WeightFile>();
  const tensors = manifest.flatMap((group: unknown, index) => {
    const { paths, weights } = isObject(group) ? group : {};
    if (!Array.isArray(paths) || !Array.isArray(weights)) {
      throw new WeightFileError(model.name, 0, `group ${index} of weightsManifest lacks paths or weights`);
    }
    const parts = paths.map((path) => shardOf(model, path, files));
    for (const part of parts) shards.add(part);
    return readGroup(model, parts, weights);
  });
  return { tensors, shards };
}

function shardOf(model: WeightFile, path: unknown, files: readonly WeightFile[]): WeightFile {
  if (typeof path !== "string") throw new WeightFileError(model.name, 0, `${JSON.stringify(path)} is no path`);
  const folder = model.name.replace(/[^/\\]*$/, "");
  const last = (name: string) => name.replace(/^.*[/\\]/, "");
  const file = files.find(({ name }) => name === folder + path) ?? files.find(({ name }) => last(name) === last(path));
  if (!file) throw new WeightFileError(model.name, 0, `the file ${path}, which weightsManifest names, is not there`);
  return file;
}

interface Entry {
  readonly name: string;
  readonly dims: readonly number[];
  readonly written: string;
  /** As stored. */
  readonly type: NumberType;
  /** What a stored number stands for: scale·number + min. */
  readonly scale: number;
  readonly min: number;
  readonly size: number;
}

function readGroup(model: WeightFile, parts: readonly WeightFile[], weights: readonly unknown[]): StoredTensor[] {
  const entries = weights.map((weight) => entryOf(model, weight));
  const needed = entries.reduce((sum, { size }) => sum + size, 0);
  const given = parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (needed !== given) {
    const last = parts.at(-1);
    const why = `the weights of ${model.name} take ${needed} bytes, the files of their group have ${given}`;
    throw new WeightFileError(last?.name ?? model.name, last?.bytes.length ?? 0, why);
  }
  const bytes = joined(parts, given);
  let at = 0;
  return entries.map(({ name, dims, written, type, scale, min, size }) => {
    const data = bytes.subarray(at, at + size);
    at += size;
    const read = () => {
      const numbers = toFloat32(type, data);
      return { dims, data: scale === 1 && min === 0 ? numbers : numbers.map((number) => scale * number + min) };
    };
    return { name, dims, type: written, file: model.name, keras: true, read };
  });
}

function joined(parts: readonly WeightFile[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!.bytes;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part.bytes, at);
    at += part.bytes.length;
  }
  return bytes;
}

function entryOf(model: WeightFile, weight: unknown): Entry {
  const refuse = (why: string): never => {
    throw new WeightFileError(model.name, 0, why);
  };
  const { name, shape, dtype, quantization } = isObject(weight) ? weight : {};
  if (typeof name !== "string") return refuse(`${JSON.stringify(weight)} in weightsManifest has no name`);
  const count = Array.isArray(shape) ? countOf(shape) : null;
  if (count === null) return refuse(`${name}: ${JSON.stringify(shape)} is no shape`);
  const packing = isObject(quantization) ? quantization : {};
  const stored = packing.dtype ?? dtype;
  const type = typeof stored === "string" && Object.hasOwn(TYPES, stored) ? TYPES[stored]! : null;
  if (type === null) return refuse(`${name}: the type ${JSON.stringify(stored)} cannot be read`);
  const { scale = 1, min = 0 } = packing;
  if (typeof scale !== "number" || typeof min !== "number") {
    return refuse(`${name}: ${JSON.stringify(quantization)} is no quantization`);
  }
  const size = count * bytesPer(type);
  return { name, dims: shape as number[], written: String(dtype), type, scale, min, size };
}
