/** Changes of models in words: for a terminal, for a pull request, and for programs. */
import { literal } from "../features/markdown.ts";
import { didYouMean } from "../rules/nearest.ts";
import { Misuse } from "./arguments.ts";
import type { LayerChange, LayerSizes, Measure, ModelChange } from "./compare.ts";
import type { Size } from "./report.ts";
import { harmless, type Paint } from "./style.ts";

/** What changed in one file. */
export interface FileChange {
  readonly path: string;
  /** Where it was before, if elsewhere. */
  readonly from: string | null;
  readonly change: ModelChange;
}

export const CHANGE_FORMATS = ["text", "markdown", "json"] as const;
export type ChangeFormat = (typeof CHANGE_FORMATS)[number];

/** @throws Misuse */
export function readChangeFormat(word = "text"): ChangeFormat {
  const format = CHANGE_FORMATS.find((known) => known === word);
  if (!format)
    throw new Misuse(`--format must be text, markdown or json, not ${word}.${didYouMean(word, CHANGE_FORMATS)}`);
  return format;
}

const NAMES: Readonly<Record<Measure, string>> = {
  params: "parameters",
  macs: "MACs",
  activationBytes: "activation bytes",
};

/** Ends with a line break, but is empty as text where nothing changed. */
export function changesText(files: readonly FileChange[], format: ChangeFormat, paint: Paint): string {
  if (format === "json") return `${JSON.stringify({ version: 1, files })}\n`;
  if (format === "markdown") return markdown(files);
  return files.map((file) => plain(file, paint)).join("\n");
}

function plain({ path, from, change }: FileChange, paint: Paint): string {
  const title = harmless(from === null ? path : `${from} → ${path}`);
  const lines = change.layers.map((layer) => {
    const { sign, name, what } = described(layer);
    const text = harmless(`${sign} ${name}${what === "" ? "" : `: ${what}`}`);
    return `  ${sign === "+" ? paint("green", text) : sign === "−" ? paint("red", text) : text}\n`;
  });
  return `${paint("bold", title)}\n${lines.join("")}  ${totals(change)}\n`;
}

function markdown(files: readonly FileChange[]): string {
  if (files.length === 0) return "No model changed its sizes.\n";
  const sections = files.map(({ path, from, change }) => {
    const rows = change.layers.map((layer) => {
      const { sign, name, what } = described(layer);
      return `| ${sign} | ${literal(name)} | ${literal(what)} |\n`;
    });
    const table = rows.length > 0 ? `| | layer | change |\n| --- | --- | --- |\n${rows.join("")}\n` : "";
    return `### ${literal(from === null ? path : `${from} → ${path}`)}\n\n${table}${literal(totals(change))}\n`;
  });
  return sections.join("\n");
}

function described({ before, after }: LayerChange): {
  readonly sign: string;
  readonly name: string;
  readonly what: string;
} {
  const layer = (after ?? before)!;
  const title = ({ name, type }: LayerSizes) => (name === type ? type : `${name} ${type}`);
  if (!before || !after) {
    const what = `${shapes(layer)}, ${count(layer.params)} parameters, ${count(layer.macs)} MACs`;
    return { sign: before ? "−" : "+", name: title(layer), what };
  }
  const renamed = title(before) === title(after) ? title(after) : `${title(before)} → ${title(after)}`;
  const parts = (Object.keys(NAMES) as Measure[]).flatMap((measure) =>
    before[measure] === after[measure] ? [] : [moved(NAMES[measure], before[measure], after[measure])],
  );
  if (shapes(before) !== shapes(after)) parts.unshift(`output ${shapes(before)} → ${shapes(after)}`);
  if (field(before) !== field(after)) parts.push(`receptive field ${field(before)} → ${field(after)}`);
  return { sign: "~", name: renamed, what: parts.join(", ") };
}

function totals({ before, after }: ModelChange): string {
  const words = (Object.keys(NAMES) as Measure[]).map((measure) => {
    if (before && after && before[measure] !== after[measure])
      return moved(NAMES[measure], before[measure], after[measure]);
    return `${NAMES[measure]} ${count((after ?? before)![measure])}`;
  });
  return `${before ? (after ? "total" : "model removed") : "model added"}: ${words.join(", ")}`;
}

/** `parameters 156 → 208 (+52)`. */
function moved(name: string, before: Size, after: Size): string {
  const difference =
    typeof before === "number" && typeof after === "number"
      ? ` (${after < before ? "−" : "+"}${count(Math.abs(after - before))})`
      : "";
  return `${name} ${count(before)} → ${count(after)}${difference}`;
}

function shapes({ outputs }: LayerSizes): string {
  return outputs.map((output) => (output ? `[${output.map(size).join(", ")}]` : "?")).join(", ");
}

function field({ receptiveField }: LayerSizes): string {
  return receptiveField ? receptiveField.join(" × ") : "?";
}

function count(value: Size): string {
  return typeof value === "number" ? value.toLocaleString("en-US") : size(value);
}

function size(value: Size): string {
  return value === null ? "?" : String(value);
}
