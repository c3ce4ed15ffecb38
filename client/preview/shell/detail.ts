/** The chosen layer: what it is, its problems, and the views of it as tabs. */
import { el, setAttribute } from "../dom.ts";
import { type Model, TABS, type Tab } from "../model.ts";
import { nameBeside } from "../network/scene.ts";
import { timeOf } from "./layers.ts";

const LABELS: Readonly<Record<Tab, string>> = { maps: "Maps", window: "Window", shift: "Shift", layers: "Layers" };

export interface View {
  readonly element: HTMLElement;
  update(): void;
}

export class Detail {
  readonly element: HTMLElement;
  private readonly title = el("h2", {});
  private readonly facts = el("p", { class: "facts" });
  private readonly problems = el("ul", { class: "problems" });
  private readonly tabs = new Map<Tab, HTMLButtonElement>();
  private readonly panels = new Map<Tab, HTMLElement>();
  private problemsFor = "";
  private factsFor = "";

  constructor(
    private readonly model: Model,
    private readonly views: Readonly<Record<Tab, View>>,
  ) {
    for (const tab of TABS) {
      const button = el(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${tab}`,
          "aria-controls": `panel-${tab}`,
          onclick: () => this.show(tab),
          onkeydown: (event: KeyboardEvent) => this.key(event, tab),
        },
        LABELS[tab],
      );
      this.tabs.set(tab, button);
      const { element } = views[tab];
      this.panels.set(
        tab,
        el("div", { role: "tabpanel", id: `panel-${tab}`, "aria-labelledby": `tab-${tab}` }, element),
      );
    }
    this.element = el(
      "section",
      { class: "detail", "aria-label": "The chosen layer" },
      el("div", { class: "heading" }, this.title, this.facts, this.problems),
      el("div", { role: "tablist", class: "tabs", "aria-label": "Views of the layer" }, ...this.tabs.values()),
      ...this.panels.values(),
    );
  }

  show(tab: Tab): void {
    this.model.choices.tab = tab;
    this.model.changed();
  }

  update(): void {
    const { selected, choices } = this.model;
    const name = selected ? nameBeside(selected) : "";
    this.title.replaceChildren(
      selected?.type || (selected?.kind === "input" ? "Input" : ""),
      ...(name ? [" ", el("span", { class: "muted" }, name)] : []),
    );
    const time = selected ? timeOf(this.model, selected.id) : "";
    const facts = selected
      ? [
          selected.outputs.map(({ text }) => text).join(", "),
          selected.detail,
          selected.parameters && selected.parameters !== "0" ? `${selected.parameters} parameters` : "",
          selected.macs && selected.macs !== "0" ? `${selected.macs} MACs` : "",
          selected.memory,
          selected.receptiveField && `sees ${selected.receptiveField}`,
          time === "kept" ? "" : time,
        ]
      : [];
    const shown = facts.filter(Boolean);
    if (shown.join() !== this.factsFor) {
      this.factsFor = shown.join();
      // One fact is not broken between lines; the dot stays with the one before.
      const parts = shown.map((fact, at) => el("span", {}, at < shown.length - 1 ? `${fact} ·` : fact));
      this.facts.replaceChildren(...parts.flatMap((part) => [part, " "]));
    }
    const problems = selected?.problems ?? [];
    const lines = [
      ...problems.map(({ severity, message }) => [severity, message] as const),
      ...(selected?.blocked && !problems.some(({ severity }) => severity === "error")
        ? [["error", `Does not run: ${selected.blocked}`] as const]
        : []),
    ];
    const key = JSON.stringify(lines);
    if (key !== this.problemsFor) {
      this.problemsFor = key;
      this.problems.replaceChildren(...lines.map(([severity, message]) => el("li", { class: severity }, message)));
    }
    for (const [tab, button] of this.tabs) {
      const chosen = tab === choices.tab;
      setAttribute(button, "aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      this.panels.get(tab)!.hidden = !chosen;
    }
    for (const view of Object.values(this.views)) view.update();
  }

  private key(event: KeyboardEvent, tab: Tab): void {
    const at = TABS.indexOf(tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = TABS[(to + TABS.length) % TABS.length]!;
    this.show(next);
    this.tabs.get(next)!.focus();
  }
}
