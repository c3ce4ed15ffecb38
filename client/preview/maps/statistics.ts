/** A tensor's numbers, and its histogram in the colours of its maps: the histogram is the maps' legend too. */
import { endsFor, type PaletteName, paletteNamed, stepOf } from "#shared/preview/palette.ts";
import type { Statistics } from "#shared/preview/protocol.ts";
import { el, fitCanvas, onFrame, setText } from "../dom.ts";
import { figure, percent, whole } from "../format.ts";
import { onTheme, theme } from "../theme.ts";

const HEIGHT = 44;
const EXPLAINED: Readonly<Record<string, string>> = {
  std: "Standard deviation",
  zeros: "Share of values that are exactly zero",
  NaN: "Values that are no number",
  constant: "Maps whose values are all the same: dead channels",
};

export class StatisticsView {
  readonly element: HTMLElement;
  private readonly list = el("dl", { class: "figures" });
  private readonly canvas = el("canvas", { role: "img", "aria-label": "Histogram of the values" });
  private readonly ends = [el("span", {}), el("span", {}), el("span", {})] as const;
  private readonly box = el("div", { class: "histogram" }, this.canvas, el("div", { class: "ends" }, ...this.ends));
  private shown: { statistics: Statistics; palette: PaletteName } | null = null;
  private width = 0;
  private readonly draw = onFrame(() => this.paint());

  constructor() {
    this.element = el("div", { class: "statistics" }, this.box, this.list);
    onTheme(this.draw);
    new ResizeObserver(([entry]) => {
      this.width = entry!.contentRect.width;
      this.paint();
    }).observe(this.box);
  }

  /** @param palette the one that is drawn, not `auto`. */
  show(statistics: Statistics, palette: PaletteName, planes: number): void {
    this.shown = { statistics, palette };
    const { count, min, max, mean, deviation, zeros, nans, infinities, constantPlanes } = statistics;
    const rows: [string, string, boolean][] = [
      ["min", figure(min), false],
      ["mean", figure(mean), false],
      ["max", figure(max), false],
      ["std", figure(deviation, 3), false],
      ["zeros", zeros === 0 ? "0" : percent(zeros, count), zeros === count && count > 0],
      ["NaN", whole(nans), nans > 0],
    ];
    if (infinities > 0) rows.push(["infinite", whole(infinities), true]);
    if (planes > 1 && constantPlanes > 0) rows.push(["constant", `${whole(constantPlanes)} of ${whole(planes)}`, true]);
    this.list.replaceChildren(
      ...rows.map(([name, value, alarming]) =>
        el("div", { class: alarming && "alarming", title: EXPLAINED[name] }, el("dt", {}, name), el("dd", {}, value)),
      ),
    );
    setText(this.ends[0], figure(min, 3));
    setText(this.ends[1], min !== null && max !== null && min < 0 && max > 0 ? "0" : "");
    setText(this.ends[2], figure(max, 3));
    const shape = `from ${figure(min)} to ${figure(max)}, mean ${figure(mean)}`;
    this.canvas.setAttribute("aria-label", `Histogram of ${whole(count)} values ${shape}`);
    this.draw();
  }

  private paint(): void {
    const { shown, width } = this;
    if (!shown || !fitCanvas(this.canvas, width, HEIGHT)) return;
    const { histogram, min, max } = shown.statistics;
    const context = this.canvas.getContext("2d")!;
    context.clearRect(0, 0, width, HEIGHT);
    if (min === null || max === null) return;
    const most = Math.max(...histogram, 1);
    const step = width / Math.max(histogram.length, 1);
    const palette = paletteNamed(shown.palette);
    const [low, high] = endsFor(shown.palette, min, max);
    const { colour } = theme();
    const legend = 5;
    for (const [bin, count] of histogram.entries()) {
      const value = min + ((bin + 0.5) / histogram.length) * (max - min);
      const at = 3 * stepOf(value, low, high);
      // The square root shows the rare values, which a peak at zero would flatten.
      const height = count === 0 ? 0 : Math.max(1, Math.sqrt(count / most) * (HEIGHT - legend - 3));
      context.fillStyle = colour.muted;
      context.fillRect(bin * step, HEIGHT - legend - 2 - height, Math.max(step - 0.5, 0.5), height);
      context.fillStyle = `rgb(${palette[at]} ${palette[at + 1]} ${palette[at + 2]})`;
      context.fillRect(bin * step, HEIGHT - legend, step + 0.5, legend);
    }
    if (min < 0 && max > 0) {
      const zero = (-min / (max - min)) * width;
      context.fillStyle = colour.foreground;
      context.fillRect(Math.round(zero), 0, 1, HEIGHT - legend - 2);
      Object.assign(this.ends[1].style, { left: `${zero}px` });
      // Near an end its figure says enough.
      this.ends[1].hidden = zero < 48 || zero > width - 48;
    }
  }
}
