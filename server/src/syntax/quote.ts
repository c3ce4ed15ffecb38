/** Values as text: in the file's language, with the words and spacing that the file has already. */
import type { Plain } from "#shared/ops/param.ts";
import { resolveScalar } from "./scalar.ts";
import type { Parsed } from "./tree.ts";

/** What needs no quotes in YAML, neither in a block nor in brackets. */
const PLAIN_WORD = /^[A-Za-z_][\w.\-/]*$/;

/** A value on one line. @param text what it will stand in. */
export function writePlain(value: Plain, text: string, language: Parsed["language"]): string {
  const write = (item: Plain): string => writePlain(item, text, language);
  if (typeof value === "string") {
    const bare = language === "yaml" && PLAIN_WORD.test(value) && resolveScalar(value) === value;
    return bare ? value : JSON.stringify(value);
  }
  const comma = language === "json" && !/[,:]\s/.test(text) ? "," : ", ";
  if (Array.isArray(value)) return `[${value.map(write).join(comma)}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value as { readonly [key: string]: Plain });
    return `{${entries.map(([key, item]) => `${write(key)}:${comma.slice(1)}${write(item)}`).join(comma)}}`;
  }
  // Python's words are YAML's too, and a file that has them keeps to them.
  const word = String(value);
  return language === "yaml" && typeof value === "boolean" && /\b(?:True|False)\b/.test(text)
    ? word[0]!.toUpperCase() + word.slice(1)
    : word;
}

/** A text in quotes of a kind. */
export function writeString(value: string, quote: string): string {
  return quote === "'" ? `'${value.replaceAll("'", "''")}'` : JSON.stringify(value);
}
