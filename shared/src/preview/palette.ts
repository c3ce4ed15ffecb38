/**
 * Colours for numbers. Lightness rises evenly with the value, so that a map reads the same in grey and to colour-blind
 * eyes. Sources: viridis by Smith & van der Walt and cividis by Nuñez, Anderton & Renslow, both CC0; the diverging one is
 * made here, blue and orange of equal chroma in Ottosson's OKLab around a neutral zero.
 */

export const PALETTES = ["viridis", "cividis", "grey", "diverging"] as const;
export type PaletteName = (typeof PALETTES)[number];

/** Red, green and blue of 256 steps, one after another: from least to greatest; `diverging` has zero in the middle. */
export type Palette = Uint8Array;

/** What is no number at all, and what is infinite: colours that no palette has. */
export const NAN_COLOUR = [255, 0, 200] as const;
export const INFINITE_COLOUR = [255, 40, 40] as const;

const STEPS = 256;

const ANCHORS = {
  viridis: "440154 482475 414487 355f8d 2a788e 21918c 22a884 44bf70 7ad151 bddf26 fde725",
  cividis: "00204d 00336f 39486b 575c6d 707173 8a8779 a69d75 c4b56c e4cf5b ffea46",
  grey: "000000 ffffff",
} as const;

function between(anchors: string): Palette {
  const colours = anchors.split(" ").map((hex) => [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));
  return paletteOf((t) => {
    const at = t * (colours.length - 1);
    const first = Math.min(Math.floor(at), colours.length - 2);
    return colours[first]!.map((from, part) => from + (colours[first + 1]![part]! - from) * (at - first));
  });
}

function paletteOf(colourAt: (t: number) => readonly number[]): Palette {
  const palette = new Uint8Array(3 * STEPS);
  for (let step = 0; step < STEPS; step++) palette.set(colourAt(step / (STEPS - 1)).map(Math.round), 3 * step);
  return palette;
}

/** OKLab to sRGB in [0, 255]. Source: Björn Ottosson, "A perceptual color space for image processing", 2020. */
function srgb(lightness: number, a: number, b: number): readonly number[] {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((x) => 255 * clamp(x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055));
}

function clamp(x: number): number {
  return Math.min(Math.max(x, 0), 1);
}

/** Blue below, orange above, near white at zero: lightness and chroma depend on the distance from zero alone. */
function diverging(): Palette {
  const [blue, orange] = [(255 * Math.PI) / 180, (50 * Math.PI) / 180];
  return paletteOf((t) => {
    const distance = Math.abs(2 * t - 1);
    const hue = t < 0.5 ? blue : orange;
    const chroma = 0.13 * distance;
    return srgb(0.97 - 0.47 * distance, chroma * Math.cos(hue), chroma * Math.sin(hue));
  });
}

const made = new Map<PaletteName, Palette>();

export function paletteNamed(name: PaletteName): Palette {
  const palette = made.get(name) ?? (name === "diverging" ? diverging() : between(ANCHORS[name]));
  made.set(name, palette);
  return palette;
}

/** The step of a palette, in [0, 255], that a finite value has between two ends; the middle where the ends are one. */
export function stepOf(value: number, min: number, max: number): number {
  if (max <= min) return Math.floor(STEPS / 2);
  return Math.round((STEPS - 1) * clamp((value - min) / (max - min)));
}

/** The ends of the palette for values between `min` and `max`: as far below zero as above for the diverging one. */
export function endsFor(name: PaletteName, min: number, max: number): readonly [number, number] {
  if (name !== "diverging") return [min, max];
  const most = Math.max(Math.abs(min), Math.abs(max));
  return [-most, most];
}
