/**
 * Compound scaling: which letter a file has, and how depth and width follow from it (facts: the builder's rules).
 */

export interface Scaling {
  /** "" where the file has no scale. */
  readonly letter: string;
  readonly depth: number;
  readonly width: number;
  readonly maxChannels: number;
}

const LETTER = /yolo(?:e-)?v?\d+([nslmxb])/;

/** The scale letter in a file name, as the original loader reads it: `yolo11s-seg.yaml` → s; "" where there is none. */
export function letterOf(path: string): string {
  const stem = (path.split(/[\\/]/).at(-1) ?? "").replace(/\.\w+$/, "");
  return LETTER.exec(stem)?.[1] ?? "";
}

/** Python's round: halves go to the even neighbour. */
export function pythonRound(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The smallest multiple of `divisor` that is not below x. */
export function makeDivisible(x: number, divisor = 8): number {
  return Math.ceil(x / divisor) * divisor;
}

/** The repeats a row really has. */
export function scaledDepth(n: number, scaling: Scaling): number {
  return n > 1 ? Math.max(pythonRound(n * scaling.depth), 1) : n;
}

/** The channels a row really has. */
export function scaledWidth(channels: number, scaling: Scaling): number {
  return makeDivisible(Math.min(channels, scaling.maxChannels) * scaling.width);
}
