/** Weight files made in tests. */
import type { WeightFile } from "#shared/weights/bytes.ts";

export interface Piece {
  readonly dtype: string;
  readonly shape: readonly unknown[];
  readonly bytes: Uint8Array;
}

export function textFile(name: string, text: string): WeightFile {
  return { name, bytes: new TextEncoder().encode(text) };
}

/** A .safetensors whose header is any text, its length any number. */
export function rawSafetensors(header: string, data: Uint8Array, length?: bigint): WeightFile {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return { name: "model.safetensors", bytes };
}

/** @param change edits the header before it is written. */
export function safetensors(
  tensors: Readonly<Record<string, Piece>>,
  change: (header: Record<string, any>) => void = () => {},
): WeightFile {
  const header: Record<string, any> = { __metadata__: { format: "pt" } };
  let at = 0;
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  change(header);
  return rawSafetensors(JSON.stringify(header), joined(Object.values(tensors).map(({ bytes }) => bytes)));
}

export function floats(shape: readonly number[], numbers: readonly number[]): Piece {
  return { dtype: "F32", shape, bytes: new Uint8Array(Float32Array.from(numbers).buffer) };
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** 0, 1, 2, … */
export function counted(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}
