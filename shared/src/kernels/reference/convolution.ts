/**
 * Convolutions by their definition, of one to three spatial axes: every output is one float64 sum, rounded once.
 * Sources: torch.nn.Conv1d–3d and ConvTranspose1d–3d; Goodfellow, Bengio & Courville, "Deep Learning", section 9.1 for
 * the flipped kernel.
 */
import type { Placement } from "../../shape/window.ts";
import { type Convolution, checkpoint, type Signal, type TransposedConvolution } from "../backend.ts";
import { convolutionDims, transposedDims } from "../check.ts";
import { type Values, zeros } from "../values.ts";
import { pointwise } from "./pointwise.ts";

/** An axis of one cell, which stands in where there are fewer than three. */
const SINGLE: Placement = { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, padBefore: 0, padAfter: 0 };

type Volume = readonly [Placement, Placement, Placement];

/** Depth, height and width, whatever of them there is. */
function volume(axes: readonly Placement[]): Volume {
  return [...new Array<Placement>(3 - axes.length).fill(SINGLE), ...axes] as unknown as Volume;
}

/** The input cell that tap k of output j reads; outside [0, input) it reads a zero. */
function cellAt(axis: Placement, j: number, k: number): number {
  return j * axis.stride - axis.padBefore + k * axis.dilation;
}

function inside(axis: Placement, cell: number): boolean {
  return cell >= 0 && cell < axis.input;
}

/** Applies what follows a convolution to one float64 sum. */
function finisher({ add, activation }: { readonly add?: Values; readonly activation?: Convolution["activation"] }) {
  const f = activation ? pointwise(activation) : (x: number) => x;
  return (sum: number, at: number): number => f(add ? sum + add.data[at]! : sum);
}

/** See `Backend.convolve`. */
export function convolve(x: Values, convolution: Convolution<Values>, limit: number, signal: Signal | null): Values {
  const result = zeros(convolutionDims(x.dims, convolution), limit);
  const { weight, bias, groups, flipped = false } = convolution;
  const [depth, height, width] = volume(convolution.axes);
  const [batch, channels] = x.dims as [number, number];
  const [out, perGroup] = weight.dims as [number, number];
  const cells = depth.kernel * height.kernel * width.kernel;
  const finish = finisher(convolution);
  let at = 0;
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < out; o++) {
      checkpoint(signal);
      const firstChannel = Math.floor(o / (out / groups)) * perGroup;
      for (let i = 0; i < depth.output; i++) {
        for (let j = 0; j < height.output; j++) {
          for (let k = 0; k < width.output; k++) {
            let sum = bias ? bias.data[o]! : 0;
            for (let c = 0; c < perGroup; c++) {
              const image = n * channels + firstChannel + c;
              for (let a = 0; a < depth.kernel; a++) {
                const z = cellAt(depth, i, a);
                if (!inside(depth, z)) continue;
                for (let b = 0; b < height.kernel; b++) {
                  const y = cellAt(height, j, b);
                  if (!inside(height, y)) continue;
                  const row = ((image * depth.input + z) * height.input + y) * width.input;
                  for (let d = 0; d < width.kernel; d++) {
                    const cell = cellAt(width, k, d);
                    if (!inside(width, cell)) continue;
                    const tap = (a * height.kernel + b) * width.kernel + d;
                    // Turning the kernel around along every axis reverses its cells in memory.
                    const turned = flipped ? cells - 1 - tap : tap;
                    sum += x.data[row + cell]! * weight.data[(o * perGroup + c) * cells + turned]!;
                  }
                }
              }
            }
            result.data[at] = finish(sum, at);
            at++;
          }
        }
      }
    }
  }
  return result;
}

/** The (input cell, tap) pairs that add up to output j of a transposed window. */
function contributions(axis: Placement, j: number): { readonly cell: number; readonly tap: number }[] {
  const pairs: { cell: number; tap: number }[] = [];
  for (let tap = 0; tap < axis.kernel; tap++) {
    const steps = j + axis.padBefore - tap * axis.dilation;
    const cell = steps / axis.stride;
    if (Number.isInteger(cell) && inside(axis, cell)) pairs.push({ cell, tap });
  }
  return pairs;
}

/** See `Backend.convolveTransposed`. */
export function convolveTransposed(
  x: Values,
  convolution: TransposedConvolution<Values>,
  limit: number,
  signal: Signal | null,
): Values {
  const result = zeros(transposedDims(x.dims, convolution), limit);
  const { weight, bias, groups } = convolution;
  const axes = volume(convolution.axes);
  const [depth, height, width] = axes;
  const [batch, channels] = x.dims as [number, number];
  const outPerGroup = weight.dims[1]!;
  const inPerGroup = channels / groups;
  const cells = depth.kernel * height.kernel * width.kernel;
  const [planes, rows, columns] = axes.map((axis) =>
    Array.from({ length: axis.output }, (_, j) => contributions(axis, j)),
  ) as [ReturnType<typeof contributions>[], ReturnType<typeof contributions>[], ReturnType<typeof contributions>[]];
  const finish = finisher(convolution);
  let at = 0;
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outPerGroup * groups; o++) {
      checkpoint(signal);
      const firstChannel = Math.floor(o / outPerGroup) * inPerGroup;
      for (const plane of planes) {
        for (const row of rows) {
          for (const column of columns) {
            let sum = bias ? bias.data[o]! : 0;
            for (let c = firstChannel; c < firstChannel + inPerGroup; c++) {
              const image = (n * channels + c) * depth.input;
              const kernel = (c * outPerGroup + (o % outPerGroup)) * cells;
              for (const z of plane) {
                for (const y of row) {
                  const line = ((image + z.cell) * height.input + y.cell) * width.input;
                  const taps = kernel + (z.tap * height.kernel + y.tap) * width.kernel;
                  for (const { cell, tap } of column) sum += x.data[line + cell]! * weight.data[taps + tap]!;
                }
              }
            }
            result.data[at] = finish(sum, at);
            at++;
          }
        }
      }
    }
  }
  return result;
}
