/** The network as boxes and lines with their words: made once for each layout, drawn as often as the view moves. */
import type { Diagram, DiagramNode, Problem, Size } from "#shared/preview/protocol.ts";
import type { Theme } from "../theme.ts";
import { BLOCK_TITLE, type Box, type Layout, type Link, type Placed, type Point } from "./layout.ts";
import type { Pen } from "./pens.ts";

export interface Card {
  readonly node: DiagramNode;
  readonly open: boolean;
  readonly title: string;
  readonly titleWidth: number;
  readonly name: string;
  readonly detail: string;
  /** The most severe of its problems, and of what it holds while it is folded. */
  readonly severity: Problem["severity"] | null;
}

export interface Scene {
  readonly cards: ReadonlyMap<string, Card>;
  /** In the order of the text, as keys walk through them. */
  readonly order: readonly string[];
  readonly layout: Layout;
  /** What is written under a box, once for each of its outputs that is read. */
  readonly labels: ReadonlyMap<string, string>;
  /** Where: beside the line that leaves to the right. */
  readonly labelPlaces: ReadonlyMap<string, Point>;
  /** How deep a box stands in open blocks. */
  readonly depth: ReadonlyMap<string, number>;
}

/** What a card shows beyond the model: it changes from frame to frame. */
export interface Look {
  readonly selected: string | null;
  readonly hovered: string | null;
  /** The tree has the keyboard's focus. */
  readonly focused: boolean;
  readonly running: string | null;
  readonly stopped: string | null;
  readonly matches: ReadonlySet<string> | null;
}

/** Width of a text in the interface's font. */
export type Measure = (text: string, size: number, weight: number) => number;

const TITLE = 12;
const DETAIL = 11;
const SIDE = 12;
const WIDEST = 260;
const NARROWEST = 96;
const SEVERITIES: readonly Problem["severity"][] = ["error", "warning", "information", "hint"];

/** What of a diagram is to be laid out: the boxes that no folded block hides. */
export interface Outline {
  readonly cards: ReadonlyMap<string, Card>;
  readonly boxes: readonly Box[];
  readonly links: readonly Link[];
  readonly labels: ReadonlyMap<string, string>;
}

export function outline(diagram: Diagram, isOpen: (id: string) => boolean, measure: Measure): Outline {
  const standsFor = new Map<string, string>();
  const cards = new Map<string, Card>();
  const boxes: Box[] = [];
  const severities = gathered(diagram);
  for (const node of diagram.nodes) {
    const around = node.parent === null ? null : standsFor.get(node.parent)!;
    // A folded block, or one inside it, stands for all that it holds.
    const hidden = around !== null && !(around === node.parent && isOpen(node.parent!));
    standsFor.set(node.id, hidden ? around : node.id);
    if (hidden) continue;
    const open = node.kind === "block" && isOpen(node.id);
    const card = cardOf(node, open, open ? worst(node.problems) : severities.get(node.id)!, measure);
    const width = Math.max(
      card.titleWidth + (card.name ? 6 + measure(card.name, TITLE, 400) : 0),
      measure(card.detail, DETAIL, 400),
    );
    const extra = 2 * SIDE + (node.kind === "block" ? 16 : 0) + (card.severity ? 20 : 0);
    cards.set(node.id, card);
    boxes.push({
      id: node.id,
      parent: node.parent,
      // In steps: boxes that are about as wide line up, and arrangements of them are found again.
      width: 8 * Math.ceil(Math.min(Math.max(width + extra, NARROWEST), WIDEST + 40) / 8),
      height: open ? BLOCK_TITLE : card.detail ? 44 : 30,
      open,
    });
  }
  const links: Link[] = [];
  const labels = new Map<string, string>();
  const byId = new Map(diagram.nodes.map((node) => [node.id, node]));
  for (const edge of diagram.edges) {
    const { from, to } = edge;
    const [source, target] = [standsFor.get(from), standsFor.get(to)];
    if (source === undefined || target === undefined || source === target) continue;
    links.push({ from: source, to: target });
    const text = sizeText(edge.text, byId.get(from)?.outputs[edge.output]);
    const known = labels.get(source);
    if (known === undefined) labels.set(source, text);
    else if (!known.split(", ").includes(text)) labels.set(source, `${known}, ${text}`);
  }
  for (const { id, outputs } of diagram.nodes) {
    if (cards.has(id) && !labels.has(id) && diagram.outputs.includes(id) && outputs[0]) {
      labels.set(id, sizeText(outputs[0].text, outputs[0]));
    }
  }
  return { cards, boxes, links, labels };
}

/** Sizes as written; symbolic ones, which may be long, by the numbers that the run puts in their place. */
function sizeText(text: string, size: Size | undefined): string {
  const symbolic = /[A-Za-z]/.test(text.replace(/\bNone\b|\bN\b/g, ""));
  return symbolic && size?.dims ? size.dims.slice(1).join("×") : text;
}

export function scene({ cards, boxes, labels }: Outline, layout: Layout): Scene {
  const depth = new Map<string, number>();
  for (const { id, parent } of boxes) depth.set(id, parent === null ? 0 : depth.get(parent)! + 1);
  const labelPlaces = new Map<string, Point>();
  for (const id of labels.keys()) {
    const { x, y, width, height } = layout.boxes.get(id)!;
    labelPlaces.set(id, { x: x + width / 2 + 8, y: y + height + 12 });
  }
  for (const { from, points } of layout.routes) {
    const [first, second] = points;
    const x = (first!.x + second!.x) / 2 + 8;
    const known = labelPlaces.get(from);
    if (known && x > known.x) labelPlaces.set(from, { x, y: known.y });
  }
  return { cards, order: boxes.map(({ id }) => id), layout, labels, labelPlaces, depth };
}

function cardOf(node: DiagramNode, open: boolean, severity: Problem["severity"] | null, measure: Measure): Card {
  const title = shortened(node.type || node.name || "input", WIDEST, TITLE, measure);
  const titleWidth = measure(title, TITLE, 600);
  const room = WIDEST - titleWidth;
  const name = shortened(nameBeside(node), room, TITLE, measure);
  const words = node.kind === "input" ? (node.outputs[0]?.text ?? "") : node.detail;
  return {
    node,
    open,
    severity,
    title,
    titleWidth,
    name,
    detail: shortened(words, WIDEST, DETAIL, measure),
  };
}

/** A layer's name where it says more than its type; of one without a name of its own, its number. */
export function nameBeside({ type, name, layer }: DiagramNode): string {
  if (!type || name === type) return "";
  return layer !== null && name === `${type}_${layer}` ? String(layer) : name;
}

/** A layer in as few words as tell it apart: `Conv2d conv1`. */
export function titleOf(node: DiagramNode): string {
  return [node.type, nameBeside(node)].filter(Boolean).join(" ") || node.name;
}

/** The text, with its end left out where there is no room for it. */
function shortened(text: string, room: number, size: number, measure: Measure): string {
  if (measure(text, size, 600) <= room) return text;
  let [least, most] = [0, text.length];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (measure(`${text.slice(0, middle)}…`, size, 600) <= room) least = middle;
    else most = middle - 1;
  }
  return least < 2 ? "" : `${text.slice(0, least)}…`;
}

export function worst(problems: readonly Problem[]): Problem["severity"] | null {
  return SEVERITIES.find((severity) => problems.some((problem) => problem.severity === severity)) ?? null;
}

/** By node: the worst of its own problems and of all that it holds. */
function gathered({ nodes }: Diagram): ReadonlyMap<string, Problem["severity"] | null> {
  const all = new Map(nodes.map((node) => [node.id, [...node.problems]]));
  for (const { id, parent } of nodes.toReversed()) if (parent !== null) all.get(parent)!.push(...all.get(id)!);
  return new Map([...all].map(([id, problems]) => [id, worst(problems)]));
}

/** The box at a point; of those inside one another the innermost. An open block is hit at its title only. */
export function hit({ layout, cards, order }: Scene, { x, y }: Point): string | null {
  for (let index = order.length - 1; index >= 0; index--) {
    const id = order[index]!;
    const box = layout.boxes.get(id)!;
    const height = cards.get(id)!.open ? BLOCK_TITLE : box.height;
    if (x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + height) return id;
  }
  return null;
}

/** Whether a point on a block's card is on the mark that folds and opens it. */
export function onFold({ layout, cards }: Scene, id: string, { x }: Point): boolean {
  const box = layout.boxes.get(id)!;
  return cards.get(id)!.node.kind === "block" && x <= box.x + SIDE + 14;
}

/** The part that is seen, in the layout's coordinates, and how large a pixel of it is on screen. */
export interface Sight extends Placed {
  readonly scale: number;
}

/** Draws what is in sight. @returns the ids of the cards drawn. */
export function drawScene(
  pen: Pen,
  { cards, order, layout, labels, labelPlaces }: Scene,
  theme: Theme,
  look: Look,
  sight: Sight,
) {
  const { colour } = theme;
  const seen = (box: Placed, margin = 0) =>
    box.x - margin <= sight.x + sight.width &&
    box.x + box.width + margin >= sight.x &&
    box.y - margin <= sight.y + sight.height &&
    box.y + box.height + margin >= sight.y;
  const shown = order.filter((id) => seen(layout.boxes.get(id)!, 24));
  for (const id of shown) if (cards.get(id)!.open) drawBlock(pen, cards.get(id)!, layout.boxes.get(id)!, theme, look);
  for (const { from, to, points } of layout.routes) {
    const [first, last] = [points[0]!, points.at(-1)!];
    const xs = points.map(({ x }) => x);
    const [left, top] = [Math.min(...xs), Math.min(first.y, last.y)];
    const box = { x: left, y: top, width: Math.max(...xs) - left, height: Math.max(first.y, last.y) - top };
    if (!seen(box)) continue;
    const near = look.selected !== null && (from === look.selected || to === look.selected);
    const stroke = near ? colour.focus : colour.line;
    pen.curve(points, { stroke, width: near ? 1.6 : 1.1 });
    // Into an open block the line goes on inside.
    if (!cards.get(to)?.open && sight.scale > 0.35) {
      const { x, y } = last;
      pen.polygon(
        [
          { x, y },
          { x: x - 3.5, y: y - 6 },
          { x: x + 3.5, y: y - 6 },
        ],
        { fill: stroke },
      );
    }
  }
  if (sight.scale > 0.45) {
    for (const id of shown) {
      const text = labels.get(id);
      if (text === undefined || cards.get(id)!.open) continue;
      const { x, y } = labelPlaces.get(id)!;
      const lettering = { size: 10.5, family: theme.mono, colour: colour.muted, halo: colour.background };
      pen.text(x, y, text, lettering);
    }
  }
  for (const id of shown) {
    if (!cards.get(id)!.open) drawCard(pen, cards.get(id)!, layout.boxes.get(id)!, theme, look, sight.scale);
  }
  return shown;
}

function drawBlock(pen: Pen, card: Card, { x, y, width, height }: Placed, theme: Theme, look: Look): void {
  const { colour } = theme;
  const chosen = card.node.id === look.selected;
  pen.box(x, y, width, height, 8, { fill: colour.foreground, opacity: 0.035 });
  pen.box(x, y, width, height, 8, {
    stroke: chosen ? colour.focus : colour.border,
    width: chosen ? 1.6 : 1,
    dash: chosen ? [] : [4, 3],
  });
  foldMark(pen, x + SIDE, y + BLOCK_TITLE / 2, true, colour.muted);
  const at = x + SIDE + 14;
  const lettering = { size: DETAIL, family: theme.font, halo: colour.background };
  pen.text(at, y + BLOCK_TITLE / 2, [card.title, card.name].filter(Boolean).join(" "), {
    ...lettering,
    weight: 600,
    colour: colour.muted,
  });
  if (card.severity) problemMark(pen, x + width - 14, y + BLOCK_TITLE / 2, card.severity, theme);
}

function drawCard(pen: Pen, card: Card, box: Placed, theme: Theme, look: Look, scale: number): void {
  const { colour } = theme;
  const { x, y, width, height } = box;
  const { id, kind, blocked } = card.node;
  const chosen = id === look.selected;
  const faded = look.matches !== null && !look.matches.has(id);
  const opacity = faded ? 0.35 : 1;
  const fill = chosen ? colour.selection : id === look.hovered ? colour.hover : colour.surface;
  const severe = card.severity === "error" || id === look.stopped;
  const stroke = chosen
    ? colour.focus
    : severe
      ? colour.error
      : card.severity === "warning"
        ? colour.warning
        : colour.border;
  // A folded block is a stack.
  if (kind === "block")
    pen.box(x + 4, y + 4, width - 8, height, 6, { fill: colour.surface, stroke: colour.border, opacity });
  pen.box(x, y, width, height, 6, { fill: colour.background, opacity });
  pen.box(x, y, width, height, 6, {
    fill,
    stroke,
    width: chosen || severe ? 1.6 : 1,
    ...(blocked !== null && !chosen ? { dash: [4, 3] } : {}),
    opacity,
  });
  if (chosen && look.focused) pen.box(x - 3, y - 3, width + 6, height + 6, 8, { stroke: colour.focus, width: 1.5 });
  if (id === look.running) pen.box(x, y + height - 3, width, 3, 1.5, { fill: colour.accent });
  if (scale <= 0.25) return;
  const ink = chosen ? colour["selection-foreground"] : colour.foreground;
  const soft = chosen ? colour["selection-foreground"] : colour.muted;
  const lettering = { size: TITLE, family: theme.font };
  const middle = card.detail && scale > 0.4 ? y + 15 : y + height / 2;
  let at = x + SIDE;
  if (kind === "block") {
    foldMark(pen, at, middle, false, soft);
    at += 14;
  }
  pen.text(at, middle, card.title, { ...lettering, weight: 600, colour: blocked === null ? ink : soft });
  if (scale <= 0.4) return;
  if (card.name) pen.text(at + card.titleWidth + 6, middle, card.name, { ...lettering, colour: soft });
  if (card.detail) pen.text(at, y + 31, card.detail, { size: DETAIL, family: theme.font, colour: soft });
  if (card.severity) problemMark(pen, x + width - 14, middle, card.severity, theme);
}

function foldMark(pen: Pen, x: number, y: number, open: boolean, colour: string): void {
  const points = open
    ? [
        { x, y: y - 2 },
        { x: x + 8, y: y - 2 },
        { x: x + 4, y: y + 3 },
      ]
    : [
        { x: x + 1, y: y - 4 },
        { x: x + 6, y },
        { x: x + 1, y: y + 4 },
      ];
  pen.polygon(points, { fill: colour });
}

/** A severity by shape and sign, not by colour alone. */
function problemMark(pen: Pen, x: number, y: number, severity: Problem["severity"], theme: Theme): void {
  const { colour } = theme;
  const lettering = { size: 10, weight: 700, family: theme.font, align: "center", colour: colour.background } as const;
  if (severity === "error") {
    pen.box(x - 7, y - 7, 14, 14, 7, { fill: colour.error });
    pen.text(x, y + 0.5, "×", { ...lettering, size: 13 });
  } else if (severity === "warning") {
    pen.polygon(
      [
        { x, y: y - 7 },
        { x: x + 8, y: y + 7 },
        { x: x - 8, y: y + 7 },
      ],
      { fill: colour.warning },
    );
    pen.text(x, y + 2, "!", lettering);
  } else {
    pen.box(x - 7, y - 7, 14, 14, 7, { fill: colour.information });
    pen.text(x, y + 0.5, "i", lettering);
  }
}
