/**
 * Interpolation along one axis as a table: which cells every output reads, and how much of each.
 * Source: torch.nn.functional.interpolate, whose results these are; Keys 1981 for the cubic, with PyTorch's A = −3/4
 * (−1/2 where it filters against aliasing, as Pillow does).
 */
import type { Taps } from "../kernels/backend.ts";

/** How outputs map to inputs along one axis. */
export interface Scaling {
  readonly input: number;
  readonly output: number;
  /** Input cells per output cell. */
  readonly scale: number;
}

/** One weighted cell after another for every output. */
function table(output: number, of: (j: number) => readonly (readonly [cell: number, weight: number])[]): Taps {
  const rows = Array.from({ length: output }, (_, j) => of(j));
  const count = rows.reduce((most, row) => Math.max(most, row.length), 1);
  const indices = new Int32Array(output * count).fill(-1);
  const weights = new Float64Array(output * count);
  for (const [j, row] of rows.entries()) {
    for (const [tap, [cell, weight]] of row.entries()) {
      indices[j * count + tap] = cell;
      weights[j * count + tap] = weight;
    }
  }
  return { output, count, indices, weights };
}

/** PyTorch finds the nearest cell in single precision. `exact` takes the cell under the middle, not under the corner. */
function nearest({ input, output, scale }: Scaling, exact: boolean): Taps {
  const step = Math.fround(scale);
  return table(output, (j) => [[Math.min(Math.floor(Math.fround((exact ? j + 0.5 : j) * step)), input - 1), 1]]);
}

/** Nearest cells between two sizes. */
export function nearestTaps(input: number, output: number): Taps {
  return nearest({ input, output, scale: input / output }, false);
}

/** Where output j lies among the input's cells, counted from the middle of the first. */
function positionOf({ input, output, scale }: Scaling, corners: boolean, j: number): number {
  if (corners) return output > 1 ? (j * (input - 1)) / (output - 1) : 0;
  return (j + 0.5) * scale - 0.5;
}

function linear(scaling: Scaling, corners: boolean): Taps {
  const last = scaling.input - 1;
  return table(scaling.output, (j) => {
    const at = Math.max(positionOf(scaling, corners, j), 0);
    const cell = Math.min(Math.floor(at), last);
    const rest = cell === last ? 0 : at - cell;
    return rest === 0
      ? [[cell, 1]]
      : ([
          [cell, 1 - rest],
          [cell + 1, rest],
        ] as const);
  });
}

/** The cubic convolution kernel. */
function cubicWeight(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function cubic(scaling: Scaling, corners: boolean): Taps {
  return table(scaling.output, (j) => {
    const at = positionOf(scaling, corners, j);
    const first = Math.floor(at) - 1;
    return [0, 1, 2, 3].map((tap) => {
      const cell = Math.min(Math.max(first + tap, 0), scaling.input - 1);
      return [cell, cubicWeight(at - (first + tap), -0.75)] as const;
    });
  });
}

/** The kernel stretched over all cells that an output covers, and its weights made to sum to 1. */
function filtered({ input, output, scale }: Scaling, reach: number, weightAt: (distance: number) => number): Taps {
  const stretch = Math.max(scale, 1);
  return table(output, (j) => {
    const centre = scale * (j + 0.5);
    const first = Math.max(Math.trunc(centre - reach * stretch + 0.5), 0);
    const end = Math.min(Math.trunc(centre + reach * stretch + 0.5), input);
    const cells = Array.from({ length: end - first }, (_, index) => first + index);
    const weights = cells.map((cell) => weightAt((cell - centre + 0.5) / stretch));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return cells.map((cell, index) => [cell, weights[index]! / total] as const);
  });
}

export interface Interpolation {
  readonly kind: "nearest" | "nearest-exact" | "linear" | "cubic";
  /** Corner cells map onto corner cells. */
  readonly corners: boolean;
  /** Filters against aliasing where it makes smaller. */
  readonly antialias: boolean;
}

/** The table of one axis. */
export function tapsFor({ kind, corners, antialias }: Interpolation, scaling: Scaling): Taps {
  if (kind === "nearest" || kind === "nearest-exact") return nearest(scaling, kind === "nearest-exact");
  if (!antialias) return kind === "linear" ? linear(scaling, corners) : cubic(scaling, corners);
  const scale = corners ? positionOf(scaling, true, 1) : scaling.scale;
  if (kind === "linear") return filtered({ ...scaling, scale }, 1, (x) => Math.max(0, 1 - Math.abs(x)));
  return filtered({ ...scaling, scale }, 2, (x) => cubicWeight(x, -0.5));
}
