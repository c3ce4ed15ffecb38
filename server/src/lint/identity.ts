/**
 * Which problem is the same problem in another version of a file: by what it says of which layer, never by its line.
 */
import { createHash } from "node:crypto";
import type { CheckedFile } from "./report.ts";

/** How much of a layer's text tells it from others, in characters. */
const TELLING = 2000;

/**
 * What tells a problem from others of its file: its code, the layer it is about as written (or, where it is about none,
 * the line it stands on), and the numbers of its message, which are its data. Lines and wording may change.
 */
export function problemKey(code: string, about: string, message: string): string {
  const numbers = message.match(/\d+(\.\d+)?/g) ?? [];
  return hashed(code, about.slice(0, TELLING).replace(/\s+/g, " ").trim(), numbers.join(" "));
}

/** For each problem of a file an identity among all files; equal problems of one file are counted apart. */
export function fingerprints({ report, keys }: CheckedFile): readonly string[] {
  const seen = new Map<string, number>();
  return keys.map((key) => {
    const count = seen.get(key) ?? 0;
    seen.set(key, count + 1);
    return hashed(report.path, key, String(count));
  });
}

function hashed(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\u0000")).digest("hex").slice(0, 32);
}
