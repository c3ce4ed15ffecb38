/** Layers that move pixels without weights: up-sampling and the pixel shuffles. Source: torch.nn. */
import type { Backend, Resident } from "../kernels/backend.ts";
import { type Dim, exactQuotient, floorDiv, mod, mul, unknown } from "../shape/dim.ts";
import { channelAxis, spatialAxes, type Tensor, withDims } from "../shape/tensor.ts";
import { makeWindow, type WindowUse } from "../shape/window.ts";
import { AT_TYPE, atParam, type Report } from "./finding.ts";
import { fromImage, reshaped, sizesOf, toImage } from "./image.ts";
import { defineOp, type Execution, type Inference, type Operator } from "./op.ts";
import {
  absent,
  bool,
  int,
  listOf,
  number,
  oneOf,
  optional,
  type ParamType,
  type Plain,
  Refusal,
  required,
} from "./param.ts";
import { type Interpolation, tapsFor } from "./taps.ts";

/** One value for every axis, or a list whose length only the input's rank tells. */
function oneOrList(item: ParamType<number>): ParamType<number | readonly number[]> {
  const list = listOf(item);
  const expected = `${item.expected}, or a list with one for each spatial axis`;
  return {
    expected,
    schema: { anyOf: [item.schema, list.schema] },
    parse(value) {
      if (Array.isArray(value)) return list.parse(value);
      const parsed = item.parse(value);
      return parsed instanceof Refusal ? new Refusal(expected) : parsed;
    },
  };
}

const MODES = ["nearest", "linear", "bilinear", "trilinear", "bicubic", "nearest-exact", "area"] as const;
type Mode = (typeof MODES)[number];

/** The only number of spatial axes that a mode takes; the others take 1 to 3. */
const AXES_OF_MODE: Partial<Record<Mode, number>> = { linear: 1, bilinear: 2, bicubic: 2, trilinear: 3 };

/** Input cells per axis that one output cell reads, where the factor is whole. */
function tapsOf(mode: Mode): number {
  return mode === "bicubic" ? 4 : mode in AXES_OF_MODE ? 2 : 1;
}

interface ResizeAttrs {
  readonly size: number | readonly number[] | null;
  readonly scale_factor: number | readonly number[] | null;
  readonly mode: Mode;
  readonly align_corners: boolean | null;
  readonly recompute_scale_factor: boolean | null;
  readonly antialias?: boolean;
}

/** The axes that are resized: PyTorch takes the first two for batch and channels whatever they are. */
function resizedAxes(input: Tensor): readonly number[] {
  if (input.layout.channels === "last") return spatialAxes(input);
  return input.dims.map((_, axis) => axis).slice(2);
}

/** False where the attributes contradict each other or the input; the reason has been reported. */
function checkResize(op: string, attrs: ResizeAttrs, input: Tensor, axes: number, report: Report): boolean {
  const { size, scale_factor: factor, mode, align_corners, recompute_scale_factor } = attrs;
  if (size === null && factor === null) {
    report("missing-parameter", AT_TYPE, { name: "scale_factor", of: op });
    return false;
  }
  const contradiction = (name: string, value: Plain, expected: string): false => {
    report("bad-value", atParam(name), { name, value, expected });
    return false;
  };
  if (size !== null && factor !== null) {
    return contradiction("scale_factor", factor, "left out where size is given");
  }
  const wanted = AXES_OF_MODE[mode];
  if (axes < 1 || axes > 3 || (wanted !== undefined && axes !== wanted)) {
    const spatial =
      wanted === undefined ? "1 to 3 spatial axes" : `${wanted} spatial ${wanted === 1 ? "axis" : "axes"}`;
    report("wrong-rank", AT_TYPE, { input, expected: `batch, channels and ${spatial} for mode "${mode}"` });
    return false;
  }
  if (align_corners !== null && wanted === undefined) {
    return contradiction("align_corners", align_corners, `left out for mode "${mode}"`);
  }
  if (recompute_scale_factor === true && size !== null) {
    return contradiction("recompute_scale_factor", true, "left out where size is given");
  }
  if (attrs.antialias === true && mode !== "bilinear" && mode !== "bicubic") {
    return contradiction("antialias", true, `left out for mode "${mode}"`);
  }
  for (const [name, value] of [["size", size] as const, ["scale_factor", factor] as const]) {
    if (Array.isArray(value) && value.length !== axes) {
      return contradiction(name, value, `one number, or a list of ${axes}`);
    }
  }
  return true;
}

function at(value: number | readonly number[], index: number): number {
  return typeof value === "number" ? value : value[index]!;
}

/** ⌊n·factor⌋ in double precision, as PyTorch computes it; exact for a symbolic n where the factor is a fraction of 2ᵏ. */
function scaled(n: Dim, factor: number): Dim {
  if (typeof n === "number") {
    const size = Math.floor(n * factor);
    return Number.isSafeInteger(size) ? size : unknown("larger than 2^53");
  }
  for (let divisor = 1; divisor <= 1024; divisor *= 2) {
    if (Number.isSafeInteger(factor * divisor)) return floorDiv(mul(n, factor * divisor), divisor);
  }
  return unknown("a symbolic size times an inexact factor");
}

/**
 * Enlarging by a whole factor is a transposed window whose kernel spans `taps` input cells, centred as PyTorch centres
 * pixels. null: other factors read unevenly.
 */
function enlargingWindow(axis: number, input: Dim, output: Dim, taps: number): WindowUse | null {
  const factor = exactQuotient(output, input);
  if (typeof factor !== "number" || factor < 1) return null;
  if (factor === 1) return { axis, input, output, window: makeWindow({ kernel: 1 }) };
  const kernel = taps === 1 ? factor : taps * factor - (factor % 2);
  const pad = (kernel - factor) / 2;
  const window = makeWindow({ kernel, stride: factor, padBefore: pad, padAfter: pad });
  return { axis, input, output, window, outputPadding: 0 };
}

/** What infer returns of windows: only where every spatial axis has one. */
function everyWindow(input: Tensor, uses: readonly (WindowUse | null)[]): { readonly windows?: readonly WindowUse[] } {
  const windows = uses.filter((use) => use !== null);
  return windows.length === spatialAxes(input).length ? { windows } : {};
}

function unreadable(input: Tensor, axes: readonly number[], why: string): Inference {
  return { outputs: [withDims(input, new Map(axes.map((axis) => [axis, unknown(why)])))] };
}

/** Why no output of these sizes can be computed; fatal where PyTorch refuses it. */
function emptiness(mode: Mode, before: readonly Dim[], after: readonly Dim[]): { why: string; fatal: boolean } | null {
  const least = Math.min(...[...before, ...after].filter((size) => typeof size === "number"));
  if (least >= 1) return null;
  // Area is adaptive pooling inside, which may give nothing at all.
  const fatal = mode !== "area" || least < 0 || before.includes(0);
  return { why: fatal ? "sizes must be at least 1" : "the size is rounded down to 0", fatal };
}

/** How a mode interpolates along an axis; area averages, which is adaptive pooling. */
const KIND: Readonly<Record<Exclude<Mode, "area">, Interpolation["kind"]>> = {
  nearest: "nearest",
  "nearest-exact": "nearest-exact",
  linear: "linear",
  bilinear: "linear",
  trilinear: "linear",
  bicubic: "cubic",
};

/**
 * Input cells per output cell. PyTorch interpolates by the written factor, which its rounded sizes do not quite have, unless
 * it is told to compute it anew.
 */
function scaleAlong(attrs: ResizeAttrs, index: number, before: number, after: number): number {
  const written = attrs.scale_factor === null || attrs.recompute_scale_factor ? 0 : at(attrs.scale_factor, index);
  return written > 0 ? 1 / written : before / after;
}

function runResize(backend: Backend, execution: Execution<ResizeAttrs>): readonly Resident[] {
  const { attrs, inputs, shapes, inference } = execution;
  const { mode } = attrs;
  const axes = resizedAxes(shapes[0]!);
  const after = sizesOf(inference.outputs[0]!);
  if (mode === "area") {
    const pooling = { kind: "average", sizes: axes.map((axis) => after[axis]!), indices: false } as const;
    const batched = { ...shapes[0]!.layout, batched: axes[0] === 2 || shapes[0]!.layout.batched };
    const image = toImage(backend, inputs[0]!, batched);
    return [fromImage(backend, backend.adaptivePool(image, pooling).values, batched)];
  }
  const interpolation = {
    kind: KIND[mode],
    corners: attrs.align_corners === true,
    antialias: attrs.antialias === true,
  };
  let x = inputs[0]!;
  for (const [index, axis] of axes.entries()) {
    const [input, output] = [x.dims[axis]!, after[axis]!];
    x = backend.resample(
      x,
      axis,
      tapsFor(interpolation, { input, output, scale: scaleAlong(attrs, index, input, output) }),
    );
  }
  return [x];
}

const antialias = {
  antialias: optional(bool, false, "Averages over all cells that an output covers; bilinear and bicubic only."),
};

/** @param filters whether it can filter against aliasing, as PyTorch's function can and its layer cannot. */
function resize(name: string, filters: boolean): Operator {
  return defineOp({
    name,
    summary: "Resizes every channel to a size or by a factor.",
    params: {
      size: absent(oneOrList(int()), "The output size along each spatial axis."),
      scale_factor: absent(oneOrList(number), "Output size over input size; the product is rounded down."),
      mode: optional(oneOf(...MODES), "nearest", "How values between the pixels are found."),
      align_corners: absent(
        bool,
        "Maps corner pixels onto corner pixels; for linear, bilinear, trilinear and bicubic only.",
      ),
      recompute_scale_factor: absent(bool, "Interpolates by the rounded sizes in place of the written factor."),
      ...(filters ? antialias : {}),
    },
    infer({ attrs, inputs, report }): Inference {
      const input = inputs[0]!;
      const axes = resizedAxes(input);
      if (!checkResize(name, attrs, input, axes.length, report)) {
        return unreadable(input, axes, "the size could not be read");
      }
      const { size, scale_factor: factor, mode } = attrs;
      const before = axes.map((axis) => input.dims[axis]!);
      const after = before.map((n, index) => (size === null ? scaled(n, at(factor!, index)) : at(size, index)));
      const output = withDims(input, new Map(axes.map((axis, index) => [axis, after[index]!])));
      const empty = emptiness(mode, before, after);
      if (empty) {
        report("empty-output", atParam(size === null ? "scale_factor" : "size"), { output, ...empty });
        if (empty.fatal) return unreadable(input, axes, empty.why);
      }
      if (attrs.align_corners === true) return { outputs: [output] };
      const taps = tapsOf(mode);
      const uses = axes.map((axis, index) => enlargingWindow(axis, before[index]!, after[index]!, taps));
      return { outputs: [output], ...everyWindow(input, uses) };
    },
    field: "all",
    run: runResize,
    example: { attrs: { scale_factor: 2 }, inputs: [[1, 3, 8, 8]], output: [1, 3, 16, 16] },
  });
}

/** Channels, height and width: the last three axes whatever comes before, or by the layout where channels are last. */
function imageAxes(input: Tensor): readonly [number, number, number] | null {
  const rank = input.dims.length;
  if (input.layout.channels === "first") return rank < 3 ? null : [rank - 3, rank - 2, rank - 1];
  const [height, width, more] = spatialAxes(input);
  return height === undefined || width === undefined || more !== undefined ? null : [channelAxis(input), height, width];
}

const NO_IMAGE = "channels, height and width";

/** [images, channels, height, width]. */
type Pixels = readonly [number, number, number, number];

/** Runs something on the last three axes, channels first; whatever comes before them is merged into one. */
function onPixels(
  backend: Backend,
  { inputs, shapes, inference }: Pick<Execution<unknown>, "inputs" | "shapes" | "inference">,
  work: (x: Resident) => Resident,
): readonly Resident[] {
  const { layout } = shapes[0]!;
  const image = layout.channels === "first" ? inputs[0]! : toImage(backend, inputs[0]!, layout);
  const last = image.dims.slice(-3);
  const lead = image.dims.slice(0, -3).reduce((count, size) => count * size, 1);
  const result = work(backend.reshape(image, [lead, ...last]));
  return layout.channels === "first"
    ? reshaped(backend, { inputs: [result], inference })
    : [fromImage(backend, result, layout)];
}

const pixelShuffle = defineOp({
  name: "PixelShuffle",
  summary: "Turns r² channels into r × r pixels: the sub-pixel convolution's second half.",
  params: { upscale_factor: required(int(1), "The r by which height and width grow.") },
  infer({ attrs, inputs, report }): Inference {
    const input = inputs[0]!;
    const axes = imageAxes(input);
    if (!axes) {
      report("wrong-rank", AT_TYPE, { input, expected: NO_IMAGE });
      return { outputs: [input] };
    }
    const factor = attrs.upscale_factor;
    const [channel, ...spatial] = axes;
    const size = input.dims[channel]!;
    const by = factor * factor;
    const rest = mod(size, by);
    if (rest !== null && rest !== 0) {
      report("not-divisible", atParam("upscale_factor"), {
        what: "channels",
        size,
        by,
        why: `${factor}² channels make one`,
      });
    }
    const dims = new Map<number, Dim>([
      [channel, exactQuotient(size, by) ?? unknown(`channels that ${by} does not divide`)],
    ]);
    const windows = spatial.map((axis): WindowUse => {
      const n = input.dims[axis]!;
      const output = mul(n, factor);
      dims.set(axis, output);
      return { axis, input: n, output, window: makeWindow({ kernel: factor, stride: factor }), outputPadding: 0 };
    });
    return { outputs: [withDims(input, dims)], ...everyWindow(input, windows) };
  },
  run: (backend, execution) =>
    onPixels(backend, execution, (x) => {
      const factor = execution.attrs.upscale_factor;
      const [lead, channels, height, width] = x.dims as Pixels;
      const count = channels / factor ** 2;
      const split = backend.reshape(x, [lead, count, factor, factor, height, width]);
      const moved = backend.permute(split, [0, 1, 4, 2, 5, 3]);
      return backend.reshape(moved, [lead, count, height * factor, width * factor]);
    }),
  example: { attrs: { upscale_factor: 2 }, inputs: [[1, 8, 5, 5]], output: [1, 2, 10, 10] },
});

const pixelUnshuffle = defineOp({
  name: "PixelUnshuffle",
  summary: "Turns r × r pixels into r² channels.",
  params: { downscale_factor: required(int(1), "The r by which height and width shrink.") },
  infer({ attrs, inputs, report }): Inference {
    const input = inputs[0]!;
    const axes = imageAxes(input);
    if (!axes) {
      report("wrong-rank", AT_TYPE, { input, expected: NO_IMAGE });
      return { outputs: [input] };
    }
    const factor = attrs.downscale_factor;
    const [channel, ...spatial] = axes;
    const dims = new Map<number, Dim>([[channel, mul(input.dims[channel]!, factor * factor)]]);
    const bad = spatial.find((axis) => (mod(input.dims[axis]!, factor) ?? 0) !== 0);
    if (bad !== undefined) {
      const why = "every output pixel takes a whole square";
      const what = bad === spatial[0] ? "height" : "width";
      report("not-divisible", atParam("downscale_factor"), { what, size: input.dims[bad]!, by: factor, why });
    }
    const windows = spatial.map((axis): WindowUse => {
      const n = input.dims[axis]!;
      const output =
        exactQuotient(n, factor) ??
        (typeof n === "number" ? unknown(`a size that ${factor} does not divide`) : floorDiv(n, factor));
      dims.set(axis, output);
      return { axis, input: n, output, window: makeWindow({ kernel: factor, stride: factor }) };
    });
    return { outputs: [withDims(input, dims)], ...everyWindow(input, windows) };
  },
  run: (backend, execution) =>
    onPixels(backend, execution, (x) => {
      const factor = execution.attrs.downscale_factor;
      const [lead, channels, height, width] = x.dims as Pixels;
      const [rows, columns] = [height / factor, width / factor];
      const split = backend.reshape(x, [lead, channels, rows, factor, columns, factor]);
      const moved = backend.permute(split, [0, 1, 3, 5, 2, 4]);
      return backend.reshape(moved, [lead, channels * factor ** 2, rows, columns]);
    }),
  example: { attrs: { downscale_factor: 2 }, inputs: [[1, 2, 10, 10]], output: [1, 8, 5, 5] },
});

export const resizeOps: readonly Operator[] = [
  resize("Upsample", false),
  resize("Interpolate", true),
  pixelShuffle,
  pixelUnshuffle,
];
