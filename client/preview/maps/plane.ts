/** One plane on its own: zoom to single cells, pan, and a cross-hair that the pointer or the arrow keys move. */
import type { PlaneLayout, TensorRef } from "#shared/preview/protocol.ts";
import { type Connection, Latest } from "../connection.ts";
import { el, fitCanvas, onFrame } from "../dom.ts";
import { onTheme, theme } from "../theme.ts";
import { drawTile, type Tile, type TileStyle, tilesOf } from "./tiles.ts";

const EDGE = 16;
const LARGEST_CELL = 64;

export interface Cell {
  readonly y: number;
  readonly x: number;
}

export interface PlaneEvents {
  /** The cross-hair is on this cell; null: the pointer has left. */
  at(cell: Cell | null): void;
  /** A cell was chosen. */
  choose(cell: Cell): void;
  /** The keyboard asks for the plane before or after, or to leave. */
  step(by: number): void;
  leave(): void;
}

interface Part {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export class PlaneView {
  readonly element: HTMLElement;
  private readonly canvas = el("canvas", { "aria-hidden": true });
  private readonly latest: Latest;
  private shown: {
    tensor: TensorRef;
    layout: PlaneLayout;
    plane: number;
    style: Omit<TileStyle, "width" | "height">;
  } | null = null;
  private picture: { readonly tile: Tile; readonly part: Part; readonly plane: string } | null = null;
  private asked = "";
  private cursor: Cell = { y: 0, x: 0 };
  private hovered: Cell | null = null;
  private size = { width: 0, height: 0 };
  /** Pixels per cell, and the cell at the middle of the view; null: the whole plane. */
  private view: { scale: number; x: number; y: number } | null = null;
  private readonly draw = onFrame(() => this.paint());

  constructor(
    connection: Connection,
    private readonly events: PlaneEvents,
  ) {
    this.latest = new Latest(connection);
    this.element = el(
      "div",
      {
        class: "plane",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "map",
        "aria-label":
          "One map: arrow keys move over its values, Enter explains the value, plus and minus zoom, Escape goes back",
      },
      this.canvas,
    );
    this.listen();
    onTheme(this.draw);
    new ResizeObserver(([entry]) => {
      this.size = { width: entry!.contentRect.width, height: entry!.contentRect.height };
      this.paint();
    }).observe(this.element);
  }

  show(
    tensor: TensorRef,
    layout: PlaneLayout,
    plane: number,
    style: Omit<TileStyle, "width" | "height">,
    cursor: Cell,
    fresh: boolean,
  ): void {
    const key = JSON.stringify([tensor, layout]);
    if (!this.shown || JSON.stringify([this.shown.tensor, this.shown.layout]) !== key) this.view = null;
    this.shown = { tensor, layout, plane, style };
    this.cursor = cursor;
    if (fresh) this.asked = "";
    this.draw();
  }

  private transform() {
    const { width, height } = this.shown!.layout;
    const whole = Math.min((this.size.width - 2 * EDGE) / width, (this.size.height - 2 * EDGE) / height, LARGEST_CELL);
    const { scale, x, y } = this.view ?? { scale: whole, x: width / 2, y: height / 2 };
    return { scale, left: this.size.width / 2 - x * scale, top: this.size.height / 2 - y * scale, whole };
  }

  zoom(factor: number, at = { x: this.size.width / 2, y: this.size.height / 2 }): void {
    if (!this.shown) return;
    const { scale, left, top, whole } = this.transform();
    const next = Math.min(Math.max(scale * factor, whole), Math.max(LARGEST_CELL, whole));
    const [cellX, cellY] = [(at.x - left) / scale, (at.y - top) / scale];
    this.view =
      next <= whole
        ? null
        : {
            scale: next,
            x: cellX + (this.size.width / 2 - at.x) / next,
            y: cellY + (this.size.height / 2 - at.y) / next,
          };
    this.keepInside();
    this.draw();
  }

  private keepInside(): void {
    if (!this.view || !this.shown) return;
    const { width, height } = this.shown.layout;
    this.view.x = Math.min(Math.max(this.view.x, 0), width);
    this.view.y = Math.min(Math.max(this.view.y, 0), height);
  }

  private cellAt({ offsetX, offsetY }: MouseEvent): Cell | null {
    if (!this.shown) return null;
    const { scale, left, top } = this.transform();
    const cell = { x: Math.floor((offsetX - left) / scale), y: Math.floor((offsetY - top) / scale) };
    const { width, height } = this.shown.layout;
    return cell.x < 0 || cell.y < 0 || cell.x >= width || cell.y >= height ? null : cell;
  }

  private listen(): void {
    const { canvas, element } = this;
    let grab: { x: number; y: number; view: { scale: number; x: number; y: number }; moved: boolean } | null = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.shown) return;
      const { scale, left, top } = this.transform();
      const view = { scale, x: (this.size.width / 2 - left) / scale, y: (this.size.height / 2 - top) / scale };
      grab = { x: event.offsetX, y: event.offsetY, view, moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (grab && this.view && Math.hypot(event.offsetX - grab.x, event.offsetY - grab.y) > 3) {
        grab.moved = true;
        const { scale, x, y } = grab.view;
        this.view = { scale, x: x - (event.offsetX - grab.x) / scale, y: y - (event.offsetY - grab.y) / scale };
        this.keepInside();
      }
      this.hovered = this.cellAt(event);
      this.events.at(this.hovered);
      this.draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      const cell = grab && !grab.moved ? this.cellAt(event) : null;
      grab = null;
      if (cell) {
        this.cursor = cell;
        this.events.choose(cell);
        this.draw();
      }
    });
    canvas.addEventListener("pointerleave", () => {
      this.hovered = null;
      this.events.at(null);
      this.draw();
    });
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.003)), {
          x: event.offsetX,
          y: event.offsetY,
        });
      },
      { passive: false },
    );
    element.addEventListener("keydown", (event) => this.key(event));
    for (const kind of ["focus", "blur"]) element.addEventListener(kind, this.draw);
  }

  private key(event: KeyboardEvent): void {
    if (!this.shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = this.shown.layout;
    const far = event.shiftKey ? 10 : 1;
    const moves: Record<string, readonly [number, number]> = {
      ArrowLeft: [-far, 0],
      ArrowRight: [far, 0],
      ArrowUp: [0, -far],
      ArrowDown: [0, far],
      Home: [-width, 0],
      End: [width, 0],
    };
    const move = moves[event.key];
    if (move) {
      const within = (value: number, size: number) => Math.min(Math.max(value, 0), size - 1);
      this.cursor = { x: within(this.cursor.x + move[0], width), y: within(this.cursor.y + move[1], height) };
      if (this.view) this.view = { ...this.view, x: this.cursor.x + 0.5, y: this.cursor.y + 0.5 };
      this.events.at(this.cursor);
      this.draw();
    } else if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "0") {
      this.view = null;
      this.draw();
    } else if (event.key === "Enter") this.events.choose(this.cursor);
    else if (event.key === "PageDown") this.events.step(1);
    else if (event.key === "PageUp") this.events.step(-1);
    else if (event.key === "Escape" || event.key === "Backspace") this.events.leave();
    else return;
    event.preventDefault();
  }

  private paint(): void {
    const { size, shown } = this;
    if (!fitCanvas(this.canvas, size.width, size.height) || !shown) return;
    const context = this.canvas.getContext("2d")!;
    const { colour } = theme();
    context.clearRect(0, 0, size.width, size.height);
    const { scale, left, top } = this.transform();
    const { width, height } = shown.layout;
    const part = this.partInSight(scale, left, top);
    this.ask(part, scale);
    context.fillStyle = colour.surface;
    context.fillRect(left, top, width * scale, height * scale);
    const { picture } = this;
    if (picture && picture.plane === this.planeKey()) {
      const { x, y, width: w, height: h } = picture.part;
      drawTile(context, picture.tile, left + x * scale, top + y * scale, w * scale, h * scale);
    }
    context.strokeStyle = colour.border;
    context.lineWidth = 1;
    context.strokeRect(left - 0.5, top - 0.5, width * scale + 1, height * scale + 1);
    const cell = this.hovered ?? this.cursor;
    const side = Math.max(scale, 5);
    const [x, y] = [left + (cell.x + 0.5) * scale - side / 2, top + (cell.y + 0.5) * scale - side / 2];
    context.strokeStyle = colour.background;
    context.lineWidth = 4;
    context.strokeRect(x - 1, y - 1, side + 2, side + 2);
    context.strokeStyle = this.hovered ? colour.foreground : colour.focus;
    context.lineWidth = 2;
    context.strokeRect(x - 1, y - 1, side + 2, side + 2);
  }

  private planeKey(): string {
    return JSON.stringify([this.shown!.tensor, this.shown!.plane, this.shown!.style.slice]);
  }

  private partInSight(scale: number, left: number, top: number): Part {
    const { width, height } = this.shown!.layout;
    const x = Math.max(0, Math.floor(-left / scale));
    const y = Math.max(0, Math.floor(-top / scale));
    const right = Math.min(width, Math.ceil((this.size.width - left) / scale));
    const bottom = Math.min(height, Math.ceil((this.size.height - top) / scale));
    return { x, y, width: Math.max(right - x, 1), height: Math.max(bottom - y, 1) };
  }

  private ask(part: Part, scale: number): void {
    const { tensor, plane, style } = this.shown!;
    const ratio = window.devicePixelRatio || 1;
    const fit = (cells: number) => Math.max(1, Math.min(cells, Math.round(cells * scale * ratio)));
    const key = JSON.stringify([this.planeKey(), part, style, fit(part.width), fit(part.height)]);
    if (key === this.asked) return;
    this.asked = key;
    const question = { kind: "tiles", tensor, from: plane, to: plane + 1, part, ...style } as const;
    const of = this.planeKey();
    this.latest.ask({ ...question, width: fit(part.width), height: fit(part.height) }, (answer) => {
      const tile = answer.kind === "tiles" ? tilesOf(answer.rgba, answer)[0] : undefined;
      this.picture = tile ? { tile, part, plane: of } : null;
      this.draw();
    });
  }
}
