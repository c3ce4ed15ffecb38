/** The kernel, its products with the window, and what each channel adds, drawn as small grids and bars. */
import type { Explanation } from "#shared/preview/protocol.ts";
import { brief, figure } from "../format.ts";
import { theme } from "../theme.ts";
import { colourOf, inkOn, write } from "./sheet.ts";

export interface KernelPicture {
  readonly width: number;
  readonly height: number;
  readonly columns: number;
  readonly rows: number;
  readonly kind: Explanation["kind"];
  /** One per tap; null: there is nothing to multiply with. */
  readonly inputs: Float32Array | null;
  readonly weights: Float32Array | null;
  readonly inside: Uint8Array;
  readonly divisor: number | null;
  readonly winner: number | null;
  readonly flipped: boolean;
  /** Of this channel. */
  readonly sum: number | null;
}

export function drawKernel(context: CanvasRenderingContext2D, picture: KernelPicture): void {
  const { width, height, columns, rows, kind, inputs, weights, sum } = picture;
  const { colour } = theme();
  context.clearRect(0, 0, width, height);
  const both = weights !== null && inputs !== null;
  const cell = Math.min(38, width / columns, (height - (both ? 46 : 22)) / (rows * (both ? 2 : 1)));
  const left = (width - cell * columns) / 2;
  if (weights) {
    grid(context, weights, columns, rows, left, 0, cell);
    if (picture.flipped) turned(context, left + cell * columns, 0, colour.focus);
    if (!inputs) return;
    const products = Float32Array.from(weights, (weight, tap) => weight * inputs[tap]!);
    const top = rows * cell + 24;
    write(context, width / 2, top - 12, "× window =", 11, colour.muted);
    grid(context, products, columns, rows, left, top, cell);
    if (sum !== null) write(context, width / 2, top + rows * cell + 12, `sum ${figure(sum, 5)}`, 11, colour.foreground);
  } else if (inputs) {
    grid(context, inputs, columns, rows, left, 0, cell, picture.inside, kind === "maximum" ? picture.winner : null);
    const words =
      kind === "average" ? `sum ÷ ${figure(picture.divisor)}` : kind === "maximum" ? "the greatest wins" : "";
    write(context, width / 2, rows * cell + 12, words, 11, colour.muted);
  }
}

/** Values as a grid in colours around zero. */
function grid(
  context: CanvasRenderingContext2D,
  values: Float32Array,
  columns: number,
  rows: number,
  left: number,
  top: number,
  cell: number,
  inside?: Uint8Array,
  winner: number | null = null,
): void {
  const { colour } = theme();
  let most = 0;
  for (const value of values) if (Number.isFinite(value)) most = Math.max(most, Math.abs(value));
  const scale = { least: -most || -1, most: most || 1, palette: "diverging" } as const;
  for (let index = 0; index < columns * rows; index++) {
    const value = values[index] ?? 0;
    const [x, y] = [left + (index % columns) * cell, top + Math.floor(index / columns) * cell];
    const padding = inside?.[index] === 0;
    const shade = colourOf(scale, value);
    context.fillStyle = padding ? colour.surface : `rgb(${shade.join(" ")})`;
    context.fillRect(x, y, cell, cell);
    if (cell >= 8) {
      context.strokeStyle = colour.background;
      context.lineWidth = 1;
      context.strokeRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
    }
    if (cell >= 20) {
      const text = padding ? "" : brief(value, Math.floor(cell / 6));
      write(context, x + cell / 2, y + cell / 2, text, Math.min(11, cell * 0.34), inkOn(shade));
    }
    if (index === winner) {
      context.strokeStyle = colour.accent;
      context.lineWidth = 3;
      context.strokeRect(x + 2.5, y + 2.5, cell - 5, cell - 5);
    }
  }
}

/** Half a turn. */
function turned(context: CanvasRenderingContext2D, x: number, y: number, stroke: string): void {
  context.strokeStyle = stroke;
  context.fillStyle = stroke;
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(x + 11, y + 11, 6, -Math.PI / 2, Math.PI / 2);
  context.stroke();
  context.beginPath();
  context.moveTo(x + 7, y + 17);
  context.lineTo(x + 12, y + 13.5);
  context.lineTo(x + 12, y + 20.5);
  context.fill();
}

/** One bar for each part, up where it adds and down where it takes away. */
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
  if (chosen >= 0) {
    const at = Math.min(Math.max((chosen + 0.5) * step, 40), width - 40);
    write(context, at, height - 7, `${chosen}: ${figure(parts[chosen], 4)}`, 10.5, colour.foreground);
  }
}

/** The inputs that count most, in words below the bars. */
export function drawTerms(context: CanvasRenderingContext2D, parts: Float64Array, width: number): void {
  const most = [...parts.keys()].sort((a, b) => Math.abs(parts[b]!) - Math.abs(parts[a]!)).slice(0, 3);
  const words = most.map((index) => `${index}: ${figure(parts[index], 3)}`).join("   ");
  write(context, width / 2, 89, words, 10.5, theme().colour.muted);
}
