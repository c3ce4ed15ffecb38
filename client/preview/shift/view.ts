/**
 * The experiment: move the sample by a few pixels, and see which layers' outputs move along. Convolutions follow, pooling
 * forgets small moves, a stride breaks what it does not divide.
 */
import type { Answer, ShiftedLayer, TensorRef } from "#shared/preview/protocol.ts";
import { type Ask, type Connection, Latest } from "../connection.ts";
import { el, field, fitCanvas, onFrame, setText } from "../dom.ts";
import { figure } from "../format.ts";
import { SamplePicture } from "../maps/sample.ts";
import { drawTile, type Tile, tilesOf } from "../maps/tiles.ts";
import type { Model } from "../model.ts";
import { titleOf } from "../network/scene.ts";
import { onTheme, theme } from "../theme.ts";

const MOST_SIDE = 240;
const GAP = 24;
const MOST = 64;

/** A layer's map on the plain and on the moved sample, on one colour scale. */
class Pair {
  private readonly latest: readonly [Latest, Latest];
  private key = "";
  tiles: [Tile | null, Tile | null] = [null, null];

  constructor(
    connection: Connection,
    private readonly arrived: () => void,
  ) {
    this.latest = [new Latest(connection), new Latest(connection)];
  }

  want(node: string, output: number, plane: number, slice: number, palette: string, edition: string): void {
    const key = JSON.stringify([node, output, plane, slice, palette, edition]);
    if (key === this.key) return;
    const before: [string, ...unknown[]] | null = this.key ? JSON.parse(this.key) : null;
    if (before?.[0] !== node) this.tiles = [null, null];
    this.key = key;
    for (const [index, variant] of (["plain", "shifted"] as const).entries()) {
      const tensor: TensorRef = { node, output, variant };
      const size = { from: plane, to: plane + 1, slice, width: 512, height: 512 };
      this.latest[index]!.ask(
        { kind: "tiles", tensor, ...size, palette: palette as "auto", range: "tensor" },
        (answer) => {
          this.tiles[index] = answer.kind === "tiles" ? (tilesOf(answer.rgba, answer)[0] ?? null) : null;
          this.arrived();
        },
      );
    }
  }
}

export class ShiftView {
  readonly element: HTMLElement;
  private readonly sampleCanvas = el("canvas", { "aria-hidden": true });
  private readonly beforeCanvas = el("canvas", { "aria-hidden": true });
  private readonly afterCanvas = el("canvas", { "aria-hidden": true });
  private readonly sampleBox: HTMLElement;
  private readonly dx: HTMLInputElement;
  private readonly dy: HTMLInputElement;
  private readonly verdict = el("p", { class: "sum", "aria-live": "polite" });
  private readonly rows = el("tbody", {});
  private readonly pair: Pair;
  private readonly sample: SamplePicture;
  private readonly moved: SamplePicture;
  private standing: Ask | null = null;
  private asked = "";
  private readonly table: HTMLElement;
  private tableOf = "";
  /** Of a picture, in CSS pixels. */
  private side = MOST_SIDE;
  private readonly draw = onFrame(() => this.paint());

  constructor(
    private readonly model: Model,
    private readonly connection: Connection,
    private readonly looked: () => Extract<Answer, { kind: "maps" }> | null,
    private readonly choose: (node: string) => void,
  ) {
    this.pair = new Pair(connection, this.draw);
    this.sample = new SamplePicture(connection, "plain", this.draw);
    this.moved = new SamplePicture(connection, "shifted", this.draw);
    const number = (label: string, axis: "dx" | "dy") => {
      const input = el("input", {
        type: "number",
        min: -MOST,
        max: MOST,
        "aria-label": label,
        onchange: () => this.shift({ ...model.choices.shift, [axis]: Number(input.value) }),
      });
      return input;
    };
    this.dx = number("Pixels to the right", "dx");
    this.dy = number("Pixels down", "dy");
    this.sampleBox = el(
      "div",
      {
        class: "draggable",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "sample",
        "aria-label": "The sample: arrow keys move it by one pixel, with Shift by eight, 0 puts it back",
        onkeydown: (event: KeyboardEvent) => this.key(event),
      },
      this.sampleCanvas,
    );
    const panel = (title: string, ...content: HTMLElement[]) =>
      el("figure", { class: "panel" }, el("h3", {}, title), ...content);
    this.table = el(
      "table",
      { class: "table" },
      el("caption", { class: "sr-only" }, "What the shift did to each layer"),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...[
            ["Layer", "The layer's output"],
            ["Expected", "Cells by which the output moves if it follows the sample: right, down"],
            ["Moved", "Cells by which it moved: where the outputs match best"],
            ["Not following", "How far the output is from the moved one, inside: 0 follows exactly (equivariant)"],
            ["Changed", "How far the output is from the one before: 0 does not notice (invariant)"],
          ].map(([text, title]) => el("th", { scope: "col", title: title! }, text!)),
        ),
      ),
      this.rows,
    );
    this.element = el(
      "div",
      { class: "shift" },
      el(
        "div",
        { class: "controls" },
        field("Right", this.dx),
        field("Down", this.dy),
        el("button", { type: "button", class: "secondary", onclick: () => this.shift({ dx: 0, dy: 0 }) }, "Put back"),
      ),
      el(
        "div",
        { class: "scroll" },
        el(
          "div",
          { class: "stage" },
          panel("Drag the sample", this.sampleBox),
          panel("Output before", this.beforeCanvas),
          panel("Output after", this.afterCanvas),
        ),
        this.verdict,
        this.table,
      ),
    );
    this.dragging();
    onTheme(this.draw);
    new ResizeObserver(([entry]) => {
      this.side = Math.max(100, Math.min(MOST_SIDE, (entry!.contentRect.width - 40 - 2 * GAP) / 3));
      this.draw();
    }).observe(this.element);
  }

  update(): void {
    const { choices, edition, diagram } = this.model;
    if (choices.tab !== "shift" || !diagram) return;
    const { dx, dy } = choices.shift;
    const key = JSON.stringify([dx, dy]);
    if (key !== this.asked) {
      this.asked = key;
      this.standing?.forget();
      // It stands: it is answered again whenever the model or the sample changes.
      this.standing = this.connection.ask({ kind: "shift", dx, dy }, (answer) => {
        if (answer.kind === "shift") {
          const layers = new Map(answer.layers.map((layer) => [layer.node, layer]));
          this.model.shifted = { dx: answer.dx, dy: answer.dy, layers };
        } else if (answer.kind === "refused") setText(this.verdict, answer.message);
        this.model.changed();
      });
    }
    this.dx.value = String(dx);
    this.dy.value = String(dy);
    const layer = this.model.shifted?.layers.get(choices.selected ?? "");
    if (layer) setText(this.verdict, verdict(layer, dx, dy));
    else if (dx === 0 && dy === 0)
      setText(this.verdict, "Drag the sample, or move it by arrow keys: the outputs follow, or not.");
    else if (this.model.shifted) setText(this.verdict, "The chosen layer has no place in the experiment.");
    this.writeTable(edition);
    this.draw();
  }

  private shift({ dx, dy }: { dx: number; dy: number }): void {
    const within = (value: number) => Math.min(Math.max(Math.round(value) || 0, -MOST), MOST);
    this.model.choices.shift = { dx: within(dx), dy: within(dy) };
    this.model.changed();
  }

  private key(event: KeyboardEvent): void {
    const { dx, dy } = this.model.choices.shift;
    const far = event.shiftKey ? 8 : 1;
    const moves: Record<string, { dx: number; dy: number }> = {
      ArrowLeft: { dx: dx - far, dy },
      ArrowRight: { dx: dx + far, dy },
      ArrowUp: { dx, dy: dy - far },
      ArrowDown: { dx, dy: dy + far },
      "0": { dx: 0, dy: 0 },
      Home: { dx: 0, dy: 0 },
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.shift(move);
  }

  private dragging(): void {
    let grab: { x: number; y: number; dx: number; dy: number } | null = null;
    const canvas = this.sampleCanvas;
    canvas.addEventListener("pointerdown", (event) => {
      grab = { x: event.clientX, y: event.clientY, ...this.model.choices.shift };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const { tile } = this.sample;
      if (!grab || !tile) return;
      const perPixel = tile.width / canvas.clientWidth;
      this.shift({
        dx: grab.dx + (event.clientX - grab.x) * perPixel,
        dy: tile.height > 1 ? grab.dy + (event.clientY - grab.y) * perPixel : 0,
      });
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => {
        grab = null;
      });
    }
  }

  private writeTable(edition: number): void {
    const { shifted, choices } = this.model;
    const nodes = this.model.diagram!.nodes.filter(({ id }) => shifted?.layers.has(id));
    const key = JSON.stringify([
      edition,
      shifted?.dx,
      shifted?.dy,
      choices.selected,
      nodes.length,
      this.model.editions.shifted,
    ]);
    if (key === this.tableOf) return;
    this.tableOf = key;
    this.table.hidden = nodes.length === 0;
    this.rows.replaceChildren(
      ...nodes.map((node) => {
        const { id } = node;
        const layer = shifted!.layers.get(id)!;
        const label = titleOf(node);
        return el(
          "tr",
          id === choices.selected ? { "aria-current": "true" } : {},
          el(
            "th",
            { scope: "row" },
            el("button", { type: "button", class: "link", onclick: () => this.choose(id) }, label),
          ),
          el("td", {}, cells(layer.expected)),
          el("td", {}, layer.moved === null ? "–" : cells(layer.moved)),
          el("td", {}, bar(layer.equivariance), figureOf(layer.equivariance)),
          el("td", {}, bar(layer.invariance), figureOf(layer.invariance)),
        );
      }),
    );
  }

  private paint(): void {
    const { choices, diagram, editions } = this.model;
    const input = diagram?.inputs[0];
    if (choices.tab !== "shift" || input === undefined) return;
    this.sample.want(input, editions.plain);
    this.moved.want(input, editions.shifted);
    const { dx, dy } = choices.shift;
    const { colour } = theme();
    const before = this.sample.tile;
    if (before) {
      const [width, height] = fitted(before, this.side);
      if (fitCanvas(this.sampleCanvas, width, height)) {
        const context = this.sampleCanvas.getContext("2d")!;
        context.fillStyle = colour.surface;
        context.fillRect(0, 0, width, height);
        const up = this.model.shifted?.dx === dx && this.model.shifted.dy === dy ? this.moved.tile : null;
        // Until the worker has moved it, the picture itself is moved.
        const [x, y] = up ? [0, 0] : [(dx * width) / before.width, (dy * height) / before.height];
        drawTile(context, up ?? before, x, y, width, height);
        context.setLineDash([4, 3]);
        context.strokeStyle = colour.focus;
        context.lineWidth = 1.5;
        context.strokeRect((dx * width) / before.width, (dy * height) / before.height, width, height);
        context.setLineDash([]);
      }
    }
    const maps = this.looked();
    if (!maps || maps.tensor.weight !== undefined) return;
    const { node, output } = maps.tensor;
    const plane = Math.min(choices.place?.plane ?? 0, maps.layout.planes - 1);
    const slice = choices.slice ?? Math.floor(maps.layout.depth / 2);
    this.pair.want(node, output, plane, slice, choices.palette, `${editions.plain} ${editions.shifted}`);
    for (const [index, canvas] of [this.beforeCanvas, this.afterCanvas].entries()) {
      const tile = this.pair.tiles[index];
      const [width, height] = tile ? fitted(tile, this.side) : [this.side, this.side];
      if (!fitCanvas(canvas, width, height)) continue;
      const context = canvas.getContext("2d")!;
      context.fillStyle = colour.surface;
      context.fillRect(0, 0, width, height);
      if (tile) drawTile(context, tile, 0, 0, width, height);
    }
  }
}

function fitted({ width, height }: Tile, side: number): readonly [number, number] {
  const scale = Math.min(side / width, side / height);
  return [Math.max(width * scale, 8), Math.max(height * scale, 12)];
}

/** Across before down, as one moves. */
function cells(sizes: readonly number[]): string {
  return sizes.length === 0
    ? "–"
    : sizes
        .toReversed()
        .map((size) => figure(size, 3))
        .join(", ");
}

function figureOf(value: number | null): string {
  return value === null ? "–" : figure(value, 3);
}

function bar(value: number | null): HTMLElement {
  const box = el("span", { class: "bar", "aria-hidden": true });
  const fill = el("span", {});
  fill.style.width = `${100 * Math.min(Math.max(value ?? 0, 0), 1)}%`;
  box.append(fill);
  return box;
}

/** A move in words: `2 right, 1 down`; the innermost axis is across. */
function movement(sizes: readonly number[]): string {
  const words = [
    ["right", "left"],
    ["down", "up"],
    ["deeper", "shallower"],
  ] as const;
  const parts = sizes.toReversed().map((size, axis) => {
    const [ahead, back] = words[axis] ?? ["on", "back"];
    return `${figure(Math.abs(size), 3)} ${size < 0 ? back : ahead}`;
  });
  return parts.join(", ");
}

/** What happened to the chosen layer, in a sentence. */
function verdict({ expected, moved, equivariance, invariance }: ShiftedLayer, dx: number, dy: number): string {
  if (dx === 0 && dy === 0) return "Drag the sample, or move it with the arrow keys.";
  if (invariance === 0) return "The output did not change at all: it is invariant to this shift.";
  const changed = invariance === null ? "" : ` The output changed by ${figure(100 * invariance, 3)} % of its size.`;
  if (expected.length === 0 || equivariance === null) return `The output has no place to move.${changed}`;
  const by = moved === null ? "by no clear amount" : movement(moved);
  const follows =
    equivariance < 1e-4
      ? "It follows the sample exactly: it is equivariant to this shift."
      : `Compared with the output moved along it is ${figure(100 * equivariance, 3)} % off.`;
  return `If it followed, the output would move ${movement(expected)}; it moved ${by}. ${follows}${changed}`;
}
