/**
 * One output value and how it comes about: the window in the input, the kernel, the products and their sum. Arrow keys
 * move to the next value, space plays. A transposed convolution is seen from both sides: what a value gathers, and what
 * one input value spreads to.
 */
import type { Answer, Explanation, Place, Spread, TensorRef, WindowAxis } from "#shared/preview/protocol.ts";
import { type Connection, Latest } from "../connection.ts";
import {
  el,
  field,
  fitCanvas,
  icon,
  iconButton,
  onFrame,
  reducedMotion,
  select,
  setAttribute,
  setText,
} from "../dom.ts";
import { figure, whole } from "../format.ts";
import { SamplePicture } from "../maps/sample.ts";
import { drawTile, type Tile, tilesOf } from "../maps/tiles.ts";
import type { Model } from "../model.ts";
import { onTheme, theme } from "../theme.ts";
import { drawContributions, drawKernel, drawTerms } from "./kernel.ts";
import { colourOf, type Extent, inkOn, type Picture, Sheet, type Viewport, viewportFor } from "./sheet.ts";
import { comparison, seen, standing, summary } from "./words.ts";

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
const KERNEL_HEIGHT = 250;

/** A picture of a part of a plane, fetched as it is needed, the last one kept meanwhile. */
class Patch {
  private readonly latest: Latest;
  private key = "";
  private of = "";
  picture: Picture | null = null;

  constructor(
    connection: Connection,
    private readonly arrived: () => void,
  ) {
    this.latest = new Latest(connection);
  }

  want(
    tensor: TensorRef,
    plane: number,
    slice: number,
    part: Omit<Picture, "tile">,
    palette: "auto" | "picture" | string,
  ) {
    const of = JSON.stringify([tensor, plane, slice, palette]);
    const key = JSON.stringify([of, part]);
    if (key === this.key) return;
    this.key = key;
    if (of !== this.of) this.picture = null;
    this.of = of;
    const { width, height } = part;
    const question = { kind: "tiles", tensor, from: plane, to: plane + 1, slice, part, width, height } as const;
    this.latest.ask({ ...question, palette: palette as "auto", range: "tensor" }, (answer) => {
      const tile: Tile | undefined = answer.kind === "tiles" ? tilesOf(answer.rgba, answer)[0] : undefined;
      this.picture = tile && of === this.of ? { tile, ...part } : this.picture;
      this.arrived();
    });
  }

  /** The values behind it changed. */
  stale(): void {
    this.key = "";
  }
}

export class WindowView {
  readonly element: HTMLElement;
  private readonly heading = el("p", { class: "sum", "aria-live": "polite" });
  private readonly arithmetic = el("p", { class: "arithmetic" });
  private readonly notes = el("ul", { class: "notes" });
  private readonly empty = el("p", { class: "empty", role: "status" });
  private readonly inputCanvas = el("canvas", { "aria-hidden": true });
  private readonly kernelCanvas = el("canvas", { "aria-hidden": true });
  private readonly outputCanvas = el("canvas", { "aria-hidden": true });
  private readonly termsCanvas = el("canvas", { "aria-hidden": true });
  private readonly fieldCanvas = el("canvas", { "aria-hidden": true });
  private readonly inputTitle = el("h3", {});
  private readonly kernelTitle = el("h3", {});
  private readonly outputTitle = el("h3", {});
  private readonly fieldTitle = el("h3", {}, "Receptive field");
  private readonly termsTitle = el("h3", {});
  private readonly stage: HTMLElement;
  private readonly panels: Record<"input" | "kernel" | "output" | "terms" | "field", HTMLElement>;
  private readonly outputPlane: HTMLInputElement;
  private readonly inputPlane: HTMLInputElement;
  private readonly inputField: HTMLElement;
  private readonly flip: HTMLInputElement;
  private readonly flipField: HTMLElement;
  private readonly mode: HTMLSelectElement;
  private readonly playButton: HTMLButtonElement;
  private readonly speed: HTMLSelectElement;
  private readonly inputPatch: Patch;
  private readonly outputPatch: Patch;
  private readonly sample: SamplePicture;
  private readonly latest: Latest;
  private explanation: Explanation | null = null;
  private spread: Spread | null = null;
  private asked = "";
  private of = "";
  private inputView: Viewport | null = null;
  private outputView: Viewport | null = null;
  /** Which of the planes it reads is drawn, counted from the first one. */
  private channel = 0;
  private playing: number | null = null;
  private size = { width: 0, height: 0 };
  private readonly draw = onFrame(() => this.paint());

  constructor(
    private readonly model: Model,
    private readonly connection: Connection,
    /** The tensor that is looked at, and how many planes of what size it has. */
    private readonly looked: () => Extract<Answer, { kind: "maps" }> | null,
    /** Counts up with every change of its values. */
    private readonly revision: () => number,
  ) {
    this.latest = new Latest(connection);
    this.inputPatch = new Patch(connection, this.draw);
    this.outputPatch = new Patch(connection, this.draw);
    this.sample = new SamplePicture(connection, "plain", this.draw);
    const number = (label: string, set: (value: number) => void) => {
      const input = el("input", {
        type: "number",
        min: 0,
        "aria-label": label,
        onchange: () => set(Number(input.value)),
      });
      return input;
    };
    this.outputPlane = number("Output channel", (plane) => this.move({ plane }));
    this.inputPlane = number("Input channel", (plane) =>
      this.chooseChannel(plane - (this.explanation?.source?.from ?? 0)),
    );
    this.inputField = field("Input channel", this.inputPlane);
    this.flip = el("input", { type: "checkbox", role: "switch", onchange: () => this.setFlipped(this.flip.checked) });
    this.flipField = el(
      "label",
      {
        class: "field",
        title: "A true convolution turns the kernel by half a turn before it multiplies. Frameworks do not.",
      },
      this.flip,
      el("span", {}, "Turn the kernel (true convolution)"),
    );
    this.mode = select(
      "Seen from",
      [
        ["gather", "What a value gathers"],
        ["spread", "What an input spreads"],
      ],
      () => this.model.changed(),
    );
    this.playButton = iconButton("play", "Play (Space)", () => this.play(this.playing === null));
    this.speed = select(
      "Values in a second",
      [
        ["2", "Slow"],
        ["8", "Medium"],
        ["30", "Fast"],
        ["60", "Very fast"],
      ],
      () => {
        if (this.playing !== null) this.play(true);
      },
    );
    this.speed.value = "8";
    const panel = (title: HTMLElement, canvas: HTMLElement, name: string) =>
      el("figure", { class: `panel ${name}` }, title, canvas);
    this.panels = {
      input: panel(this.inputTitle, this.inputCanvas, "input"),
      kernel: panel(this.kernelTitle, this.kernelCanvas, "kernel"),
      output: panel(this.outputTitle, this.outputCanvas, "output"),
      terms: panel(this.termsTitle, this.termsCanvas, "terms"),
      field: panel(this.fieldTitle, this.fieldCanvas, "field"),
    };
    this.stage = el(
      "div",
      {
        class: "stage",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "window",
        "aria-label":
          "Window over the input: arrow keys move it, Page Up and Page Down change the output channel, " +
          "brackets the input channel, Space plays, F turns the kernel",
        onkeydown: (event: KeyboardEvent) => this.key(event),
      },
      this.panels.input,
      this.panels.kernel,
      this.panels.output,
    );
    this.element = el(
      "div",
      { class: "window" },
      el(
        "div",
        { class: "controls" },
        el("span", { class: "field" }, this.playButton, this.speed),
        field("Output channel", this.outputPlane),
        this.inputField,
        this.mode,
        this.flipField,
      ),
      this.empty,
      el(
        "div",
        { class: "scroll" },
        this.heading,
        this.stage,
        this.arithmetic,
        el("div", { class: "below" }, this.panels.terms, this.panels.field, this.notes),
      ),
    );
    this.pointing();
    onTheme(this.draw);
    new ResizeObserver(([entry]) => {
      this.size = { width: entry!.contentRect.width, height: entry!.contentRect.height };
      this.paint();
    }).observe(this.element);
  }

  private get isSpread(): boolean {
    return this.explanation?.kind === "transposed" && this.mode.value === "spread";
  }

  update(): void {
    const maps = this.looked();
    const { choices } = this.model;
    const possible = maps !== null && maps.tensor.weight === undefined;
    if (!possible || choices.tab !== "window") {
      if (choices.tab !== "window") this.play(false);
      this.explanation = possible ? this.explanation : null;
      this.asked = "";
      const why = maps ? "Choose the layer's output, not its weights, to step through its window." : "Computing …";
      setText(this.empty, why);
    } else {
      const place = this.inside(choices.place);
      const values = JSON.stringify([maps.tensor, this.revision()]);
      if (values !== this.of) {
        this.of = values;
        this.inputPatch.stale();
        this.outputPatch.stale();
      }
      const key = JSON.stringify([values, place]);
      if (key !== this.asked) {
        this.asked = key;
        this.latest.ask({ kind: "explain", tensor: maps.tensor, place }, (answer) => this.explained(answer));
      }
    }
    this.draw();
  }

  private explained(answer: Answer): void {
    if (answer.kind === "explanation") {
      const before = this.explanation;
      this.explanation = answer.explanation;
      if (before?.node !== answer.explanation.node) {
        this.inputView = null;
        this.outputView = null;
        this.channel = 0;
        this.spread = null;
      }
      if (this.isSpread && !this.spread) this.askSpread(this.firstSource());
    } else if (answer.kind === "refused") {
      this.explanation = null;
      setText(this.empty, answer.message);
    }
    this.draw();
  }

  private inside(place: Place): Place {
    const layout = this.looked()?.layout;
    if (!layout) return place;
    const within = (value: number, size: number) =>
      Math.min(Math.max(Math.round(value) || 0, 0), Math.max(size - 1, 0));
    return {
      plane: within(place.plane, layout.planes),
      z: within(place.z, layout.depth),
      y: within(place.y, layout.height),
      x: within(place.x, layout.width),
    };
  }

  private move(by: Partial<Place>): void {
    const { choices } = this.model;
    choices.place = this.inside({ ...choices.place, ...by });
    if (choices.plane !== null) choices.plane = choices.place.plane;
    this.model.changed();
  }

  private chooseChannel(channel: number): void {
    const count = this.explanation?.source?.count ?? 1;
    this.channel = Math.min(Math.max(Math.round(channel) || 0, 0), count - 1);
    this.draw();
  }

  private setFlipped(on: boolean): void {
    this.model.choices.flipped = on;
    this.connection.ask({ kind: "flip", on }, () => {}).forget();
    this.model.changed();
  }

  // ---- spreading ----

  private firstSource(): Place {
    const [z, y, x] = this.axes();
    const at = ({ cells }: WindowAxis) => cells[0] ?? 0;
    const plane = (this.explanation?.source?.from ?? 0) + this.channel;
    return { plane, z: at(z), y: at(y), x: at(x) };
  }

  private askSpread(place: Place): void {
    const { explanation } = this;
    const maps = this.looked();
    if (!explanation?.source || !maps) return;
    const [z, y, x] = this.axes();
    const within = (value: number, { input }: WindowAxis) => Math.min(Math.max(value, 0), input - 1);
    const inside = { ...place, z: within(place.z, z), y: within(place.y, y), x: within(place.x, x) };
    const question = { kind: "spread", tensor: maps.tensor, place: inside, plane: explanation.place.plane } as const;
    this.latest.ask(question, (answer) => {
      if (answer.kind === "spread") this.spread = answer.spread;
      this.draw();
    });
  }

  // ---- moving ----

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.stage) return;
    const { place } = this.model.choices;
    const far = event.shiftKey ? 10 : 1;
    const directions: Record<string, readonly [number, number]> = {
      ArrowLeft: [-far, 0],
      ArrowRight: [far, 0],
      ArrowUp: [0, -far],
      ArrowDown: [0, far],
    };
    const direction = directions[event.key];
    const others: Record<string, () => void> = {
      Home: () => this.move({ x: 0 }),
      End: () => this.move({ x: Number.MAX_SAFE_INTEGER }),
      PageUp: () => this.move({ plane: place.plane - 1 }),
      PageDown: () => this.move({ plane: place.plane + 1 }),
      "[": () => this.chooseChannel(this.channel - 1),
      "]": () => this.chooseChannel(this.channel + 1),
      " ": () => this.play(this.playing === null),
      Escape: () => this.play(false),
      f: () => this.setFlipped(!this.model.choices.flipped),
    };
    if (direction) {
      this.play(false);
      if (this.isSpread && this.spread) {
        const from = this.spread.place;
        this.askSpread({ ...from, x: from.x + direction[0], y: from.y + direction[1] });
      } else this.move({ x: place.x + direction[0], y: place.y + direction[1] });
    } else if (others[event.key]) others[event.key]!();
    else return;
    event.preventDefault();
  }

  /** One value on, row by row, and again from the start. */
  private step(): void {
    const { place } = this.model.choices;
    if (this.isSpread && this.spread) {
      const [, y, x] = this.axes();
      this.askSpread(next(this.spread.place, x.input, y.input));
      return;
    }
    const layout = this.looked()?.layout;
    if (layout) this.move(next(place, layout.width, layout.height));
  }

  private play(on: boolean): void {
    if (this.playing !== null) clearInterval(this.playing);
    this.playing = null;
    if (on && reducedMotion()) this.step();
    else if (on) this.playing = window.setInterval(() => this.step(), 1000 / Number(this.speed.value));
    const label = this.playing === null ? "Play (Space)" : "Pause (Space)";
    if (this.playButton.title === label) return;
    this.playButton.replaceChildren(icon(this.playing === null ? "play" : "pause"));
    setAttribute(this.playButton, "aria-label", label);
    this.playButton.title = label;
  }

  private pointing(): void {
    const cellAt = (event: MouseEvent, view: Viewport | null) =>
      view && {
        x: view.x + Math.floor(event.offsetX / view.cell),
        y: view.y + Math.floor(event.offsetY / view.cell),
      };
    const drag = (canvas: HTMLCanvasElement, to: (event: PointerEvent) => void) => {
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        this.play(false);
        to(event);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (event.buttons & 1) to(event);
      });
    };
    drag(this.outputCanvas, (event) => {
      const cell = cellAt(event, this.outputView);
      if (cell) this.move(cell);
    });
    drag(this.inputCanvas, (event) => {
      const cell = cellAt(event, this.inputView);
      if (!cell || !this.explanation) return;
      if (this.isSpread) {
        this.askSpread({ ...(this.spread?.place ?? this.firstSource()), ...cell });
        return;
      }
      // The output value whose window has its middle nearest to the cell.
      const [, y, x] = this.axes();
      const nearest = (at: number, axis: WindowAxis) => {
        const middle = ((axis.kernel - 1) * axis.dilation) / 2;
        return Math.round((at + axis.padBefore - middle) / axis.stride);
      };
      if (this.explanation.kind !== "transposed") this.move({ x: nearest(cell.x, x), y: nearest(cell.y, y) });
    });
    this.termsCanvas.addEventListener("click", (event) => {
      const count = this.explanation?.source?.count ?? 0;
      const width = this.termsCanvas.clientWidth;
      if (count > 1 && width > 0) this.chooseChannel(Math.floor((event.offsetX / width) * count));
    });
  }

  // ---- drawing ----

  /** Depth, height and width, whatever the layer has of them. */
  private axes(): readonly [WindowAxis, WindowAxis, WindowAxis] {
    const axes = (this.isSpread && this.spread ? this.spread.axes : this.explanation?.axes) ?? [];
    return [axes.at(-3) ?? FLAT, axes.at(-2) ?? FLAT, axes.at(-1) ?? FLAT];
  }

  private paint(): void {
    const { explanation } = this;
    const maps = this.looked();
    this.empty.hidden = explanation !== null;
    this.stage.hidden = explanation === null;
    for (const part of [this.heading, this.arithmetic, this.notes]) part.hidden = explanation === null;
    if (!explanation || !maps || this.size.width === 0 || this.model.choices.tab !== "window") {
      this.panels.terms.hidden = true;
      this.panels.field.hidden = true;
      return;
    }
    const { source, place, kind, axes } = explanation;
    const windowed = axes.length > 0;
    setText(this.heading, this.isSpread && this.spread ? spreadWords(this.spread) : summary(explanation));
    setText(this.arithmetic, this.isSpread ? "" : explanation.text);
    this.writeNotes(explanation);
    const { layout } = maps;
    this.outputPlane.value = String(place.plane);
    setAttribute(this.outputPlane, "max", layout.planes - 1);
    this.inputField.hidden = !windowed || (source?.count ?? 0) <= 1;
    this.channel = Math.min(this.channel, Math.max((source?.count ?? 1) - 1, 0));
    this.inputPlane.value = String((source?.from ?? 0) + this.channel);
    setAttribute(this.inputPlane, "min", source?.from ?? 0);
    setAttribute(this.inputPlane, "max", (source?.from ?? 0) + (source?.count ?? 1) - 1);
    this.flipField.hidden = kind !== "convolution";
    this.flip.checked = this.model.choices.flipped;
    this.mode.hidden = kind !== "transposed";
    this.panels.input.hidden = !windowed || source === null;
    this.panels.kernel.hidden = !windowed;
    const columns = windowed ? 3 : 1;
    const room = this.size.width - 32;
    const side = Math.max(120, Math.min(340, columns === 1 ? room : room > 520 ? (room - 48) * 0.37 : room));
    const box = { width: side, height: Math.min(side, 300) };
    if (windowed && source) this.paintInput(explanation, box);
    if (windowed) this.paintKernel(explanation, room > 520 ? (room - 48) * 0.26 : room);
    this.paintOutput(explanation, layout, box);
    this.paintTerms(explanation);
    this.paintField(explanation);
  }

  private writeNotes(explanation: Explanation): void {
    const { axes, place, kind } = explanation;
    const outputs = [place.z, place.y, place.x].slice(3 - Math.min(axes.length, 3));
    const lines = this.isSpread
      ? []
      : [
          ...axes.map((axis, index) => standing(axis, outputs[index]!, kind === "transposed")),
          ...axes
            .filter(({ unread }) => unread.length > 0)
            .map(
              ({ name, unread }) =>
                `${name} ${unread.join(", ")}: no window reads ${unread.length > 1 ? "them" : "it"}`,
            ),
          comparison(explanation),
          ...seen(explanation),
        ];
    const key = JSON.stringify(lines);
    if (this.notes.dataset.key === key) return;
    this.notes.dataset.key = key;
    this.notes.replaceChildren(...lines.map((line) => el("li", {}, line)));
  }

  private paintInput(explanation: Explanation, box: { width: number; height: number }): void {
    const source = explanation.source!;
    const [z, y, x] = this.axes();
    const extent = (axis: WindowAxis): Extent => {
      const padded = explanation.kind !== "transposed";
      const first = padded ? Math.min(0, -axis.padBefore) : 0;
      const reach = Math.max(
        axis.input,
        (axis.output - 1) * axis.stride - axis.padBefore + (axis.kernel - 1) * axis.dilation + 1,
      );
      return {
        first,
        end: padded ? Math.min(reach, axis.input + Math.max(axis.padAfter, 0) + axis.stride) : axis.input,
        size: axis.input,
      };
    };
    const [ex, ey] = [extent(x), extent(y)];
    const spread = this.isSpread ? this.spread : null;
    const [xs, ys] = spread ? [[spread.place.x], [spread.place.y]] : [x.cells, y.cells];
    const bounds = boundsOf(xs, ys);
    const view = viewportFor(ex, ey, bounds, box, this.inputView);
    this.inputView = view;
    const plane = spread ? spread.place.plane : source.from + this.channel;
    const slice = spread ? spread.place.z : clampTo(z.cells[Math.floor(z.cells.length / 2)] ?? 0, z.input);
    setText(this.inputTitle, `Input, channel ${plane}${z === FLAT ? "" : `, slice ${slice}`}`);
    if (!fitCanvas(this.inputCanvas, view.columns * view.cell, view.rows * view.cell)) return;
    this.inputPatch.want(source, plane, slice, realPart(view, ex, ey), this.model.choices.palette);
    const sheet = new Sheet(this.inputCanvas.getContext("2d")!, view, ex, ey);
    const { picture } = this.inputPatch;
    sheet.base(picture);
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
    const taps = z.cells.length * ys.length * xs.length;
    const offset = this.channel * taps + Math.floor(z.cells.length / 2) * ys.length * xs.length;
    for (const [row, cy] of ys.entries()) {
      for (const [column, cx] of xs.entries()) {
        const tap = row * xs.length + column;
        const value = explanation.inputs[offset + tap];
        if (value === undefined) continue;
        const real = cx >= 0 && cy >= 0 && cx < x.input && cy < y.input;
        const ink = real && picture ? inkOn(colourOf(picture.tile, value)) : theme().colour.foreground;
        const blank = explanation.kind === "maximum" ? "−∞" : explanation.kind === "average" ? "" : "0";
        if (real) sheet.number(cx, cy, value, ink);
        else sheet.number(cx, cy, 0, ink, blank);
      }
    }
    sheet.frame(bounds.x, bounds.y, bounds.width, bounds.height);
    if (explanation.winner !== null) {
      const within = explanation.winner % (ys.length * xs.length);
      sheet.ring(xs[within % xs.length]!, ys[Math.floor(within / xs.length)]!);
    }
  }

  private paintKernel(explanation: Explanation, width: number): void {
    const [z, y, x] = this.axes();
    const spread = this.isSpread ? this.spread : null;
    const taps = z.cells.length * y.cells.length * x.cells.length;
    const flipped = this.model.choices.flipped && explanation.kind === "convolution";
    const titles = {
      convolution: flipped ? "Kernel, turned" : "Kernel",
      transposed: spread ? "Value × kernel" : "Kernel",
      average: "Weights",
      maximum: "Window",
    } as const;
    setText(this.kernelTitle, titles[explanation.kind as keyof typeof titles] ?? "Window");
    if (!fitCanvas(this.kernelCanvas, width, KERNEL_HEIGHT)) return;
    const from = this.channel * taps + Math.floor(z.cells.length / 2) * y.cells.length * x.cells.length;
    const count = y.cells.length * x.cells.length;
    drawKernel(this.kernelCanvas.getContext("2d")!, {
      width,
      height: KERNEL_HEIGHT,
      columns: x.cells.length,
      rows: y.cells.length,
      kind: explanation.kind,
      inputs: spread ? null : explanation.inputs.subarray(from, from + count),
      weights: spread
        ? spread.products.subarray(0, count)
        : (explanation.weights?.subarray(from, from + count) ?? null),
      inside: explanation.inside,
      divisor: explanation.divisor,
      winner: explanation.winner,
      flipped,
      sum: spread ? null : (explanation.sums[this.channel] ?? null),
    });
  }

  private paintOutput(
    explanation: Explanation,
    layout: { height: number; width: number; depth: number; kind: string },
    box: { width: number; height: number },
  ): void {
    const { place } = explanation;
    const [ex, ey] = [
      { first: 0, end: layout.width, size: layout.width },
      { first: 0, end: layout.height, size: layout.height },
    ];
    const spread = this.isSpread ? this.spread : null;
    const [, y, x] = this.axes();
    const reached = spread ? boundsOf(x.cells, y.cells) : { x: place.x, y: place.y, width: 1, height: 1 };
    const view = viewportFor(ex, ey, reached, box, this.outputView);
    this.outputView = view;
    const slice = layout.depth > 1 ? `, slice ${place.z}` : "";
    setText(this.outputTitle, `Output, channel ${place.plane}${slice}`);
    if (!fitCanvas(this.outputCanvas, view.columns * view.cell, view.rows * view.cell)) return;
    this.outputPatch.want(
      this.looked()!.tensor,
      place.plane,
      place.z,
      realPart(view, ex, ey),
      this.model.choices.palette,
    );
    const sheet = new Sheet(this.outputCanvas.getContext("2d")!, view, ex, ey);
    const { picture } = this.outputPatch;
    sheet.base(picture);
    if (spread) {
      const clipped = boundsOf(
        x.cells.filter((cell) => cell >= 0 && cell < layout.width),
        y.cells.filter((cell) => cell >= 0 && cell < layout.height),
      );
      if (clipped.width > 0) sheet.frame(clipped.x, clipped.y, clipped.width, clipped.height);
      return;
    }
    const ink = picture ? inkOn(colourOf(picture.tile, explanation.value)) : theme().colour.foreground;
    sheet.number(place.x, place.y, explanation.value, ink);
    sheet.frame(place.x, place.y, 1, 1);
  }

  /** What each input channel adds; of a fully connected value, what each input does. */
  private paintTerms(explanation: Explanation): void {
    const { sums, bias, kind, inputs, weights } = explanation;
    const linear = kind === "linear" && weights !== null;
    const parts = linear ? Float64Array.from(inputs, (value, index) => value * weights[index]!) : sums;
    const shown = (kind === "convolution" || kind === "transposed" || linear) && parts.length > 1 && !this.isSpread;
    this.panels.terms.hidden = !shown;
    if (!shown) return;
    const cut = explanation.cut ? ` (the first ${whole(parts.length)})` : "";
    const tail = bias === null ? "" : `, bias ${figure(bias)}`;
    setText(this.termsTitle, `What each ${linear ? "input" : "input channel"} adds${cut}${tail}`);
    const width = Math.min(this.size.width - 32, 420);
    if (!fitCanvas(this.termsCanvas, width, 96)) return;
    drawContributions(this.termsCanvas.getContext("2d")!, parts, linear ? -1 : this.channel, width, 96);
    if (linear) drawTerms(this.termsCanvas.getContext("2d")!, parts, width);
  }

  /** The input image with the part that the value sees. */
  private paintField(explanation: Explanation): void {
    const seenInput = explanation.field.find(({ axes }) => axes.length > 0) ?? explanation.field[0];
    this.panels.field.hidden = !seenInput || explanation.kind === "input" || seenInput.axes.length === 0;
    if (!seenInput || this.panels.field.hidden) return;
    this.sample.want(seenInput.input, this.model.editions.plain);
    const { tile } = this.sample;
    const [wide, high] = [tile?.width ?? 1, tile?.height ?? 1];
    const scale = Math.min(150 / wide, 150 / high, 8);
    const [width, height] = [Math.max(wide * scale, 8), Math.max(high * scale, 18)];
    const pad = 14;
    if (!fitCanvas(this.fieldCanvas, width + 2 * pad, height + 2 * pad)) return;
    const context = this.fieldCanvas.getContext("2d")!;
    const { colour } = theme();
    context.clearRect(0, 0, width + 2 * pad, height + 2 * pad);
    context.fillStyle = colour.surface;
    context.fillRect(pad, pad, width, height);
    if (tile) drawTile(context, tile, pad, pad, width, height);
    const x = seenInput.axes.at(-1)!;
    const y = seenInput.axes.at(-2) ?? { first: 0, last: high - 1 };
    const [sx, sy] = [width / wide, height / high];
    context.save();
    context.beginPath();
    context.rect(0, 0, width + 2 * pad, height + 2 * pad);
    context.clip();
    const box = [
      pad + x.first * sx,
      pad + y.first * sy,
      (x.last - x.first + 1) * sx,
      (y.last - y.first + 1) * sy,
    ] as const;
    context.strokeStyle = colour.background;
    context.lineWidth = 4;
    context.strokeRect(...box);
    context.strokeStyle = colour.focus;
    context.lineWidth = 2;
    context.strokeRect(...box);
    context.restore();
  }
}

function next(place: Place, width: number, height: number): Place {
  if (place.x + 1 < width) return { ...place, x: place.x + 1 };
  return { ...place, x: 0, y: place.y + 1 < height ? place.y + 1 : 0 };
}

function clampTo(value: number, size: number): number {
  return Math.min(Math.max(value, 0), size - 1);
}

function boundsOf(xs: readonly number[], ys: readonly number[]) {
  if (xs.length === 0 || ys.length === 0) return { x: 0, y: 0, width: 0, height: 0 };
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x + 1, height: Math.max(...ys) - y + 1 };
}

/** The real cells in sight: what a picture is asked for. */
function realPart(view: Viewport, ex: Extent, ey: Extent) {
  const x = Math.max(view.x, 0);
  const y = Math.max(view.y, 0);
  const width = Math.max(1, Math.min(view.x + view.columns, ex.size) - x);
  const height = Math.max(1, Math.min(view.y + view.rows, ey.size) - y);
  return { x: Math.min(x, ex.size - 1), y: Math.min(y, ey.size - 1), width, height };
}

function spreadWords({ place, value, products }: Spread): string {
  const { plane, y, x } = place;
  return `Input channel ${plane}, row ${y}, column ${x} = ${figure(value, 6)}, multiplied with ${products.length} kernel values and added where they fall`;
}
