/**
 * Weight files to named tensors: .safetensors, .npy, .npz, a folder of .npy, and TensorFlow.js's model.json with its
 * shards. What a file is, its first bytes say. Nothing in a file is executed; formats that are programs are refused.
 */
import { type WeightFile, WeightFileError } from "./bytes.ts";
import { isNpy, readNpy } from "./npy.ts";
import { isSafetensors, readSafetensors } from "./safetensors.ts";
import type { StoredTensor } from "./stored.ts";
import { parsedObject, readTfjs } from "./tfjs.ts";
import { isZip, LARGEST_ARCHIVE, readZip } from "./zip.ts";

export interface ReadLimits {
  /** Bytes that the members of one archive may take together, unpacked. */
  readonly archive?: number;
}

/**
 * The tensors of all files together. They keep the files' bytes until they are read.
 * @throws WeightFileError at the file and byte where one is damaged, lies or is no weight file; where two tensors have one
 * name; where a file that another one names is not there.
 */
export function readWeights(
  files: readonly WeightFile[],
  { archive = LARGEST_ARCHIVE }: ReadLimits = {},
): StoredTensor[] {
  const used = new Set<WeightFile>();
  const tensors: StoredTensor[] = [];
  // Files that name other files come first: their shards have no form of their own.
  for (const file of files.filter(isJson)) {
    used.add(file);
    const { weightsManifest, weight_map: map } = parsedObject(file) ?? {};
    if (weightsManifest !== undefined) {
      const read = readTfjs(file, weightsManifest, files);
      for (const shard of read.shards) used.add(shard);
      tensors.push(...read.tensors);
    } else if (map !== undefined) checkShards(file, map, files);
    else throw new WeightFileError(file.name, 0, "this JSON file names no weights: it has no weightsManifest");
  }
  for (const file of files) if (!used.has(file)) tensors.push(...readFile(file, archive));
  checkNames(tensors);
  return tensors;
}

function isJson({ name, bytes }: WeightFile): boolean {
  return /\.json$/i.test(name) || bytes[0] === 0x7b;
}

/** An index of safetensors: `{"weight_map": {"conv1.weight": "model-00001-of-00002.safetensors"}}`. */
function checkShards(file: WeightFile, map: unknown, files: readonly WeightFile[]): void {
  const names = files.map(({ name }) => name.replace(/^.*[/\\]/, ""));
  const missing = Object.values(map ?? {}).find((shard) => !names.includes(String(shard)));
  if (missing !== undefined) {
    throw new WeightFileError(file.name, 0, `the file ${missing}, which weight_map names, is not there`);
  }
}

function readFile(file: WeightFile, limit: number): StoredTensor[] {
  const { name, bytes } = file;
  const refuse = (why: string): never => {
    throw new WeightFileError(name, 0, why);
  };
  if (isNpy(file) || /\.npy$/i.test(name)) return [readNpy(file, withoutExtension(name))];
  if (isZip(file) || /\.npz$/i.test(name)) return readNpz(file, limit);
  if (isSafetensors(file) || /\.safetensors$/i.test(name)) return readSafetensors(file);
  if (bytes[0] === 0x80) return refuse(`${PICKLE} ${INSTEAD}`);
  if (bytes[0] === 0x89 && bytes[1] === 0x48 && bytes[2] === 0x44) return refuse(`HDF5 is not read. ${INSTEAD}`);
  return refuse(`this is no weight file that can be read. ${INSTEAD}`);
}

const PICKLE = "this is a pickled Python program, which is never executed.";
const INSTEAD = "Save the weights as .safetensors, .npz, .npy files, or TensorFlow.js's model.json with its shards.";

function readNpz(file: WeightFile, limit: number): StoredTensor[] {
  const members = readZip(file, limit);
  if (members.some(({ name }) => /\.pkl$/.test(name))) {
    throw new WeightFileError(file.name, 0, `${PICKLE} ${INSTEAD}`);
  }
  const arrays = members.filter(({ name }) => /\.npy$/i.test(name));
  if (arrays.length === 0) throw new WeightFileError(file.name, 0, `the archive holds no .npy arrays. ${INSTEAD}`);
  return arrays.map((member) =>
    readNpy({ name: `${file.name}/${member.name}`, bytes: member.read() }, withoutExtension(member.name)),
  );
}

function withoutExtension(name: string): string {
  return name.replace(/\.npy$/i, "");
}

function checkNames(tensors: readonly StoredTensor[]): void {
  const seen = new Map<string, StoredTensor>();
  for (const tensor of tensors) {
    const before = seen.get(tensor.name);
    if (before) throw new WeightFileError(tensor.file, 0, `${tensor.name} is in ${before.file} already`);
    seen.set(tensor.name, tensor);
  }
}
