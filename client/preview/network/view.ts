/**
 * The network on screen: pan, zoom, search, the keyboard's walk through it, and what a screen reader hears of it. Only
 * what is in sight is drawn; the layout is made in a worker.
 */
import type { DiagramNode } from "#shared/preview/protocol.ts";
import { el, fitCanvas, iconButton, onFrame, reducedMotion, setText } from "../dom.ts";
import type { Model } from "../model.ts";
import { onTheme, theme } from "../theme.ts";
import type { Layout, Point } from "./layout.ts";
import layoutScript from "./layout.worker.ts?worker";
import { CanvasPen, type Pen, SvgPen } from "./pens.ts";
import { drawScene, hit, type Look, type Outline, onFold, outline, type Scene, scene, titleOf } from "./scene.ts";
import { inWords, TreeItems } from "./tree.ts";

const LEAST_SCALE = 0.02;
const MOST_SCALE = 3;
const MARGIN = 20;
const GLIDE_MS = 160;

interface View {
  x: number;
  y: number;
  scale: number;
}

export class NetworkView {
  readonly element: HTMLElement;
  private readonly canvas = el("canvas", { "aria-hidden": true });
  private readonly tree = el("div", {
    class: "tree",
    role: "tree",
    tabindex: 0,
    "aria-label": "Layers of the network",
  });
  private readonly described = new TreeItems(this.tree);
  private readonly search = el("input", {
    type: "search",
    placeholder: "Find a layer",
    "aria-label": "Find a layer by its name or type",
    oninput: () => this.find(),
    onkeydown: (event: KeyboardEvent) => this.keyInSearch(event),
  });
  private readonly found = el("span", { class: "found", role: "status" });
  private readonly empty = el("p", { class: "empty", hidden: true });

  private scene: Scene | null = null;
  private madeFor = "";
  private view: View = { x: 0, y: 0, scale: 1 };
  private size = { width: 0, height: 0 };
  private hovered: string | null = null;
  private matches: ReadonlySet<string> | null = null;
  /** Whose place on screen stays the same when the layout changes. */
  private anchor: string | null = null;
  private followed: string | null = null;
  private readonly worker = new Worker(URL.createObjectURL(new Blob([layoutScript], { type: "text/javascript" })));
  private readonly pending: Outline[] = [];
  private readonly draw = onFrame(() => this.paint());
  private readonly ruler = document.createElement("canvas").getContext("2d")!;

  constructor(
    private readonly model: Model,
    /** The user chose a layer here: the text follows. */
    private readonly reveal: (node: DiagramNode) => void,
  ) {
    const zoom = el(
      "div",
      { class: "zoom", role: "group", "aria-label": "Zoom" },
      iconButton("plus", "Zoom in (+)", () => this.zoomBy(1.25)),
      iconButton("minus", "Zoom out (−)", () => this.zoomBy(0.8)),
      iconButton("fit", "Show the whole network (0)", () => this.fit()),
    );
    this.element = el(
      "section",
      { class: "network", "aria-label": "Network" },
      el("div", { class: "search" }, this.search, this.found),
      el("div", { class: "canvas-host" }, this.canvas, this.tree),
      zoom,
      this.empty,
    );
    this.worker.addEventListener("message", ({ data }: MessageEvent<Layout>) => this.placed(data));
    this.listen();
    onTheme(() => {
      this.madeFor = "";
      this.update();
    });
    new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      const first = this.size.width === 0;
      this.size = { width, height };
      if (first && this.scene) this.home();
      this.paint();
    }).observe(this.tree);
  }

  /** Takes in what changed in the model. */
  update(): void {
    const { diagram, edition, choices, noModel } = this.model;
    this.empty.hidden = diagram !== null && this.scene !== null;
    setText(this.empty, noModel ?? (diagram ? "Laying out the network …" : "Reading the model …"));
    const key = diagram ? JSON.stringify([edition, choices.open]) : "";
    if (key !== this.madeFor) {
      this.madeFor = key;
      if (!diagram) this.scene = null;
      else {
        const made = outline(diagram, (id) => this.model.isOpen(id), this.measure);
        this.pending.push(made);
        performance.mark("layout asked");
        this.worker.postMessage({ boxes: made.boxes, links: made.links });
      }
    }
    this.follow();
    this.draw();
  }

  /** The whole network drawn by another pen. @returns its size. */
  export(start: (width: number, height: number) => Pen): { readonly width: number; readonly height: number } | null {
    if (!this.scene) return null;
    const { width, height } = this.exportSize()!;
    const look = { selected: null, hovered: null, focused: false, running: null, stopped: null, matches: null };
    const pen = start(width, height);
    drawScene(pen, this.shiftedScene(this.scene), theme(), look, { x: 0, y: 0, width, height, scale: 1 });
    return { width, height };
  }

  svg(): string | null {
    const pen = new SvgPen();
    const size = this.export(() => pen);
    return size && pen.finish(size.width, size.height, theme().colour.background);
  }

  /** The whole network as a picture, as large as a canvas may be at most. */
  async png(): Promise<ArrayBuffer | null> {
    const size = this.exportSize();
    if (!size) return null;
    const scale = Math.min(2, 16_000 / size.width, 16_000 / size.height, Math.sqrt(1e8 / (size.width * size.height)));
    const canvas = el("canvas", {});
    canvas.width = Math.ceil(size.width * scale);
    canvas.height = Math.ceil(size.height * scale);
    const context = canvas.getContext("2d")!;
    context.fillStyle = theme().colour.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.scale(scale, scale);
    this.export(() => new CanvasPen(context));
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    return (await blob?.arrayBuffer()) ?? null;
  }

  private exportSize() {
    if (!this.scene) return null;
    const { width, height } = this.scene.layout;
    return { width: width + 2 * MARGIN + 60, height: height + 2 * MARGIN + 20 };
  }

  private shiftedScene(from: Scene): Scene {
    const by = ({ x, y }: Point) => ({ x: x + MARGIN, y: y + MARGIN });
    const boxes = new Map([...from.layout.boxes].map(([id, box]) => [id, { ...box, ...by(box) }]));
    const routes = from.layout.routes.map((route) => ({ ...route, points: route.points.map(by) }));
    const labelPlaces = new Map([...from.labelPlaces].map(([id, place]) => [id, by(place)]));
    return { ...from, labelPlaces, layout: { ...from.layout, boxes, routes } };
  }

  private readonly measure = (text: string, size: number, weight: number): number => {
    this.ruler.font = `${weight} ${size}px ${theme().font}`;
    return this.ruler.measureText(text).width;
  };

  /** A layout is there; of several asked for, only the last one matters. */
  private placed(layout: Layout): void {
    const made = this.pending.shift()!;
    performance.measure("layout", "layout asked");
    if (this.pending.length > 0 || !this.model.diagram) return;
    const before = this.scene;
    this.scene = scene(made, layout);
    this.empty.hidden = true;
    const anchor = this.anchor ?? this.model.choices.selected;
    this.anchor = null;
    const [was, is] = [before?.layout.boxes.get(anchor ?? ""), layout.boxes.get(anchor ?? "")];
    if (!before) this.home();
    else if (was && is) {
      const { scale } = this.view;
      this.view.x += (is.x + is.width / 2 - was.x - was.width / 2) * scale;
      this.view.y += (is.y - was.y) * scale;
    }
    if (this.search.value !== "") this.find();
    this.followed = null;
    this.follow();
    this.draw();
  }

  /** The top of the network at its natural size, or smaller where it is a little too wide. */
  private home(): void {
    const { width } = this.scene!.layout;
    const scale = Math.min(1, Math.max(0.6, (this.size.width - 2 * MARGIN) / (width + 40)));
    this.view = { scale, x: (width * scale - this.size.width) / 2, y: -MARGIN - 30 };
  }

  fit(): void {
    if (!this.scene) return;
    const { width, height } = this.scene.layout;
    const fitting = Math.min(
      (this.size.width - 2 * MARGIN) / (width + 40),
      (this.size.height - 2 * MARGIN - 30) / (height + 20),
    );
    const scale = Math.min(1, Math.max(LEAST_SCALE, fitting));
    const y = -MARGIN - 30;
    this.glide({ scale, x: (width * scale - this.size.width) / 2, y });
  }

  private zoomBy(factor: number, at = { x: this.size.width / 2, y: this.size.height / 2 }): void {
    const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, this.view.scale * factor));
    const ratio = scale / this.view.scale;
    this.view = { scale, x: (this.view.x + at.x) * ratio - at.x, y: (this.view.y + at.y) * ratio - at.y };
    this.draw();
  }

  private glideTo: { from: View; to: View; start: number } | null = null;

  private glide(to: View): void {
    if (reducedMotion()) {
      this.view = to;
      this.glideTo = null;
    } else this.glideTo = { from: { ...this.view }, to, start: performance.now() };
    this.draw();
  }

  /** Brings a newly chosen layer into sight. */
  private follow(): void {
    const { selected } = this.model.choices;
    if (selected === this.followed || !this.scene) return;
    this.followed = selected;
    const box = selected === null ? undefined : this.scene.layout.boxes.get(this.model.visible(selected));
    if (!box) return;
    const { scale } = this.view;
    const to = { ...this.view };
    const near = 40;
    const [left, top] = [box.x * scale - to.x, box.y * scale - to.y];
    const [right, bottom] = [left + box.width * scale, top + Math.min(box.height, 60) * scale];
    if (top < near || bottom > this.size.height - near) to.y = (box.y + 22) * scale - this.size.height / 2;
    if (left < 0 || right > this.size.width) to.x = (box.x + box.width / 2) * scale - this.size.width / 2;
    if (to.x !== this.view.x || to.y !== this.view.y) this.glide(to);
  }

  private toLayout({ x, y }: Point): Point {
    return { x: (x + this.view.x) / this.view.scale, y: (y + this.view.y) / this.view.scale };
  }

  private listen(): void {
    const { tree } = this;
    let grab: { x: number; y: number; view: View; moved: boolean } | null = null;
    const place = (event: MouseEvent): Point => {
      const box = tree.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    tree.addEventListener("pointerdown", (event) => {
      if (event.button > 1) return;
      grab = { ...place(event), view: { ...this.view }, moved: false };
      this.glideTo = null;
      tree.setPointerCapture(event.pointerId);
    });
    tree.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (grab) {
        const [dx, dy] = [at.x - grab.x, at.y - grab.y];
        if (Math.hypot(dx, dy) > 4) grab.moved = true;
        if (grab.moved) this.view = { ...grab.view, x: grab.view.x - dx, y: grab.view.y - dy };
      }
      const over = this.scene && !grab?.moved ? hit(this.scene, this.toLayout(at)) : null;
      tree.style.cursor = grab?.moved ? "grabbing" : over ? "pointer" : "default";
      if (over !== this.hovered || grab?.moved) {
        this.hovered = over;
        tree.title = this.tip(over);
        this.draw();
      }
    });
    tree.addEventListener("pointerup", (event) => {
      const clicked = grab && !grab.moved;
      grab = null;
      if (clicked && this.scene) this.click(place(event));
    });
    tree.addEventListener("pointercancel", () => {
      grab = null;
    });
    tree.addEventListener("pointerleave", () => {
      this.hovered = null;
      this.draw();
    });
    tree.addEventListener("dblclick", (event) => {
      const id = this.scene && hit(this.scene, this.toLayout(place(event)));
      if (id && this.scene?.cards.get(id)?.node.kind === "block") this.toggle(id);
    });
    tree.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.glideTo = null;
        if (event.ctrlKey || event.metaKey) {
          this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.004)), place(event));
          return;
        }
        const unit = event.deltaMode === 1 ? 20 : 1;
        this.view.x += (event.shiftKey ? event.deltaY : event.deltaX) * unit;
        this.view.y += event.shiftKey ? 0 : event.deltaY * unit;
        this.draw();
      },
      { passive: false },
    );
    tree.addEventListener("keydown", (event) => this.key(event));
    for (const kind of ["focus", "blur"]) tree.addEventListener(kind, () => this.draw());
  }

  private click(at: Point): void {
    const point = this.toLayout(at);
    const id = hit(this.scene!, point);
    if (!id) return;
    if (onFold(this.scene!, id, point)) this.toggle(id);
    else this.choose(id);
  }

  private choose(id: string): void {
    this.model.select(id);
    const node = this.model.node(id);
    if (node) this.reveal(node);
  }

  private toggle(id: string, open = !this.model.isOpen(id)): void {
    this.anchor = id;
    this.model.fold(id, open);
  }

  private key(event: KeyboardEvent): void {
    const { scene } = this;
    if (!scene || event.altKey) return;
    const selected = this.model.choices.selected;
    const current = selected === null ? null : this.model.visible(selected);
    const at = current === null ? -1 : scene.order.indexOf(current);
    const card = current === null ? undefined : scene.cards.get(current);
    const go = (index: number) => this.choose(scene.order[Math.min(Math.max(index, 0), scene.order.length - 1)]!);
    const actions: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      Home: () => go(0),
      End: () => go(scene.order.length - 1),
      PageDown: () => go(at + 10),
      PageUp: () => go(at - 10),
      ArrowRight: () => {
        if (card?.node.kind !== "block") return this.beside(current, 1);
        if (card.open) go(at + 1);
        else this.toggle(current!, true);
      },
      ArrowLeft: () => {
        if (card?.node.kind === "block" && card.open) this.toggle(current!, false);
        else if (card?.node.parent) this.choose(card.node.parent);
        else this.beside(current, -1);
      },
      Enter: () => {
        if (card) this.reveal(card.node);
      },
      " ": () => {
        if (card?.node.kind === "block") this.toggle(current!);
      },
      "+": () => this.zoomBy(1.25),
      "=": () => this.zoomBy(1.25),
      "-": () => this.zoomBy(0.8),
      "0": () => this.fit(),
      "/": () => this.search.focus(),
    };
    const find = (event.ctrlKey || event.metaKey) && event.key === "f";
    const action = find ? () => this.search.focus() : event.ctrlKey || event.metaKey ? undefined : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** The nearest box to the left or right on about the same height: the branch beside. */
  private beside(id: string | null, direction: number): void {
    const { layout, order, cards } = this.scene!;
    const box = id === null ? undefined : layout.boxes.get(id);
    if (!box) return;
    const middle = (of: typeof box) => ({ x: of.x + of.width / 2, y: of.y + of.height / 2 });
    const here = middle(box);
    const candidates = order
      .filter((each) => !cards.get(each)!.open)
      .map((each) => ({ each, at: middle(layout.boxes.get(each)!) }))
      .filter(({ at }) => direction * (at.x - here.x) > 20 && Math.abs(at.y - here.y) < 90)
      .sort((a, b) => Math.hypot(a.at.x - here.x, a.at.y - here.y) - Math.hypot(b.at.x - here.x, b.at.y - here.y));
    if (candidates[0]) this.choose(candidates[0].each);
  }

  // ---- search ----

  private find(): void {
    const words = this.search.value.trim().toLowerCase();
    const order = this.scene?.order ?? [];
    const nodes = this.model.diagram?.nodes ?? [];
    const isMatch = (node: DiagramNode) =>
      [titleOf(node), node.name, node.detail].join("\n").toLowerCase().includes(words);
    const all = words === "" ? [] : nodes.filter(isMatch);
    this.matches = words === "" ? null : new Set(all.map(({ id }) => this.model.visible(id)));
    const count = order.filter((id) => this.matches?.has(id)).length;
    setText(this.found, words === "" ? "" : `${all.length} found`);
    if (count > 0 && !this.matches!.has(this.model.choices.selected ?? "")) {
      this.choose(order.find((id) => this.matches!.has(id))!);
    }
    this.draw();
  }

  private keyInSearch(event: KeyboardEvent): void {
    const order = (this.scene?.order ?? []).filter((id) => this.matches?.has(id));
    const at = order.indexOf(this.model.choices.selected ?? "");
    if (event.key === "Escape") {
      this.search.value = "";
      this.find();
      this.tree.focus();
    } else if (event.key === "Enter" && order.length > 0) {
      this.choose(order[(at + (event.shiftKey ? -1 : 1) + order.length) % order.length]!);
    } else if (event.key === "ArrowDown") this.tree.focus();
    else return;
    event.preventDefault();
  }

  // ---- drawing ----

  private paint(): void {
    if (this.glideTo) {
      const { from, to, start } = this.glideTo;
      const t = Math.min((performance.now() - start) / GLIDE_MS, 1);
      const eased = 1 - (1 - t) ** 3;
      const mix = (a: number, b: number) => a + (b - a) * eased;
      this.view = { x: mix(from.x, to.x), y: mix(from.y, to.y), scale: mix(from.scale, to.scale) };
      if (t < 1) this.draw();
      else this.glideTo = null;
    }
    const { width, height } = this.size;
    if (!fitCanvas(this.canvas, width, height)) return;
    const context = this.canvas.getContext("2d")!;
    context.clearRect(0, 0, width, height);
    if (!this.scene) {
      this.described.clear();
      return;
    }
    this.keepInReach();
    const { x, y, scale } = this.view;
    const run = this.model.run;
    const { selected } = this.model.choices;
    const look: Look = {
      selected: selected === null ? null : this.model.visible(selected),
      hovered: this.hovered,
      focused: document.activeElement === this.tree && this.tree.matches(":focus-visible"),
      running: run?.phase === "running" && run.node !== null ? this.model.visible(run.node) : null,
      stopped: run?.phase === "stopped" && run.node !== null ? this.model.visible(run.node) : null,
      matches: this.matches,
    };
    context.save();
    context.translate(-x, -y);
    context.scale(scale, scale);
    const sight = { x: x / scale, y: y / scale, width: width / scale, height: height / scale, scale };
    const shown = drawScene(new CanvasPen(context), this.scene, theme(), look, sight);
    context.restore();
    this.described.update(this.scene, this.view, shown, look.selected);
  }

  /** At least a corner of the network stays in sight. */
  private keepInReach(): void {
    const { width, height } = this.scene!.layout;
    const { scale } = this.view;
    const keep = 60;
    this.view.x = Math.min(Math.max(this.view.x, keep - this.size.width), width * scale - keep);
    this.view.y = Math.min(Math.max(this.view.y, keep - this.size.height), height * scale - keep);
  }

  private tip(id: string | null): string {
    const node = this.model.node(id);
    if (!node) return "";
    const problems = node.problems.map(({ message }) => message);
    return [inWords(node), ...problems].join("\n");
  }
}
