/**
 * The layer table of `convlint check --table`: its cells as plain data, and set in columns for a terminal or as Markdown.
 */
import type { Analysis } from "../analysis.ts";
import { COLUMNS, layerTable, rowCells, totalCells } from "../features/layerTable.ts";
import { literal } from "../features/markdown.ts";
import { columns, harmless, type Paint, padTo } from "./style.ts";

const NUMERIC: readonly string[] = ["#", "parameters", "MACs"];
/** A symbolic size may be long; the JSON format has all of it. */
const MAX_CELL = 60;

/** Under COLUMNS. */
export interface TableCells {
  /** The inputs, then a row per layer of the file. */
  readonly rows: readonly (readonly string[])[];
  readonly total: readonly string[];
}

export function tableCells(analysis: Analysis): TableCells {
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
  // The first column counts layers, so its zero stays.
  const rows = table.rows.map((row) =>
    rowCells(row, analysis).map((cell, index) => (cell === "0" && index > 0 ? "" : cell)),
  );
  return { rows: [...inputs, ...rows], total: totalCells(table) };
}

/** Ends without a line break. */
export function tableText({ rows, total: totals }: TableCells, paint: Paint): string {
  const body = rows.map((row) => row.map(clip));
  const total = totals.map(clip);
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

/** Ends with a line break. */
export function tableMarkdown({ rows, total }: TableCells): string {
  const line = (cells: readonly string[]) => `| ${cells.map(literal).join(" | ")} |\n`;
  const under = COLUMNS.map((name) => (NUMERIC.includes(name) ? "---:" : "---"));
  return [line(COLUMNS), `| ${under.join(" | ")} |\n`, ...rows.map(line), line(total)].join("");
}

function clip(text: string): string {
  const safe = harmless(text).replaceAll("\t", " ");
  const letters = [...safe];
  return letters.length <= MAX_CELL ? safe : `${letters.slice(0, MAX_CELL - 1).join("")}…`;
}
