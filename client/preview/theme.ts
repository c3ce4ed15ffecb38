/**
 * The editor's colours for canvases, which cannot read CSS variables. preview.css says which of VS Code's variables stands
 * for what, for high contrast and for forced colours too; here they are read back, again whenever the theme changes.
 */

const NAMES = [
  "background",
  "surface",
  "foreground",
  "muted",
  "border",
  "line",
  "focus",
  "selection",
  "selection-foreground",
  "hover",
  "error",
  "warning",
  "information",
  "accent",
] as const;

export type ColourName = (typeof NAMES)[number];

export interface Theme {
  readonly colour: Readonly<Record<ColourName, string>>;
  /** Families for CSS `font`: of the interface, and of numbers. */
  readonly font: string;
  readonly mono: string;
  /** Borders say what fills do not. */
  readonly contrast: boolean;
}

let current: Theme | null = null;
const listeners = new Set<() => void>();

function read(): Theme {
  const style = getComputedStyle(document.body);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    colour: Object.fromEntries(NAMES.map((name) => [name, value(`--${name}`)])) as Record<ColourName, string>,
    font: style.fontFamily,
    mono: value("--mono"),
    contrast: value("--contrast") === "1",
  };
}

export function theme(): Theme {
  current ??= read();
  return current;
}

/** Calls back when the colours changed. */
export function onTheme(listener: () => void): void {
  listeners.add(listener);
}

function changed(): void {
  current = null;
  for (const listener of listeners) listener();
}

/** VS Code changes the root's style and the body's class, one after the other. */
export function watchTheme(): void {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["style"] });
  observer.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  matchMedia("(forced-colors: active)").addEventListener("change", changed);
}
