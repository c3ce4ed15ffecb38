/** What the network is drawn with: a canvas for the screen and for PNG, or SVG. One drawing serves both. */
import type { Point } from "./layout.ts";

export interface Paint {
  readonly fill?: string;
  readonly stroke?: string;
  readonly width?: number;
  readonly dash?: readonly number[];
  readonly opacity?: number;
}

export interface Lettering {
  /** In pixels. */
  readonly size: number;
  readonly weight?: number;
  readonly family: string;
  readonly colour: string;
  readonly align?: "left" | "center" | "right";
  /** A rim in the background's colour, where text crosses lines. */
  readonly halo?: string;
}

export interface Pen {
  box(x: number, y: number, width: number, height: number, radius: number, paint: Paint): void;
  /** A line that leaves and arrives vertically, through all points. */
  curve(points: readonly Point[], paint: Paint): void;
  polygon(points: readonly Point[], paint: Paint): void;
  /** One line of text; `y` is its middle. */
  text(x: number, y: number, text: string, lettering: Lettering): void;
}

export class CanvasPen implements Pen {
  constructor(private readonly context: CanvasRenderingContext2D) {}

  box(x: number, y: number, width: number, height: number, radius: number, paint: Paint): void {
    this.context.beginPath();
    this.context.roundRect(x, y, width, height, radius);
    this.apply(paint);
  }

  curve(points: readonly Point[], paint: Paint): void {
    const { context } = this;
    context.beginPath();
    for (const [index, { x, y }] of points.entries()) {
      const before = points[index - 1];
      if (!before) context.moveTo(x, y);
      else if (before.x === x) context.lineTo(x, y);
      else context.bezierCurveTo(before.x, (before.y + y) / 2, x, (before.y + y) / 2, x, y);
    }
    this.apply(paint);
  }

  polygon(points: readonly Point[], paint: Paint): void {
    this.context.beginPath();
    for (const { x, y } of points) this.context.lineTo(x, y);
    this.context.closePath();
    this.apply(paint);
  }

  text(x: number, y: number, text: string, { size, weight = 400, family, colour, align, halo }: Lettering): void {
    const { context } = this;
    context.font = `${weight} ${size}px ${family}`;
    context.textAlign = align ?? "left";
    context.textBaseline = "middle";
    if (halo) {
      context.strokeStyle = halo;
      context.lineWidth = 4;
      context.lineJoin = "round";
      context.setLineDash([]);
      context.strokeText(text, x, y);
    }
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }

  private apply({ fill, stroke, width = 1, dash = [], opacity = 1 }: Paint): void {
    const { context } = this;
    context.globalAlpha = opacity;
    if (fill) {
      context.fillStyle = fill;
      context.fill();
    }
    if (stroke) {
      context.strokeStyle = stroke;
      context.lineWidth = width;
      context.setLineDash(dash as number[]);
      context.stroke();
    }
    context.globalAlpha = 1;
  }
}

export class SvgPen implements Pen {
  private readonly parts: string[] = [];

  box(x: number, y: number, width: number, height: number, radius: number, paint: Paint): void {
    const at = { x, y, width, height, rx: radius };
    this.parts.push(`<rect${attributes({ ...at, ...painted(paint) })}/>`);
  }

  curve(points: readonly Point[], paint: Paint): void {
    const steps = points.map(({ x, y }, index) => {
      const before = points[index - 1];
      if (!before) return `M${round(x)} ${round(y)}`;
      if (before.x === x) return `L${round(x)} ${round(y)}`;
      const middle = round((before.y + y) / 2);
      return `C${round(before.x)} ${middle} ${round(x)} ${middle} ${round(x)} ${round(y)}`;
    });
    this.parts.push(`<path${attributes({ d: steps.join(""), ...painted(paint) })}/>`);
  }

  polygon(points: readonly Point[], paint: Paint): void {
    const all = points.map(({ x, y }) => `${round(x)},${round(y)}`).join(" ");
    this.parts.push(`<polygon${attributes({ points: all, ...painted(paint) })}/>`);
  }

  text(x: number, y: number, text: string, { size, weight = 400, family, colour, align, halo }: Lettering): void {
    const anchor = align === "center" ? "middle" : align === "right" ? "end" : "start";
    const rim = halo ? { stroke: halo, "stroke-width": 4, "stroke-linejoin": "round", "paint-order": "stroke" } : {};
    const style = { "font-size": size, "font-weight": weight, "font-family": family, fill: colour, ...rim };
    const at = { x, y, "text-anchor": anchor, "dominant-baseline": "central" };
    this.parts.push(`<text${attributes({ ...at, ...style })}>${escaped(text)}</text>`);
  }

  /** The whole picture as a file's text. */
  finish(width: number, height: number, background: string): string {
    const [w, h] = [Math.ceil(width), Math.ceil(height)];
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}">`,
      `<rect${attributes({ width: w, height: h, fill: background })}/>`,
      ...this.parts,
      "</svg>",
      "",
    ].join("\n");
  }
}

function painted({ fill = "none", stroke, width, dash, opacity }: Paint) {
  return { fill, stroke, "stroke-width": width, "stroke-dasharray": dash?.join(" "), opacity };
}

function attributes(values: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => ` ${name}="${typeof value === "number" ? round(value) : escaped(value!)}"`)
    .join("");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** XML allows no control characters, not even escaped. */
function escaped(text: string): string {
  return [...text]
    .map((sign) => (sign < " " ? " " : ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }[sign] ?? sign)))
    .join("");
}
