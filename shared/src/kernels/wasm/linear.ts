/** Products of matrices, as direct convolutions of points: a row of the left matrix is a pixel, its numbers channels. */
import type { Linear } from "../backend.ts";
import { linearDims, matmulDims, sameDims } from "../check.ts";
import { places } from "../reference/arithmetic.ts";
import { elementCount } from "../values.ts";
import type { Core } from "./core.ts";
import { directKernel } from "./direct.ts";
import { tileFor } from "./geometry.ts";
import { pack, packedCounts, packedFor } from "./packing.ts";
import type { Strides, WasmTensor } from "./tensor.ts";
import type { DirectGeometry } from "./tiling.ts";

/** Rows of the left matrix that are worked off together. */
const STRIP = 48;

type Addresses = Readonly<Record<"x" | "weight" | "bias" | "y" | "add", number>>;

/** What a product of [rows, inner] and [inner, outputs] needs to know before weights are packed. */
function productOf(core: Core, rows: number, inner: number, outputs: number) {
  const one = [1, 1, 1] as const;
  return {
    ...{ batch: 1, groups: 1, channels: inner, outputs, kernel: one, stride: one, dilation: one },
    ...{ tile: tileFor(core, rows, outputs), fused: core.fused },
  };
}

/** How the right side of a product is packed, wherever its numbers are. */
function packingOf({ channels, outputs, tile }: ReturnType<typeof productOf>) {
  return { groups: 1, outputs, channels, taps: [0], panel: 4 * tile.vectors };
}

/** Runs a product: whole strips of rows, and then what is left. */
function multiply(
  core: Core,
  rows: number,
  geometry: ReturnType<typeof productOf> & Pick<DirectGeometry, "activation">,
  addresses: Addresses,
  adds: boolean,
  owner: object,
): void {
  const { channels, outputs } = geometry;
  const whole = rows < 2 * STRIP ? 0 : Math.floor(rows / STRIP);
  const part = (size: DirectGeometry["size"], first: number) => {
    if (size[1] * size[2] === 0) return;
    const strides = (pixel: number): Strides => ({ pixel, row: STRIP * pixel, plane: 0, image: 0 });
    const [x, y] = [strides(channels), strides(outputs)];
    const kernel = core.kernelFor(owner, { ...geometry, size, x, y, add: adds ? y : null }, directKernel);
    core.run(kernel, {
      ...addresses,
      x: addresses.x + 4 * first * channels,
      y: addresses.y + 4 * first * outputs,
      add: adds ? addresses.add + 4 * first * outputs : 0,
    });
  };
  part([1, whole, STRIP], 0);
  part([1, 1, rows - whole * STRIP], whole * STRIP);
}

/** See `Backend.linear`. The weights are finite, no size is 0, and kernels can apply the activation. */
export function linear(core: Core, x: WasmTensor, parts: Linear<WasmTensor>): WasmTensor {
  const { weight, bias, add, activation = null } = parts;
  const dims = linearDims(x.dims, weight, bias);
  if (add) sameDims(add.dims, dims);
  const [outputs, inner] = weight.dims as [number, number];
  const rows = elementCount(x.dims) / inner;
  const geometry = { ...productOf(core, rows, inner, outputs), activation };
  const packed = packedFor(core, weight, bias, "linear", {
    ...packingOf(geometry),
    from: { group: 0, output: inner, channel: 1 },
  });
  const from = core.asRows(x);
  const added = add ? core.asRows(add) : null;
  const y = core.rows(dims);
  const addresses = { ...packed, x: from.address, y: core.asRows(y).address, add: added?.address ?? 0 };
  multiply(core, rows, geometry, addresses, added !== null, weight);
  return y;
}

/** See `Backend.matmul`. No size is 0. */
export function matmul(core: Core, a: WasmTensor, b: WasmTensor): WasmTensor {
  const dims = matmulDims(a.dims, b.dims);
  const [rows, outputs] = dims.slice(-2) as [number, number];
  const inner = a.dims.at(-1)!;
  const [left, right] = [core.asRows(a), core.asRows(b)];
  const y = core.rows(dims);
  const geometry = { ...productOf(core, rows, inner, outputs), activation: null };
  const packing = { ...packingOf(geometry), from: { group: 0, output: 1, channel: outputs } };
  const counts = packedCounts(packing);
  // The right matrices are packed as weights are, one after the other, in the same place.
  core.withScratch(4 * (counts.weight + counts.bias + 1), (weight) => {
    const bias = weight + 4 * counts.weight;
    core.fill(bias, counts.bias, 0);
    const flag = bias + 4 * counts.bias;
    const lead = dims.slice(0, -2);
    const [lefts, rights] = [places(lead, a.dims.slice(0, -2)), places(lead, b.dims.slice(0, -2))];
    let packed = -1;
    for (let product = 0; product < elementCount(lead); product++) {
      const [of, by] = [lefts.next().value as number, rights.next().value as number];
      if (by !== packed) {
        const source = right.address + 4 * by * inner * outputs;
        pack(core, packing, { source, target: weight, flag, first: 0 }, Math.ceil(outputs / 4));
        packed = by;
      }
      const to = core.asRows(y).address + 4 * product * rows * outputs;
      const addresses = { x: left.address + 4 * of * rows * inner, weight, bias, y: to, add: 0 };
      multiply(core, rows, geometry, addresses, false, geometry);
    }
  });
  return y;
}
