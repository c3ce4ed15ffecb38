/**
 * A file in UTF-16 that was read as UTF-8, as every check of a file does: between its characters stand zeros, and parsers
 * tell the first of them. Saying what the file is helps more.
 */
import type { Parsed } from "./tree.ts";

/** What a byte-order mark of UTF-16 becomes, and then characters of ASCII with a zero behind or before each. */
const UTF_16 = /^\uFFFD{0,2}(?:[^\0\uFFFD]\0[^\0]\0|\0[^\0\uFFFD]\0[^\0])/;

export function isUtf16(text: string): boolean {
  return UTF_16.test(text);
}

/** What can be made out of such a text: enough to tell a model from other files. */
export function legible(text: string): string {
  return text.replace(/[\0\uFFFD]/g, "");
}

/** In place of what a parser would say of such a text. */
export function refusedAsUtf16({ language }: Parsed): Parsed {
  const message = "this file is in UTF-16, and model files are read as UTF-8; save it with the encoding UTF-8";
  return { root: null, problems: [{ range: { start: 0, end: 1 }, code: "syntax", message }], comments: [], language };
}
