/**
 * The fast backend holds to the reference on random geometries, reads and writes nothing but its tensors, and leaves
 * nothing behind.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Convolution, Pointwise, TransposedConvolution } from "#shared/kernels/backend.ts";
import { Reference } from "#shared/kernels/reference/reference.ts";
import { EngineError, type Values } from "#shared/kernels/values.ts";
import type { WasmTensor } from "#shared/kernels/wasm/tensor.ts";
import { createWasmBackend } from "#shared/kernels/wasm/wasm.ts";
import { effectiveKernel, type Placement } from "#shared/shape/window.ts";
import { GuardedBackend } from "./guarded.ts";
import { distance, randomOf, randomValues } from "./model.ts";

const reference = new Reference();
const CLOSE = 1e-5;
const WINOGRAD_CLOSE = 3e-5;

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

/** Fills in the numbers of a case. */
function caseOf(
  axes: readonly Placement[],
  sizes: { readonly batch: number; readonly groups: number; readonly channels: number; readonly outputs: number },
  rest: { readonly add: boolean; readonly activation: Pointwise | null; readonly seed: number },
): Case {
  const random = randomOf(rest.seed);
  const { batch, groups, channels, outputs } = sizes;
  const weight = randomValues([outputs, channels / groups, ...axes.map(({ kernel }) => kernel)], random);
  const bias = randomValues([outputs], random);
  const result = [batch, outputs, ...axes.map(({ output }) => output)];
  return {
    x: randomValues([batch, channels, ...axes.map(({ input }) => input)], random),
    added: rest.add ? randomValues(result, random) : null,
    convolution: { weight, bias, axes, groups, ...(rest.activation ? { activation: rest.activation } : {}) },
  };
}

const depthwise: fc.Arbitrary<Case> = fc
  .record({
    axes: fc.array(axis, { minLength: 1, maxLength: 3 }),
    channels: fc.integer({ min: 2, max: 13 }),
    ...{ batch: fc.integer({ min: 1, max: 2 }), add: fc.boolean(), activation, seed: fc.integer() },
  })
  .filter(({ axes, channels }) => axes.reduce((all, { input, kernel }) => all * input * kernel, channels) < 3e6)
  .map(({ axes, batch, channels, ...rest }) =>
    caseOf(axes, { batch, groups: channels, channels, outputs: channels }, rest),
  );

interface TransposedCase {
  readonly x: Values;
  readonly added: Values | null;
  readonly convolution: Omit<TransposedConvolution, "add">;
}

/** Like a window's axis, but turned around: the output is what the window would have been moved over. */
const transposedAxis: fc.Arbitrary<Placement> = fc
  .record({
    input: fc.integer({ min: 1, max: 12 }),
    kernel: fc.integer({ min: 1, max: 6 }),
    stride: fc.integer({ min: 1, max: 5 }),
    dilation: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 6 })),
    ...{ padBefore: fc.integer({ min: 0, max: 4 }), padAfter: fc.integer({ min: 0, max: 4 }) },
    outputPadding: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ outputPadding, ...rest }) => {
    const { input, stride, padBefore, padAfter } = rest;
    const whole = (input - 1) * stride + effectiveKernel(rest) + outputPadding;
    return { ...rest, output: Math.max(1, whole - padBefore - padAfter) };
  });

const transposed: fc.Arbitrary<TransposedCase> = fc
  .record({
    axes: fc.array(transposedAxis, { minLength: 1, maxLength: 3 }),
    ...{ batch: fc.integer({ min: 1, max: 2 }), groups: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 4 })) },
    ...{ channels: fc.integer({ min: 1, max: 9 }), outputs: fc.integer({ min: 1, max: 11 }) },
    ...{ bias: fc.boolean(), add: fc.boolean(), activation, seed: fc.integer() },
  })
  .filter(({ axes, ...rest }) => {
    const work = axes.reduce((all, { output, kernel }) => all * output * kernel, 1);
    return work * rest.batch * rest.groups * rest.channels * rest.outputs < 2e6;
  })
  .map(({ axes, batch, groups, channels, outputs, bias, add, activation, seed }) => {
    const random = randomOf(seed);
    const result = [batch, outputs * groups, ...axes.map(({ output }) => output)];
    const weight = randomValues([channels * groups, outputs, ...axes.map(({ kernel }) => kernel)], random);
    return {
      x: randomValues([batch, channels * groups, ...axes.map(({ input }) => input)], random),
      added: add ? randomValues(result, random) : null,
      convolution: {
        ...{ weight, bias: bias ? randomValues([outputs * groups], random) : null, axes, groups },
        ...(activation ? { activation } : {}),
      },
    };
  });

const winograd: fc.Arbitrary<Case> = fc
  .record({
    size: fc.tuple(fc.integer({ min: 3, max: 24 }), fc.integer({ min: 3, max: 24 })),
    pads: fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 0, max: 2 }))),
    ...{ channels: fc.integer({ min: 16, max: 40 }), outputs: fc.integer({ min: 16, max: 40 }) },
    ...{ batch: fc.integer({ min: 1, max: 2 }), add: fc.boolean(), activation, seed: fc.integer() },
  })
  .map(({ size, pads, batch, channels, outputs, ...rest }) => {
    const axes = size.map((input, index): Placement => {
      const [padBefore, padAfter] = [pads[2 * index]!, pads[2 * index + 1]!];
      return {
        input,
        output: input + padBefore + padAfter - 2,
        kernel: 3,
        stride: 1,
        dilation: 1,
        padBefore,
        padAfter,
      };
    });
    return caseOf(axes, { batch, groups: 1, channels, outputs }, rest);
  });

function describeCase({ x, convolution: { axes, weight, groups } }: Case): string {
  return JSON.stringify({ x: x.dims, weight: weight.dims, groups, axes });
}

describe("engine: the fast backend", () => {
  const guarded = new GuardedBackend();

  /** Computes between guard zones and gives what came out. */
  function inGuards(compute: (enter: (values: Values) => WasmTensor) => WasmTensor): Values {
    const [made] = guarded.tidy(() => [compute((values) => guarded.enter(values))]);
    const result = guarded.read(made!);
    guarded.release(made!);
    guarded.checkAll();
    return result;
  }

  function convolved({ x, added, convolution }: Case): Values {
    return inGuards((enter) => guarded.convolve(enter(x), { ...convolution, ...(added ? { add: enter(added) } : {}) }));
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
      { numRuns: 200 },
    );
  }).timeout(120_000);

  it("convolves every channel on its own as the reference does", () => {
    fc.assert(
      fc.property(depthwise, (given) => {
        const { x, added, convolution } = given;
        const expected = reference.convolve(x, added ? { ...convolution, add: added } : convolution);
        const far = distance(convolved(given).data, expected.data);
        assert.ok(far <= CLOSE, `${far} away: ${describeCase(given)}`);
      }),
      { numRuns: 100 },
    );
  }).timeout(120_000);

  it("filters with the fewest products as the reference does", () => {
    fc.assert(
      fc.property(winograd, (given) => {
        const { x, added, convolution } = given;
        const expected = reference.convolve(x, added ? { ...convolution, add: added } : convolution);
        const far = distance(convolved(given).data, expected.data);
        assert.ok(far <= WINOGRAD_CLOSE, `${far} away: ${describeCase(given)}`);
      }),
      { numRuns: 40 },
    );
  }).timeout(120_000);

  it("convolves transposed as the reference does", () => {
    fc.assert(
      fc.property(transposed, ({ x, added, convolution }) => {
        const expected = reference.convolveTransposed(x, added ? { ...convolution, add: added } : convolution);
        const actual = inGuards((enter) => {
          const add = added ? { add: enter(added) } : {};
          return guarded.convolveTransposed(enter(x), { ...convolution, ...add });
        });
        const far = distance(actual.data, expected.data);
        assert.ok(far <= CLOSE, `${far} away: ${JSON.stringify({ x: x.dims, ...convolution, bias: null, weight: 0 })}`);
      }),
      { numRuns: 100 },
    );
  }).timeout(120_000);

  it("multiplies matrices as the reference does", () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 13, max: 130 }));
    const lead = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 });
    const given = fc.record({ lead, rows: size, inner: size, outputs: size, seed: fc.integer(), alone: fc.boolean() });
    fc.assert(
      fc.property(fc.record({ given, bias: fc.boolean(), add: fc.boolean(), activation }), (all) => {
        const { lead, rows, inner, outputs, seed, alone } = all.given;
        const random = randomOf(seed);
        const x = randomValues([...lead, rows, inner], random);
        const weight = randomValues([outputs, inner], random);
        const bias = all.bias ? randomValues([outputs], random) : null;
        const add = all.add ? randomValues([...lead, rows, outputs], random) : null;
        const parts = { weight, bias, ...(all.activation ? { activation: all.activation } : {}) };
        const linear = inGuards((enter) => guarded.linear(enter(x), add ? { ...parts, add: enter(add) } : parts));
        const expected = reference.linear(x, add ? { ...parts, add } : parts);
        assert.ok(distance(linear.data, expected.data) <= CLOSE, JSON.stringify(all.given));
        const other = randomValues(alone ? [inner, outputs] : [...lead, inner, outputs], random);
        const product = inGuards((enter) => guarded.matmul(enter(x), enter(other)));
        assert.ok(distance(product.data, reference.matmul(x, other).data) <= CLOSE, JSON.stringify(all.given));
      }),
      { numRuns: 100 },
    );
  }).timeout(120_000);

  it("keeps long sums exact", () => {
    const random = randomOf(3);
    const x = randomValues([1, 30_000], random);
    const parts = { weight: randomValues([9, 30_000], random), bias: null };
    const far = distance(inGuards((enter) => guarded.linear(enter(x), parts)).data, reference.linear(x, parts).data);
    assert.ok(far <= 1e-6, `${far} away`);
  });

  for (const strange of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-42, 3e38]) {
    it(`carries ${strange} as IEEE says, through every kernel`, () => {
      const shapes = [
        { channels: 32, outputs: 32, groups: 1 },
        { channels: 3, outputs: 5, groups: 1 },
        { channels: 6, outputs: 6, groups: 6 },
      ];
      for (const { channels, outputs, groups } of shapes) {
        const random = randomOf(channels);
        const x = randomValues([1, channels, 20, 20], random);
        x.data[137] = strange;
        const weight = randomValues([outputs, channels / groups, 3, 3], random);
        const side = { input: 20, output: 20, kernel: 3, stride: 1, dilation: 1, padBefore: 1, padAfter: 1 };
        const convolution = { weight, bias: null, axes: [side, side], groups };
        const expected = reference.convolve(x, convolution);
        const far = distance(convolved({ x, added: null, convolution }).data, expected.data);
        assert.ok(far <= CLOSE, `${far} away`);
        // A window over the padding never meets an infinite weight's zero times infinity.
        weight.data[4] = strange;
        const again = { ...convolution, weight: { ...weight } };
        const far2 = distance(
          convolved({ x, added: null, convolution: again }).data,
          reference.convolve(x, again).data,
        );
        assert.ok(far2 <= CLOSE, `${far2} away`);
      }
    });
  }

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
