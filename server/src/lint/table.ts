/**
 * The layer table of `convlint check --table`, set in columns for a terminal.
 */
import type { Analysis } from "../analysis.ts";
import { COLUMNS, layerTable, rowCells, totalCells } from "../features/layerTable.ts";
import { columns, harmless, type Paint, padTo } from "./style.ts";

const NUMERIC: readonly string[] = ["#", "parameters", "MACs"];
/** A symbolic size may be long; the JSON format has all of it. */
const MAX_CELL = 60;

/** One row per layer of the file, the inputs above and the totals below. Ends without a line break. */
export function tableText(analysis: Analysis, paint: Paint): string {
  const table = layerTable(analysis);
  const inputs = table.inputs.map(({ name, tensor }) => [
    "",
    name,
    "",
    analysis.dialect.words.shape(tensor),
    "",
    "",
    "",
  ]);
  const rows = table.rows.map((row) => rowCells(row, analysis).map((cell) => (cell === "0" ? "" : cell)));
  // The first column counts layers, so its zero stays.
  for (const [index, row] of rows.entries()) row[0] = String(table.rows[index]!.layer.index);
  const body = [...inputs, ...rows].map((row) => row.map(clip));
  const total = totalCells(table).map(clip);
  const widths = COLUMNS.map((head, index) =>
    Math.max(head.length, ...[...body, total].map((row) => columns(row[index]!))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => padTo(cell, widths[index]!, NUMERIC.includes(COLUMNS[index]!) ? "left" : "right"))
      .join("  ")
      .trimEnd();
  const rule = paint("gray", "─".repeat(widths.reduce((sum, width) => sum + width + 2, -2)));
  return [paint("bold", line(COLUMNS)), rule, ...body.map(line), rule, paint("bold", line(total))].join("\n");
}

function clip(text: string): string {
  const safe = harmless(text).replaceAll("\t", " ");
  const letters = [...safe];
  return letters.length <= MAX_CELL ? safe : `${letters.slice(0, MAX_CELL - 1).join("")}…`;
}
