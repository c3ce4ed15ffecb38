/** The pictures of one explained value: input, output, equation, contributions, receptive field. */
import type { PaletteName } from "#shared/preview/palette.ts";
import type { Explanation, PlaneLayout, Spread, TensorRef, WindowAxis } from "#shared/preview/protocol.ts";
import type { Connection } from "../connection.ts";
import { el, fitCanvas, setText } from "../dom.ts";
import { figure, whole } from "../format.ts";
import { SamplePicture } from "../maps/sample.ts";
import { drawTile } from "../maps/tiles.ts";
import { theme } from "../theme.ts";
import { drawContributions, drawEquation, type Equation, equationHeight } from "./equation.ts";
import { Patch } from "./patch.ts";
import { colourOf, type Extent, inkOn, Sheet, type Viewport, viewportFor } from "./sheet.ts";

/** An axis that is not there: one cell that reads one cell. */
const FLAT: WindowAxis = {
  name: "",
  input: 1,
  output: 1,
  kernel: 1,
  stride: 1,
  dilation: 1,
  padBefore: 0,
  padAfter: 0,
  cells: [0],
  taps: [0],
  unread: [],
};
const GAP = 24;
const FIELD = 150;
/** Around the input image: a receptive field may reach beyond it. */
const FIELD_RIM = 14;
const BARS = 96;

/** What is drawn. */
export interface Subject {
  readonly explanation: Explanation;
  /** The other side of a transposed convolution, where it is looked at. */
  readonly spread: Spread | null;
  /** The output's own. */
  readonly tensor: TensorRef;
  readonly layout: PlaneLayout;
  /** Which of the planes it reads is drawn, counted from the first one. */
  readonly channel: number;
  /** Which of the window's slices in depth is drawn, counted from the first one. */
  readonly tap: number;
  readonly flipped: boolean;
  readonly palette: PaletteName | "auto";
  /** Counts the changes of the sample's values. */
  readonly edition: number;
}

/** Depth, height and width, whatever the layer has of them. */
export function axesOf({
  axes,
}: {
  readonly axes: readonly WindowAxis[];
}): readonly [WindowAxis, WindowAxis, WindowAxis] {
  return [axes.at(-3) ?? FLAT, axes.at(-2) ?? FLAT, axes.at(-1) ?? FLAT];
}

export class Pictures {
  readonly input = el("canvas", { "aria-hidden": true });
  readonly output = el("canvas", { "aria-hidden": true });
  readonly terms = el("canvas", { "aria-hidden": true });
  private readonly equation = el("canvas", { "aria-hidden": true });
  private readonly field = el("canvas", { "aria-hidden": true });
  private readonly titles = {
    input: el("h3", {}),
    output: el("h3", {}),
    terms: el("h3", {}),
    field: el("h3", {}, "Receptive field"),
  };
  readonly panels = {
    input: el("figure", { class: "panel" }, this.titles.input, this.input),
    output: el("figure", { class: "panel" }, this.titles.output, this.output),
    equation: el("figure", { class: "panel still" }, this.equation),
    terms: el("figure", { class: "panel" }, this.titles.terms, this.terms),
    field: el("figure", { class: "panel still seen" }, this.titles.field, this.field),
  };
  inputView: Viewport | null = null;
  outputView: Viewport | null = null;
  private readonly inputPatch: Patch;
  private readonly outputPatch: Patch;
  private readonly sample: SamplePicture;

  constructor(connection: Connection, redraw: () => void) {
    this.inputPatch = new Patch(connection, redraw);
    this.outputPatch = new Patch(connection, redraw);
    this.sample = new SamplePicture(connection, "plain", redraw);
  }

  /** The values changed: pictures are fetched anew. */
  stale(): void {
    this.inputPatch.stale();
    this.outputPatch.stale();
  }

  /** Another layer: its pictures begin where its value is. */
  reset(): void {
    this.inputView = null;
    this.outputView = null;
  }

  hide(): void {
    for (const panel of Object.values(this.panels)) panel.hidden = true;
  }

  paint(subject: Subject, room: number): void {
    const { explanation } = subject;
    const windowed = explanation.axes.length > 0 && explanation.source !== null;
    this.panels.input.hidden = !windowed;
    this.panels.equation.hidden = !windowed;
    this.panels.output.hidden = false;
    const side = Math.max(140, Math.min(300, windowed ? (room - GAP) / 2 : room));
    const box = { width: side, height: side };
    if (windowed) {
      this.paintInput(subject, box);
      this.paintEquation(subject, Math.min(room, 620));
    }
    this.paintOutput(subject, box);
    this.paintTerms(subject, Math.min(room, 620));
    this.paintField(subject);
  }

  private paintInput(subject: Subject, box: { width: number; height: number }): void {
    const { explanation, spread, channel, tap } = subject;
    const source = explanation.source!;
    const [z, y, x] = axesOf(spread ?? explanation);
    const padded = explanation.kind !== "transposed";
    const [ex, ey] = [extentOf(x, padded), extentOf(y, padded)];
    const [xs, ys] = spread ? [[spread.place.x], [spread.place.y]] : [x.cells, y.cells];
    const bounds = boundsOf(xs, ys);
    const view = viewportFor(ex, ey, bounds, box, this.inputView);
    this.inputView = view;
    const plane = spread ? spread.place.plane : source.from + channel;
    const depth = spread ? spread.place.z : (z.cells[tap] ?? 0);
    const isPadding = depth < 0 || depth >= z.input;
    const slice = Math.min(Math.max(depth, 0), z.input - 1);
    const sliceWords = isPadding ? ", a slice of padding" : `, slice ${slice}`;
    setText(this.titles.input, `Input, channel ${plane}${z === FLAT ? "" : sliceWords}`);
    if (!fitCanvas(this.input, view.columns * view.cell, view.rows * view.cell)) return;
    this.inputPatch.want(source, plane, slice, realPart(view, ex, ey), subject.palette);
    const sheet = new Sheet(this.input.getContext("2d")!, view, ex, ey);
    const { picture } = this.inputPatch;
    sheet.base(isPadding ? null : picture);
    sheet.hatch(x.unread, "x");
    sheet.hatch(y.unread, "y");
    if (spread) {
      sheet.frame(spread.place.x, spread.place.y, 1, 1);
      return;
    }
    if (xs.length === 0 || ys.length === 0) return;
    const [readX, readY] = [new Set(xs), new Set(ys)];
    for (let row = bounds.y; row < bounds.y + bounds.height; row++) {
      for (let column = bounds.x; column < bounds.x + bounds.width; column++) {
        if (!readX.has(column) || !readY.has(row)) sheet.veil(column, row);
      }
    }
    const cells = ys.length * xs.length;
    const offset = (channel * z.cells.length + tap) * cells;
    const blank = { maximum: "−∞", average: "" }[explanation.kind as string] ?? "0";
    for (const [row, cy] of ys.entries()) {
      for (const [column, cx] of xs.entries()) {
        const value = explanation.inputs[offset + row * xs.length + column];
        const real = !isPadding && cx >= 0 && cy >= 0 && cx < x.input && cy < y.input;
        if (value === undefined) continue;
        if (!real) sheet.number(cx, cy, 0, theme().colour.muted, blank);
        else if (picture) sheet.number(cx, cy, value, inkOn(colourOf(picture.tile, value)));
      }
    }
    sheet.frame(bounds.x, bounds.y, bounds.width, bounds.height);
    const within = winnerIn(explanation, tap, cells);
    if (within !== null) {
      sheet.ring(xs[within % xs.length]!, ys[Math.floor(within / xs.length)]!);
    }
  }

  private paintEquation({ explanation, spread, channel, tap, flipped }: Subject, width: number): void {
    const [z, y, x] = axesOf(spread ?? explanation);
    const count = y.cells.length * x.cells.length;
    const inPlane = tap * count;
    const from = channel * z.cells.length * count + inPlane;
    const equation: Equation = {
      columns: x.cells.length,
      rows: y.cells.length,
      kind: explanation.kind,
      inputs: spread ? null : explanation.inputs.subarray(from, from + count),
      weights: spread ? spread.products.subarray(inPlane, inPlane + count) : partOf(explanation.weights, from, count),
      inside: explanation.inside.subarray(inPlane, inPlane + count),
      divisor: explanation.divisor,
      winner: winnerIn(explanation, tap, count),
      slices: z.cells.length,
      flipped: flipped && explanation.kind === "convolution",
      sum: spread ? null : (explanation.sums[channel] ?? null),
      colours: this.inputPatch.picture?.tile ?? null,
    };
    this.panels.equation.hidden = count === 0;
    if (count === 0 || !fitCanvas(this.equation, width, equationHeight(equation, width))) return;
    drawEquation(this.equation.getContext("2d")!, equation, width);
  }

  private paintOutput(subject: Subject, box: { width: number; height: number }): void {
    const { explanation, spread, layout, tensor, palette } = subject;
    const { place } = explanation;
    const ex = { first: 0, end: layout.width, size: layout.width };
    const ey = { first: 0, end: layout.height, size: layout.height };
    const [, y, x] = axesOf(spread ?? explanation);
    const here = { x: place.x, y: place.y, width: 1, height: 1 };
    const reached = spread ? boundsOf(within(x.cells, layout.width), within(y.cells, layout.height)) : here;
    const view = viewportFor(ex, ey, reached.width > 0 ? reached : here, box, this.outputView);
    this.outputView = view;
    const slice = layout.depth > 1 ? `, slice ${place.z}` : "";
    setText(this.titles.output, `Output${layout.planes === 1 ? "" : `, channel ${place.plane}`}${slice}`);
    if (!fitCanvas(this.output, view.columns * view.cell, view.rows * view.cell)) return;
    this.outputPatch.want(tensor, place.plane, place.z, realPart(view, ex, ey), palette);
    const sheet = new Sheet(this.output.getContext("2d")!, view, ex, ey);
    const { picture } = this.outputPatch;
    sheet.base(picture);
    if (spread) {
      if (reached.width > 0) sheet.frame(reached.x, reached.y, reached.width, reached.height);
      return;
    }
    if (picture) sheet.number(place.x, place.y, explanation.value, inkOn(colourOf(picture.tile, explanation.value)));
    sheet.frame(place.x, place.y, 1, 1);
  }

  /** What each input channel adds; of a fully connected value, what each input does. */
  private paintTerms({ explanation, spread, channel }: Subject, width: number): void {
    const { sums, bias, kind, inputs, weights } = explanation;
    const linear = kind === "linear" && weights !== null;
    const parts = linear ? Float64Array.from(inputs, (value, index) => value * weights[index]!) : sums;
    const adding = kind === "convolution" || kind === "transposed" || linear;
    this.panels.terms.hidden = !adding || parts.length <= 1 || spread !== null;
    if (this.panels.terms.hidden) return;
    const cut = explanation.cut ? `, the first ${whole(parts.length)}` : "";
    const tail = bias === null ? "" : `; the bias adds ${figure(bias)}`;
    setText(this.titles.terms, `What each ${linear ? "input" : "input channel"} adds${cut}${tail}`);
    if (!fitCanvas(this.terms, width, BARS)) return;
    drawContributions(this.terms.getContext("2d")!, parts, linear ? -1 : channel, width, BARS);
  }

  /** The input image with the part that the value sees. */
  private paintField({ explanation, edition }: Subject): void {
    const seen = explanation.field.find(({ axes }) => axes.length > 0);
    this.panels.field.hidden = !seen || explanation.kind === "input";
    if (!seen || explanation.kind === "input") return;
    this.sample.want(seen.input, edition);
    const { tile } = this.sample;
    const [wide, high] = [tile?.width ?? 1, tile?.height ?? 1];
    const scale = Math.min(FIELD / wide, FIELD / high, 8);
    const [width, height] = [Math.max(wide * scale, 8), Math.max(high * scale, 18)];
    if (!fitCanvas(this.field, width + 2 * FIELD_RIM, height + 2 * FIELD_RIM)) return;
    const context = this.field.getContext("2d")!;
    const { colour } = theme();
    context.clearRect(0, 0, width + 2 * FIELD_RIM, height + 2 * FIELD_RIM);
    context.fillStyle = colour.surface;
    context.fillRect(FIELD_RIM, FIELD_RIM, width, height);
    if (tile) drawTile(context, tile, FIELD_RIM, FIELD_RIM, width, height);
    const x = seen.axes.at(-1)!;
    const y = seen.axes.at(-2) ?? { first: 0, last: high - 1 };
    const [sx, sy] = [width / wide, height / high];
    const [left, top] = [FIELD_RIM + x.first * sx, FIELD_RIM + y.first * sy];
    const box = [left, top, (x.last - x.first + 1) * sx, (y.last - y.first + 1) * sy] as const;
    for (const [stroke, thick] of [
      [colour.background, 4],
      [colour.focus, 2],
    ] as const) {
      context.strokeStyle = stroke;
      context.lineWidth = thick;
      context.strokeRect(...box);
    }
  }
}

/** The tap of a maximum among those of one slice; null where it is in another one. */
function winnerIn({ winner }: Explanation, slice: number, cells: number): number | null {
  return winner !== null && Math.floor(winner / cells) === slice ? winner % cells : null;
}

function partOf(values: Float32Array | null, from: number, count: number): Float32Array | null {
  return values?.subarray(from, from + count) ?? null;
}

function within(cells: readonly number[], size: number): readonly number[] {
  return cells.filter((cell) => cell >= 0 && cell < size);
}

/** The input with its padding, and with what only some windows reach. */
function extentOf(axis: WindowAxis, padded: boolean): Extent {
  const { input, output, stride, dilation, kernel, padBefore, padAfter } = axis;
  if (!padded) return { first: 0, end: input, size: input };
  const reach = (output - 1) * stride - padBefore + (kernel - 1) * dilation + 1;
  return { first: Math.min(0, -padBefore), end: Math.max(input + Math.max(padAfter, 0), reach), size: input };
}

function boundsOf(xs: readonly number[], ys: readonly number[]) {
  if (xs.length === 0 || ys.length === 0) return { x: 0, y: 0, width: 0, height: 0 };
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x + 1, height: Math.max(...ys) - y + 1 };
}

/** The real cells in sight: what a picture is asked for. */
function realPart(view: Viewport, ex: Extent, ey: Extent) {
  const x = Math.min(Math.max(view.x, 0), ex.size - 1);
  const y = Math.min(Math.max(view.y, 0), ey.size - 1);
  const width = Math.max(1, Math.min(view.x + view.columns, ex.size) - x);
  const height = Math.max(1, Math.min(view.y + view.rows, ey.size) - y);
  return { x, y, width, height };
}
