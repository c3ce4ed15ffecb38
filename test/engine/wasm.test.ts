/**
 * The fast backend holds to the reference on random geometries, reads and writes nothing but its tensors, and leaves
 * nothing behind.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Convolution, Pointwise } from "#shared/kernels/backend.ts";
import { Reference } from "#shared/kernels/reference/reference.ts";
import { EngineError, type Values } from "#shared/kernels/values.ts";
import { createWasmBackend } from "#shared/kernels/wasm/wasm.ts";
import { effectiveKernel, type Placement } from "#shared/shape/window.ts";
import { GuardedBackend } from "./guarded.ts";
import { distance, randomOf, randomValues } from "./model.ts";

const reference = new Reference();
const CLOSE = 1e-5;

/** One axis: a window that fits at least once, with cells added or cut off. */
const axis: fc.Arbitrary<Placement> = fc
  .record({
    input: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 40 })),
    kernel: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.integer({ min: 5, max: 12 })),
    stride: fc.integer({ min: 1, max: 5 }),
    dilation: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 20 })),
    padBefore: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) }, fc.integer({ min: -2, max: 14 })),
    padAfter: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) }, fc.integer({ min: -2, max: 14 })),
  })
  .map(({ input, kernel, stride, dilation, padBefore, padAfter }) => {
    const span = effectiveKernel({ kernel, dilation });
    // What is missing for one window is added to the input.
    const cells = Math.max(input, span - padBefore - padAfter, 1);
    const output = Math.floor((cells + padBefore + padAfter - span) / stride) + 1;
    return { input: cells, output, kernel, stride, dilation, padBefore, padAfter };
  });

const activation: fc.Arbitrary<Pointwise | null> = fc.constantFrom(
  null,
  { kind: "relu" as const },
  { kind: "clamp" as const, least: 0, most: 6 },
  { kind: "leaky-relu" as const, slope: 0.1 },
  { kind: "hardswish" as const },
  { kind: "hardsigmoid" as const },
  { kind: "sigmoid" as const },
);

interface Case {
  readonly x: Values;
  readonly added: Values | null;
  readonly convolution: Omit<Convolution, "add">;
}

const convolutions: fc.Arbitrary<Case> = fc
  .record({
    axes: fc.oneof(
      fc.array(axis, { minLength: 1, maxLength: 1 }),
      fc.array(axis, { minLength: 2, maxLength: 2 }),
      fc.array(axis, { minLength: 3, maxLength: 3 }),
    ),
    batch: fc.integer({ min: 1, max: 2 }),
    groups: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 9 })),
    channels: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(16, 17, 32)),
    outputs: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(15, 16, 24)),
    ...{ bias: fc.boolean(), flipped: fc.boolean(), add: fc.boolean(), activation },
    seed: fc.integer(),
  })
  .filter(({ axes, groups, channels, outputs, batch }) => {
    const [cells, kernel, output] = [
      axes.reduce((all, { input }) => all * input, 1),
      axes.reduce((all, each) => all * each.kernel, 1),
      axes.reduce((all, each) => all * each.output, 1),
    ];
    return batch * output * kernel * channels * outputs * groups < 3e6 && batch * cells * channels * groups < 1e6;
  })
  .map(({ axes, batch, groups, channels, outputs, bias, flipped, add, activation, seed }) => {
    const random = randomOf(seed);
    const size = axes.map(({ input }) => input);
    const convolution = {
      weight: randomValues([outputs * groups, channels, ...axes.map(({ kernel }) => kernel)], random),
      bias: bias ? randomValues([outputs * groups], random) : null,
      ...{ axes, groups, flipped },
      ...(activation ? { activation } : {}),
    };
    const result = [batch, outputs * groups, ...axes.map(({ output }) => output)];
    return {
      x: randomValues([batch, channels * groups, ...size], random),
      added: add ? randomValues(result, random) : null,
      convolution,
    };
  });

function describeCase({ x, convolution: { axes, weight, groups } }: Case): string {
  return JSON.stringify({ x: x.dims, weight: weight.dims, groups, axes });
}

describe("engine: the fast backend", () => {
  const guarded = new GuardedBackend();

  /** Runs a case between guard zones and gives what came out. */
  function convolved({ x, added, convolution }: Case): Values {
    const [values] = guarded.tidy(() => {
      const add = added ? { add: guarded.enter(added) } : {};
      return [guarded.convolve(guarded.enter(x), { ...convolution, ...add })];
    });
    const result = guarded.read(values!);
    guarded.release(values!);
    guarded.checkAll();
    return result;
  }

  it("convolves as the reference does, whatever the geometry, inside its tensors", () => {
    fc.assert(
      fc.property(convolutions, (given) => {
        const { x, added, convolution } = given;
        const expected = reference.convolve(x, added ? { ...convolution, add: added } : convolution);
        const actual = convolved(given);
        assert.deepEqual(actual.dims, expected.dims);
        const far = distance(actual.data, expected.data);
        assert.ok(far <= CLOSE, `${far} away: ${describeCase(given)}`);
      }),
      { numRuns: 300 },
    );
  }).timeout(60_000);

  it("leaves nothing behind but packed weights, and those until they are forgotten", () => {
    guarded.forgetWeights();
    assert.equal(guarded.core.memory.used, 0);
  });

  it("refuses what does not fit before it allocates, with the bytes", () => {
    const backend = createWasmBackend({ limit: 2 ** 24 });
    const before = backend.core.memory.used;
    const x = backend.enter(randomValues([1, 1, 8, 8], randomOf(1)));
    const padded = (padBefore: number): Placement => ({
      ...{ input: 8, kernel: 1, stride: 1, dilation: 1, padBefore, padAfter: 0 },
      output: 8 + padBefore,
    });
    const weight = randomValues([8, 1, 1, 1], randomOf(2));
    assert.throws(
      () => backend.convolve(x, { weight, bias: null, axes: [padded(5000), padded(5000)], groups: 1 }),
      (error) => error instanceof EngineError && error.problem === "too-large" && (error.bytes ?? 0) > 2 ** 24,
    );
    backend.release(x);
    backend.forgetWeights();
    assert.equal(backend.core.memory.used, before);
  });
});
