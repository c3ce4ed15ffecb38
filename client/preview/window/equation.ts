/** Window × kernel = products, and what each channel adds: the arithmetic as small grids and bars. */
import type { Explanation } from "#shared/preview/protocol.ts";
import { brief, figure } from "../format.ts";
import type { Tile } from "../maps/tiles.ts";
import { theme } from "../theme.ts";
import { colourOf, inkOn, write } from "./sheet.ts";

export interface Equation {
  readonly columns: number;
  readonly rows: number;
  readonly kind: Explanation["kind"];
  /** One per tap; null: there is nothing to multiply with. */
  readonly inputs: Float32Array | null;
  readonly weights: Float32Array | null;
  /** By tap: 0 where it reads padding. */
  readonly inside: Uint8Array;
  readonly divisor: number | null;
  readonly winner: number | null;
  readonly flipped: boolean;
  /** In depth, of which one is drawn. */
  readonly slices: number;
  /** What the products come to. */
  readonly sum: number | null;
  /** The colours of the input's picture, so that a value looks the same in both. */
  readonly colours: Pick<Tile, "least" | "most" | "palette"> | null;
}

interface Term {
  readonly title: string;
  readonly values: Float32Array;
  readonly sign: string;
}

const TITLE = 18;
const SIGN = 24;
const MOST_CELL = 36;
const RESULT = 22;

/** How high the equation is drawn in a width; the same measures as `drawEquation`. */
export function equationHeight(equation: Equation, width: number): number {
  return TITLE + cellOf(equation, width) * equation.rows + RESULT;
}

function cellOf(equation: Equation, width: number): number {
  const terms = termsOf(equation).length;
  const room = (width - (terms - 1) * SIGN) / (terms * Math.max(equation.columns, 1));
  return Math.max(1, Math.min(MOST_CELL, room, 240 / Math.max(equation.rows, 1)));
}

function termsOf({ kind, inputs, weights, flipped }: Equation): readonly Term[] {
  if (weights && !inputs) return [{ title: "value × kernel", values: weights, sign: "" }];
  if (!inputs) return [];
  const window = { title: "window", values: inputs, sign: "" };
  if (!weights) return [window];
  const products = Float32Array.from(weights, (weight, tap) => weight * inputs[tap]!);
  const turned = flipped ? "kernel, turned" : kind === "transposed" ? "kernel, as it falls" : "kernel";
  return [window, { title: turned, values: weights, sign: "×" }, { title: "products", values: products, sign: "=" }];
}

export function drawEquation(context: CanvasRenderingContext2D, equation: Equation, width: number): void {
  const { colour } = theme();
  const { columns, rows, kind } = equation;
  context.clearRect(0, 0, width, equationHeight(equation, width));
  const cell = cellOf(equation, width);
  const middle = TITLE + (cell * rows) / 2;
  let x = 0;
  for (const { title, values, sign } of termsOf(equation)) {
    if (sign) {
      write(context, x + SIGN / 2, middle, sign, 14, colour.muted);
      x += SIGN;
    }
    write(context, x, TITLE / 2 - 2, title, 11, colour.muted, "left", theme().font);
    const own = title === "window";
    drawGrid(context, values, equation, x, cell, own);
    if (title.endsWith("turned")) turned(context, x + columns * cell - 16, -4, colour.focus);
    x += columns * cell;
  }
  const result = {
    maximum: "greatest",
    average: `sum ÷ ${figure(equation.divisor)}`,
  }[kind as string];
  const all = equation.slices > 1 ? ` of all ${equation.slices} slices` : "";
  const words = result ?? (equation.sum === null ? "" : `Σ${all} = ${figure(equation.sum, 5)}`);
  write(context, x, TITLE + cell * rows + RESULT / 2 + 2, words, 12, colour.foreground, "right");
}

/** Values as a grid in colours around zero. */
function drawGrid(
  context: CanvasRenderingContext2D,
  values: Float32Array,
  { columns, rows, inside, winner, weights, colours }: Equation,
  left: number,
  cell: number,
  window: boolean,
): void {
  const { colour } = theme();
  let most = 0;
  for (const value of values) if (Number.isFinite(value)) most = Math.max(most, Math.abs(value));
  const around = { least: -most || -1, most: most || 1, palette: "diverging" } as const;
  const scale = window && colours ? colours : around;
  for (let index = 0; index < columns * rows; index++) {
    const value = values[index] ?? 0;
    const [x, y] = [left + (index % columns) * cell, TITLE + Math.floor(index / columns) * cell];
    const padding = window && inside[index] === 0;
    const shade = colourOf(scale, value);
    context.fillStyle = padding ? colour.surface : `rgb(${shade.join(" ")})`;
    context.fillRect(x, y, cell, cell);
    if (cell >= 8) {
      context.strokeStyle = colour.background;
      context.lineWidth = 1;
      context.strokeRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
    }
    if (cell >= 18) {
      const text = padding ? (weights ? "0" : "") : brief(value, Math.floor((cell - 3) / 6));
      write(context, x + cell / 2, y + cell / 2, text, 9.5, padding ? colour.muted : inkOn(shade));
    }
    if (window && index === winner) {
      context.strokeStyle = colour.accent;
      context.lineWidth = 3;
      context.strokeRect(x + 2.5, y + 2.5, cell - 5, cell - 5);
    }
  }
}

/** The sign of half a turn. */
function turned(context: CanvasRenderingContext2D, x: number, y: number, stroke: string): void {
  context.strokeStyle = stroke;
  context.fillStyle = stroke;
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(x + 8, y + 11, 5, -Math.PI / 2, Math.PI / 2);
  context.stroke();
  context.beginPath();
  context.moveTo(x + 4, y + 16);
  context.lineTo(x + 9, y + 12.5);
  context.lineTo(x + 9, y + 19.5);
  context.fill();
}

/**
 * One bar for each part, up where it adds and down where it takes away.
 * @param chosen the bar that is written out; −1: the three that count most are.
 */
export function drawContributions(
  context: CanvasRenderingContext2D,
  parts: Float64Array,
  chosen: number,
  width: number,
  height: number,
): void {
  const { colour } = theme();
  context.clearRect(0, 0, width, height);
  let [least, most] = [0, 0];
  for (const part of parts) {
    if (!Number.isFinite(part)) continue;
    least = Math.min(least, part);
    most = Math.max(most, part);
  }
  const room = height - 16;
  const yOf = (value: number) => 2 + ((most - value) / (most - least || 1)) * (room - 4);
  const step = width / parts.length;
  for (const [index, part] of parts.entries()) {
    const [from, to] = [yOf(Math.max(part, 0)), yOf(Math.min(part, 0))];
    context.fillStyle = index === chosen ? colour.focus : colour.accent;
    context.globalAlpha = index === chosen || chosen < 0 ? 1 : 0.55;
    context.fillRect(index * step, from, Math.max(step - (step > 4 ? 2 : 0), 0.75), Math.max(to - from, 1));
    context.globalAlpha = 1;
  }
  context.fillStyle = colour.muted;
  context.fillRect(0, Math.round(yOf(0)), width, 1);
  const written =
    chosen >= 0 ? [chosen] : [...parts.keys()].sort((a, b) => Math.abs(parts[b]!) - Math.abs(parts[a]!)).slice(0, 3);
  const words = written.map((index) => `${index}: ${figure(parts[index], 4)}`).join("    ");
  write(context, 0, height - 7, words, 10.5, colour.foreground, "left");
}
