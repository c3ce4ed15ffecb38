/** Weights as kernels read them: those too large to be packed in one go, too. */
import assert from "node:assert/strict";
import type { Convolution } from "#shared/kernels/backend.ts";
import { Reference } from "#shared/kernels/reference/reference.ts";
import type { WasmTensor } from "#shared/kernels/wasm/tensor.ts";
import type { Placement } from "#shared/shape/window.ts";
import { GuardedBackend } from "./guarded.ts";
import { distance, randomOf, randomValues } from "./model.ts";

const axisOf = (input: number, kernel: number): Placement => ({
  ...{ input, output: input - kernel + 1, kernel, stride: 1, dilation: 1 },
  ...{ padBefore: 0, padAfter: 0 },
});

/** Output channels, input channels of a group, groups, kernel: each takes several pieces, the last of them not whole. */
const CASES = [
  { name: "rows of their own", outputs: 130, channels: 1100, groups: 1, kernel: 1, size: 2 },
  { name: "tap after tap", outputs: 30, channels: 470, groups: 1, kernel: 3, size: 3 },
  { name: "filtered", outputs: 90, channels: 130, groups: 1, kernel: 3, size: 10 },
  { name: "group after group", outputs: 6 * 7, channels: 230, groups: 6, kernel: 3, size: 4 },
];

describe("engine: packing", () => {
  for (const { name, outputs, channels, groups, kernel, size } of CASES) {
    it(`piece by piece: ${name}`, () => {
      const random = randomOf(7);
      const x = randomValues([1, channels * groups, size, size], random);
      const weight = randomValues([outputs, channels, kernel, kernel], random);
      const axis = axisOf(size, kernel);
      const parts: Convolution<any> = { weight, bias: randomValues([outputs], random), axes: [axis, axis], groups };
      const backend = new GuardedBackend();
      const convolved = (given: typeof parts) => backend.read(backend.convolve(backend.enter(x), given) as WasmTensor);
      const expected = new Reference().convolve(x, parts);
      assert.ok(distance(convolved(parts).data, expected.data) <= 3e-5);
      // The very last number is seen too.
      const spoilt = { dims: weight.dims, data: weight.data.slice() };
      spoilt.data[spoilt.data.length - 1] = Number.POSITIVE_INFINITY;
      const y = convolved({ ...parts, weight: spoilt });
      assert.deepEqual(y, new Reference().convolve(x, { ...parts, weight: spoilt }));
      backend.checkAll();
    });
  }

  it("tells columns from rows of the same length", () => {
    const random = randomOf(8);
    // A phase of one tap: nine channels' weights of an output are as many as the taps from output to output.
    const axis: Placement = { input: 4, output: 12, kernel: 3, stride: 3, dilation: 1, padBefore: 0, padAfter: 0 };
    const x = randomValues([1, 9, 4, 4], random);
    const weight = randomValues([9, 8, 3, 3], random);
    const parts = { weight, bias: null, axes: [axis, axis], groups: 1 };
    const backend = new GuardedBackend();
    const y = backend.read(backend.convolveTransposed(backend.enter(x), parts));
    assert.ok(distance(y.data, new Reference().convolveTransposed(x, parts).data) <= 1e-5);
    backend.checkAll();
  });
});
