/**
 * A plane as a sheet of cells, seen around a place: the input with its padding, or the output. Draws what a learner points
 * at: which cells a window reads, which are padding, which lie in the gaps, which no window ever reads.
 */
import { endsFor, INFINITE_COLOUR, NAN_COLOUR, paletteNamed, stepOf } from "#shared/preview/palette.ts";
import { brief } from "../format.ts";
import { drawTile, type Tile } from "../maps/tiles.ts";
import { theme } from "../theme.ts";

/** One axis of a sheet: cells [first, end) of which [0, size) are real. */
export interface Extent {
  readonly first: number;
  readonly end: number;
  readonly size: number;
}

/** The part of a sheet on screen. */
export interface Viewport {
  readonly x: number;
  readonly y: number;
  readonly columns: number;
  readonly rows: number;
  /** Pixels per cell. */
  readonly cell: number;
}

export interface Picture {
  readonly tile: Tile;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const LEAST_CELL = 20;
const MOST_CELL = 38;

/**
 * Chooses the part of a sheet to show in a box: all of it where the cells are still large enough to point at, else a part
 * that holds `focus` and moves as little as possible from `before`.
 */
export function viewportFor(
  x: Extent,
  y: Extent,
  focus: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
  box: { readonly width: number; readonly height: number },
  before: Viewport | null,
): Viewport {
  const [all, high] = [x.end - x.first, y.end - y.first];
  const fitting = Math.min(box.width / all, box.height / high);
  const needed = Math.max(focus.width, focus.height) + 2;
  const cell = Math.min(
    MOST_CELL,
    Math.max(fitting, Math.min(LEAST_CELL, Math.min(box.width, box.height) / needed), 2),
  );
  const columns = Math.min(all, Math.max(1, Math.floor(box.width / cell)));
  const rows = Math.min(high, Math.max(1, Math.floor(box.height / cell)));
  const along = (extent: Extent, count: number, from: number, length: number, was: number | undefined) => {
    const margin = Math.min(2, Math.max(0, Math.floor((count - length) / 2)));
    const start = was ?? from + Math.floor(length / 2) - Math.floor(count / 2);
    const holding = Math.min(Math.max(start, from + length + margin - count), from - margin);
    return Math.min(Math.max(holding, extent.first), extent.end - count);
  };
  const same = before && before.columns === columns && before.rows === rows ? before : null;
  return {
    x: along(x, columns, focus.x, focus.width, same?.x),
    y: along(y, rows, focus.y, focus.height, same?.y),
    columns,
    rows,
    cell,
  };
}

/** A sheet on a canvas, in the viewport's cells. */
export class Sheet {
  constructor(
    readonly context: CanvasRenderingContext2D,
    readonly viewport: Viewport,
    private readonly x: Extent,
    private readonly y: Extent,
  ) {}

  rect(x: number, y: number, width = 1, height = 1) {
    const { cell } = this.viewport;
    return [(x - this.viewport.x) * cell, (y - this.viewport.y) * cell, width * cell, height * cell] as const;
  }

  /** Background, picture, padding and lines between the cells. */
  base(picture: Picture | null): void {
    const { context, viewport, x, y } = this;
    const { colour } = theme();
    const { cell, columns, rows } = viewport;
    context.clearRect(0, 0, columns * cell, rows * cell);
    context.fillStyle = colour.surface;
    context.fillRect(...this.rect(0, 0, x.size, y.size));
    context.save();
    context.beginPath();
    context.rect(...this.rect(0, 0, x.size, y.size));
    context.rect(0, 0, columns * cell, rows * cell);
    context.clip("evenodd");
    dots(context, columns * cell, rows * cell, cell, colour.line);
    context.restore();
    if (picture) {
      const [left, top, width, height] = this.rect(picture.x, picture.y, picture.width, picture.height);
      drawTile(context, picture.tile, left, top, width, height);
    }
    if (cell >= 9) this.lines();
    context.strokeStyle = colour.muted;
    context.lineWidth = 1;
    context.strokeRect(...this.rect(0, 0, x.size, y.size));
  }

  private lines(): void {
    const { context, viewport } = this;
    const { cell, columns, rows } = viewport;
    context.strokeStyle = theme().colour.background;
    context.globalAlpha = 0.4;
    context.lineWidth = 1;
    context.beginPath();
    for (let column = 1; column < columns; column++) {
      context.moveTo(Math.round(column * cell) + 0.5, 0);
      context.lineTo(Math.round(column * cell) + 0.5, rows * cell);
    }
    for (let row = 1; row < rows; row++) {
      context.moveTo(0, Math.round(row * cell) + 0.5);
      context.lineTo(columns * cell, Math.round(row * cell) + 0.5);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  /** Rows or columns that no window reads. */
  hatch(cells: readonly number[], along: "x" | "y"): void {
    const { context } = this;
    const { colour } = theme();
    for (const at of cells) {
      const box = along === "x" ? this.rect(at, 0, 1, this.y.size) : this.rect(0, at, this.x.size, 1);
      context.save();
      context.beginPath();
      context.rect(...box);
      context.clip();
      context.fillStyle = colour.background;
      context.globalAlpha = 0.45;
      context.fillRect(...box);
      context.globalAlpha = 1;
      context.strokeStyle = colour.warning;
      context.lineWidth = 1.5;
      context.beginPath();
      const [left, top, width, height] = box;
      for (let line = -height; line < width; line += 6) {
        context.moveTo(left + line, top + height);
        context.lineTo(left + line + height, top);
      }
      context.stroke();
      context.restore();
    }
  }

  /** Cells inside the window's box that a dilated window leaves out. */
  veil(x: number, y: number): void {
    const { context } = this;
    context.fillStyle = theme().colour.background;
    context.globalAlpha = 0.72;
    context.fillRect(...this.rect(x, y));
    context.globalAlpha = 1;
  }

  frame(x: number, y: number, width: number, height: number, thick = 2.5): void {
    const { context } = this;
    const { colour } = theme();
    const [left, top, w, h] = this.rect(x, y, width, height);
    context.strokeStyle = colour.background;
    context.lineWidth = thick + 2;
    context.strokeRect(left, top, w, h);
    context.strokeStyle = colour.focus;
    context.lineWidth = thick;
    context.strokeRect(left, top, w, h);
  }

  /** The winner of a maximum. */
  ring(x: number, y: number): void {
    const { context } = this;
    const { colour } = theme();
    const [left, top, w, h] = this.rect(x, y);
    for (const [stroke, width] of [
      [colour.background, 6],
      [colour.accent, 3],
    ] as const) {
      context.strokeStyle = stroke;
      context.lineWidth = width;
      context.beginPath();
      context.roundRect(left + 3, top + 3, w - 6, h - 6, Math.min(6, w / 3));
      context.stroke();
    }
  }

  /** A number in a cell, in ink that shows on the value's colour. */
  number(
    x: number,
    y: number,
    value: number,
    ink: string,
    text = brief(value, Math.floor((this.viewport.cell - 2) / 6)),
  ): void {
    const { cell } = this.viewport;
    if (cell < 18) return;
    const [left, top] = this.rect(x, y);
    write(this.context, left + cell / 2, top + cell / 2, text, 9.5, ink);
  }
}

export function write(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  text: string,
  size: number,
  ink: string,
  align: CanvasTextAlign = "center",
  family = theme().mono,
): void {
  context.font = `${size}px ${family}`;
  context.textAlign = align;
  context.textBaseline = "middle";
  context.fillStyle = ink;
  context.fillText(text, x, y + 0.5);
}

/** The colour of a value in a picture. */
export function colourOf(
  tile: Pick<Tile, "least" | "most" | "palette">,
  value: number,
): readonly [number, number, number] {
  if (Number.isNaN(value)) return NAN_COLOUR;
  if (!Number.isFinite(value)) return INFINITE_COLOUR;
  const palette = paletteNamed(tile.palette);
  const [low, high] = endsFor(tile.palette, tile.least, tile.most);
  const at = 3 * stepOf(value, low, high);
  return [palette[at]!, palette[at + 1]!, palette[at + 2]!];
}

/** Black or white, whichever shows on a colour: relative luminance as in WCAG 2. */
export function inkOn([red, green, blue]: readonly [number, number, number]): string {
  const [r, g, b] = [red, green, blue].map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
}

function dots(context: CanvasRenderingContext2D, width: number, height: number, cell: number, colour: string): void {
  context.fillStyle = colour;
  const step = Math.max(cell, 8);
  for (let y = step / 2; y < height; y += step) {
    for (let x = step / 2; x < width; x += step) context.fillRect(x - 1, y - 1, 2, 2);
  }
}
