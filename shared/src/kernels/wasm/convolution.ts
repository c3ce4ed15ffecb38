/** Convolutions: which kernel a geometry gets, and how its weights are packed for it. */
import type { Convolution } from "../backend.ts";
import { convolutionDims } from "../check.ts";
import type { Core } from "./core.ts";
import { depthwiseKernel, depthwisePixels, isWideWindow, panelOf } from "./depthwise.ts";
import { directKernel } from "./direct.ts";
import { marginFor, marginOf, product, stridesOf, tapOrder, tileFor, type Windows, windowsOf } from "./geometry.ts";
import { blocksOf, pixelsToBlocks } from "./layout.ts";
import { packedCounts, packedFor, writeBias } from "./packing.ts";
import { type Margin, padded, type Strides, type WasmTensor } from "./tensor.ts";
import type { DirectGeometry } from "./tiling.ts";
import {
  cellStride,
  F2,
  F4,
  type Filtering,
  filterWeights,
  type WinogradGeometry,
  winogradInput,
  winogradOutput,
} from "./winograd.ts";

/** Everything a convolution needs but the choice of a kernel. */
interface Task {
  readonly axes: Windows["axes"];
  readonly windows: Omit<Windows, "axes">;
  readonly dims: readonly number[];
  readonly x: WasmTensor;
  readonly convolution: Convolution<WasmTensor>;
}

/** See `Backend.convolve`. The weights are finite, no output size is 0, and kernels can apply the activation. */
export function convolve(core: Core, x: WasmTensor, convolution: Convolution<WasmTensor>): WasmTensor {
  const dims = convolutionDims(x.dims, convolution);
  const { axes, ...windows } = windowsOf(convolution.axes);
  const task = { axes, windows, dims, x, convolution };
  const isDepthwise = convolution.groups > 1 && convolution.groups === x.dims[1] && convolution.groups === dims[1];
  if (isDepthwise) return depthwise(core, task);
  const filtering = filteringFor(core, task);
  return (filtering && winograd(core, task, filtering)) ?? direct(core, task);
}

/** Brings the operands into place: their strides, and the addresses of where a kernel starts. */
function operands(
  core: Core,
  { axes, dims, x, convolution: { add, margin: later } }: Task,
  { margin = marginOf(axes), tight = false }: { readonly margin?: Margin; readonly tight?: boolean },
) {
  const from = core.asPixels(x, margin, tight);
  const added = add ? core.asPixels(add) : null;
  const y = core.image(dims, marginFor(dims, later));
  const to = core.asPixels(y);
  const { plane, row, pixel } = from.form;
  // The first window may start in the margin.
  const before = axes[0].padBefore * plane + axes[1].padBefore * row + axes[2].padBefore * pixel;
  return {
    y,
    from,
    before,
    strides: { x: stridesOf(from.form), y: stridesOf(to.form), add: added && stridesOf(added.form) },
    addresses: { x: from.address - 4 * before, y: to.address, add: added?.address ?? 0 },
  };
}

function direct(core: Core, task: Task): WasmTensor {
  const { windows, dims, convolution } = task;
  const { weight, bias, groups, flipped = false, activation = null } = convolution;
  const [outputs, channels] = [weight.dims[0]! / groups, weight.dims[1]!];
  const tile = tileFor(core, product(windows.size), outputs);
  const taps = tapOrder(windows.kernel, flipped);
  const output = channels * taps.length;
  const packed = packedFor(core, weight, bias, `direct ${flipped}`, {
    ...{ groups, outputs, channels, taps, panel: 4 * tile.vectors },
    from: { group: outputs * output, output, channel: taps.length },
  });
  const { y, strides, addresses } = operands(core, task, { tight: true });
  const geometry: DirectGeometry = {
    ...{ ...windows, ...strides, batch: dims[0]!, groups, channels, outputs, activation, tile, fused: core.fused },
  };
  core.run(core.kernelFor(weight, geometry, directKernel), { ...packed, ...addresses });
  return y;
}

function depthwise(core: Core, task: Task): WasmTensor {
  const { windows, dims, convolution } = task;
  const { weight, bias, groups: channels, flipped = false, activation = null } = convolution;
  const isWide = isWideWindow(windows.kernel);
  const taps = tapOrder(windows.kernel, flipped);
  const packed = packedFor(core, weight, bias, `depthwise ${flipped}`, {
    ...{ groups: 1, outputs: channels, channels: 1, taps, panel: panelOf(channels, isWide) },
    from: { group: 0, output: taps.length, channel: 0 },
  });
  const { y, from, before, strides, addresses } = operands(core, task, {});
  const pixels = {
    ...{ ...windows, ...strides, batch: dims[0]!, channels, activation, fused: core.fused, vector: 4 },
    pixels: depthwisePixels(windows.kernel, core.tile.unroll > 1),
  };
  const blocks = blocksOf(from.form);
  const geometry = isWide ? { ...pixels, x: stridesOf(blocks), vector: blocks.vector } : pixels;
  const kernel = core.kernelFor(weight, geometry, depthwiseKernel);
  if (!isWide) core.run(kernel, { ...packed, ...addresses });
  else {
    core.withScratch(4 * blocks.count, (start) => {
      const { origin, pixel } = from.form;
      core.run(pixelsToBlocks(from.form), { from: from.address - 4 * origin, to: start });
      core.run(kernel, { ...packed, ...addresses, x: start + 16 * ((origin - before) / pixel) });
    });
  }
  return y;
}

/** Bytes that V and M of one block of tiles may take together; a quarter of the weights, which every block reads, is fine too. */
const BLOCK = 2 ** 20;

/** What a second does, about: operations, numbers that the transforms touch, bytes of weights that are read. */
const SPEED = { operations: 45e9, transformed: 1.5e9, bytes: 12e9 };

/** The minimal filtering that beats the direct kernel, if one does. */
function filteringFor(core: Core, { windows, axes, convolution: { weight, groups } }: Task): Filtering | null {
  const { kernel, stride, dilation, size } = windows;
  const is3x3 = [axes[1], axes[2]].every((axis) => axis.kernel === 3 && axis.stride === 1 && axis.dilation === 1);
  const isFlat = kernel[0] === 1 && stride[0] === 1 && dilation[0] === 1 && size[0] === 1 && axes[0].padBefore === 0;
  const [outputs, channels] = weight.dims as [number, number];
  if (core.exact || groups > 1 || !is3x3 || !isFlat || Math.min(outputs, channels) < 16) return null;
  const seconds = (products: number, transformed: number, cells: number) =>
    Math.max((2 * products) / SPEED.operations, (4 * cells * outputs * channels) / SPEED.bytes) +
    transformed / SPEED.transformed;
  let [best, least] = [null as Filtering | null, seconds(9 * size[1] * size[2] * outputs * channels, 0, 9)];
  for (const filtering of [F2, F4]) {
    const numbers = Math.ceil(size[1] / filtering.m) * Math.ceil(size[2] / filtering.m) * filtering.cells ** 2;
    const needed = seconds(numbers * outputs * channels, numbers * (outputs + channels), filtering.cells ** 2);
    if (needed < 0.9 * least) [best, least] = [filtering, needed];
  }
  return best;
}

/** Null where an output is not finite: what one cell holds must not reach its tile's other cells. */
function winograd(core: Core, task: Task, filtering: Filtering): WasmTensor | null {
  const { axes, windows, dims, convolution } = task;
  const { weight, activation = null } = convolution;
  const { m, cells } = filtering;
  const [, rows, columns] = windows.size;
  const [outputs, channels] = weight.dims as [number, number];
  const tiles = [Math.ceil(rows / m), Math.ceil(columns / m)] as const;
  const { before } = marginOf(axes);
  const after = (axis: 1 | 2) => Math.max(0, tiles[axis - 1]! * m + 2 - axes[axis].padBefore - axes[axis].input);
  const margin: Margin = { before, after: [0, after(1), after(2)] };
  const count = dims[0]! * tiles[0] * tiles[1];
  const perTile = 4 * cells ** 2 * (padded(channels) + padded(outputs));
  const near = Math.max(BLOCK, cells ** 2 * outputs * channels);
  const most = Math.max(core.tile.pixels, Math.floor(near / perTile), Math.min(count, 48));
  const block = Math.ceil(count / Math.ceil(count / most));
  const tile = tileFor(core, block, outputs);
  const packed = packedFiltered(core, convolution, filtering, 4 * tile.vectors);
  const { y, strides, addresses } = operands(core, task, { margin });
  const geometry: WinogradGeometry = {
    ...{ filtering, tiles, block, channels, outputs, activation, ...strides },
    ...{ size: [rows, columns], fused: core.fused },
  };
  /** Strides of the matrices in V and M, each with a row per tile. */
  const matrix = (columns: number): Strides => {
    return { pixel: padded(columns), row: 0, plane: 0, image: 0, group: cellStride(geometry, columns) };
  };
  const product: DirectGeometry = {
    ...{ batch: 1, groups: cells ** 2, channels, outputs, kernel: [1, 1, 1], stride: [1, 1, 1], dilation: [1, 1, 1] },
    ...{ size: [1, 1, block], x: matrix(channels), y: matrix(outputs) },
    ...{ add: null, activation: null, tile, fused: core.fused },
  };
  const [vBytes, mBytes] = [channels, outputs].map((columns) => 4 * cells ** 2 * cellStride(geometry, columns));
  const isSound = core.withScratch(64 + vBytes! + mBytes!, (flag) => {
    const v = flag + 64;
    const products = v + vBytes!;
    core.fill(flag, 1, 0);
    for (let first = 0; first < count; first += block) {
      const noBias = packed.bias + 4 * padded(outputs);
      core.run(winogradInput(geometry), { x: addresses.x, v, first, count });
      core.run(directKernel(product), { x: v, weight: packed.weight, bias: noBias, y: products, add: 0 });
      const { y: to, add } = addresses;
      core.run(winogradOutput(geometry), { m: products, bias: packed.bias, y: to, add, first, count, flag });
    }
    return core.isZero(flag);
  });
  if (isSound) return y;
  core.release(y);
  return null;
}

/** The weights of Winograd's products; of the biases, those of the results come first, and then zeros for the products. */
function packedFiltered(
  core: Core,
  { weight, bias, flipped = false }: Convolution<WasmTensor>,
  filtering: Filtering,
  panel: number,
) {
  const { m, cells } = filtering;
  const [outputs, channels] = weight.dims as [number, number];
  const products = packedCounts({ groups: cells ** 2, outputs, channels, taps: [0] });
  const counts = { weight: products.weight, bias: padded(outputs) + products.bias };
  return core.packed.get(weight, bias, `winograd ${m} ${panel} ${flipped}`, counts, (to) => {
    core.unrecorded();
    filterWeights(core, weight, filtering, { panel, flipped }, to.weight);
    writeBias(core, to.bias, bias, { groups: 1, outputs });
    core.fill(to.bias + 4 * padded(outputs), products.bias, 0);
  });
}
