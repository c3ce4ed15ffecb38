/**
 * Completion: layer types, parameter names and their words, and names for `from`.
 *
 * The line being typed is rarely whole, so the place of the cursor is read from the text of its own layer, and only the
 * names that can be referred to from the analysis.
 */

import type { Range } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import type { Params } from "#shared/ops/param.ts";
import type { Analysis } from "../analysis.ts";

export interface Completion {
  readonly label: string;
  readonly kind: "type" | "parameter" | "value" | "layer";
  /** One line: a summary, or what the parameter must be. */
  readonly detail: string;
  /** The word that is replaced: the part typed so far and what of it stands behind the cursor. */
  readonly replace: Range;
  readonly text: string;
}

/** What every layer of the native format may say beside its operator's parameters. */
const LAYER_KEYS: Readonly<Record<string, string>> = {
  type: "The operator or block.",
  name: "What other layers call it.",
  from: "Its inputs: a name, a relative index, or a list.",
  repeat: "How many times it stands in a row.",
};

/** Further than this from the cursor nothing is looked at: a layer is short. */
const REACH = 4000;

/** The completions at an offset; none in dialects that have no completion yet. */
export function completion(analysis: Analysis, offset: number): readonly Completion[] {
  if (analysis.dialect.name !== "native") return [];
  const { text } = analysis;
  const line = text.slice(Math.max(lineStart(text, offset), offset - REACH), offset);
  if (/(^|\s)#/.test(line)) return [];
  const typed = /[\w.-]*$/.exec(line)![0];
  const replace = {
    start: offset - typed.length,
    end: offset + /^[\w.]*/.exec(text.slice(offset, offset + 100))![0].length,
  };
  const before = line.slice(0, line.length - typed.length);
  const key = /(?:^|[\s{,-])["']?(\w+)["']?\s*:\s*(?:\[[^\]{}]*)?["']?$/.exec(before)?.[1];
  if (key === "type") return types(analysis, replace);
  if (key === "from") return layerNames(analysis, offset, replace);
  const layer = layerText(text, offset);
  if (key !== undefined) return words(layer, key, replace);
  if (/^\s*-\s*$/.test(before))
    return [...types(analysis, replace), ...keys(layer, replace, lineAt(text, replace.end))];
  const opensKey = /^\s*(-\s+)?["']?$/.test(before) || /[{,]\s*["']?$/.test(before);
  return opensKey && layer !== null ? keys(layer, replace, lineAt(text, replace.end)) : [];
}

function types({ dialect, parsed }: Analysis, replace: Range): Completion[] {
  const offer = (word: string, detail: string): Completion => ({
    label: word,
    kind: "type",
    detail,
    replace,
    text: word,
  });
  const root = parsed.root?.kind === "map" ? parsed.root.entries : [];
  const blocks = root.find(({ key }) => key.value === "blocks")?.value;
  return [
    ...dialect
      .vocabulary()
      .filter((word) => word !== "Input")
      .map((word) => offer(word, operators.get(word)?.summary ?? "")),
    ...(blocks?.kind === "map"
      ? blocks.entries.map(({ key }) => offer(String(key.value), "A block of this file."))
      : []),
  ];
}

function keys(layer: string | null, replace: Range, rest: string): Completion[] {
  const suffix = /^["']?\s*:/.test(rest) ? "" : ": ";
  const written = new Set([...(layer ?? "").matchAll(/["']?(\w+)["']?\s*:/g)].map((match) => match[1]!));
  const offer = (label: string, detail: string): Completion[] =>
    written.has(label) ? [] : [{ label, kind: "parameter", detail, replace, text: `${label}${suffix}` }];
  const params = paramsOf(layer);
  return [
    ...Object.entries(params).flatMap(([name, { doc, required }]) => offer(name, required ? `${doc} Required.` : doc)),
    ...Object.entries(LAYER_KEYS).flatMap(([name, doc]) => offer(name, doc)),
  ];
}

/** The words a parameter may have: those its schema lists, and true and false. */
function words(layer: string | null, key: string, replace: Range): Completion[] {
  const param = paramsOf(layer)[key];
  if (!param) return [];
  return schemaWords(param.type.schema).map((word) => ({
    label: word,
    kind: "value",
    detail: param.doc,
    replace,
    text: word,
  }));
}

function schemaWords(schema: object): string[] {
  const { enum: listed, anyOf, type } = schema as { enum?: unknown[]; anyOf?: object[]; type?: string };
  if (listed) return listed.map(String);
  if (type === "boolean") return ["true", "false"];
  return [...new Set((anyOf ?? []).flatMap(schemaWords))];
}

function paramsOf(layer: string | null): Params {
  const type = /(?:^|[\s{,-])["']?type["']?\s*:\s*["']?(\w+)/.exec(layer ?? "")?.[1];
  return (type === undefined ? undefined : operators.get(type)?.params) ?? {};
}

function layerNames({ graph }: Analysis, offset: number, replace: Range): Completion[] {
  const named = [
    ...graph.inputs.map((id) => ({ name: graph.nodes[id]!.scope, detail: "input" })),
    ...graph.layers
      .filter(({ range, depth }) => depth === 0 && !(range.start <= offset && offset <= range.end))
      .map(({ name, type }) => ({ name, detail: type })),
  ];
  return named.map(({ name, detail }) => ({ label: name, kind: "layer", detail, replace, text: name }));
}

/**
 * The text of the layer around an offset, whole or not: the braces around it, or else its list item with the more deeply
 * indented lines that follow. null outside of both.
 */
function layerText(text: string, offset: number): string | null {
  const from = Math.max(0, offset - REACH);
  const open = openBrace(text, from, offset);
  if (open >= 0) {
    // A brace that is not closed yet ends with its line.
    const close = /^[^{}\n]*/.exec(text.slice(offset, offset + REACH))![0];
    return text.slice(open, offset + close.length);
  }
  let start = lineStart(text, offset);
  const own = indentation(text, start);
  while (start > from && !/^\s*-(\s|$)/.test(lineAt(text, start))) {
    start = lineStart(text, start - 1);
    if (start > 0 && indentation(text, start) > own) return null;
  }
  const item = /^(\s*)-(\s|$)/.exec(lineAt(text, start));
  if (!item) return null;
  let end = start + lineAt(text, start).length;
  while (end < text.length && end < offset + REACH) {
    const next = lineAt(text, end + 1);
    if (next.trim() !== "" && indentation(text, end + 1) <= item[1]!.length) break;
    end += next.length + 1;
  }
  return text.slice(start, Math.min(end, text.length));
}

/** The innermost `{` that is open at `offset`, or −1. A list item's dash at a line's start closes what came before it. */
function openBrace(text: string, from: number, offset: number): number {
  let depth = 0;
  for (let at = offset - 1; at >= from; at--) {
    const character = text[at];
    if (character === "}") depth++;
    else if (character === "{" && depth-- === 0) return at;
    else if (character === "\n" && depth === 0 && /^\s*-\s/.test(lineAt(text, at + 1))) return -1;
  }
  return -1;
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

function lineAt(text: string, start: number): string {
  const end = text.indexOf("\n", start);
  return text.slice(start, end < 0 ? text.length : end);
}

function indentation(text: string, start: number): number {
  return /^\s*/.exec(lineAt(text, start))![0].length;
}
