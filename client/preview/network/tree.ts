/** The network for assistive technology: what the canvas shows, as the items of a tree. */
import type { DiagramNode } from "#shared/preview/protocol.ts";
import { el, setAttribute } from "../dom.ts";
import { BLOCK_TITLE } from "./layout.ts";
import { type Scene, titleOf } from "./scene.ts";

/** Items for cards in sight, at most; the chosen card always has one. */
const MOST = 80;
/** Cards drawn smaller than this are too many, and too small to point at. */
const LEAST_SCALE = 0.3;

/** A layer in words. */
export function inWords(node: DiagramNode): string {
  const { outputs, problems, blocked } = node;
  const shape = outputs.map(({ text }) => text).join(", ");
  const count = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`;
  return [titleOf(node), shape, problems.length === 0 ? "" : count, blocked === null ? "" : "does not run"]
    .filter(Boolean)
    .join(", ");
}

export class TreeItems {
  private readonly items = new Map<string, HTMLElement>();

  /** @param tree has the keyboard's focus; the items are its children. */
  constructor(private readonly tree: HTMLElement) {}

  clear(): void {
    this.items.clear();
    this.tree.replaceChildren();
    this.tree.removeAttribute("aria-activedescendant");
  }

  /** @param shown the cards in sight. @param chosen the active item, wherever it is. */
  update(
    { order, cards, depth, layout }: Scene,
    { x, y, scale }: { readonly x: number; readonly y: number; readonly scale: number },
    shown: readonly string[],
    chosen: string | null,
  ): void {
    const wanted = new Set(scale < LEAST_SCALE ? [] : shown.slice(0, MOST));
    if (chosen !== null && cards.has(chosen)) wanted.add(chosen);
    for (const [id, item] of this.items) {
      if (wanted.has(id)) continue;
      item.remove();
      this.items.delete(id);
    }
    let before: Element | null = null;
    for (const [index, id] of order.entries()) {
      if (!wanted.has(id)) continue;
      const { node, open } = cards.get(id)!;
      const item = this.items.get(id) ?? el("div", { role: "treeitem" });
      this.items.set(id, item);
      item.id = `layer-${index}`;
      setAttribute(item, "aria-label", inWords(node));
      setAttribute(item, "aria-level", depth.get(id)! + 1);
      setAttribute(item, "aria-posinset", index + 1);
      setAttribute(item, "aria-setsize", order.length);
      setAttribute(item, "aria-selected", String(id === chosen));
      setAttribute(item, "aria-expanded", node.kind === "block" ? String(open) : null);
      const box = layout.boxes.get(id)!;
      Object.assign(item.style, {
        left: `${box.x * scale - x}px`,
        top: `${box.y * scale - y}px`,
        width: `${box.width * scale}px`,
        height: `${(open ? BLOCK_TITLE : box.height) * scale}px`,
      });
      const place: Element | null = before ? before.nextElementSibling : this.tree.firstElementChild;
      if (place !== item) this.tree.insertBefore(item, place);
      before = item;
    }
    const active = chosen === null ? -1 : order.indexOf(chosen);
    setAttribute(this.tree, "aria-activedescendant", active < 0 ? null : `layer-${active}`);
  }
}
