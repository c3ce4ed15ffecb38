/** The window formula equals counting the placements of a window one by one. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { evaluate, symbol } from "#shared/shape/dim.ts";
import {
  effectiveKernel,
  makeWindow,
  outputSize,
  remainder,
  samePadding,
  transposedOutputSize,
  unreadInput,
} from "#shared/shape/window.ts";

const geometry = fc.record({
  n: fc.integer({ min: 1, max: 60 }),
  kernel: fc.integer({ min: 1, max: 7 }),
  stride: fc.integer({ min: 1, max: 5 }),
  dilation: fc.integer({ min: 1, max: 3 }),
  padBefore: fc.integer({ min: 0, max: 3 }),
  padAfter: fc.integer({ min: 0, max: 3 }),
});

describe("window", () => {
  it("counts the placements that fit", () => {
    fc.assert(
      fc.property(geometry, ({ n, ...parts }) => {
        const w = makeWindow(parts);
        const starts: number[] = [];
        for (let at = 0; at + effectiveKernel(w) <= n + parts.padBefore + parts.padAfter; at += w.stride)
          starts.push(at);
        if (starts.length === 0) return assert.ok((outputSize(n, w) as number) <= 0);
        assert.equal(outputSize(n, w), starts.length);
        const lastRead = starts.at(-1)! + effectiveKernel(w) - parts.padBefore;
        assert.equal(unreadInput(n, w), Math.max(0, n - lastRead));
        assert.equal(remainder(n, w), n + parts.padBefore + parts.padAfter - effectiveKernel(w) - starts.at(-1)!);
      }),
      { numRuns: 3000 },
    );
  });
  it("with ceil, counts every start inside the input or the left padding", () => {
    fc.assert(
      fc.property(geometry, ({ n, ...parts }) => {
        const padAfter = Math.min(parts.padBefore, Math.floor(parts.kernel / 2));
        const w = makeWindow({ ...parts, padBefore: padAfter, padAfter, ceil: true });
        const room = n + 2 * padAfter - effectiveKernel(w);
        if (room < 0) return;
        let count = 0;
        for (let at = 0; at < n + padAfter && at - w.stride < room; at += w.stride) count++;
        assert.equal(outputSize(n, w), count);
        assert.equal(evaluate(outputSize(symbol("H"), w), new Map([["H", n]])), count);
      }),
      { numRuns: 3000 },
    );
  });
  it("SAME gives ⌈n/s⌉, by the formula too", () => {
    fc.assert(
      fc.property(geometry, ({ n, kernel, stride, dilation }) => {
        const pads = samePadding(n, kernel, stride, dilation, "upper");
        const w = makeWindow({ kernel, stride, dilation, ...pads });
        assert.equal(outputSize(n, w), Math.ceil(n / stride));
        assert.equal(outputSize(n, { ...w, same: false }), Math.ceil(n / stride));
      }),
    );
  });
  it("a transposed window inverts the window it transposes", () => {
    fc.assert(
      fc.property(geometry, ({ n, ...parts }) => {
        const w = makeWindow(parts);
        const small = outputSize(n, w) as number;
        if (small < 1) return;
        assert.equal(transposedOutputSize(small, w, remainder(n, w)!), n);
      }),
    );
  });
});
