/**
 * The layer table: one row for each of the file's own layers. The command line prints it as text, the editor copies it
 * as Markdown; both say the same because the cells are made here.
 */
import type { Layer } from "#shared/graph/graph.ts";
import { type Cost, totalCost } from "#shared/graph/infer.ts";
import type { Dim } from "#shared/shape/dim.ts";
import type { Tensor } from "#shared/shape/tensor.ts";
import type { Field } from "#shared/shape/window.ts";
import type { Analysis } from "../analysis.ts";
import { literal } from "./markdown.ts";

export interface LayerRow {
  readonly layer: Layer;
  /** As hints show them; see `layerOutputs`. */
  readonly outputs: readonly (Tensor | null)[];
  readonly cost: Cost;
  /** Of the first output, per spatial axis; null where it sees the whole input or is not known. */
  readonly field: readonly Field[] | null;
}

export interface LayerTable {
  readonly inputs: readonly { readonly name: string; readonly tensor: Tensor }[];
  readonly rows: readonly LayerRow[];
  readonly totals: Cost;
}

export const COLUMNS = ["#", "name", "type", "output", "parameters", "MACs", "receptive field"] as const;

/** Layers inside block definitions have no row: their cost is in the layers that use the block. */
export function layerTable(analysis: Analysis): LayerTable {
  const { graph } = analysis;
  const rows = graph.layers
    .filter((layer) => layer.depth === 0)
    .map(
      (layer): LayerRow => ({
        layer,
        outputs: layerOutputs(analysis, layer),
        cost: costOf(analysis, layer.nodes.first, layer.nodes.end),
        field: outputField(analysis, layer),
      }),
    );
  return { inputs: modelInputs(analysis), rows, totals: costOf(analysis, 0, graph.nodes.length) };
}

/** The tensors that enter the model, with their names. */
export function modelInputs({ graph, report }: Analysis): LayerTable["inputs"] {
  return graph.inputs.flatMap((id) => {
    const tensor = report.nodes[id]?.outputs[0];
    return tensor ? [{ name: graph.nodes[id]!.scope, tensor }] : [];
  });
}

/**
 * What leaves a layer; null for an output that is not known at all. A layer of one operator shows all that the operator
 * gives: how many outputs a Split has, only inference knows.
 */
export function layerOutputs({ report }: Analysis, layer: Layer): readonly (Tensor | null)[] {
  const { first, end } = layer.nodes;
  const all = end - first === 1 ? (report.nodes[first]?.outputs ?? []) : [];
  if (all.length > 1) return all;
  return layer.outputs.map((ref) => (ref ? (report.nodes[ref.node]?.outputs[ref.output] ?? null) : null));
}

/** What one value of a layer's first output sees, per spatial axis; null where that is everything, or not known. */
export function outputField({ report }: Analysis, layer: Layer): readonly Field[] | null {
  const first = layer.outputs[0];
  return (first && report.nodes[first.node]?.field) ?? null;
}

/** The sum over the nodes [first, end). */
export function costOf({ report }: Analysis, first: number, end: number): Cost {
  return totalCost(report, first, end);
}

/** The cells of one row, under COLUMNS. */
export function rowCells({ layer, outputs, cost, field }: LayerRow, analysis: Analysis): readonly string[] {
  return [
    String(layer.index),
    layer.name,
    layer.type,
    shapesText(outputs, analysis),
    count(cost.params),
    count(cost.macs),
    field ? fieldText(field) : "",
  ];
}

/** The cells of the last line, under COLUMNS. */
export function totalCells({ totals }: LayerTable): readonly string[] {
  return ["", "total", "", "", count(totals.params), count(totals.macs), ""];
}

/** The table as Markdown, with the inputs above it. */
export function layerTableMarkdown(analysis: Analysis): string {
  const table = layerTable(analysis);
  const line = (cells: readonly string[]) => `| ${cells.map(literal).join(" | ")} |`;
  const title = analysis.graph.name === null ? [] : [`**${literal(analysis.graph.name)}**`, ""];
  const inputs = table.inputs.map(
    ({ name, tensor }) => `- input ${literal(name)}: ${literal(analysis.dialect.words.shape(tensor))}`,
  );
  return [
    ...title,
    ...inputs,
    ...(inputs.length > 0 ? [""] : []),
    line(COLUMNS),
    "| ---: | --- | --- | --- | ---: | ---: | --- |",
    ...table.rows.map((row) => line(rowCells(row, analysis))),
    line(totalCells(table)),
    "",
  ].join("\n");
}

/** All outputs of a layer in the dialect's notation: `[N, 6, 28, 28]`, `2 × [N, 3, 28, 28]`, `?` where not known. */
export function shapesText(outputs: readonly (Tensor | null)[], { dialect }: Analysis): string {
  const texts = outputs.map((output) => (output ? dialect.words.shape(output) : "?"));
  const first = texts[0] ?? "?";
  if (texts.length <= 1) return first;
  return texts.every((text) => text === first) ? `${texts.length} × ${first}` : texts.join(", ");
}

/** A count with thousands apart: `11,689,512`; symbolic counts as they are. */
export function count(dim: Dim): string {
  return typeof dim === "number" ? grouped(dim) : String(dim);
}

/** A count in few characters, as hints show it: `156`, `62.0k`, `11.7M`. */
export function shortCount(dim: Dim): string {
  if (typeof dim !== "number") return String(dim);
  for (const [unit, size] of [
    ["T", 1e12],
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e4],
  ] as const) {
    if (dim >= size) return `${(dim / (unit === "k" ? 1e3 : size)).toFixed(1)}${unit}`;
  }
  return String(dim);
}

/** `7 × 7`, or `7` for one axis; the same axis order as the tensor's. */
export function fieldText(field: readonly Field[]): string {
  return field.map((axis) => number(axis.size)).join(" × ");
}

/** At most three decimals, with a true minus. */
export function number(value: number): string {
  return String(Math.round(value * 1000) / 1000).replace("-", "−");
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}
