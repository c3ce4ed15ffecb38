/**
 * How far an output moved when the sample did. Convolution follows a shift, a stride follows it only in whole steps, and
 * pooling forgets small ones; away from the border this is exact, and here it is measured.
 */
import type { Values } from "../kernels/values.ts";
import { type Layout, spatialAxes } from "../shape/tensor.ts";
import type { Field } from "../shape/window.ts";
import { Planes } from "./planes.ts";
import type { ShiftedLayer } from "./protocol.ts";

/** Cells on either side of the expected place that are tried. */
const REACH = 2;

/** A difference that single precision explains. */
const EXACT = 1e-5;

/** Values that one comparison reads at most: of larger tensors, every so manieth plane. */
const MOST_COMPARED = 2 ** 18;

export interface Shift {
  readonly dx: number;
  readonly dy: number;
}

/** A rectangle of cells, ends not included. */
interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/**
 * Compares a layer's output before and after.
 * @param field of the output, per spatial axis; null: it sees the whole input.
 * @param inputSizes of the model's input, per spatial axis.
 */
export function compareShifted(
  before: Values,
  after: Values,
  layout: Layout,
  field: readonly Field[] | null,
  inputSizes: readonly number[],
  { dx, dy }: Shift,
): Omit<ShiftedLayer, "node"> {
  const invariance = distance(before, after);
  const spatial = spatialAxes({ dims: before.dims, layout }).length;
  const nothing = { expected: [], moved: null, equivariance: null, border: false, invariance };
  if (!field || spatial === 0 || spatial !== field.length || spatial !== inputSizes.length) return nothing;
  const [was, is] = [Planes.of(before, layout), Planes.of(after, layout)];
  const across = field.at(-1)!;
  const down = spatial > 1 ? field.at(-2)! : null;
  const expectedX = dx / across.jump;
  const expectedY = down ? dy / down.jump : 0;
  const expected = down ? [expectedY, expectedX] : [expectedX];
  const rowSpan = down ? inner(down, inputSizes.at(-2)!, dy, was.layout.height) : ([0, 1] as const);
  const columnSpan = inner(across, inputSizes.at(-1)!, dx, was.layout.width);
  const inside: Box = { top: rowSpan[0], bottom: rowSpan[1], left: columnSpan[0], right: columnSpan[1] };
  const border = inside.top >= inside.bottom || inside.left >= inside.right;
  const box = border ? { top: 0, bottom: was.layout.height, left: 0, right: was.layout.width } : inside;
  const error = (y: number, x: number) => difference(was, is, box, y, x);
  const [nearY, nearX] = [Math.round(expectedY), Math.round(expectedX)];
  const moved = bestMove(error, [nearY, nearX], down !== null);
  return {
    expected,
    moved: moved && (down ? moved : moved.slice(1)),
    equivariance: error(nearY, nearX),
    border,
    invariance,
  };
}

/** ‖b − a‖ / ‖a‖; null where a is nothing but zeros. */
function distance(a: Values, b: Values): number | null {
  let [squares, norm] = [0, 0];
  for (let at = 0; at < a.data.length; at++) {
    squares += (b.data[at]! - a.data[at]!) ** 2;
    norm += a.data[at]! ** 2;
  }
  return norm > 0 ? Math.sqrt(squares / norm) : null;
}

/** Positions of one axis, before the shift and after it, that see nothing of the input's border. */
function inner({ start, jump, size }: Field, input: number, shift: number, output: number): readonly [number, number] {
  // What came in at one side and what left at the other has no counterpart.
  const least = Math.max(shift, 0);
  const most = input - 1 + Math.min(shift, 0);
  const first = Math.max(Math.ceil((least - start) / jump), 0);
  const last = Math.min(Math.floor((most - (size - 1) - start) / jump), output - 1);
  return [first, last + 1];
}

/**
 * ‖after(j) − before(j − shift)‖ / ‖before‖ over the positions of the box that have both; null where there are none, or
 * nothing but zeros.
 */
function difference(before: Planes, after: Planes, box: Box, dy: number, dx: number): number | null {
  const { planes, depth, height, width } = before.layout;
  const top = Math.max(box.top, dy, 0);
  const bottom = Math.min(box.bottom, height + Math.min(dy, 0));
  const left = Math.max(box.left, dx, 0);
  const right = Math.min(box.right, width + Math.min(dx, 0));
  if (top >= bottom || left >= right) return null;
  const cells = depth * (bottom - top) * (right - left);
  const stride = Math.max(Math.ceil((planes * cells) / MOST_COMPARED), 1);
  const [slice, row, cell] = before.steps;
  let [squares, norm] = [0, 0];
  for (let plane = 0; plane < planes; plane += Math.min(stride, planes)) {
    const start = before.offsetOf(plane);
    for (let z = 0; z < depth; z++) {
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) {
          const is = after.values.data[start + z * slice + y * row + x * cell]!;
          const was = before.values.data[start + z * slice + (y - dy) * row + (x - dx) * cell]!;
          squares += (is - was) ** 2;
          norm += was ** 2;
        }
      }
    }
  }
  return norm > 0 ? Math.sqrt(squares / norm) : null;
}

/** Moves that are tried along one axis: around the expected one, and around none at all. */
function candidates(near: number): readonly number[] {
  const around = Array.from({ length: 2 * REACH + 1 }, (_, index) => index - REACH);
  return [...new Set([...around.map((move) => near + move), ...around])];
}

/** Where the outputs match best, refined between cells by a parabola; null where every place matches alike. */
function bestMove(
  error: (y: number, x: number) => number | null,
  [nearY, nearX]: readonly [number, number],
  isPlane: boolean,
): readonly number[] | null {
  const known = new Map<string, number | null>();
  const at = (y: number, x: number): number | null => {
    const key = `${y} ${x}`;
    const value = known.get(key) ?? error(y, x);
    known.set(key, value);
    return value;
  };
  let best: { y: number; x: number; error: number } | null = null;
  let worst = 0;
  for (const y of isPlane ? candidates(nearY) : [0]) {
    for (const x of candidates(nearX)) {
      const value = at(y, x);
      if (value === null) continue;
      worst = Math.max(worst, value);
      if (!best || value < best.error) best = { y, x, error: value };
    }
  }
  if (!best || worst - best.error < 1e-9) return null;
  const { y, x } = best;
  if (best.error < EXACT) return [y, x];
  const fine = (before: number | null, middle: number, after: number | null) => {
    if (before === null || after === null) return 0;
    // Squared errors are parabolas around their minimum where the signal is smooth.
    const [a, b, c] = [before ** 2, middle ** 2, after ** 2];
    const bend = a - 2 * b + c;
    return bend > 0 ? Math.min(Math.max((a - c) / (2 * bend), -0.5), 0.5) : 0;
  };
  const offsetX = fine(at(y, x - 1), best.error, at(y, x + 1));
  const offsetY = isPlane ? fine(at(y - 1, x), best.error, at(y + 1, x)) : 0;
  return [y + offsetY, x + offsetX];
}
