/**
 * The members of a zip archive, which .npz is. fflate inflates, but believes whatever the archive says of its sizes, so its
 * directory is read and checked here. Source: PKWARE, APPNOTE.TXT 6.3.
 */
import { Inflate, strFromU8 } from "fflate";
import { Bytes, type WeightFile } from "./bytes.ts";

/** Bytes that the members of one archive may take together. */
export const LARGEST_ARCHIVE = 2 ** 32;

/** Deflate cannot do better: 258 bytes from 2 bits. */
const BEST_RATIO = 1032;

/** Inflated at once: as much as can come out of it is bounded too. */
const PIECE = 2 ** 13;

export interface Member {
  readonly name: string;
  readonly size: number;
  /** @throws WeightFileError where the data are damaged. */
  read(): Uint8Array;
}

/** A member as the directory describes it. */
interface Entry {
  readonly name: string;
  /** Where the directory describes it. */
  readonly at: number;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  /** Of the local header. */
  readonly offset: number;
}

export function isZip({ bytes }: WeightFile): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);
}

/** @throws WeightFileError where the directory is damaged, its sizes cannot be, or they exceed `limit` bytes. */
export function readZip(file: WeightFile, limit = LARGEST_ARCHIVE): Member[] {
  const bytes = new Bytes(file);
  const directory = directoryOf(bytes);
  const entries = entriesOf(bytes, directory);
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  if (total > limit) bytes.refuse(directory.at, `the archive holds ${total} bytes; at most ${limit} are allowed`);
  let end = 0;
  const members = new Map<Entry, Member>();
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    const start = dataStart(bytes, entry);
    if (entry.offset < end) bytes.refuse(entry.offset, `${entry.name} overlaps the member before it`);
    end = start + entry.packed;
    if (end > directory.at) {
      bytes.refuse(start, `${entry.name} ends at byte ${end}, behind the directory at ${directory.at}`);
    }
    const packed = bytes.slice(start, entry.packed, entry.name);
    members.set(entry, { name: entry.name, size: entry.size, read: () => unpacked(bytes, start, entry, packed) });
  }
  return entries.map((entry) => members.get(entry)!);
}

interface Directory {
  readonly at: number;
  readonly count: number;
}

/** Found from the end of the file: a record of 22 bytes and a comment. */
function directoryOf(bytes: Bytes): Directory {
  const what = "the end of the directory";
  for (let at = bytes.length - 22; at >= Math.max(0, bytes.length - 22 - 0xffff); at--) {
    if (bytes.uint32(at, what) !== 0x06054b50 || at + 22 + bytes.uint16(at + 20, what) !== bytes.length) continue;
    if (bytes.uint16(at + 4, what) !== bytes.uint16(at + 6, what)) bytes.refuse(at, "the archive has several parts");
    const small = { count: bytes.uint16(at + 10, what), at: bytes.uint32(at + 16, what) };
    const isLarge = small.count === 0xffff || small.at === 0xffffffff;
    return isLarge ? largeDirectoryOf(bytes, at) : small;
  }
  return bytes.refuse(bytes.length, "the archive's directory is missing: the file is cut off");
}

function largeDirectoryOf(bytes: Bytes, end: number): Directory {
  const what = "the end of the zip64 directory";
  if (bytes.uint32(end - 20, what) !== 0x07064b50) bytes.refuse(end, "the zip64 directory is missing");
  const at = bytes.uint64(end - 12, what);
  if (bytes.uint32(at, what) !== 0x06064b50) bytes.refuse(at, "there is no zip64 directory here");
  return { count: bytes.uint64(at + 32, what), at: bytes.uint64(at + 48, what) };
}

function entriesOf(bytes: Bytes, { at: start, count }: Directory): Entry[] {
  const entries: Entry[] = [];
  for (let at = start; entries.length < count; ) {
    const what = `entry ${entries.length + 1} of ${count} in the directory`;
    if (bytes.uint32(at, what) !== 0x02014b50) bytes.refuse(at, `${what} is missing`);
    const flags = bytes.uint16(at + 8, what);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => bytes.uint16(at + offset, what)) as [
      number,
      number,
      number,
    ];
    const name = strFromU8(bytes.slice(at + 46, nameLength, what), (flags & 0x800) === 0);
    const entry = {
      name,
      at,
      method: bytes.uint16(at + 10, what),
      crc: bytes.uint32(at + 16, what),
      ...sizesOf(bytes, at, at + 46 + nameLength, extraLength, what),
    };
    if ((flags & 1) !== 0) bytes.refuse(at, `${name} is encrypted`);
    checkSizes(bytes, entry);
    entries.push(entry);
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

/** Sizes that do not fit into 32 bits stand in an extra field, those that do not fit and no others. */
function sizesOf(bytes: Bytes, at: number, extra: number, length: number, what: string) {
  const sizes = [24, 20, 42].map((offset) => bytes.uint32(at + offset, what)) as [number, number, number];
  let field = extra;
  while (sizes.includes(0xffffffff) && field + 4 <= extra + length) {
    const [id, size] = [bytes.uint16(field, what), bytes.uint16(field + 2, what)];
    if (id === 1) {
      let value = field + 4;
      for (const [index, written] of sizes.entries()) {
        if (written !== 0xffffffff || value + 8 > field + 4 + size) continue;
        sizes[index] = bytes.uint64(value, what);
        value += 8;
      }
      break;
    }
    field += 4 + size;
  }
  const [size, packed, offset] = sizes;
  return { size, packed, offset };
}

function checkSizes(bytes: Bytes, { name, at, method, packed, size }: Entry): void {
  if (method !== 0 && method !== 8) bytes.refuse(at, `${name} is packed by method ${method}, which cannot be read`);
  const possible = method === 0 ? size === packed : size <= BEST_RATIO * packed;
  if (!possible) bytes.refuse(at, `${name} cannot hold ${size} bytes in ${packed}`);
}

function dataStart(bytes: Bytes, { name, offset }: Entry): number {
  const what = `the header of ${name}`;
  if (bytes.uint32(offset, what) !== 0x04034b50) bytes.refuse(offset, `${what} is missing`);
  return offset + 30 + bytes.uint16(offset + 26, what) + bytes.uint16(offset + 28, what);
}

function unpacked(bytes: Bytes, start: number, { name, method, size, crc }: Entry, packed: Uint8Array): Uint8Array {
  const result = method === 0 ? packed : inflated(bytes, start, name, size, packed);
  if (crc32(result) !== crc) bytes.refuse(start, `${name} is damaged: its checksum is wrong`);
  return result;
}

function inflated(bytes: Bytes, start: number, name: string, size: number, packed: Uint8Array): Uint8Array {
  const result = new Uint8Array(size);
  let filled = 0;
  const inflate = new Inflate((piece) => {
    if (filled + piece.length > size) bytes.refuse(start, `${name} holds more than the ${size} bytes it says`);
    result.set(piece, filled);
    filled += piece.length;
  });
  let at = 0;
  try {
    for (; at < packed.length; at += PIECE) inflate.push(packed.subarray(at, at + PIECE), at + PIECE >= packed.length);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    bytes.refuse(start + at, `${name} is damaged: ${error.message}`);
  }
  if (filled !== size) bytes.refuse(start, `${name} holds ${filled} bytes, not the ${size} it says`);
  return result;
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/** The checksum of zip. */
function crc32(data: Uint8Array): number {
  let rest = 0xffffffff;
  for (let at = 0; at < data.length; at++) rest = CRC[(rest ^ data[at]!) & 0xff]! ^ (rest >>> 8);
  return ~rest >>> 0;
}
