/** How the run goes: its progress, what it asks, where it stopped and why. */
import type { Connection } from "../connection.ts";
import { el, iconButton, setText } from "../dom.ts";
import { bytes, milliseconds, work } from "../format.ts";
import type { Model, RunState } from "../model.ts";
import { titleOf } from "../network/scene.ts";

/** Beneath this many milliseconds a run is over before anybody could read of it. */
const QUIET_MS = 150;

export class Status {
  readonly element: HTMLElement;
  /** The question before large work, and what went wrong. */
  readonly banner: HTMLElement;
  private readonly bannerText = el("p", {});
  private readonly bannerButtons = el("div", { class: "buttons" });
  private readonly progress = el("progress", { max: 1, "aria-label": "Progress of the run" });
  private readonly text = el("span", { class: "text" });
  private readonly spoken = el("span", { class: "sr-only", role: "status" });
  private readonly cancel: HTMLButtonElement;
  private readonly go: HTMLButtonElement;
  private bannerFor = "";
  private began = 0;
  private timed: RunState | null = null;

  constructor(
    private readonly model: Model,
    private readonly connection: Connection,
    private readonly choose: (node: string) => void,
  ) {
    this.cancel = el(
      "button",
      {
        type: "button",
        class: "secondary small",
        onclick: () => connection.ask({ kind: "cancel" }, () => {}).forget(),
      },
      "Cancel",
    );
    this.go = el("button", { type: "button", class: "link", onclick: () => this.goToStop() }, "Go to the layer");
    this.banner = el("div", { class: "banner", role: "alert", hidden: true }, this.bannerText, this.bannerButtons);
    this.element = el("footer", { class: "status" }, this.progress, this.text, this.go, this.cancel, this.spoken);
  }

  update(): void {
    const run = this.shownRun();
    const running = run?.phase === "running";
    const now = performance.now();
    if (running && run !== this.timed) {
      this.timed = run;
      this.began = now;
      // One long step says nothing while it lasts.
      setTimeout(this.model.changed, QUIET_MS + 10);
    }
    const long = running && now - this.began > QUIET_MS;
    this.progress.hidden = !long;
    this.cancel.hidden = !long;
    if (running) this.progress.value = run.steps === 0 ? 0 : run.index / run.steps;
    // A short run keeps the words of the one before, so that typing does not make them flicker.
    if (!running || long) setText(this.text, run ? this.words(run) : "");
    this.element.classList.toggle("alarming", run?.phase === "stopped");
    this.go.hidden = !(run?.phase === "stopped" && run.node !== null && this.model.node(run.node));
    if (run && !running) setText(this.spoken, this.words(run));
    this.updateBanner(run);
  }

  /** The run that has most to say: one under way, else the plain one. */
  private shownRun(): RunState | undefined {
    const runs = [...this.model.runs.values()];
    return runs.find(({ phase }) => phase === "asking" || phase === "running") ?? this.model.run;
  }

  private words(run: RunState): string {
    const node = this.model.node(run.node);
    const name = node ? titleOf(node) : "";
    const done = [...run.done].flatMap(([id, each]) => (this.model.node(id)?.kind === "input" ? [] : [each]));
    const kept = done.filter(({ reused }) => reused).length;
    const computed = done.filter(({ reused }) => !reused);
    const macs = computed.reduce((sum, each) => sum + each.macs, 0);
    const most = done.reduce((most, each) => Math.max(most, each.bytes), 0);
    const cost = [macs > 0 ? work(macs) : "", most > 0 ? `at most ${bytes(most)}` : ""].filter(Boolean);
    switch (run.phase) {
      case "running":
        return [`${run.index} of ${run.steps}`, name, milliseconds(run.milliseconds), ...cost]
          .filter(Boolean)
          .join(" · ");
      case "done": {
        const what = `Ran ${computed.length} ${computed.length === 1 ? "layer" : "layers"}`;
        const rest = kept > 0 ? [`${kept} kept`] : [];
        return computed.length === 0
          ? "Up to date"
          : [`${what} in ${milliseconds(run.milliseconds)}`, ...cost, ...rest].join(" · ");
      }
      case "cancelled":
        return `Cancelled after ${run.index} of ${run.steps}`;
      case "stopped":
        return `Stopped${name ? ` at ${name}` : ""}: ${run.message ?? ""}`;
      case "asking":
        return "Waiting for your word";
    }
  }

  private updateBanner(run: RunState | undefined): void {
    const { notice } = this.model;
    const asking = run?.phase === "asking" ? run : null;
    const cancelled = run?.phase === "cancelled" ? run : null;
    const text =
      asking?.message ?? notice?.message ?? (cancelled ? "The run was cancelled. What was computed stays." : null);
    const key = JSON.stringify([text, asking !== null]);
    if (key === this.bannerFor) return;
    this.bannerFor = key;
    this.banner.hidden = text === null;
    this.banner.classList.toggle("alarming", asking === null && notice?.severity === "error");
    setText(this.bannerText, text ?? "");
    const proceed = (label: string) =>
      el("button", { type: "button", class: "primary", onclick: () => this.proceed() }, label);
    const buttons = asking
      ? [
          proceed("Run it"),
          el("button", { type: "button", class: "secondary", onclick: () => this.decline() }, "Not now"),
        ]
      : notice
        ? [iconButton("close", "Dismiss", () => this.dismiss())]
        : cancelled
          ? [proceed("Run again")]
          : [];
    this.bannerButtons.replaceChildren(...buttons);
  }

  private proceed(): void {
    this.connection.ask({ kind: "proceed" }, () => {}).forget();
  }

  private decline(): void {
    const run = this.shownRun();
    if (run) run.phase = "cancelled";
    this.model.changed();
  }

  private dismiss(): void {
    this.model.notice = null;
    this.model.changed();
  }

  private goToStop(): void {
    const node = this.model.run?.node;
    if (node) this.choose(node);
  }
}
