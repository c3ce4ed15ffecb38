/** Every layer in a table: sizes, cost, and what the run took. What the network shows as a picture, this says in rows. */
import { el, setText } from "../dom.ts";
import { milliseconds } from "../format.ts";
import type { Model } from "../model.ts";
import { titleOf } from "../network/scene.ts";

const WORDS = ["Layer", "Output"] as const;
const NUMBERS = ["Parameters", "MACs", "Memory", "Sees", "Time"] as const;

export class LayersView {
  readonly element: HTMLElement;
  private readonly rows = el("tbody", {});
  private readonly totals = el("p", { class: "muted" });
  private madeFor = "";
  private readonly times = new Map<string, HTMLElement>();

  constructor(
    private readonly model: Model,
    private readonly choose: (node: string) => void,
  ) {
    this.element = el(
      "div",
      { class: "layers scroll", tabindex: 0, role: "region", "aria-label": "All layers" },
      this.totals,
      el(
        "table",
        { class: "table" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ...WORDS.map((name) => el("th", { scope: "col" }, name)),
            ...NUMBERS.map((name) => el("th", { scope: "col", class: "number" }, name)),
          ),
        ),
        this.rows,
      ),
    );
  }

  update(): void {
    const { diagram, choices, edition } = this.model;
    if (choices.tab !== "layers" || !diagram) return;
    const key = JSON.stringify([edition, choices.selected]);
    if (key !== this.madeFor) {
      this.madeFor = key;
      this.times.clear();
      const layers = diagram.nodes.filter(({ parent }) => parent === null);
      const { parameters, macs, memory } = diagram;
      setText(this.totals, `${parameters} parameters, ${macs} MACs, ${memory} of outputs`);
      this.rows.replaceChildren(
        ...layers.map((node) => {
          const label = titleOf(node);
          const time = el("td", { class: "number" });
          this.times.set(node.id, time);
          return el(
            "tr",
            node.id === choices.selected ? { "aria-current": "true" } : {},
            el(
              "th",
              { scope: "row" },
              el("button", { type: "button", class: "link", onclick: () => this.choose(node.id) }, label),
            ),
            el("td", { class: "code" }, node.outputs.map(({ text }) => text).join(", ")),
            ...[node.parameters, node.macs, node.memory, node.receptiveField].map((text) =>
              el("td", { class: "number" }, text),
            ),
            time,
          );
        }),
      );
    }
    for (const [id, cell] of this.times) setText(cell, timeOf(this.model, id));
  }
}

/** What the run took for a node, or for all that a block holds. */
export function timeOf(model: Model, id: string): string {
  const done = model.run?.done;
  if (!done || model.node(id)?.kind === "input") return "";
  const parts = model.holding(id).flatMap((each) => done.get(each) ?? []);
  if (parts.length === 0) return "";
  if (parts.every(({ reused }) => reused)) return "kept";
  return milliseconds(parts.reduce((sum, part) => sum + part.milliseconds, 0));
}
