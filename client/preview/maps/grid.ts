/**
 * All planes of a tensor side by side, however many: a scrolling box as high as they would be, and a canvas that shows
 * what is in sight. Images and kernels are pictures; planes of one row are drawn as lines, a vector as bars.
 */
import type { Answer, PlaneLayout, TensorRef } from "#shared/preview/protocol.ts";
import { type Connection, Latest } from "../connection.ts";
import { el, fitCanvas, onFrame, setAttribute } from "../dom.ts";
import { onTheme, theme } from "../theme.ts";
import { drawTile, type TileStyle, Tiles } from "./tiles.ts";

const GAP = 8;
const LABEL = 14;
const EDGE = 12;
const USUAL_SIDE = 88;
const LARGEST_SIDE = 176;
const LINE_HEIGHT = 48;
const VECTOR_HEIGHT = 180;
/** Browsers give up on boxes that are higher. */
const MOST_HEIGHT = 15_000_000;

interface Geometry {
  readonly columns: number;
  readonly rows: number;
  readonly width: number;
  readonly height: number;
  readonly pitchX: number;
  readonly pitchY: number;
  readonly total: number;
}

type Series = Extract<Answer, { kind: "series" }>;

export interface GridEvents {
  /** The pointer or the keyboard is on a value; null: nowhere. */
  at(place: { plane: number; y: number; x: number } | null): void;
  /** A plane was chosen, with the value under the pointer. */
  open(place: { plane: number; y: number; x: number }): void;
}

export class Grid {
  readonly element: HTMLElement;
  private readonly canvas = el("canvas", { "aria-hidden": true });
  private readonly spacer = el("div", { class: "spacer" });
  private readonly option = el("div", { role: "option", id: "plane-option", class: "sr-only" });
  /** Where the keyboard's focus is: over the canvas, which assistive technology cannot read. */
  private readonly list = el(
    "div",
    {
      class: "keys",
      tabindex: 0,
      role: "listbox",
      "aria-label": "Feature maps",
      "aria-activedescendant": "plane-option",
    },
    this.option,
  );
  private readonly tiles: Tiles;
  private readonly series: Latest;
  private read: Series | null = null;
  private layout: PlaneLayout | null = null;
  private tensor: TensorRef | null = null;
  private style: Omit<TileStyle, "width" | "height"> | null = null;
  private cell: number | null = null;
  private size = { width: 0, height: 0 };
  private active = 0;
  private hovered: number | null = null;
  private readonly draw = onFrame(() => this.paint());

  constructor(
    connection: Connection,
    private readonly events: GridEvents,
  ) {
    this.tiles = new Tiles(connection, this.draw);
    this.series = new Latest(connection);
    this.element = el("div", { class: "grid" }, this.canvas, this.list, this.spacer);
    this.element.addEventListener("scroll", this.draw, { passive: true });
    this.list.addEventListener("keydown", (event) => this.key(event));
    for (const kind of ["focus", "blur"]) this.list.addEventListener(kind, this.draw);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => {
      this.hovered = null;
      events.at(null);
      this.draw();
    });
    this.canvas.addEventListener("click", (event) => {
      const place = this.placeAt(event);
      if (!place) return;
      this.active = place.plane;
      events.open(place);
    });
    onTheme(this.draw);
    new ResizeObserver(([entry]) => {
      this.size = { width: entry!.contentRect.width, height: entry!.contentRect.height };
      this.paint();
    }).observe(this.element);
  }

  /** @param fresh the values changed. */
  show(
    tensor: TensorRef,
    layout: PlaneLayout,
    style: Omit<TileStyle, "width" | "height">,
    cell: number | null,
    fresh: boolean,
  ): void {
    const another = JSON.stringify([tensor, layout]) !== JSON.stringify([this.tensor, this.layout]);
    if (another) {
      this.element.scrollTop = 0;
      this.active = 0;
      this.read = null;
    }
    Object.assign(this, { tensor, layout, style, cell });
    this.restyle(fresh);
    if (fresh) this.read = null;
    this.draw();
  }

  focus(): void {
    this.list.focus();
  }

  private restyle(fresh: boolean): void {
    const { tensor, style, layout } = this;
    if (!tensor || !style || !layout || layout.kind === "vector" || layout.kind === "lines") return;
    const { width, height } = this.geometry();
    const ratio = window.devicePixelRatio || 1;
    const fit = (room: number, cells: number) => Math.max(1, Math.min(Math.round(room * ratio), cells));
    this.tiles.show(tensor, { ...style, width: fit(width, layout.width), height: fit(height, layout.height) }, fresh);
  }

  private geometry(): Geometry {
    const { kind, planes, width, height, group } = this.layout!;
    const room = Math.max(this.size.width - 2 * EDGE, 40);
    if (kind === "vector" || kind === "lines") {
      const high = kind === "vector" ? VECTOR_HEIGHT : LINE_HEIGHT;
      const pitchY = high + GAP + LABEL;
      return {
        columns: 1,
        rows: planes,
        width: room,
        height: high,
        pitchX: room,
        pitchY,
        total: planes * pitchY + EDGE,
      };
    }
    const longest = Math.max(width, height);
    // Kernels are small: a cell of theirs needs no more than a few pixels to be seen.
    const side = group > 1 ? Math.max(20, this.side * 0.45) : this.side;
    const [w, h] = [(side * width) / longest, (side * height) / longest].map((size) => Math.max(size, 6)) as [
      number,
      number,
    ];
    const pitchX = w + (group > 1 ? 4 : GAP);
    const fitting = Math.max(1, Math.floor((room + GAP) / pitchX));
    const columns = group > 1 && group <= fitting ? group : fitting;
    const rows = Math.ceil(planes / columns);
    const pitchY = h + (this.labelled() ? LABEL : 0) + (group > 1 ? 4 : GAP);
    return { columns, rows, width: w, height: h, pitchX, pitchY, total: rows * pitchY + 2 * EDGE };
  }

  /** The size of a map: the chosen one, else the largest with which all are in sight, within reason. */
  get side(): number {
    if (this.cell !== null || !this.layout) return this.cell ?? USUAL_SIDE;
    const { planes, width, height } = this.layout;
    for (let side = LARGEST_SIDE; side > USUAL_SIDE; side -= 8) {
      const high = (side * height) / Math.max(width, height) + GAP + LABEL;
      const columns = Math.floor((this.size.width - 2 * EDGE + GAP) / (side + GAP));
      if (columns > 0 && Math.ceil(planes / columns) * high + 2 * EDGE <= this.size.height) return side;
    }
    return USUAL_SIDE;
  }

  private labelled(): boolean {
    return this.layout!.group === 1 && this.side >= 36;
  }

  /** How far a grid higher than the browser allows is ahead of its scroll bar. */
  private top({ total }: Geometry): number {
    const { scrollTop } = this.element;
    if (total <= MOST_HEIGHT) return scrollTop;
    const share = scrollTop / Math.max(MOST_HEIGHT - this.size.height, 1);
    return share * (total - this.size.height);
  }

  private boxOf(plane: number, geometry: Geometry, top: number) {
    return {
      x: EDGE + (plane % geometry.columns) * geometry.pitchX,
      y: EDGE + Math.floor(plane / geometry.columns) * geometry.pitchY - top,
    };
  }

  private paint(): void {
    const { layout, tensor, size } = this;
    if (!fitCanvas(this.canvas, size.width, size.height)) return;
    const context = this.canvas.getContext("2d")!;
    context.clearRect(0, 0, size.width, size.height);
    if (!layout || !tensor || layout.planes === 0) {
      this.spacer.style.height = "0";
      return;
    }
    const geometry = this.geometry();
    this.spacer.style.height = `${Math.max(Math.min(geometry.total, MOST_HEIGHT) - size.height, 0)}px`;
    const top = this.top(geometry);
    const firstRow = Math.max(0, Math.floor((top - EDGE) / geometry.pitchY));
    const lastRow = Math.min(geometry.rows - 1, Math.floor((top + size.height) / geometry.pitchY));
    const from = firstRow * geometry.columns;
    const to = Math.min(layout.planes, (lastRow + 1) * geometry.columns);
    if (layout.kind === "vector" || layout.kind === "lines") this.paintLines(context, geometry, top, from, to);
    else this.paintTiles(context, geometry, top, from, to);
    setAttribute(this.option, "aria-label", `Channel ${this.active} of ${layout.planes}`);
    setAttribute(this.option, "aria-posinset", this.active + 1);
    setAttribute(this.option, "aria-setsize", layout.planes);
    setAttribute(this.option, "aria-selected", "true");
  }

  private paintTiles(
    context: CanvasRenderingContext2D,
    geometry: Geometry,
    top: number,
    from: number,
    to: number,
  ): void {
    const { colour, font } = theme();
    this.restyle(false);
    this.tiles.want(from, to, this.layout!.planes);
    const { width, height } = geometry;
    for (let plane = from; plane < to; plane++) {
      const { x, y } = this.boxOf(plane, geometry, top);
      const tile = this.tiles.get(plane);
      if (tile) drawTile(context, tile, x, y, width, height);
      else {
        context.fillStyle = colour.surface;
        context.fillRect(x, y, width, height);
      }
      if (this.labelled()) label(context, String(plane), x, y + height + 8, font, colour.muted);
      this.outline(context, plane, x, y, width, height);
    }
  }

  private outline(context: CanvasRenderingContext2D, plane: number, x: number, y: number, w: number, h: number): void {
    const { colour } = theme();
    const focused = plane === this.active && this.list.matches(":focus-visible");
    if (!focused && plane !== this.hovered) return;
    context.strokeStyle = focused ? colour.focus : colour.foreground;
    context.lineWidth = focused ? 2 : 1;
    context.strokeRect(x - 1.5, y - 1.5, w + 3, h + 3);
  }

  private paintLines(
    context: CanvasRenderingContext2D,
    geometry: Geometry,
    top: number,
    from: number,
    to: number,
  ): void {
    const { colour, font } = theme();
    const layout = this.layout!;
    const points = Math.min(layout.width, Math.max(Math.round(geometry.width), 1));
    const { read } = this;
    if (!read || read.from > from || read.to < to || read.points !== points) this.readSeries(from, to, points);
    const [least, most] = read ? ends(read.values) : [0, 1];
    for (let plane = from; plane < to; plane++) {
      const { x, y } = this.boxOf(plane, geometry, top);
      const { width, height } = geometry;
      const yOf = (value: number) => y + height - ((value - least) / (most - least || 1)) * height;
      context.fillStyle = colour.surface;
      context.fillRect(x, y, width, height);
      context.fillStyle = colour.border;
      context.fillRect(x, Math.round(yOf(Math.min(Math.max(0, least), most))), width, 1);
      if (read && plane >= read.from && plane < read.to) {
        const step = width / read.points;
        const bars = layout.kind === "vector" || step >= 6;
        context.fillStyle = colour.accent;
        for (let point = 0; point < read.points; point++) {
          const at = 2 * ((plane - read.from) * read.points + point);
          const [low, high] = [read.values[at]!, read.values[at + 1]!];
          if (Number.isNaN(low)) continue;
          const [a, b] = bars ? [Math.min(low, 0), Math.max(high, 0)] : [low, high];
          const [y0, y1] = [yOf(Math.min(b, most)), yOf(Math.max(a, least))];
          const gap = bars && step > 3 ? Math.min(2, step * 0.2) : 0;
          context.fillRect(x + point * step, Math.min(y0, y1 - 1), Math.max(step - gap, 1), Math.max(y1 - y0, 1.2));
        }
        if (layout.kind === "vector" && step >= 18) {
          for (let point = 0; point < read.points; point++) {
            label(context, String(point), x + (point + 0.5) * step, y + height + 8, font, colour.muted);
          }
        }
      }
      if (layout.kind === "lines") label(context, String(plane), x, y + height + 8, font, colour.muted, "left");
      this.outline(context, plane, x, y, width, height);
    }
  }

  private readSeries(from: number, to: number, points: number): void {
    this.series.ask({ kind: "series", tensor: this.tensor!, from, to, points }, (answer) => {
      if (answer.kind !== "series" || JSON.stringify(answer.tensor) !== JSON.stringify(this.tensor)) return;
      this.read = answer;
      this.draw();
    });
  }

  private placeAt({ offsetX, offsetY }: MouseEvent): { plane: number; y: number; x: number } | null {
    const { layout } = this;
    if (!layout) return null;
    const geometry = this.geometry();
    const top = this.top(geometry);
    const column = Math.floor((offsetX - EDGE) / geometry.pitchX);
    const row = Math.floor((offsetY + top - EDGE) / geometry.pitchY);
    const plane = row * geometry.columns + column;
    if (column < 0 || column >= geometry.columns || row < 0 || plane >= layout.planes) return null;
    const box = this.boxOf(plane, geometry, top);
    const x = Math.floor(((offsetX - box.x) / geometry.width) * layout.width);
    const y = Math.floor(((offsetY - box.y) / geometry.height) * layout.height);
    if (x < 0 || y < 0 || x >= layout.width || y >= layout.height) return null;
    return { plane, y, x };
  }

  private point(event: PointerEvent): void {
    const place = this.placeAt(event);
    this.events.at(place);
    const plane = place?.plane ?? null;
    if (plane === this.hovered) return;
    this.hovered = plane;
    this.canvas.style.cursor = plane === null ? "default" : "pointer";
    this.draw();
  }

  private key(event: KeyboardEvent): void {
    if (!this.layout || event.ctrlKey || event.metaKey || event.altKey) return;
    const geometry = this.geometry();
    const page = geometry.columns * Math.max(1, Math.floor(this.size.height / geometry.pitchY) - 1);
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: geometry.columns,
      ArrowUp: -geometry.columns,
      PageDown: page,
      PageUp: -page,
      Home: -this.active,
      End: this.layout.planes - 1 - this.active,
    };
    const middle = () => ({
      plane: this.active,
      y: Math.floor(this.layout!.height / 2),
      x: Math.floor(this.layout!.width / 2),
    });
    if (event.key === "Enter" || event.key === " ") this.events.open(middle());
    else if (event.key in steps) {
      this.active = Math.min(Math.max(this.active + steps[event.key]!, 0), this.layout.planes - 1);
      this.bringIntoSight(geometry);
      this.events.at(middle());
      this.draw();
    } else return;
    event.preventDefault();
  }

  private bringIntoSight(geometry: Geometry): void {
    const top = this.top(geometry);
    const { y } = this.boxOf(this.active, geometry, top);
    const over = Math.min(y - EDGE, 0) + Math.max(y + geometry.pitchY - this.size.height, 0);
    const scale = geometry.total <= MOST_HEIGHT ? 1 : MOST_HEIGHT / geometry.total;
    this.element.scrollTop += over * scale;
  }
}

function label(
  context: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  family: string,
  colour: string,
  align: CanvasTextAlign = "left",
): void {
  context.font = `10px ${family}`;
  context.textAlign = align;
  context.textBaseline = "middle";
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

/** Least and greatest of all, zero among them: bars begin there. */
function ends(values: Float32Array): [number, number] {
  let [least, most] = [0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return [least, most];
}
