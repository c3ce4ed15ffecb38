/**
 * TOML to a located tree. The package reads the values but not where they stand, so a scan over the lines finds the keys;
 * what stands inside an inline table or an array over several lines gets the place of the key that holds it.
 */
import { parse, TomlError } from "smol-toml";
import type { Range } from "#shared/ops/finding.ts";
import type { Entry, Parsed, Tree } from "./tree.ts";

/** Never throws. */
export function parseToml(text: string): Pick<Parsed, "root" | "problems"> {
  try {
    const root = located(parse(text), [], { start: 0, end: 0 }, keyPlaces(text));
    return { root, problems: [] };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const lines = text.split("\n").slice(0, error.line - 1);
    const start = lines.reduce((sum, line) => sum + line.length + 1, 0) + error.column - 1;
    const message = error.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
    return { root: null, problems: [{ code: "syntax", message, range: { start, end: start + 1 } }] };
  }
}

interface Place {
  readonly key: Range;
  readonly value: Range;
}

function located(value: unknown, path: readonly string[], around: Range, places: ReadonlyMap<string, Place>): Tree {
  const own = places.get(pathKey(path));
  const range = own?.value ?? around;
  if (Array.isArray(value)) {
    const items = value.map((item, index) => located(item, [...path, String(index)], range, places));
    return { kind: "list", range, items };
  }
  if (typeof value === "object" && value !== null && !(value instanceof Date)) {
    const entries = Object.entries(value).map(([key, member]): Entry => {
      const inner = [...path, key];
      const place = places.get(pathKey(inner));
      return {
        key: { kind: "scalar", range: place?.key ?? range, value: key, quoted: false },
        value: located(member, inner, range, places),
      };
    });
    return { kind: "map", range, entries };
  }
  const scalar = typeof value === "number" || typeof value === "boolean" ? value : String(value);
  return { kind: "scalar", range, value: scalar, quoted: typeof value === "string" };
}

const LINE =
  /^[ \t]*(?:(\[\[?)[ \t]*([^\]\n]+?)[ \t]*\]\]?|((?:[\w-]+|"[^"\n]*"|'[^'\n]*'|[ \t]*\.[ \t]*)+?)[ \t]*=[ \t]*([^\r\n]*))/gm;

/** Where keys and their values stand, by path; entries of arrays of tables are numbered. */
function keyPlaces(text: string): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  const counts = new Map<string, number>();
  let table: readonly string[] = [];
  for (const match of text.matchAll(LINE)) {
    const [, bracket, header, key, value] = match;
    const at = match.index + match[0].length;
    if (header !== undefined) {
      table = keyParts(header);
      const start = match.index + match[0].indexOf(header);
      const range = { start, end: start + header.length };
      if (bracket === "[[") {
        const index = counts.get(pathKey(table)) ?? 0;
        counts.set(pathKey(table), index + 1);
        table = [...table, String(index)];
      }
      places.set(pathKey(table), { key: range, value: range });
    } else if (key !== undefined && value !== undefined) {
      const start = match.index + match[0].indexOf(key);
      const written = value.replace(/[ \t]+(#.*)?$/, "");
      const range = { start: at - value.length, end: at - value.length + written.length };
      places.set(pathKey([...table, ...keyParts(key)]), { key: { start, end: start + key.length }, value: range });
    }
  }
  return places;
}

function keyParts(dotted: string): string[] {
  return [...dotted.matchAll(/"([^"]*)"|'([^']*)'|[\w-]+/g)].map(([whole, a, b]) => a ?? b ?? whole);
}

function pathKey(path: readonly string[]): string {
  return path.join("\u0000");
}
