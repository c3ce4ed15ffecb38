/**
 * What a plain YAML word means, by the 1.2 core schema (yaml.org/spec/1.2.2, §10.3.2). One home, so that every path from
 * text to tree reads `3`, `0x10` and `None` alike.
 */
import type { ScalarTree } from "./tree.ts";

const WORDS: ReadonlyMap<string, ScalarTree["value"]> = new Map<string, ScalarTree["value"]>([
  ["", null],
  ["~", null],
  ...["null", "Null", "NULL"].map((word) => [word, null] as const),
  ...["true", "True", "TRUE"].map((word) => [word, true] as const),
  ...["false", "False", "FALSE"].map((word) => [word, false] as const),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, Number.NaN] as const),
  ...[".inf", ".Inf", ".INF"].flatMap((word) => [
    [word, Number.POSITIVE_INFINITY] as const,
    [`+${word}`, Number.POSITIVE_INFINITY] as const,
    [`-${word}`, Number.NEGATIVE_INFINITY] as const,
  ]),
]);
const LONGEST_WORD = 5;

const DECIMAL = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const PREFIXED = /^0(?:o[0-7]+|x[0-9a-fA-F]+)$/;

/** The value of an unquoted scalar's text: null, a boolean, a number, or the text itself (`None` and `yes` are text). */
export function resolveScalar(text: string): ScalarTree["value"] {
  const first = text.charCodeAt(0);
  if (first >= 0x30 && first <= 0x39 && text.length <= 15) {
    const number = decimalDigits(text);
    if (number >= 0) return number;
  }
  if (text.length <= LONGEST_WORD) {
    const value = WORDS.get(text);
    if (value !== undefined) return value;
  }
  if (first > 0x39) return text;
  if (DECIMAL.test(text) || PREFIXED.test(text)) return Number(text);
  return text;
}

/** Digits only, few enough to be exact; −1 otherwise. Sizes in models are nearly all of this kind. */
function decimalDigits(text: string): number {
  let number = 0;
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}
