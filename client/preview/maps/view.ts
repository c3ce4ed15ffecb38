/** The feature maps and kernels of the chosen layer: what is looked at, its figures, all planes or one of them. */
import type { PaletteName } from "#shared/preview/palette.ts";
import type { Answer, TensorRef } from "#shared/preview/protocol.ts";
import { type Ask, type Connection, Latest } from "../connection.ts";
import { el, field, iconButton, select, setAttribute, setText } from "../dom.ts";
import { whole } from "../format.ts";
import type { Model } from "../model.ts";
import { Grid } from "./grid.ts";
import { PlaneView } from "./plane.ts";
import { StatisticsView } from "./statistics.ts";

type Maps = Extract<Answer, { kind: "maps" }>;

const PALETTES: readonly (readonly [PaletteName | "auto", string])[] = [
  ["auto", "Auto colours"],
  ["viridis", "Viridis"],
  ["cividis", "Cividis"],
  ["grey", "Grey"],
  ["diverging", "Around zero"],
];

export class MapsView {
  readonly element: HTMLElement;
  private readonly what: HTMLSelectElement;
  private readonly palette: HTMLSelectElement;
  private readonly range: HTMLSelectElement;
  private readonly cell: HTMLInputElement;
  private readonly slice: HTMLInputElement;
  private readonly sliceField: HTMLElement;
  private readonly sizeField: HTMLElement;
  private readonly planeNumber: HTMLInputElement;
  private readonly planeCount = el("span", { class: "muted" });
  private readonly back: HTMLElement;
  private readonly kernel: HTMLSelectElement;
  private readonly kernelField: HTMLElement;
  private readonly waiting = el("p", { class: "empty", role: "status" });
  private readonly statistics = new StatisticsView();
  private readonly grid: Grid;
  private readonly plane: PlaneView;
  private readonly readout = el("output", { class: "readout", "aria-live": "polite" });
  private readonly hint = el("span", { class: "muted hint" });
  private readonly value: Latest;
  private standing: Ask | null = null;
  private asked = "";
  private maps: Maps | null = null;
  /** Counts the answers: a new one has new values. */
  revision = 0;
  private fresh = false;
  private options = "";

  constructor(
    private readonly model: Model,
    private readonly connection: Connection,
    /** Shows how a value comes about. */
    private readonly explain: () => void,
  ) {
    const { choices } = model;
    const set = <K extends keyof typeof choices>(name: K) => {
      return (value: (typeof choices)[K]) => {
        choices[name] = value;
        model.changed();
      };
    };
    this.value = new Latest(connection);
    this.what = select<string>("What is shown", [], (value) => {
      const [kind, ...rest] = value.split(":");
      if (kind === "output") Object.assign(choices, { output: Number(rest[0]), weight: null });
      else choices.weight = rest.join(":");
      Object.assign(choices, { plane: null, slice: null });
      model.changed();
    });
    this.palette = select("Colours", PALETTES, set("palette"));
    this.range = select(
      "Which values the colours span",
      [
        ["tensor", "One scale"],
        ["plane", "Scale per map"],
      ],
      set("range"),
    );
    this.cell = el("input", {
      type: "range",
      min: 28,
      max: 320,
      step: 4,
      "aria-label": "Size of a map",
      oninput: () => set("cell")(Number(this.cell.value)),
    });
    this.sizeField = field("Size", this.cell);
    this.slice = el("input", {
      type: "range",
      min: 0,
      "aria-label": "Slice in depth",
      oninput: () => set("slice")(Number(this.slice.value)),
    });
    this.sliceField = field("Slice", this.slice);
    this.planeNumber = el("input", {
      type: "number",
      min: 0,
      "aria-label": "Number of the map",
      onchange: () => this.choosePlane(Number(this.planeNumber.value)),
    });
    const back = iconButton("back", "All maps (Escape)", () => this.leavePlane());
    this.back = el("span", { class: "field" }, back, field("Map", this.planeNumber), this.planeCount);
    this.kernel = select(
      "Put a named kernel in place of the layer's own",
      [
        ["", "Its own"],
        ["edge", "Edges"],
        ["blur", "Blur"],
        ["sharpen", "Sharpen"],
        ["identity", "Identity"],
      ],
      (name) => {
        const node = choices.selected;
        if (node !== null) void this.ask({ kind: "kernel", node, name: name === "" ? null : (name as "edge") });
      },
    );
    this.kernelField = field("Kernel", this.kernel);
    this.grid = new Grid(connection, {
      at: (place) => this.readAt(place && { ...place, z: this.sliceShown }),
      open: (place) => {
        Object.assign(choices, { plane: place.plane, place: { ...place, z: this.sliceShown } });
        model.changed();
        requestAnimationFrame(() => this.plane.element.focus());
      },
    });
    this.plane = new PlaneView(connection, {
      at: (cell) => this.readAt({ y: 0, x: 0, ...cell, z: this.sliceShown, plane: choices.plane ?? 0 }),
      choose: (cell) => {
        const before = choices.place;
        choices.place = { ...cell, plane: choices.plane ?? 0, z: this.sliceShown };
        model.changed();
        if (JSON.stringify(before) === JSON.stringify(choices.place) && choices.weight === null) this.explain();
      },
      step: (by) => this.choosePlane((choices.plane ?? 0) + by),
      leave: () => this.leavePlane(),
    });
    this.element = el(
      "div",
      { class: "maps" },
      el(
        "div",
        { class: "controls" },
        this.back,
        this.what,
        this.palette,
        this.range,
        this.sizeField,
        this.sliceField,
        this.kernelField,
      ),
      this.statistics.element,
      this.waiting,
      this.grid.element,
      this.plane.element,
      el("div", { class: "foot" }, this.readout, this.hint),
    );
  }

  /** The tensor that is looked at. */
  get tensor(): TensorRef | null {
    const { selected, output, weight, flipped } = this.model.choices;
    if (selected === null) return null;
    const variant = flipped && weight === null ? "flipped" : "plain";
    return { node: selected, output, variant, ...(weight === null ? {} : { weight }) };
  }

  private get sliceShown(): number {
    const depth = this.maps?.layout.depth ?? 1;
    return Math.min(this.model.choices.slice ?? Math.floor(depth / 2), depth - 1);
  }

  /** What came out of the layer, as far as it is known. */
  get current(): Maps | null {
    return this.maps;
  }

  update(): void {
    const { choices, diagram } = this.model;
    const tensor = diagram ? this.tensor : null;
    const key = JSON.stringify(tensor);
    if (key !== this.asked) {
      this.asked = key;
      this.standing?.forget();
      this.maps = null;
      setText(this.waiting, "");
      setText(this.readout, "");
      this.standing = tensor ? this.connection.ask({ kind: "show", tensor }, (answer) => this.heard(answer)) : null;
    }
    this.updateControls();
    const { maps } = this;
    const single = maps !== null && choices.plane !== null && choices.plane < maps.layout.planes;
    const pictures = maps?.layout.kind === "images" || maps?.layout.kind === "volumes";
    this.waiting.hidden = maps !== null;
    const ways =
      single && pictures
        ? "Click a value twice to see how it comes about"
        : "Point at a map to read it, click to enlarge it";
    setText(this.hint, maps ? (pictures ? ways : "Point at a value to read it") : "");
    if (!maps && this.waiting.textContent === "") setText(this.waiting, diagram ? "Computing …" : "");
    this.statistics.element.hidden = maps === null;
    this.grid.element.hidden = maps === null || (single && pictures);
    this.plane.element.hidden = !(single && pictures);
    this.back.hidden = this.plane.element.hidden;
    this.sizeField.hidden = !pictures || single;
    this.range.hidden = !pictures;
    if (!maps) return;
    const palette = choices.palette === "auto" ? (maps.signed ? "diverging" : "viridis") : choices.palette;
    this.statistics.show(maps.statistics, palette, maps.layout.planes);
    const style = { slice: this.sliceShown, palette: choices.palette, range: choices.range };
    if (single && pictures) {
      this.plane.show(maps.tensor, maps.layout, choices.plane!, style, choices.place ?? { y: 0, x: 0 }, this.fresh);
    } else this.grid.show(maps.tensor, maps.layout, style, choices.cell, this.fresh);
    this.fresh = false;
  }

  private heard(answer: Answer): void {
    if (answer.kind === "maps") {
      this.maps = answer;
      this.revision++;
      this.fresh = true;
    } else if (answer.kind === "waiting" || answer.kind === "refused") {
      this.maps = null;
      setText(this.waiting, sentence(answer.message));
    }
    this.model.changed();
  }

  private updateControls(): void {
    const { choices, selected } = this.model;
    const outputs = selected?.outputs ?? [];
    const options = [
      ...outputs.map((size, index) => [
        `output:${index}`,
        outputs.length === 1 ? "Output" : `Output ${index}  ${size.text}`,
      ]),
      ...(selected?.weights ?? []).map(({ name, dims }) => [
        `weight:${name}`,
        `${name === "weight" ? "Kernels" : name}  [${dims.join(", ")}]`,
      ]),
    ] as const;
    const key = JSON.stringify(options);
    if (key !== this.options) {
      this.options = key;
      this.what.replaceChildren(...options.map(([value, text]) => el("option", { value: value! }, text!)));
    }
    this.what.value = choices.weight === null ? `output:${choices.output}` : `weight:${choices.weight}`;
    this.what.hidden = options.length <= 1;
    this.palette.value = choices.palette;
    this.range.value = choices.range;
    this.cell.value = String(this.grid.side);
    this.kernelField.hidden = choices.weight === null || !selected?.weights.some(({ dims }) => dims.length > 2);
    const layout = this.maps?.layout;
    this.sliceField.hidden = layout?.kind !== "volumes";
    setAttribute(this.slice, "max", (layout?.depth ?? 1) - 1);
    this.slice.value = String(this.sliceShown);
    setAttribute(this.planeNumber, "max", (layout?.planes ?? 1) - 1);
    this.planeNumber.value = String(choices.plane ?? 0);
    setText(this.planeCount, `of ${whole(layout?.planes ?? 0)}`);
  }

  private choosePlane(plane: number): void {
    const { choices } = this.model;
    const planes = this.maps?.layout.planes ?? 1;
    choices.plane = Math.min(Math.max(Math.round(plane) || 0, 0), planes - 1);
    choices.place = { z: this.sliceShown, y: 0, x: 0, ...choices.place, plane: choices.plane };
    this.model.changed();
    this.readAt(choices.place);
  }

  private leavePlane(): void {
    this.model.choices.plane = null;
    this.model.changed();
    requestAnimationFrame(() => this.grid.focus());
  }

  private readAt(place: { plane: number; z: number; y: number; x: number } | null): void {
    const { maps } = this;
    if (!maps || !place) return;
    this.value.ask({ kind: "value", tensor: maps.tensor, place }, (answer) => {
      if (answer.kind === "value") setText(this.readout, `${answer.text} = ${exact(answer.value)}`);
    });
  }

  private async ask(question: Parameters<Connection["once"]>[0]): Promise<void> {
    try {
      await this.connection.once(question);
    } catch (error) {
      this.model.hear({ kind: "notice", severity: "error", message: (error as Error).message });
    }
  }
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}

/** A float32 with all its digits: the least that name it. */
function exact(value: number): string {
  for (let digits = 6; digits <= 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value || !Number.isFinite(value)) return String(Number(text)).replace("-", "−");
  }
  return String(value).replace("-", "−");
}
