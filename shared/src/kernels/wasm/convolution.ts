/** Convolutions: which kernel a geometry gets, and how its weights are packed for it. */
import { effectiveKernel, type Placement } from "../../shape/window.ts";
import type { Convolution } from "../backend.ts";
import { convolutionDims } from "../check.ts";
import type { Core } from "./core.ts";
import { type DirectGeometry, directKernel, directWeights, packBias, packDirect, type Tile } from "./direct.ts";
import type { Packed } from "./packed.ts";
import type { Margin, Size3, Strides, WasmTensor } from "./tensor.ts";

/** A convolution with everything about its axes in threes. */
interface Geometry {
  readonly axes: readonly [Placement, Placement, Placement];
  readonly kernel: Size3;
  readonly stride: Size3;
  readonly dilation: Size3;
  readonly size: Size3;
}

/** An axis of one cell, which stands in where there are fewer than three. */
const SINGLE: Placement = { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, padBefore: 0, padAfter: 0 };

function geometryOf(axes: readonly Placement[]): Geometry {
  const three = [...new Array<Placement>(3 - axes.length).fill(SINGLE), ...axes] as unknown as Geometry["axes"];
  const each = (of: (axis: Placement) => number) => three.map(of) as unknown as Size3;
  return {
    axes: three,
    kernel: each((axis) => axis.kernel),
    stride: each((axis) => axis.stride),
    dilation: each((axis) => axis.dilation),
    size: each((axis) => axis.output),
  };
}

/** The cells around the input that windows read. */
function marginOf(axes: Geometry["axes"]): Margin {
  const before = axes.map(({ padBefore }) => Math.max(0, padBefore)) as unknown as Size3;
  const after = axes.map((axis) =>
    Math.max(0, (axis.output - 1) * axis.stride + effectiveKernel(axis) - axis.padBefore - axis.input),
  ) as unknown as Size3;
  return { before, after };
}

/** Pixels × panel that suit so many pixels: with few of them, a wider panel keeps enough sums in flight. */
export function tileFor(core: Core, pixels: number, outputs: number): Tile {
  if (outputs <= 4) return { pixels: 12, vectors: 1, unroll: 1 };
  if (pixels >= 4) return core.tile;
  return { pixels, vectors: [8, 4, 3][pixels - 1]!, unroll: 1 };
}

/** See `Backend.convolve`. The weights are finite, no output size is 0, and kernels can apply the activation. */
export function convolve(core: Core, x: WasmTensor, convolution: Convolution<WasmTensor>): WasmTensor {
  const dims = convolutionDims(x.dims, convolution);
  const { weight, bias, groups, flipped = false, add, activation = null } = convolution;
  const { axes, ...windows } = geometryOf(convolution.axes);
  const [out, channels] = weight.dims as [number, number];
  const from = core.asPixels(x, marginOf(axes), true);
  const added = add ? core.asPixels(add) : null;
  const y = core.image(dims);
  const to = core.asPixels(y);
  const geometry: DirectGeometry = {
    ...windows,
    ...{ batch: dims[0]!, groups, channels, outputs: out / groups, activation, fused: core.fused },
    ...{ x: stridesOf(from.form), y: stridesOf(to.form), add: added && stridesOf(added.form) },
    tile: tileFor(core, product(windows.size), out / groups),
  };
  const packed = packedFor(core, geometry, { weight, bias, flipped });
  const first = from.address - 4 * distance(axes, from.form);
  core.run(directKernel(geometry), { ...packed, x: first, y: to.address, add: added?.address ?? 0 });
  return y;
}

function product(size: Size3): number {
  return size[0] * size[1] * size[2];
}

function stridesOf({ pixel, row, plane, image }: Strides): Strides {
  return { pixel, row, plane, image };
}

/** Floats from the cell that the first window starts at to the first pixel of the image. */
function distance(axes: Geometry["axes"], { plane, row, pixel }: Strides): number {
  return axes[0].padBefore * plane + axes[1].padBefore * row + axes[2].padBefore * pixel;
}

function packedFor(
  core: Core,
  geometry: DirectGeometry,
  { weight, bias, flipped }: Required<Pick<Convolution, "weight" | "bias" | "flipped">>,
): Packed {
  const { weight: weightCount, bias: biasCount } = directWeights(geometry);
  const cells = product(geometry.kernel);
  const key = `direct ${geometry.groups} ${geometry.tile.vectors} ${flipped}`;
  return core.packed.get(weight, bias, key, { weight: weightCount, bias: biasCount }, (weights, biases) => {
    const taps = Array.from({ length: cells }, (_, tap) => (flipped ? cells - 1 - tap : tap));
    packDirect(weights, weight.data, geometry, { output: geometry.channels * cells, channel: cells, taps });
    packBias(biases, bias?.data ?? null, geometry);
  });
}
