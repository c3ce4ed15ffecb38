/**
 * One output value and how it comes about: the window in the input, the kernel, the products and their sum. Arrow keys
 * move to the next value, space plays. A transposed convolution is seen from both sides: what a value gathers, and what
 * one input value spreads to.
 */
import type { Answer, Explanation, Place, Spread, WindowAxis } from "#shared/preview/protocol.ts";
import { type Connection, Latest } from "../connection.ts";
import { el, field, icon, iconButton, onFrame, reducedMotion, select, setAttribute, setText } from "../dom.ts";
import type { Model } from "../model.ts";
import { onTheme } from "../theme.ts";
import { axesOf, Pictures } from "./pictures.ts";
import type { Viewport } from "./sheet.ts";
import { comparison, seen, spreadSummary, standing, summary } from "./words.ts";

type Maps = Extract<Answer, { kind: "maps" }>;

export class WindowView {
  readonly element: HTMLElement;
  private readonly heading = el("p", { class: "sum", "aria-live": "polite" });
  private readonly arithmetic = el("p", { class: "arithmetic" });
  private readonly notes = el("ul", { class: "notes" });
  private readonly empty = el("p", { class: "empty", role: "status" });
  private readonly stage: HTMLElement;
  private readonly scroll: HTMLElement;
  private readonly outputPlane: HTMLInputElement;
  private readonly outputField: HTMLElement;
  private readonly slice: HTMLInputElement;
  private readonly sliceField: HTMLElement;
  private readonly inputPlane: HTMLInputElement;
  private readonly inputField: HTMLElement;
  private readonly tap: HTMLInputElement;
  private readonly tapField: HTMLElement;
  private readonly flip: HTMLInputElement;
  private readonly flipField: HTMLElement;
  private readonly mode: HTMLSelectElement;
  private readonly playButton: HTMLButtonElement;
  private readonly speed: HTMLSelectElement;
  private readonly controls: HTMLElement;
  private readonly pictures: Pictures;
  private readonly latest: Latest;
  private explanation: Explanation | null = null;
  private spread: Spread | null = null;
  private asked = "";
  private of = "";
  /** Which of the planes it reads is drawn, counted from the first one. */
  private channel = 0;
  /** Which slice of the window is drawn; null: the winner's, else the middle one. */
  private chosenTap: number | null = null;
  private playing: number | null = null;
  private width = 0;
  private readonly draw = onFrame(() => this.paint());

  constructor(
    private readonly model: Model,
    private readonly connection: Connection,
    /** The tensor that is looked at, and how many planes of what size it has. */
    private readonly looked: () => Maps | null,
    /** Counts up with every change of its values. */
    private readonly revision: () => number,
  ) {
    this.latest = new Latest(connection);
    this.pictures = new Pictures(connection, this.draw);
    const number = (label: string, set: (value: number) => void) => {
      const onchange = () => set(Number(input.value));
      const input = el("input", { type: "number", min: 0, "aria-label": label, onchange });
      return input;
    };
    this.outputPlane = number("Output channel", (plane) => this.move({ plane }));
    this.outputField = field("Output channel", this.outputPlane);
    this.slice = number("Output slice", (z) => this.move({ z }));
    this.sliceField = field("Slice", this.slice);
    this.inputPlane = number("Input channel", (plane) => this.chooseChannel(plane - this.firstPlane));
    this.inputField = field("Input channel", this.inputPlane);
    this.tap = number("Slice of the window", (tap) => this.chooseTap(tap));
    this.tapField = field("Window slice", this.tap);
    this.flip = el("input", { type: "checkbox", role: "switch", onchange: () => this.setFlipped(this.flip.checked) });
    const why = "A true convolution turns the kernel by half a turn before it multiplies. Frameworks do not.";
    this.flipField = el("label", { class: "field", title: why }, this.flip, el("span", {}, "True convolution"));
    this.mode = select(
      "Seen from",
      [
        ["gather", "What a value gathers"],
        ["spread", "What an input spreads"],
      ],
      () => this.changeMode(),
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
    this.controls = el(
      "div",
      { class: "controls" },
      el("span", { class: "field" }, this.playButton, this.speed),
      this.outputField,
      this.sliceField,
      this.inputField,
      this.tapField,
      this.mode,
      this.flipField,
    );
    const { input, output, field: seenField, equation, terms } = this.pictures.panels;
    this.stage = el(
      "div",
      {
        class: "stage",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "window",
        "aria-label":
          "Window over the input: arrow keys move it, Page Up and Page Down change the output channel, " +
          "brackets the input channel, comma and full stop the slice, braces the slice of the window, Space plays, F turns the kernel",
        onkeydown: (event: KeyboardEvent) => this.key(event),
      },
      input,
      output,
    );
    this.scroll = el(
      "div",
      { class: "scroll" },
      this.heading,
      this.stage,
      equation,
      this.arithmetic,
      terms,
      el("div", { class: "below" }, seenField, this.notes),
    );
    this.element = el("div", { class: "window" }, this.controls, this.empty, this.scroll);
    this.pointing();
    onTheme(this.draw);
    new ResizeObserver(([entry]) => {
      this.width = entry!.contentRect.width;
      this.paint();
    }).observe(this.element);
  }

  private get isSpread(): boolean {
    return this.explanation?.kind === "transposed" && this.mode.value === "spread" && this.spread !== null;
  }

  private get firstPlane(): number {
    return this.explanation?.source?.from ?? 0;
  }

  /** Where the explained value is: what was chosen, as far as it is inside the tensor; at first its middle. */
  private get place(): Place {
    const { place } = this.model.choices;
    const layout = this.looked()?.layout;
    if (!layout) return place ?? { plane: 0, z: 0, y: 0, x: 0 };
    const { planes, depth, height, width } = layout;
    const middle = { plane: 0, z: Math.floor(depth / 2), y: Math.floor(height / 2), x: Math.floor(width / 2) };
    const chosen = place ?? middle;
    const within = (value: number, size: number) =>
      Math.min(Math.max(Math.round(value) || 0, 0), Math.max(size - 1, 0));
    return {
      plane: within(chosen.plane, planes),
      z: within(chosen.z, depth),
      y: within(chosen.y, height),
      x: within(chosen.x, width),
    };
  }

  update(): void {
    const maps = this.looked();
    const open = this.model.choices.tab === "window";
    if (!open) this.play(false);
    if (!maps || maps.tensor.weight !== undefined) {
      this.explanation = null;
      this.asked = "";
      setText(this.empty, maps ? "Choose the layer's output in Maps to step through its window." : "Computing …");
    } else if (open) {
      const values = JSON.stringify([maps.tensor, this.revision()]);
      if (values !== this.of) {
        this.of = values;
        this.pictures.stale();
      }
      const { place } = this;
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
      if (before?.node !== answer.explanation.node || before.output !== answer.explanation.output) {
        this.pictures.reset();
        this.channel = 0;
        this.chosenTap = null;
        this.spread = null;
        if (this.mode.value === "spread") this.changeMode();
      }
    } else if (answer.kind === "refused") {
      this.explanation = null;
      setText(this.empty, answer.message);
    }
    this.draw();
  }

  private move(by: Partial<Place>): void {
    const { choices } = this.model;
    choices.place = { ...this.place, ...by };
    choices.place = this.place;
    if (choices.plane !== null) choices.plane = choices.place.plane;
    this.model.changed();
  }

  private chooseChannel(channel: number): void {
    const count = this.explanation?.source?.count ?? 1;
    this.channel = Math.min(Math.max(Math.round(channel) || 0, 0), count - 1);
    this.draw();
  }

  /** Slices that the window has in depth, and which one is drawn. */
  private get taps(): { readonly count: number; readonly drawn: number } {
    const { explanation } = this;
    if (!explanation) return { count: 1, drawn: 0 };
    const [z, y, x] = axesOf((this.isSpread ? this.spread : null) ?? explanation);
    const count = Math.max(z.cells.length, 1);
    const { winner } = explanation;
    const usual = winner === null ? Math.floor(count / 2) : Math.floor(winner / (y.cells.length * x.cells.length));
    return { count, drawn: Math.min(this.chosenTap ?? usual, count - 1) };
  }

  private chooseTap(tap: number): void {
    this.chosenTap = Math.min(Math.max(Math.round(tap) || 0, 0), this.taps.count - 1);
    this.draw();
  }

  private setFlipped(on: boolean): void {
    this.model.choices.flipped = on;
    this.connection.ask({ kind: "flip", on }, () => {}).forget();
    this.model.changed();
  }

  // ---- spreading ----

  private changeMode(): void {
    const { explanation } = this;
    if (this.mode.value === "spread" && explanation?.kind === "transposed") {
      const [z, y, x] = axesOf(explanation);
      const at = ({ cells, input }: WindowAxis) => cells[0] ?? Math.floor(input / 2);
      this.askSpread({ plane: this.firstPlane + this.channel, z: at(z), y: at(y), x: at(x) });
    }
    this.draw();
  }

  private askSpread(place: Place): void {
    const maps = this.looked();
    const { explanation } = this;
    if (!explanation || !maps) return;
    const [z, y, x] = axesOf(explanation);
    const within = (value: number, { input }: WindowAxis) => Math.min(Math.max(value, 0), input - 1);
    const inside = { ...place, z: within(place.z, z), y: within(place.y, y), x: within(place.x, x) };
    const { plane } = explanation.place;
    this.latest.ask({ kind: "spread", tensor: maps.tensor, place: inside, plane }, (answer) => {
      if (answer.kind === "spread") this.spread = answer.spread;
      this.draw();
    });
  }

  // ---- moving ----

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.stage) return;
    const { place } = this;
    const far = event.shiftKey ? 10 : 1;
    const actions: Record<string, () => void> = {
      ArrowLeft: () => this.go(-far, 0),
      ArrowRight: () => this.go(far, 0),
      ArrowUp: () => this.go(0, -far),
      ArrowDown: () => this.go(0, far),
      Home: () => this.move({ x: 0 }),
      End: () => this.move({ x: Number.MAX_SAFE_INTEGER }),
      PageUp: () => this.move({ plane: place.plane - 1 }),
      PageDown: () => this.move({ plane: place.plane + 1 }),
      ",": () => this.move({ z: place.z - 1 }),
      ".": () => this.move({ z: place.z + 1 }),
      "[": () => this.chooseChannel(this.channel - 1),
      "]": () => this.chooseChannel(this.channel + 1),
      "{": () => this.chooseTap(this.taps.drawn - 1),
      "}": () => this.chooseTap(this.taps.drawn + 1),
      " ": () => this.play(this.playing === null),
      Escape: () => this.play(false),
      f: () => this.setFlipped(!this.model.choices.flipped),
      F: () => this.setFlipped(!this.model.choices.flipped),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  private go(dx: number, dy: number): void {
    this.play(false);
    if (this.isSpread) {
      const { place } = this.spread!;
      this.askSpread({ ...place, x: place.x + dx, y: place.y + dy });
    } else {
      const { place } = this;
      this.move({ x: place.x + dx, y: place.y + dy });
    }
  }

  /** One value on, row by row, and again from the start. */
  private step(): void {
    const layout = this.looked()?.layout;
    if (this.isSpread) {
      const [, y, x] = axesOf(this.explanation!);
      this.askSpread(next(this.spread!.place, x.input, y.input));
    } else if (layout) this.move(next(this.place, layout.width, layout.height));
  }

  /** Plays or stops; where less motion is asked for, space is one step. */
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
    const { pictures } = this;
    const drag = (canvas: HTMLCanvasElement, view: () => Viewport | null, to: (x: number, y: number) => void) => {
      const point = (event: PointerEvent) => {
        const seen = view();
        if (!seen) return;
        to(seen.x + Math.floor(event.offsetX / seen.cell), seen.y + Math.floor(event.offsetY / seen.cell));
      };
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        this.play(false);
        point(event);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (event.buttons & 1) point(event);
      });
    };
    drag(
      pictures.output,
      () => pictures.outputView,
      (x, y) => this.move({ x, y }),
    );
    drag(
      pictures.input,
      () => pictures.inputView,
      (x, y) => this.pointAtInput(x, y),
    );
    pictures.terms.addEventListener("click", (event) => {
      const { sums, kind } = this.explanation ?? {};
      const { clientWidth } = pictures.terms;
      if (sums && kind !== "linear") this.chooseChannel(Math.floor((event.offsetX / clientWidth) * sums.length));
    });
  }

  /** Goes to the value whose window has its middle nearest to an input cell, or spreads that cell. */
  private pointAtInput(x: number, y: number): void {
    const { explanation } = this;
    if (!explanation) return;
    if (this.isSpread) this.askSpread({ ...this.spread!.place, x, y });
    else if (explanation.kind !== "transposed") {
      const [, rows, columns] = axesOf(explanation);
      const nearest = (at: number, { kernel, dilation, padBefore, stride }: WindowAxis) =>
        Math.round((at + padBefore - ((kernel - 1) * dilation) / 2) / stride);
      this.move({ x: nearest(x, columns), y: nearest(y, rows) });
    }
  }

  // ---- drawing ----

  private paint(): void {
    const { explanation } = this;
    const maps = this.looked();
    const shown = explanation !== null && maps !== null && maps.tensor.weight === undefined;
    this.empty.hidden = shown;
    this.scroll.hidden = !shown;
    this.controls.hidden = !shown;
    if (!shown || this.width === 0 || this.model.choices.tab !== "window") return;
    const { choices, editions } = this.model;
    const spread = this.isSpread ? this.spread : null;
    const { source, kind, place } = explanation;
    this.channel = Math.min(this.channel, Math.max((source?.count ?? 1) - 1, 0));
    setText(this.heading, spread ? spreadSummary(spread) : summary(explanation));
    setText(this.arithmetic, spread ? "" : explanation.text);
    this.writeNotes(explanation, spread !== null);
    this.outputField.hidden = maps.layout.planes === 1;
    this.outputPlane.value = String(place.plane);
    setAttribute(this.outputPlane, "max", maps.layout.planes - 1);
    this.sliceField.hidden = maps.layout.depth === 1;
    this.slice.value = String(place.z);
    setAttribute(this.slice, "max", maps.layout.depth - 1);
    this.inputField.hidden = explanation.axes.length === 0 || (source?.count ?? 0) <= 1;
    this.inputPlane.value = String(this.firstPlane + this.channel);
    setAttribute(this.inputPlane, "min", this.firstPlane);
    setAttribute(this.inputPlane, "max", this.firstPlane + (source?.count ?? 1) - 1);
    const { count, drawn } = this.taps;
    this.tapField.hidden = count === 1;
    this.tap.value = String(drawn);
    setAttribute(this.tap, "max", count - 1);
    this.flipField.hidden = kind !== "convolution";
    this.flip.checked = choices.flipped;
    this.mode.hidden = kind !== "transposed";
    this.pictures.paint(
      {
        explanation,
        spread,
        tensor: maps.tensor,
        layout: maps.layout,
        channel: this.channel,
        tap: drawn,
        flipped: choices.flipped,
        palette: choices.palette,
        edition: editions.plain,
      },
      this.width - 40,
    );
  }

  private writeNotes(explanation: Explanation, spread: boolean): void {
    const { axes, place, kind } = explanation;
    const outputs = [place.z, place.y, place.x].slice(3 - Math.min(axes.length, 3));
    const unread = axes.filter((axis) => axis.unread.length > 0);
    const lines = spread
      ? []
      : [
          ...axes.map((axis, index) => standing(axis, outputs[index]!, kind === "transposed")),
          ...unread.map(({ name, unread: cells }) => {
            return `${name} ${cells.join(", ")}: no window reads ${cells.length > 1 ? "them" : "it"}`;
          }),
          ...(kind === "input" ? [] : [comparison(explanation)]),
          ...seen(explanation, (id) => this.model.node(id)?.name ?? id),
        ];
    const key = JSON.stringify(lines);
    if (this.notes.dataset.key === key) return;
    this.notes.dataset.key = key;
    this.notes.replaceChildren(...lines.map((line) => el("li", {}, line)));
  }
}

function next(place: Place, width: number, height: number): Place {
  if (place.x + 1 < width) return { ...place, x: place.x + 1 };
  return { ...place, x: 0, y: place.y + 1 < height ? place.y + 1 : 0 };
}
