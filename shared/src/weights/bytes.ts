/** Reading files that may lie: every access is checked, and a refusal says where in which file. */

/** A file as it was read; `name` is relative to whatever the user chose. */
export interface WeightFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A weight file is damaged, lies, or holds what cannot be read. */
export class WeightFileError extends Error {
  constructor(
    readonly file: string,
    /** Offset in the file (within an archive: in the member) of what is wrong. */
    readonly at: number,
    readonly why: string,
  ) {
    super(`${file}, byte ${at}: ${why}`);
    this.name = "WeightFileError";
  }
}

/** Little-endian numbers and pieces of one file. */
export class Bytes {
  private readonly view: DataView;

  constructor(private readonly file: WeightFile) {
    const { buffer, byteOffset, byteLength } = file.bytes;
    this.view = new DataView(buffer, byteOffset, byteLength);
  }

  get length(): number {
    return this.view.byteLength;
  }

  refuse(at: number, why: string): never {
    throw new WeightFileError(this.file.name, at, why);
  }

  /** @param what completes "… ends at byte …" for the message. @throws WeightFileError where the file is shorter. */
  slice(at: number, count: number, what: string): Uint8Array {
    this.check(at, count, what);
    return this.file.bytes.subarray(at, at + count);
  }

  uint16(at: number, what: string): number {
    this.check(at, 2, what);
    return this.view.getUint16(at, true);
  }

  uint32(at: number, what: string): number {
    this.check(at, 4, what);
    return this.view.getUint32(at, true);
  }

  /** @throws WeightFileError also where the number is beyond 2⁵³: no file is so large. */
  uint64(at: number, what: string): number {
    this.check(at, 8, what);
    const value = Number(this.view.getBigUint64(at, true));
    if (!Number.isSafeInteger(value)) this.refuse(at, `${what} is ${this.view.getBigUint64(at, true)}`);
    return value;
  }

  private check(at: number, count: number, what: string): void {
    if (at >= 0 && count >= 0 && at + count <= this.length) return;
    this.refuse(
      Math.max(0, Math.min(at, this.length)),
      `${what} ends at byte ${at + count}, the file at ${this.length}`,
    );
  }
}
