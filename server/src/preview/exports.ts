/** What the preview can save: a layer's maps as a picture, a tensor as .npy, the layer table as text. */
import { encode } from "fast-png";
import { EngineError } from "#shared/kernels/values.ts";
import type { PaletteName } from "#shared/preview/palette.ts";
import type { Planes } from "#shared/preview/planes.ts";
import type { Exported, PlaneLayout, TensorRef } from "#shared/preview/protocol.ts";
import { tilesOf } from "#shared/preview/tiles.ts";
import { writeNpy } from "#shared/weights/npy.ts";
import type { Analysis } from "../analysis.ts";
import { COLUMNS, layerTable, layerTableMarkdown, rowCells, totalCells } from "../features/layerTable.ts";

/** Pixels of one picture at most. */
const MOST_PIXELS = 2 ** 26;
/** Cells of one vector picture at most: each is a shape of its own. */
const MOST_CELLS = 2 ** 18;
/** Pixels between the maps. */
const GAP = 2;

export interface ExportParts {
  readonly analysis: Analysis;
  readonly tensor: TensorRef | null;
  readonly planes: Planes | null;
  readonly bounds: readonly [number, number] | null;
  readonly palette: PaletteName;
  /** Pixels per cell. */
  readonly scale: number;
}

export interface ExportedFile {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** @throws EngineError where there is no tensor to export, or its picture would be too large. */
export function exported(what: Exported, parts: ExportParts): ExportedFile {
  const model = safe(parts.analysis.graph.name ?? "model");
  if (what === "markdown") return { name: `${model}.md`, bytes: textBytes(layerTableMarkdown(parts.analysis)) };
  if (what === "csv") return { name: `${model}.csv`, bytes: textBytes(layerTableCsv(parts.analysis)) };
  const { planes, tensor } = parts;
  if (!planes || !tensor) throw new EngineError("mismatch", "no layer is chosen");
  const name = [model, safe(tensor.node), ...(tensor.weight ? [safe(tensor.weight)] : [])].join("-");
  if (what === "npy") return { name: `${name}.npy`, bytes: writeNpy(planes.values) as Uint8Array<ArrayBuffer> };
  if (what === "svg") return { name: `${name}.svg`, bytes: textBytes(mapsDrawing(planes, parts)) };
  return { name: `${name}.png`, bytes: mapsPicture(planes, parts) };
}

/** Names come from the model: what a file system may not like is left out. */
function safe(name: string): string {
  return (
    name
      .replace(/[^\p{L}\p{N}._-]+/gu, "-")
      .replace(/^[-.]+|[-.]+$/g, "")
      .slice(0, 80) || "layer"
  );
}

function textBytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The layer table with commas, as RFC 4180 has it. */
export function layerTableCsv(analysis: Analysis): string {
  const table = layerTable(analysis);
  const cell = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = [COLUMNS, ...table.rows.map((row) => rowCells(row, analysis)), totalCells(table)];
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** Where the maps go: side by side, as near to a square as they go; slices of a volume in a row. */
function arranged({ planes, depth, height, width, group }: PlaneLayout, asked: number) {
  const scale = Math.min(Math.max(Math.trunc(asked) || 1, 1), 32);
  const [cellWidth, cellHeight] = [width * scale + GAP, height * scale + GAP];
  const maps = planes * depth;
  const across =
    depth > 1 ? depth : group > 1 ? group : Math.max(1, Math.round(Math.sqrt((maps * cellHeight) / cellWidth)));
  const size = [across * cellWidth + GAP, Math.ceil(maps / across) * cellHeight + GAP] as const;
  const placeOf = (map: number) =>
    [GAP + (map % across) * cellWidth, GAP + Math.floor(map / across) * cellHeight] as const;
  return { scale, maps, size, placeOf };
}

/** One map with a pixel for each cell. */
function pixelsOf(planes: Planes, map: number, { palette, bounds }: ExportParts): Uint8ClampedArray {
  const { depth, height, width } = planes.layout;
  const [plane, slice] = [Math.floor(map / depth), map % depth];
  const request = { from: plane, to: plane + 1, slice, width, height, palette, range: "tensor" } as const;
  return tilesOf(planes, request, bounds).rgba;
}

function mapsPicture(planes: Planes, parts: ExportParts): Uint8Array<ArrayBuffer> {
  const { height, width } = planes.layout;
  const { scale, maps, size, placeOf } = arranged(planes.layout, parts.scale);
  const [pixelsWide, pixelsHigh] = size;
  if (pixelsWide * pixelsHigh > MOST_PIXELS) {
    const most = `${MOST_PIXELS / 2 ** 20} million`;
    throw new EngineError("too-large", `a picture of ${pixelsWide}×${pixelsHigh} pixels is too large: at most ${most}`);
  }
  const data = new Uint8ClampedArray(4 * pixelsWide * pixelsHigh);
  for (let map = 0; map < maps; map++) {
    const rgba = pixelsOf(planes, map, parts);
    const [left, top] = placeOf(map);
    for (let y = 0; y < height * scale; y++) {
      const from = 4 * width * Math.floor(y / scale);
      for (let x = 0; x < width * scale; x++) {
        const source = from + 4 * Math.floor(x / scale);
        const at = 4 * ((top + y) * pixelsWide + left + x);
        data.set(rgba.subarray(source, source + 4), at);
      }
    }
  }
  return encode({ width: pixelsWide, height: pixelsHigh, data, channels: 4, depth: 8 }) as Uint8Array<ArrayBuffer>;
}

/** The same as shapes: in every map one path for each colour. */
function mapsDrawing(planes: Planes, parts: ExportParts): string {
  const { height, width, depth } = planes.layout;
  const { scale, maps, size, placeOf } = arranged(planes.layout, parts.scale);
  const cells = maps * height * width;
  if (cells > MOST_CELLS) {
    const counted = `${cells.toLocaleString("en-US")} values`;
    const most = MOST_CELLS.toLocaleString("en-US");
    throw new EngineError("too-large", `a drawing of ${counted} is too large: at most ${most}, save a PNG instead`);
  }
  const [wide, high] = size;
  const drawn = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" shape-rendering="crispEdges">`,
  ];
  for (let map = 0; map < maps; map++) {
    const rgba = pixelsOf(planes, map, parts);
    const paths = new Map<string, string>();
    for (let cell = 0; cell < height * width; cell++) {
      const colour = [...rgba.subarray(4 * cell, 4 * cell + 3)]
        .map((part) => part.toString(16).padStart(2, "0"))
        .join("");
      const square = `M${cell % width} ${Math.floor(cell / width)}h1v1h-1z`;
      paths.set(colour, (paths.get(colour) ?? "") + square);
    }
    const [x, y] = placeOf(map);
    const slice = depth > 1 ? `, slice ${map % depth}` : "";
    drawn.push(
      `<g transform="translate(${x} ${y}) scale(${scale})"><title>${Math.floor(map / depth)}${slice}</title>`,
      ...[...paths].map(([colour, path]) => `<path fill="#${colour}" d="${path}"/>`),
      "</g>",
    );
  }
  return [...drawn, "</svg>", ""].join("\n");
}
