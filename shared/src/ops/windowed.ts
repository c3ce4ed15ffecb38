/**
 * What every operator that moves a window shares: its spatial parameters, the padding forms of all formats, and the step
 * from them to one WindowUse per spatial axis with the findings about it.
 */
import { type Dim, isKnown, mul, unknown } from "../shape/dim.ts";
import { channelAxis, spatialAxes, type Tensor } from "../shape/tensor.ts";
import {
  effectiveKernel,
  outputSize,
  paddedSize,
  remainder,
  samePadding,
  splitTotal,
  unreadInput,
  type Window,
  type WindowUse,
} from "../shape/window.ts";
import { AT_LAYER, AT_TYPE, atParam, type Report } from "./finding.ts";
import { int, type ParamType, type Plain, perAxis, Refusal } from "./param.ts";

/** Padding as an attribute: numbers per axis (outermost first), or a rule that needs the input size. */
export type Padding =
  | { readonly kind: "explicit"; readonly before: readonly number[]; readonly after: readonly number[] }
  /** PyTorch's, for stride 1 only. */
  | { readonly kind: "same" }
  /** TensorFlow's and ONNX's, for any stride: the odd cell at the end or at the start. */
  | { readonly kind: "same_upper" | "same_lower" };

/** Names of the two sides of each axis, innermost axis first. */
const SIDES = [
  ["left", "right"],
  ["top", "bottom"],
  ["front", "back"],
] as const;

const AXES_WORD = ["", "1-D", "2-D", "3-D"];

/** "3-D": how messages call an operator of so many spatial axes. */
export function dimensionality(axes: number): string {
  return AXES_WORD[axes] ?? `${axes}-D`;
}

function sideNames(axes: number): string[] {
  return SIDES.slice(0, axes).flat();
}

/** Amounts per side from a map such as `{top: 1, left: 2}`; sides not named are 0. */
export function parseSides(
  value: { readonly [key: string]: Plain },
  axes: number,
  amount: ParamType<number>,
): { readonly before: number[]; readonly after: number[] } | Refusal {
  const names = sideNames(axes);
  const before = new Array<number>(axes).fill(0);
  const after = new Array<number>(axes).fill(0);
  for (const [key, written] of Object.entries(value)) {
    const place = names.indexOf(key);
    if (place < 0) return new Refusal(`a map of ${names.join(", ")}`);
    const parsed = amount.parse(written);
    if (parsed instanceof Refusal) return new Refusal(`a map whose values are each ${parsed.expected}`);
    (place % 2 === 0 ? before : after)[axes - 1 - Math.floor(place / 2)] = parsed;
  }
  return { before, after };
}

export function sidesSchema(axes: number, amount: ParamType<number>): object {
  const properties = Object.fromEntries(sideNames(axes).map((name) => [name, amount.schema]));
  return { type: "object", properties, additionalProperties: false };
}

export function isMap(value: Plain): value is { readonly [key: string]: Plain } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Padding in every form a format writes: a number, one number per axis, sides by name, `{total: p}` with the course
 * note's ⌈p/2⌉ before and ⌊p/2⌋ after, and words.
 * @param words which of "same", "valid", "same_upper" and "same_lower" the operator takes.
 */
export function paddingType(axes: number, amount: ParamType<number>, words: readonly string[]): ParamType<Padding> {
  const each = perAxis(axes, amount);
  const total = perAxis(axes, int(0));
  const quoted = words.map((word) => `"${word}"`).join(", ");
  const expected = `${each.expected}, a map of ${sideNames(axes).join(", ")}, {total: …}${quoted ? `, or ${quoted}` : ""}`;
  return {
    expected,
    schema: {
      anyOf: [
        each.schema,
        { enum: words },
        sidesSchema(axes, amount),
        { type: "object", properties: { total: total.schema }, required: ["total"], additionalProperties: false },
      ],
    },
    parse(value) {
      if (typeof value === "string") {
        if (!words.includes(value)) return new Refusal(expected);
        return value === "valid" ? noPadding(axes) : { kind: value as "same" | "same_upper" | "same_lower" };
      }
      if (isMap(value)) {
        if (!Object.hasOwn(value, "total")) {
          const sides = parseSides(value, axes, amount);
          return sides instanceof Refusal ? sides : { kind: "explicit", ...sides };
        }
        const totals = Object.keys(value).length === 1 ? total.parse(value.total!) : new Refusal(expected);
        if (totals instanceof Refusal) return totals;
        const split = totals.map(splitTotal);
        return {
          kind: "explicit",
          before: split.map(({ padBefore }) => padBefore),
          after: split.map(({ padAfter }) => padAfter),
        };
      }
      const parsed = each.parse(value);
      if (parsed instanceof Refusal) return parsed.index === undefined ? new Refusal(expected) : parsed;
      return { kind: "explicit", before: parsed, after: parsed };
    },
  };
}

export const ALL_WORDS = ["valid", "same", "same_upper", "same_lower"] as const;

export function noPadding(axes: number): Padding {
  const zeros = new Array<number>(axes).fill(0);
  return { kind: "explicit", before: zeros, after: zeros };
}

/** The spatial attributes of an operator, one value per axis, outermost first. */
export interface Geometry {
  readonly kernel_size: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: Padding;
  /** Pooling only: rounds the output size up. */
  readonly ceil_mode?: boolean;
}

/** The spatial axes of an input of the rank the operator needs; otherwise reports wrong-rank and returns null. */
export function axesOf(input: Tensor, axes: number, report: Report): readonly number[] | null {
  const rank = axes + (input.layout.batched ? 2 : 1);
  if (input.dims.length === rank) return spatialAxes(input);
  const { batched, channels } = input.layout;
  const spatial = spatialNames(axes);
  const parts = [
    ...(batched ? ["batch"] : []),
    ...(channels === "last" ? [...spatial, "channels"] : ["channels", ...spatial]),
  ];
  report("wrong-rank", AT_TYPE, { input, expected: `${rank} axes (${parts.join(", ")})` });
  return null;
}

function spatialNames(axes: number): readonly string[] {
  return axes === 1 ? ["length"] : ["depth", "height", "width"].slice(3 - axes);
}

/** Why nothing is known behind an input of the wrong rank. */
export const WRONG_RANK = "the input has the wrong number of axes";

/** A tensor of the rank that an operator gives, where nothing but its channel count may be known. */
export function unknownOutput(input: Tensor, axes: number, channelCount: Dim, why: string): Tensor {
  const lost = unknown(why);
  const spatial = new Array<Dim>(axes).fill(lost);
  const rest = input.layout.channels === "first" ? [channelCount, ...spatial] : [...spatial, channelCount];
  return { dims: input.layout.batched ? [input.dims[0] ?? lost, ...rest] : rest, layout: input.layout };
}

/** The input with the windows' output sizes and another channel count. */
export function outputOf(input: Tensor, uses: readonly WindowUse[], channelCount?: Dim): Tensor {
  const dims = [...input.dims];
  if (channelCount !== undefined) dims[channelAxis(input)] = channelCount;
  for (const use of uses) dims[use.axis] = use.output;
  return { dims, layout: input.layout };
}

/** The window of spatial axis `index` over an input of size n. */
function windowAt(index: number, n: Dim, geometry: Geometry): Window {
  const { padding, ceil_mode: ceil = false } = geometry;
  const kernel = geometry.kernel_size[index]!;
  const stride = geometry.stride[index]!;
  const dilation = geometry.dilation[index]!;
  if (padding.kind === "explicit") {
    const padBefore = padding.before[index]!;
    return { kernel, stride, dilation, padBefore, padAfter: padding.after[index]!, ceil, same: false };
  }
  const odd = padding.kind === "same_lower" ? "lower" : "upper";
  return { kernel, stride, dilation, ceil, ...samePadding(n, kernel, stride, dilation, odd) };
}

/**
 * One window per spatial axis, and the findings about how it fits.
 * @param mayBeEmpty the framework accepts exactly 0 positions (PyTorch's MaxPool1d); fewer are always refused.
 */
export function placeWindows(
  input: Tensor,
  axes: readonly number[],
  geometry: Geometry,
  report: Report,
  mayBeEmpty = false,
): readonly WindowUse[] {
  const { padding, stride } = geometry;
  const strided = padding.kind === "same" && stride.some((step) => step !== 1);
  if (strided) report("same-with-stride", atParam("padding"), { stride });
  const placed = axes.map((axis, index): WindowUse => {
    const n = input.dims[axis]!;
    const window = windowAt(index, n, geometry);
    const output = strided ? unknown('padding "same" needs stride 1') : outputSize(n, window);
    return { axis, input: n, output, window };
  });
  if (placed.some((use) => use.input === 0)) {
    const why = "the input has no cells";
    report("empty-output", AT_LAYER, { output: outputOf(input, placed), fatal: true, why });
    return placed.map((use) => ({ ...use, output: unknown(why) }));
  }
  let sound: readonly WindowUse[] = placed;
  for (const [index, use] of placed.entries()) {
    // Square inputs under square kernels have one problem, not one per axis.
    const first = placed.findIndex((other) => other === use || sameGeometry(other, use)) === index;
    if (!(typeof use.output === "number" && use.output < 1)) {
      if (first && isKnown(use.output)) reportLosses(use, index, input, report);
    } else if (use.output === 0 && mayBeEmpty) {
      const why = `a kernel of ${effectiveKernel(use.window)} cells does not fit into ${paddedSize(use.input, use.window)}`;
      report("empty-output", atParam("kernel_size", index), { output: outputOf(input, placed), fatal: false, why });
    } else {
      if (first) report("window-too-large", atParam("kernel_size", index), { use, input });
      sound = sound.with(index, { ...use, output: unknown("the kernel is larger than its input") });
    }
  }
  return sound;
}

/** What the framework accepts silently but the author should know. */
function reportLosses(use: WindowUse, index: number, input: Tensor, report: Report): void {
  const { window, input: n } = use;
  // Every cell is read by a window that moves cell by cell.
  if (window.stride === 1) return;
  const unread = unreadInput(n, window) ?? 0;
  const gap = window.stride - effectiveKernel(window);
  if (gap > 0 && (use.output !== 1 || unread > 0)) report("skips-pixels", atParam("stride", index), { use, input });
  if (window.same) return;
  const rest = remainder(n, window);
  if (rest === null || rest === 0) return;
  // Rounding up reads into the overhang: nothing is lost unless the stride jumps over it.
  if (window.ceil && unread === 0) return;
  // What lies behind the last window is no more than what lies between two: the skipping says it all.
  if (unread > 0 && unread <= gap) return;
  report("non-integer-size", atParam("stride", index), { use, input, unread });
}

function sameGeometry(a: WindowUse, b: WindowUse): boolean {
  const v = a.window;
  const w = b.window;
  return (
    a.input === b.input &&
    v.kernel === w.kernel &&
    v.stride === w.stride &&
    v.dilation === w.dilation &&
    v.padBefore === w.padBefore &&
    v.padAfter === w.padAfter
  );
}

/** How many positions the windows have: the product of their output sizes. */
export function positionCount(uses: readonly WindowUse[]): Dim {
  let count: Dim = 1;
  for (const use of uses) count = mul(count, use.output);
  return count;
}
