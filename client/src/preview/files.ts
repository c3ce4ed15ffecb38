/** What the preview reads and saves: files that the user names, by a dialog or as a command's argument. */
import { imageSize } from "image-size";
import { FileType, Uri, window, workspace } from "vscode";
import type { NamedBytes, PageMessage } from "#shared/preview/protocol.ts";

/** Bytes of one file, and of all together, at most. */
const MOST_BYTES = 2 ** 31 - 1;
/** Pixels that a picture may have, so that decoding it holds nothing up. */
const MOST_PIXELS = 64e6;
const MOST_PICTURE_BYTES = 2 ** 27;
/** Arrays in a folder at most. */
const MOST_FILES = 20_000;

/** A file is refused; the message is for the user. */
export class FileRefusal extends Error {}

/** What is picked, and so which dialog. */
type Picked = Extract<PageMessage, { kind: "pick" }>["what"] | "sample";

const PICTURES = ["png", "jpg", "jpeg", "webp", "gif", "bmp"];

const FILTERS: Readonly<Record<Exclude<Picked, "weightFolder">, Record<string, string[]>>> = {
  image: { Pictures: PICTURES },
  sample: { "Pictures and Arrays": [...PICTURES, "npy"] },
  array: { Arrays: ["npy"] },
  weights: { Weights: ["safetensors", "npz", "npy", "json", "bin"] },
};

/** The files or the folder that the user picks; none where they pick none. @param near where the dialog begins. */
export async function pick(what: Picked, near: Uri): Promise<readonly Uri[]> {
  const isFolder = what === "weightFolder";
  const picked = await window.showOpenDialog({
    defaultUri: Uri.joinPath(near, ".."),
    canSelectFiles: !isFolder,
    canSelectFolders: isFolder,
    canSelectMany: what === "weights",
    ...(isFolder ? {} : { filters: FILTERS[what] }),
    openLabel: isFolder ? "Use Weights" : "Open",
  });
  return picked ?? [];
}

/** Weights: every .npy of a folder, or files with those that they name. @throws FileRefusal */
export async function readWeights(uris: readonly Uri[]): Promise<readonly NamedBytes[]> {
  const [first] = uris;
  if (uris.length === 1 && (await typeOf(first!)) & FileType.Directory) return readFolder(first!);
  return readAll(await withShards(uris));
}

/** An array (.npy), or a picture, which is not decoded yet. @throws FileRefusal */
export async function readSample(uri: Uri): Promise<{ readonly kind: "array" | "picture"; readonly file: NamedBytes }> {
  if (!uri.path.toLowerCase().endsWith(".npy")) return { kind: "picture", file: await readPicture(uri) };
  return { kind: "array", file: await read(uri, baseName(uri), MOST_BYTES) };
}

function baseName({ path }: Uri): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** @throws FileRefusal where a file is too large or cannot be read. */
async function read(uri: Uri, name: string, most: number): Promise<NamedBytes> {
  try {
    const { size } = await workspace.fs.stat(uri);
    if (size > most) throw new FileRefusal(`${name} has ${megabytes(size)}; at most ${megabytes(most)} can be read.`);
    const bytes = await workspace.fs.readFile(uri);
    // What it is a part of may be larger, and is given away.
    return { name, bytes: bytes.slice().buffer };
  } catch (error) {
    if (error instanceof FileRefusal) throw error;
    throw new FileRefusal(`${name} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20).toLocaleString("en")} MiB`;
}

async function readAll(uris: readonly Uri[]): Promise<NamedBytes[]> {
  const files: NamedBytes[] = [];
  let left = MOST_BYTES;
  for (const uri of uris) {
    const file = await read(uri, baseName(uri), left);
    left -= file.bytes.byteLength;
    files.push(file);
  }
  return files;
}

/** @throws FileRefusal where the file says that its picture is too large to be decoded, or is none. */
async function readPicture(uri: Uri): Promise<NamedBytes> {
  const file = await read(uri, baseName(uri), MOST_PICTURE_BYTES);
  checkPicture(file);
  return file;
}

function checkPicture({ name, bytes }: NamedBytes): void {
  let size: { readonly width: number; readonly height: number };
  try {
    size = imageSize(new Uint8Array(bytes));
  } catch {
    throw new FileRefusal(`${name} is no picture that can be read.`);
  }
  const { width, height } = size;
  if (width * height <= MOST_PIXELS) return;
  const count = (pixels: number) => `${Math.round(pixels / 1e6)} million`;
  throw new FileRefusal(
    `${name} has ${width}×${height} pixels, ${count(width * height)}; at most ${count(MOST_PIXELS)} can be decoded. Scale it down first.`,
  );
}

/** A JSON file names the files that hold its numbers: those beside it are taken too. */
async function withShards(picked: readonly Uri[]): Promise<readonly Uri[]> {
  const all = new Map(picked.map((uri) => [uri.toString(), uri]));
  for (const uri of picked.filter(({ path }) => path.endsWith(".json"))) {
    const { bytes } = await read(uri, baseName(uri), MOST_BYTES);
    for (const name of shardsNamed(new TextDecoder().decode(bytes))) {
      const shard = Uri.joinPath(uri, "..", name);
      if ((await typeOf(shard)) & FileType.File) all.set(shard.toString(), shard);
    }
  }
  return [...all.values()];
}

/** The names in a TensorFlow.js manifest or an index of safetensors; only plain names, so that nothing elsewhere is read. */
export function shardsNamed(text: string): readonly string[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return []; // whoever reads the weights says what is wrong
  }
  const { weightsManifest, weight_map } = (json ?? {}) as { weightsManifest?: unknown; weight_map?: unknown };
  const groups: readonly unknown[] = Array.isArray(weightsManifest) ? weightsManifest : [];
  const paths = groups.flatMap((group) => ((group as { paths?: unknown } | null)?.paths ?? []) as unknown[]);
  const shards = typeof weight_map === "object" && weight_map !== null ? Object.values(weight_map) : [];
  const names = [...paths, ...shards].filter((name): name is string => typeof name === "string");
  return [...new Set(names)].filter((name) => !/[/\\]/.test(name) && name !== "." && name !== "..");
}

/** With the flag of symbolic links; FileType.Unknown where there is nothing. */
async function typeOf(uri: Uri): Promise<FileType> {
  try {
    return (await workspace.fs.stat(uri)).type;
  } catch {
    return FileType.Unknown;
  }
}

/** Every .npy below a folder, named by its path. @throws FileRefusal where there are none, or too many. */
async function readFolder(folder: Uri): Promise<NamedBytes[]> {
  const files: NamedBytes[] = [];
  let left = MOST_BYTES;
  const open: [Uri, string][] = [[folder, ""]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [at, path] = next;
    for (const [name, type] of await workspace.fs.readDirectory(at)) {
      if (type === FileType.Directory) open.push([Uri.joinPath(at, name), `${path}${name}/`]);
      if (type !== FileType.File || !name.toLowerCase().endsWith(".npy")) continue;
      if (files.length === MOST_FILES) throw new FileRefusal(`The folder holds more than ${MOST_FILES} arrays.`);
      const file = await read(Uri.joinPath(at, name), `${path}${name}`, left);
      left -= file.bytes.byteLength;
      files.push(file);
    }
  }
  if (files.length === 0) throw new FileRefusal(`${baseName(folder)} holds no .npy files.`);
  return files;
}

/** Saves under a name that the user confirms; false where they do not. @param name is only proposed: its last part. */
export async function save(name: string, bytes: ArrayBuffer, near: Uri): Promise<boolean> {
  const proposed = name.replace(/^.*[/\\]/, "").replace(/[^\p{L}\p{N} ._-]+/gu, "-") || "preview";
  const extension = /\.([a-z0-9]+)$/i.exec(proposed)?.[1];
  const uri = await window.showSaveDialog({
    defaultUri: Uri.joinPath(near, "..", proposed),
    ...(extension ? { filters: { [extension.toUpperCase()]: [extension] } } : {}),
  });
  if (!uri) return false;
  await workspace.fs.writeFile(uri, new Uint8Array(bytes));
  return true;
}
