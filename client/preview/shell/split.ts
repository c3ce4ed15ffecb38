/** The line between the network and the layer: dragged, or moved by arrow keys. */
import { el, setAttribute } from "../dom.ts";
import type { Model } from "../model.ts";

const LEAST = 15;
const MOST = 80;

export class Split {
  readonly element: HTMLElement;
  private readonly line: HTMLElement;

  constructor(
    private readonly model: Model,
    private readonly first: HTMLElement,
    second: HTMLElement,
  ) {
    this.line = el("div", {
      class: "splitter",
      role: "separator",
      tabindex: 0,
      "aria-label": "Size of the network",
      "aria-valuemin": LEAST,
      "aria-valuemax": MOST,
      onkeydown: (event: KeyboardEvent) => this.key(event),
    });
    this.element = el("main", { class: "split" }, first, this.line, second);
    this.line.addEventListener("pointerdown", (event) => this.line.setPointerCapture(event.pointerId));
    this.line.addEventListener("pointermove", (event) => {
      if (!this.line.hasPointerCapture(event.pointerId)) return;
      const box = this.element.getBoundingClientRect();
      const share = this.stacked ? (event.clientY - box.top) / box.height : (event.clientX - box.left) / box.width;
      this.set(100 * share);
    });
  }

  update(): void {
    const { split } = this.model.choices;
    this.first.style.flexBasis = `${split}%`;
    setAttribute(this.line, "aria-valuenow", Math.round(split));
    setAttribute(this.line, "aria-orientation", this.stacked ? "horizontal" : "vertical");
  }

  /** The network is above the layer where the panel is narrow. */
  private get stacked(): boolean {
    return getComputedStyle(this.element).flexDirection === "column";
  }

  private set(split: number): void {
    this.model.choices.split = Math.min(Math.max(split, LEAST), MOST);
    this.model.changed();
  }

  private key(event: KeyboardEvent): void {
    const by = { ArrowLeft: -2, ArrowUp: -2, ArrowRight: 2, ArrowDown: 2 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.set(this.model.choices.split + by);
  }
}
