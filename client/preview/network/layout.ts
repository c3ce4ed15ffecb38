/**
 * Where the network's boxes and lines go. Dagre lays out what branches; this file keeps its problems small, because its
 * time grows fast with their size: blocks that are open are laid out on their own and then count as one box, and a level
 * is cut at every layer that no line passes by, so that a chain of 500 layers needs no search at all.
 *
 * Pure, so that it runs in a worker and in tests.
 */
import * as dagre from "@dagrejs/dagre";

export interface Box {
  readonly id: string;
  /** The open block it stands in; null at the top. */
  readonly parent: string | null;
  /** Of an open block: what its title needs at least. */
  readonly width: number;
  readonly height: number;
  /** A block that shows what it holds. */
  readonly open: boolean;
}

export interface Link {
  readonly from: string;
  readonly to: string;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Placed {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Route {
  /** Boxes at its ends; a block stands for itself where the line comes in or leaves. */
  readonly from: string;
  readonly to: string;
  readonly points: readonly Point[];
}

export interface Layout {
  /** By id: left, top and size, in CSS pixels. */
  readonly boxes: ReadonlyMap<string, Placed>;
  readonly routes: readonly Route[];
  readonly width: number;
  readonly height: number;
}

/** Between boxes side by side, and between rows: there the sizes are written. */
export const COLUMN_GAP = 28;
export const ROW_GAP = 30;
/** Between an open block's border and what it holds; its title is above. */
export const BLOCK_PADDING = 16;
export const BLOCK_TITLE = 26;

/** One level: the boxes that stand in one block, laid out around its own origin. */
interface Level {
  readonly boxes: Map<string, Placed>;
  readonly routes: Route[];
  readonly width: number;
  readonly height: number;
}

/** The ends of a level's lines at the border of its block. */
const ENTRY = "\0in";
const EXIT = "\0out";

/**
 * Places every box. Boxes come in the order of the text, blocks before what they hold; links join boxes that hold nothing
 * open. Circles among them are no trouble: the link that closes one is routed backwards.
 */
export function layOut(boxes: readonly Box[], links: readonly Link[]): Layout {
  const children = grouped(boxes, (box) => box.parent);
  const parents = new Map(boxes.map((box) => [box.id, box.parent]));
  const linksIn = levelLinks(parents, links);
  const place = (parent: string | null): Level => {
    const members = (children.get(parent) ?? []).map((box) => {
      const inner = box.open ? place(box.id) : null;
      return { box, inner, size: inner ? blockSize(box, inner) : box };
    });
    const level = placeLevel(
      members.map(({ box, size }) => ({ id: box.id, width: size.width, height: size.height })),
      linksIn.get(parent) ?? [],
    );
    for (const { box, inner } of members) {
      if (!inner) continue;
      const outer = level.boxes.get(box.id)!;
      const by = { x: outer.x + (outer.width - inner.width) / 2, y: outer.y + BLOCK_TITLE };
      for (const [id, placed] of inner.boxes)
        level.boxes.set(id, { ...placed, x: placed.x + by.x, y: placed.y + by.y });
      for (const route of inner.routes) level.routes.push(throughBorder(moved(route, by), box.id, outer));
    }
    return level;
  };
  return place(null);
}

function grouped<K, T>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function blockSize(box: Box, { width, height }: Level) {
  return {
    width: Math.max(box.width, width + 2 * BLOCK_PADDING),
    height: height + BLOCK_TITLE + BLOCK_PADDING,
  };
}

function moved({ from, to, points }: Route, by: Point): Route {
  return { from, to, points: points.map(({ x, y }) => ({ x: x + by.x, y: y + by.y })) };
}

/** A line that begins or ends inside a block at its border goes on to the middle of that border. */
function throughBorder({ from, to, points }: Route, block: string, { x, y, width, height }: Placed): Route {
  const middle = x + width / 2;
  return {
    from: from === ENTRY ? block : from,
    to: to === EXIT ? block : to,
    points: [
      ...(from === ENTRY ? [{ x: middle, y }] : []),
      ...points,
      ...(to === EXIT ? [{ x: middle, y: y + height }] : []),
    ],
  };
}

/** Every link, taken apart into one link on each level that it passes. */
function levelLinks(
  parents: ReadonlyMap<string, string | null>,
  links: readonly Link[],
): ReadonlyMap<string | null, readonly Link[]> {
  const known = new Set<string>();
  const levels = new Map<string | null, Link[]>();
  const add = (level: string | null, from: string, to: string) => {
    const key = JSON.stringify([level, from, to]);
    if (from === to || known.has(key)) return;
    known.add(key);
    const list = levels.get(level);
    if (list) list.push({ from, to });
    else levels.set(level, [{ from, to }]);
  };
  const path = (id: string) => {
    const up = [id];
    for (let at = parents.get(id); at != null; at = parents.get(at)) up.push(at);
    return up.reverse();
  };
  for (const { from, to } of links) {
    const [source, target] = [path(from), path(to)];
    let shared = 0;
    while (shared < source.length && source[shared] === target[shared]) shared++;
    if (source[shared] === undefined || target[shared] === undefined) continue; // a box linked with its own block
    add(source[shared - 1] ?? null, source[shared]!, target[shared]!);
    for (let depth = shared; depth + 1 < source.length; depth++) add(source[depth]!, source[depth + 1]!, EXIT);
    for (let depth = shared; depth + 1 < target.length; depth++) add(target[depth]!, ENTRY, target[depth + 1]!);
  }
  return levels;
}

interface Sized {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

/** Stacks the stretches between the boxes that no link passes by. */
function placeLevel(members: readonly Sized[], links: readonly Link[]): Level {
  const ends: Sized[] = [];
  if (links.some(({ from }) => from === ENTRY)) ends.push({ id: ENTRY, width: 0, height: 0 });
  if (links.some(({ to }) => to === EXIT)) ends.push({ id: EXIT, width: 0, height: 0 });
  const all = [...ends.filter(({ id }) => id === ENTRY), ...members, ...ends.filter(({ id }) => id === EXIT)];
  const order = inOrder(all, links);
  const boxes = new Map<string, Placed>();
  const routes: Route[] = [];
  let bottom = 0;
  let axis = 0; // the middle of the last box that everything passes through
  for (const { members, within } of stretches(order, links)) {
    const placed = members.length <= 2 ? column(members, within) : branches(members, within);
    const head = placed.boxes.get(members[0]!.id)!;
    // The first box of a stretch is the last one of the stretch before.
    const joins = boxes.get(members[0]!.id);
    const top = joins?.y ?? (bottom === 0 ? 0 : bottom + ROW_GAP);
    const by = { x: axis - (head.x + head.width / 2), y: top - head.y };
    // Where a circle or a loose end makes other boxes of a stretch reach beyond the shared one, the next begins below them.
    const others = [...placed.boxes].filter(([id]) => !joins || id !== members[0]!.id).map(([, box]) => box.y + by.y);
    const lower = joins ? Math.max(0, bottom + ROW_GAP - Math.min(...others)) : 0;
    for (const [id, box] of placed.boxes) {
      if (boxes.has(id)) continue;
      const there = { ...box, x: box.x + by.x, y: box.y + by.y + lower };
      boxes.set(id, there);
    }
    for (const { y, height } of members.map(({ id }) => boxes.get(id)!)) bottom = Math.max(bottom, y + height);
    for (const route of placed.routes) {
      const { from, to, points } = moved(route, { x: by.x, y: by.y + lower });
      const fixed = (id: string, point: Point) =>
        joins && id === members[0]!.id ? { ...point, y: point.y - lower } : point;
      routes.push({ from, to, points: [fixed(from, points[0]!), ...points.slice(1, -1), fixed(to, points.at(-1)!)] });
    }
    const tail = boxes.get(members.at(-1)!.id)!;
    axis = tail.x + tail.width / 2;
  }
  return cropped(boxes, routes);
}

/** Sources before what reads them, otherwise in the order of the text; what closes a circle comes as in the text. */
function inOrder(members: readonly Sized[], links: readonly Link[]): readonly Sized[] {
  const byId = new Map(members.map((member) => [member.id, member]));
  const sources = grouped(links, ({ to }) => to);
  const order: Sized[] = [];
  const state = new Map<string, "open" | "done">();
  for (const { id: root } of members) {
    // Depth first, without recursion: a chain may be longer than the stack.
    const stack = [root];
    while (stack.length > 0) {
      const id = stack.at(-1)!;
      const before = state.get(id);
      const waiting = before
        ? undefined
        : sources
            .get(id)
            ?.map(({ from }) => from)
            .filter((from) => !state.has(from));
      state.set(id, before ?? "open");
      if (waiting && waiting.length > 0) stack.push(...waiting.reverse());
      else {
        stack.pop();
        if (state.get(id) !== "done") order.push(byId.get(id)!);
        state.set(id, "done");
      }
    }
  }
  return order;
}

interface Stretch {
  readonly members: Sized[];
  readonly within: Link[];
}

/** Stretches from one box that no link passes by to the next; both belong to it, so that neighbours share one. */
function stretches(order: readonly Sized[], links: readonly Link[]): readonly Stretch[] {
  if (order.length === 1) return [{ members: [...order], within: [] }];
  const position = new Map(order.map(({ id }, index) => [id, index]));
  const spans = links.map(({ from, to }) => [position.get(from)!, position.get(to)!].sort((a, b) => a - b));
  const passing = new Int32Array(order.length + 1);
  for (const [a, b] of spans) {
    passing[a! + 1]!++;
    passing[b!]!--;
  }
  const found: Stretch[] = [];
  const stretchAfter: Stretch[] = []; // by position: the stretch that a link going down from there is in
  for (let index = 0, over = 0; index < order.length; index++) {
    over += passing[index]!;
    found.at(-1)?.members.push(order[index]!);
    if (over === 0 && index < order.length - 1) found.push({ members: [order[index]!], within: [] });
    stretchAfter.push(found.at(-1)!);
  }
  for (const [index, [a]] of spans.entries()) stretchAfter[a!]!.within.push(links[index]!);
  return found;
}

function column(members: readonly Sized[], links: readonly Link[]): Level {
  const boxes = new Map<string, Placed>();
  let y = 0;
  for (const { id, width, height } of members) {
    boxes.set(id, { x: -width / 2, y, width, height });
    y += height + ROW_GAP;
  }
  const routes = links.map(({ from, to }) => {
    const [a, b] = [boxes.get(from)!, boxes.get(to)!];
    return {
      from,
      to,
      points: [
        { x: 0, y: a.y + a.height },
        { x: 0, y: b.y },
      ],
    };
  });
  return { boxes, routes, width: 0, height: 0 };
}

/** Arrangements by the sizes and links they were made for: networks repeat themselves, and each fold asks again. */
const arranged = new Map<string, Level>();
const MOST_ARRANGED = 1000;

function branches(members: readonly Sized[], links: readonly Link[]): Level {
  const numbers = new Map(members.map(({ id }, index) => [id, String(index)]));
  const plain = members.map(({ width, height }, index) => ({ id: String(index), width, height }));
  const joined = links.map(({ from, to }) => ({ from: numbers.get(from)!, to: numbers.get(to)! }));
  const key = JSON.stringify([plain, joined]);
  const level = arranged.get(key) ?? arrange(plain, joined);
  if (arranged.size >= MOST_ARRANGED) arranged.clear();
  arranged.set(key, level);
  const nameOf = (number: string) => members[Number(number)]!.id;
  return {
    ...level,
    boxes: new Map([...level.boxes].map(([number, placed]) => [nameOf(number), placed])),
    routes: level.routes.map(({ from, to, points }) => ({ from: nameOf(from), to: nameOf(to), points })),
  };
}

function arrange(members: readonly Sized[], links: readonly Link[]): Level {
  const graph = new dagre.graphlib.Graph();
  // The exact ranker gains nothing that one sees, and takes three times as long.
  graph.setGraph({ ranksep: ROW_GAP, nodesep: COLUMN_GAP, edgesep: 18, ranker: "tight-tree" });
  for (const { id, width, height } of members) graph.setNode(id, { width, height });
  for (const { from, to } of links) graph.setEdge(from, to, {});
  dagre.layout(graph);
  const boxes = new Map(
    members.map(({ id, width, height }) => {
      const { x, y } = graph.node(id) as Point;
      return [id, { x: x - width / 2, y: y - height / 2, width, height }];
    }),
  );
  const routes = links.map(({ from, to }) => {
    const { points } = graph.edge(from, to) as { points: readonly Point[] };
    return { from, to, points: straightEnds(points, boxes.get(from)!, boxes.get(to)!) };
  });
  return { boxes, routes, width: 0, height: 0 };
}

/** Lines leave at the middle of the bottom and come in at the middle of the top, wherever dagre let them end. */
function straightEnds(points: readonly Point[], from: Placed, to: Placed): readonly Point[] {
  const backwards = from.y >= to.y;
  if (backwards) return points;
  return [
    { x: from.x + from.width / 2, y: from.y + from.height },
    ...points.slice(1, -1),
    { x: to.x + to.width / 2, y: to.y },
  ];
}

function cropped(boxes: Map<string, Placed>, routes: readonly Route[]): Level {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  const reach = (x: number, y: number) => {
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  };
  for (const { x, y, width, height } of boxes.values()) {
    reach(x, y);
    reach(x + width, y + height);
  }
  for (const { points } of routes) for (const { x, y } of points) reach(x, y);
  if (boxes.size === 0) return { boxes, routes: [], width: 0, height: 0 };
  for (const [id, box] of boxes) boxes.set(id, { ...box, x: box.x - left, y: box.y - top });
  boxes.delete(ENTRY);
  boxes.delete(EXIT);
  const shifted = routes.map((route) => moved(route, { x: -left, y: -top }));
  return { boxes, routes: shifted, width: right - left, height: bottom - top };
}
