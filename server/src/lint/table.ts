/**
 * The per-layer table of `convlint check --table`.
 */
import type { FileReport, Size } from "./report.ts";
import { columns, harmless, type Paint, padTo } from "./style.ts";

const HEADS = ["#", "name", "type", "output", "params", "MACs"];
const NUMERIC = new Set(["#", "params", "MACs"]);
/** A symbolic size may be long; the JSON format has all of it. */
const MAX_CELL = 60;

/** One row per layer of the file, and the totals below. Ends without a line break. */
export function layerTable(file: FileReport, paint: Paint): string {
  const rows = file.layers.map((layer) => [
    String(layer.index),
    layer.name,
    layer.type,
    layer.outputs.map((dims) => (dims ? `[${dims.map((dim) => dim ?? "?").join(", ")}]` : "?")).join(" "),
    count(layer.params),
    count(layer.macs),
  ]);
  const { totals } = file;
  const cells = [...rows, ["", "total", "", "", count(totals.params), count(totals.macs)]].map((row) => row.map(clip));
  const widths = HEADS.map((head, index) => Math.max(head.length, ...cells.map((row) => columns(row[index]!))));
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => padTo(cell, widths[index]!, NUMERIC.has(HEADS[index]!) ? "left" : "right"))
      .join("  ")
      .trimEnd();
  const rule = paint("gray", "─".repeat(widths.reduce((sum, width) => sum + width + 2, -2)));
  return [
    paint("bold", line(HEADS)),
    rule,
    ...cells.slice(0, -1).map(line),
    rule,
    paint("bold", line(cells.at(-1)!)),
  ].join("\n");
}

function clip(text: string): string {
  const safe = harmless(text).replaceAll("\t", " ");
  return safe.length <= MAX_CELL ? safe : `${[...safe].slice(0, MAX_CELL - 1).join("")}…`;
}

/** 1234567 as 1,234,567; a layer without any shows nothing. */
function count(size: Size): string {
  if (size === null) return "?";
  return typeof size === "number" ? (size === 0 ? "" : size.toLocaleString("en-US")) : size;
}
