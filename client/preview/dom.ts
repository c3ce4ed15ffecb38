/**
 * The few things the page needs to make elements. Strings become text, never HTML: the model's names are nobody's markup.
 */

type Child = Node | string | null;

interface Properties {
  readonly [attribute: string]: string | number | boolean | null | undefined | ((event: any) => void);
}

/** An element with attributes, listeners (`onclick`) and children. false, null and undefined leave an attribute out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Replaces what is in an element, unless it says the same already: a screen reader then hears nothing twice. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets or removes an attribute. */
export function setAttribute(element: Element, name: string, value: string | number | boolean | null): void {
  if (value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value))
    element.setAttribute(name, value === true ? "" : String(value));
}

const ICONS = {
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  close: "M4 4l8 8M12 4l-8 8",
  play: "M5 3.2v9.6L12.5 8z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  pin: "M6 2h4l-.5 4.5L12 9v1H4V9l2.5-2.5zM8 10v4",
  up: "M8 13V3M4 7l4-4 4 4",
  more: "M4 6l4 4 4-4",
  back: "M10 3L5 8l5 5",
} as const;

export type Icon = keyof typeof ICONS;

/** A picture for a button; the button's own label says what it does. */
export function icon(name: Icon): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button with a picture and a label that is read and shown as its tip. */
export function iconButton(name: Icon, label: string, onclick: () => void): HTMLButtonElement {
  return el("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick }, icon(name));
}

/** A native choice. */
export function select<T extends string>(
  label: string,
  options: readonly (readonly [value: T, text: string])[],
  onchange: (value: T) => void,
): HTMLSelectElement {
  return el(
    "select",
    { "aria-label": label, title: label, onchange: (event: Event) => onchange((event.target as any).value) },
    ...options.map(([value, text]) => el("option", { value }, text)),
  );
}

/** A label that stands before its control. */
export function field(label: string, control: HTMLElement): HTMLLabelElement {
  return el("label", { class: "field" }, el("span", {}, label), control);
}

/** A canvas as large as its box on this screen; returns false where it has no room. */
export function fitCanvas(canvas: HTMLCanvasElement, width: number, height: number): boolean {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  return w > 0 && h > 0 && context !== null;
}

/** The user asked for less motion. */
export function reducedMotion(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Runs `draw` in the next animation frame, however often it was asked for before. */
export function onFrame(draw: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}
