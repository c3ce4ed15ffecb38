/**
 * Transposed convolutions by their phases. Output cells that are a stride apart read the same taps of neighbouring input
 * cells, so each phase is a direct convolution of stride 1 that writes every stride-th cell: no zero is ever multiplied.
 * Source: Shi et al., "Is the deconvolution layer the same as a convolutional layer?" (2016).
 */
import type { Placement } from "../../shape/window.ts";
import type { TransposedConvolution } from "../backend.ts";
import { transposedDims } from "../check.ts";
import type { Core } from "./core.ts";
import { directKernel } from "./direct.ts";
import { marginFor, product, stridesOf, tileFor, windowsOf } from "./geometry.ts";
import { packedFor } from "./packing.ts";
import type { Margin, Size3, WasmTensor } from "./tensor.ts";
import type { DirectGeometry } from "./tiling.ts";

/** The outputs first, first + stride, … of one axis. */
interface Phase {
  readonly first: number;
  /** How many there are. */
  readonly outputs: number;
  /** The taps that they read, in the order of the cells. */
  readonly taps: readonly number[];
  /** The input cell of the first output's first tap; it may lie outside. */
  readonly start: number;
  /** Cells from one tap's to the next one's. */
  readonly dilation: number;
}

/** A phase of each axis: what one direct convolution computes. */
type AxisPhases = readonly [Phase, Phase, Phase];

function allOf([planes, rows, columns]: readonly [Phase[], Phase[], Phase[]]): AxisPhases[] {
  return planes.flatMap((plane) => rows.flatMap((row) => columns.map((column): AxisPhases => [plane, row, column])));
}

function each(phases: AxisPhases, of: (axis: Phase) => number): Size3 {
  return [of(phases[0]), of(phases[1]), of(phases[2])];
}

/** The taps of a kernel that some phases read, in the order of the cells. */
function tapsOf([plane, row, column]: AxisPhases, [, rows, columns]: Size3): number[] {
  return plane.taps.flatMap((a) => row.taps.flatMap((b) => column.taps.map((c) => (a * rows + b) * columns + c)));
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function phasesOf({ kernel, stride, dilation, output, padBefore }: Placement): Phase[] {
  const step = dilation / gcd(stride, dilation);
  const phases: Phase[] = [];
  for (let first = 0; first < Math.min(stride, output); first++) {
    // Output o takes tap k from input (o + padBefore − k·dilation) / stride, where that is whole: far cells come first.
    const taps: number[] = [];
    for (let tap = kernel - 1; tap >= 0; tap--) {
      if ((first + padBefore - tap * dilation) % stride === 0) taps.push(tap);
    }
    const start = taps.length > 0 ? (first + padBefore - taps[0]! * dilation) / stride : 0;
    phases.push({ first, outputs: Math.ceil((output - first) / stride), taps, start, dilation: step });
  }
  return phases;
}

/** The cells around the input that phases read. */
function marginOf(phases: readonly (readonly Phase[])[], axes: readonly Placement[]): Margin {
  const read = phases.map((all) => all.filter(({ taps }) => taps.length > 0));
  const before = read.map((all) => Math.max(0, ...all.map(({ start }) => -start)));
  const after = read.map((all, axis) =>
    Math.max(
      0,
      ...all.map(
        ({ start, outputs, taps, dilation }) => start + outputs + (taps.length - 1) * dilation - axes[axis]!.input,
      ),
    ),
  );
  return { before: before as unknown as Size3, after: after as unknown as Size3 };
}

/** See `Backend.convolveTransposed`; what it is given is as for `convolve`. */
export function convolveTransposed(
  core: Core,
  x: WasmTensor,
  convolution: TransposedConvolution<WasmTensor>,
): WasmTensor {
  const dims = transposedDims(x.dims, convolution);
  const { weight, bias, groups, add, activation = null, margin } = convolution;
  const { axes, kernel, stride } = windowsOf(convolution.axes);
  const phases = axes.map(phasesOf) as [Phase[], Phase[], Phase[]];
  const [channels, outputs] = [weight.dims[0]! / groups, weight.dims[1]!];
  const cells = product(kernel);
  const parts = allOf(phases).map((phase) => {
    const size = each(phase, (axis) => axis.outputs);
    const tile = tileFor(core, product(size), outputs);
    const taps = tapsOf(phase, kernel);
    const packed = packedFor(core, weight, bias, `transposed ${taps}`, {
      ...{ groups, outputs, channels, taps, panel: 4 * tile.vectors },
      from: { group: channels * outputs * cells, output: cells, channel: outputs * cells },
    });
    return { phase, size, tile, packed };
  });

  const from = core.asPixels(x, marginOf(phases, axes), true);
  const added = add ? core.asPixels(add) : null;
  const y = core.image(dims, marginFor(dims, margin));
  const to = core.asPixels(y);
  /** Floats to the first cell of a phase, and the strides from cell to cell of it. */
  const spread = (form: typeof to.form, [front, top, left]: AxisPhases) => ({
    first: front.first * form.plane + top.first * form.row + left.first * form.pixel,
    strides: {
      ...{ pixel: form.pixel * stride[2], row: form.row * stride[1] },
      ...{ plane: form.plane * stride[0], image: form.image },
    },
  });
  for (const { phase, size, tile, packed } of parts) {
    const written = spread(to.form, phase);
    const more = added && spread(added.form, phase);
    const geometry: DirectGeometry = {
      ...{ batch: dims[0]!, groups, channels, outputs, activation, fused: core.fused, size, tile },
      ...{ kernel: each(phase, ({ taps }) => taps.length), stride: [1, 1, 1] },
      ...{ dilation: each(phase, ({ dilation }) => dilation) },
      ...{ x: stridesOf(from.form), y: written.strides, add: more ? more.strides : null },
    };
    const [front, top, left] = phase;
    const start = front.start * from.form.plane + top.start * from.form.row + left.start * from.form.pixel;
    core.run(directKernel(geometry), {
      ...packed,
      x: from.address + 4 * start,
      y: to.address + 4 * written.first,
      add: more ? added.address + 4 * more.first : 0,
    });
  }
  return y;
}
