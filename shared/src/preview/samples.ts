/**
 * What enters a model: samples made by formula for an input of any shape, pictures and arrays fitted to it, and the same
 * sample moved. Values lie in [0, 1] unless an array says otherwise.
 */
import { EngineError, type Values, zeros } from "../kernels/values.ts";
import { type Scaling, tapsFor } from "../ops/taps.ts";
import type { Layout } from "../shape/tensor.ts";
import { uniformFrom } from "../weights/random.ts";
import { Planes } from "./planes.ts";
import type { GeneratedSample } from "./protocol.ts";

/** An input's shape. */
export interface Shape {
  readonly dims: readonly number[];
  readonly layout: Layout;
}

/** A sample, and in plain words all that was done to make it fit. */
export interface Fitted {
  readonly values: Values;
  readonly text: string;
}

/** Coordinates in [0, 1), cells' middles, outermost first: depth, height, width; 0.5 along axes that are not there. */
interface Point {
  readonly channel: number;
  readonly z: number;
  readonly y: number;
  readonly x: number;
}

/** A 5 in strokes: the ends of its lines, in the unit square. */
const DIGIT = [
  [0.68, 0.2],
  [0.37, 0.2],
  [0.34, 0.46],
  [0.5, 0.42],
  [0.62, 0.48],
  [0.67, 0.6],
  [0.62, 0.73],
  [0.48, 0.79],
  [0.33, 0.74],
] as const;

function distanceToLine(x: number, y: number, from: readonly number[], to: readonly number[]): number {
  const [dx, dy] = [to[0]! - from[0]!, to[1]! - from[1]!];
  const along = Math.min(Math.max(((x - from[0]!) * dx + (y - from[1]!) * dy) / (dx * dx + dy * dy), 0), 1);
  return Math.hypot(x - from[0]! - along * dx, y - from[1]! - along * dy);
}

/** 1 inside, 0 outside, falling over a width. */
function soft(distance: number, radius: number, width: number): number {
  return Math.min(Math.max((radius - distance) / width + 0.5, 0), 1);
}

function odd(value: number): number {
  return Math.floor(value) % 2 === 0 ? 0 : 1;
}

/** Samples that are functions of the place alone. */
const FORMULAS: Readonly<Record<Exclude<GeneratedSample, "noise" | "impulse">, (point: Point) => number>> = {
  digit({ x, y, z }) {
    const nearest = DIGIT.slice(1).reduce(
      (least, to, index) => Math.min(least, distanceToLine(x, y, DIGIT[index]!, to)),
      Number.POSITIVE_INFINITY,
    );
    return soft(nearest, 0.055, 0.04) * soft(Math.abs(z - 0.5), 0.3, 0.1);
  },
  checkerboard: ({ x, y, z }) => odd(8 * x + 1e-9) ^ odd(8 * y + 1e-9) ^ odd(8 * z + 1e-9),
  gradient: ({ channel, x, y, z }) => [x, y, (x + y + z) / 3][channel % 3]!,
  edges({ x, y, z }) {
    const disc = soft(Math.hypot(x - 0.32, y - 0.32, z - 0.5), 0.22, 0.01);
    const turned = Math.max(Math.abs(x + y - 1.34), Math.abs(x - y)) / Math.SQRT2;
    return Math.max(disc, soft(turned, 0.2, 0.01), y > 0.82 && y < 0.9 ? 1 : 0, x > 0.82 && x < 0.9 ? 1 : 0);
  },
  tone: ({ channel, x }) => 0.5 + 0.5 * Math.sin(2 * Math.PI * (channel + 4) * x * (1 + 3 * x)),
  ball: ({ x, y, z }) => soft(Math.hypot(x - 0.5, y - 0.5, z - 0.5), 0.3, 0.08),
  zeros: () => 0,
};

/** Below, a picture is a row or less: the samples that need two axes are replaced. */
const FLAT: Partial<Readonly<Record<GeneratedSample, GeneratedSample>>> = {
  digit: "tone",
  ball: "tone",
  edges: "checkerboard",
};

/**
 * A sample by formula.
 * @param seed chooses the noise.
 */
export function generatedSample(name: GeneratedSample, seed: number, { dims, layout }: Shape): Fitted {
  const values = zeros(dims);
  const planes = Planes.of(values, layout);
  const { kind, depth, height, width } = planes.layout;
  const used = kind === "images" || kind === "volumes" ? name : (FLAT[name] ?? name);
  const uniform = uniformFrom(seed, "sample");
  const middle = (size: number) => Math.floor(size / 2);
  fill(planes, (point, place) => {
    if (used === "noise") return uniform();
    if (used !== "impulse") return FORMULAS[used](point);
    return place.z === middle(depth) && place.y === middle(height) && place.x === middle(width) ? 1 : 0;
  });
  const seeded = used === "noise" ? `, seed ${seed}` : "";
  const replaced = used === name ? "" : `; a ${name} needs two axes, and this input has one`;
  return { values, text: `${used}${seeded}, [${dims.join(", ")}]${replaced}` };
}

/** Sets every value of every sample of the batch alike. */
function fill(planes: Planes, value: (point: Point, place: { z: number; y: number; x: number }) => number): void {
  const { planes: count, depth, height, width } = planes.layout;
  const [slice, row, cell] = planes.steps;
  const { data } = planes.values;
  for (let channel = 0; channel < count; channel++) {
    const start = planes.offsetOf(channel);
    for (let z = 0; z < depth; z++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const point = { channel, z: (z + 0.5) / depth, y: (y + 0.5) / height, x: (x + 0.5) / width };
          data[start + z * slice + y * row + x * cell] = value(point, { z, y, x });
        }
      }
    }
  }
  const each = planes.count;
  for (let at = each; at < data.length; at += each) data.copyWithin(at, 0, Math.min(each, data.length - at));
}

// ---- pictures and arrays ----

export interface Picture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and opacity of every pixel, row by row. */
  readonly rgba: Uint8ClampedArray;
}

/** Pixels of a picture at most: what decodes without holding everything up. */
export const MOST_PICTURE_PIXELS = 2 ** 25;

/**
 * A picture as the input of a model: its middle of the input's proportions, scaled with a filter against aliasing, in as
 * many channels as the input has.
 * @throws EngineError `mismatch` where the input is no picture or the pixels are not as many as its size says.
 */
export function pictureSample({ name, width, height, rgba }: Picture, { dims, layout }: Shape): Fitted {
  if (!(width > 0 && height > 0) || rgba.length !== 4 * width * height) {
    throw new EngineError(
      "mismatch",
      `${name}: ${width}×${height} pixels take ${4 * width * height} bytes, not ${rgba.length}`,
    );
  }
  const values = zeros(dims);
  const planes = Planes.of(values, layout);
  if (planes.layout.kind !== "images") {
    throw new EngineError(
      "mismatch",
      `${name} is a picture, and the input [${dims.join(", ")}] has no height and width`,
    );
  }
  const { width: toWidth, height: toHeight, planes: channels } = planes.layout;
  const scale = Math.min(width / toWidth, height / toHeight);
  const [cropWidth, cropHeight] = [Math.max(1, Math.round(toWidth * scale)), Math.max(1, Math.round(toHeight * scale))];
  const [left, top] = [Math.floor((width - cropWidth) / 2), Math.floor((height - cropHeight) / 2)];
  const colours = [0, 1, 2].map((part) => {
    const plane = new Float64Array(cropWidth * cropHeight);
    for (let y = 0; y < cropHeight; y++) {
      for (let x = 0; x < cropWidth; x++) {
        const at = 4 * ((top + y) * width + left + x);
        // What shines through is black.
        plane[y * cropWidth + x] = (rgba[at + part]! / 255) * (rgba[at + 3]! / 255);
      }
    }
    return scaled(plane, cropWidth, cropHeight, toWidth, toHeight);
  });
  const [red, green, blue] = colours as [Float64Array, Float64Array, Float64Array];
  // Rec. 601 luma, as Pillow's convert("L").
  const grey = red.map((value, at) => 0.299 * value + 0.587 * green[at]! + 0.114 * blue[at]!);
  const sources = channels === 1 ? [grey] : channels === 3 ? colours : [red, green, blue, grey];
  const [, row, cell] = planes.steps;
  for (let channel = 0; channel < channels; channel++) {
    const start = planes.offsetOf(channel);
    const source = sources[channel % sources.length]!;
    for (let y = 0; y < toHeight; y++) {
      for (let x = 0; x < toWidth; x++) values.data[start + y * row + x * cell] = source[y * toWidth + x]!;
    }
  }
  const said = [
    `${name}: ${width}×${height}`,
    ...(cropWidth === width && cropHeight === height ? [] : [`its middle ${cropWidth}×${cropHeight}`]),
    ...(cropWidth === toWidth && cropHeight === toHeight ? [] : [`scaled to ${toWidth}×${toHeight}`]),
    channels === 1
      ? "as grey"
      : channels === 3
        ? "red, green, blue"
        : `red, green, blue and grey in turn for ${channels} channels`,
    "values from 0 to 1",
  ];
  return { values: repeated(values, planes.count), text: said.join(", ") };
}

/** Copies the first sample to the others of the batch. */
function repeated(values: Values, each: number): Values {
  for (let at = each; at < values.data.length; at += each) values.data.copyWithin(at, 0, each);
  return values;
}

/** One plane scaled along both axes. */
function scaled(plane: Float64Array, width: number, height: number, toWidth: number, toHeight: number): Float64Array {
  const across = along(plane, height, { input: width, output: toWidth, scale: width / toWidth });
  const turned = transposed(across, toWidth, height);
  const down = along(turned, toWidth, { input: height, output: toHeight, scale: height / toHeight });
  return transposed(down, toHeight, toWidth);
}

/** Rows scaled. */
function along(rows: Float64Array, count: number, scaling: Scaling): Float64Array {
  if (scaling.input === scaling.output) return rows;
  const taps = tapsFor({ kind: "linear", corners: false, antialias: true }, scaling);
  const result = new Float64Array(count * scaling.output);
  for (let row = 0; row < count; row++) {
    for (let j = 0; j < scaling.output; j++) {
      let sum = 0;
      for (let tap = j * taps.count; tap < (j + 1) * taps.count; tap++) {
        const cell = taps.indices[tap]!;
        if (cell >= 0) sum += taps.weights[tap]! * rows[row * scaling.input + cell]!;
      }
      result[row * scaling.output + j] = sum;
    }
  }
  return result;
}

function transposed(plane: Float64Array, width: number, height: number): Float64Array {
  const result = new Float64Array(plane.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) result[x * height + y] = plane[y * width + x]!;
  return result;
}

/**
 * An array as the input of a model: with or without the batch, with channels first or last, cut to the input from the
 * middle or bordered with zeros; one channel serves for all.
 * @throws EngineError `mismatch` where its axes do not fit.
 */
export function arraySample(name: string, array: Values, { dims, layout }: Shape): Fitted {
  const text = (sizes: readonly number[]) => `[${sizes.join(", ")}]`;
  const values = zeros(dims);
  const planes = Planes.of(values, layout);
  if (sameSizes(array.dims, dims)) return { values: array, text: `${name}: ${text(array.dims)}` };
  const { planes: channels, depth, height, width, kind } = planes.layout;
  const axes = planes.axes.length;
  let sizes = array.dims;
  const said = [`${name}: ${text(array.dims)}`];
  if (sizes.length === axes + 2 || (kind === "vector" && sizes.length === 2)) {
    if (sizes[0] !== 1) said.push("its first sample");
    sizes = sizes.slice(1);
  }
  const flat = kind === "vector";
  const wanted = flat ? 1 : axes + 1;
  const single = !flat && sizes.length === axes;
  if (sizes.length !== wanted && !single) {
    throw new EngineError(
      "mismatch",
      `${name} is ${text(array.dims)}, which does not fit the input ${text(dims)}: it has ${array.dims.length} ${array.dims.length === 1 ? "axis" : "axes"}`,
    );
  }
  const first = flat || single ? undefined : sizes[0];
  const last = flat || single ? undefined : sizes.at(-1);
  const isLast = first !== undefined && first !== channels && (last === channels || (first !== 1 && last === 1));
  const given = flat || single ? 1 : isLast ? last! : first!;
  if (given !== channels && given !== 1) {
    throw new EngineError(
      "mismatch",
      `${name} is ${text(array.dims)}, which does not fit the input ${text(dims)}: it has ${given} channels, not ${channels}`,
    );
  }
  if (isLast && layout.channels === "first") said.push("channels last");
  if (!isLast && first !== undefined && layout.channels === "last" && axes > 0) said.push("channels first");
  if (given !== channels) said.push(`one channel for all ${channels}`);
  const space = flat ? sizes : single ? sizes : isLast ? sizes.slice(0, -1) : sizes.slice(1);
  const from = [1, 1, 1, ...space].slice(-3) as [number, number, number];
  const to = [depth, height, width] as const;
  if (from.some((size, axis) => size > to[axis]!)) said.push(`its middle ${to.slice(-space.length).join("×")}`);
  if (from.some((size, axis) => size < to[axis]!)) said.push("bordered with zeros");
  const cells = from[0] * from[1] * from[2];
  const offsets = from.map((size, axis) => Math.floor((size - to[axis]!) / 2));
  fill(planes, ({ channel }, place) => {
    const at = [place.z, place.y, place.x].map((cell, axis) => cell + offsets[axis]!);
    if (at.some((cell, axis) => cell < 0 || cell >= from[axis]!)) return 0;
    const cell = (at[0]! * from[1] + at[1]!) * from[2] + at[2]!;
    const source = given === 1 ? 0 : channel;
    return array.data[isLast ? cell * given + source : source * cells + cell]!;
  });
  return { values, text: said.join(", ") };
}

function sameSizes(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** The sample moved along its innermost axes; what comes in from outside is zero. */
export function moved(values: Values, layout: Layout, dx: number, dy: number): Values {
  const result = zeros(values.dims);
  const [source, target] = [Planes.of(values, layout), Planes.of(result, layout)];
  const { height, width } = source.layout;
  const [, row, cell] = source.steps;
  fill(target, ({ channel }, { z, y, x }) => {
    const [fromY, fromX] = [y - dy, x - dx];
    if (fromY < 0 || fromY >= height || fromX < 0 || fromX >= width) return 0;
    return values.data[source.offsetOf(channel) + z * source.steps[0] + fromY * row + fromX * cell]!;
  });
  return result;
}
