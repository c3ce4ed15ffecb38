/**
 * The families of kernels beside convolution hold to the reference on random shapes, between guard zones, whatever form
 * their inputs are in.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Backend, Binary, Pointwise, Pooling } from "#shared/kernels/backend.ts";
import { Reference } from "#shared/kernels/reference/reference.ts";
import type { Values } from "#shared/kernels/values.ts";
import type { WasmTensor } from "#shared/kernels/wasm/tensor.ts";
import { effectiveKernel, type Placement } from "#shared/shape/window.ts";
import { GuardedBackend } from "./guarded.ts";
import { distance, randomOf, randomValues } from "./model.ts";

const reference = new Reference();
const guarded = new GuardedBackend();
const CLOSE = 1e-5;

/** What the memory holds of a tensor before a kernel sees it. */
type FormName = "rows" | "pixels" | "with a margin";

const form = fc.constantFrom<FormName>("rows", "pixels", "with a margin");

function entered(values: Values, wanted: FormName): WasmTensor {
  const x = guarded.enter(values);
  const rank = values.dims.length;
  if (wanted === "rows" || rank < 3 || rank > 5 || values.data.length === 0) return x;
  const cells = wanted === "pixels" ? 0 : 2;
  guarded.core.asPixels(x, { before: [0, cells, cells], after: [0, cells, 1] });
  return x;
}

/** The same computation on both backends. */
type Compute = (backend: Backend<any>, xs: readonly any[]) => any;

function assertSame(inputs: readonly Values[], forms: readonly FormName[], compute: Compute, close = CLOSE): void {
  const expected = compute(reference, inputs) as Values;
  const [result] = guarded.tidy(() => [
    compute(
      guarded,
      inputs.map((values, index) => entered(values, forms[index % forms.length]!)),
    ),
  ]);
  const actual = guarded.read(result!);
  guarded.release(result!);
  guarded.checkAll();
  assert.deepEqual(actual.dims, expected.dims);
  const far = distance(actual.data, expected.data);
  assert.ok(far <= close, `${far} away`);
}

/** Dims of an image of one to three axes, or of anything else. */
const imageDims = fc
  .tuple(
    fc.integer({ min: 1, max: 2 }),
    fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(16, 20, 36)),
    fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
  )
  .map(([batch, channels, spatial]) => [batch, channels, ...spatial]);

/** One axis of a window that fits at least once, over `input` cells. */
function axisOver(input: number): fc.Arbitrary<Placement> {
  return fc
    .record({
      kernel: fc.integer({ min: 1, max: 5 }),
      stride: fc.integer({ min: 1, max: 4 }),
      dilation: fc.integer({ min: 1, max: 3 }),
      padBefore: fc.integer({ min: -1, max: 4 }),
      // Where the end is cut off, nobody has said what counts in a mean.
      padAfter: fc.integer({ min: 0, max: 4 }),
      ceil: fc.boolean(),
    })
    .map(({ kernel, stride, dilation, padBefore, padAfter, ceil }) => {
      const span = effectiveKernel({ kernel, dilation });
      const after = Math.max(padAfter, span - input - padBefore);
      const room = input + padBefore + after - span;
      const output = Math[ceil ? "ceil" : "floor"](room / stride) + 1;
      return { input, output, kernel, stride, dilation, padBefore, padAfter: after };
    });
}

const poolings: fc.Arbitrary<{ readonly dims: number[]; readonly pooling: Pooling }> = imageDims.chain((dims) =>
  fc.record({
    dims: fc.constant(dims),
    pooling: fc.oneof(
      fc.record({
        kind: fc.constant("max" as const),
        axes: fc.tuple(...dims.slice(2).map(axisOver)),
        indices: fc.constant(false),
      }),
      fc.record({
        kind: fc.constant("average" as const),
        axes: fc.tuple(...dims.slice(2).map(axisOver)),
        countPadding: fc.boolean(),
        divisor: fc.constantFrom(null, null, 3, -2),
      }),
    ),
  }),
);

describe("engine: pooling kernels", () => {
  it("windows", () => {
    fc.assert(
      fc.property(poolings, form, fc.integer(), ({ dims, pooling }, form, seed) => {
        assertSame([randomValues(dims, randomOf(seed))], [form], (backend, [x]) => backend.pool(x, pooling).values);
      }),
      { numRuns: 300 },
    );
  });

  it("windows over fewer axes than an image has, and over more images", () => {
    const cases = imageDims.chain((dims) => fc.tuple(fc.constant(dims), axisOver(dims.at(-1)!)));
    fc.assert(
      fc.property(cases, form, fc.integer(), ([dims, axis], form, seed) => {
        const pooling = { kind: "max", axes: [axis], indices: false } as const;
        assertSame([randomValues(dims, randomOf(seed))], [form], (backend, [x]) => backend.pool(x, pooling).values);
      }),
    );
  });

  it("adaptive", () => {
    const cases = imageDims.chain((dims) =>
      fc.tuple(fc.constant(dims), fc.tuple(...dims.slice(2).map(() => fc.integer({ min: 1, max: 11 })))),
    );
    const kinds = fc.constantFrom("max" as const, "average" as const);
    fc.assert(
      fc.property(cases, kinds, form, fc.integer(), ([dims, sizes], kind, form, seed) => {
        const pooling = { kind, sizes, indices: false };
        const compute: Compute = (backend, [x]) => backend.adaptivePool(x, pooling).values;
        assertSame([randomValues(dims, randomOf(seed))], [form], compute);
      }),
    );
  });

  it("the mean of a large channel loses nothing", () => {
    const values = randomValues([1, 5, 300, 300], randomOf(1));
    const shifted = { ...values, data: values.data.map((value) => value + 100) };
    const pooling = { kind: "average", sizes: [1, 1], indices: false } as const;
    assertSame([shifted], ["rows"], (backend, [x]) => backend.adaptivePool(x, pooling).values, 1e-6);
  });

  it("NaN and infinities win as they do in the reference", () => {
    const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    fc.assert(
      fc.property(poolings, fc.integer(), fc.array(fc.nat(), { maxLength: 6 }), ({ dims, pooling }, seed, places) => {
        const values = randomValues(dims, randomOf(seed));
        for (const [index, place] of places.entries()) {
          values.data[place % values.data.length] = specials[index % specials.length]!;
        }
        assertSame([values], ["rows"], (backend, [x]) => backend.pool(x, pooling).values);
      }),
    );
  });
});

const POINTWISE: readonly Pointwise[] = [
  ...(
    [
      "relu",
      "selu",
      "gelu",
      "gelu-tanh",
      "silu",
      "mish",
      "hardswish",
      "hardsigmoid",
      "softsign",
      "sigmoid",
      "logsigmoid",
      "tanh",
      "tanhshrink",
      "square",
    ] as const
  ).map((kind) => ({ kind })),
  { kind: "leaky-relu", slope: 0.1 },
  { kind: "leaky-relu", slope: -2 },
  { kind: "elu", alpha: 1.5 },
  { kind: "celu", alpha: 0.7 },
  { kind: "clamp", least: -0.5, most: 0.75 },
  { kind: "hardshrink", lambda: 0.5 },
  { kind: "softshrink", lambda: 0.5 },
  { kind: "softplus", beta: 1, threshold: 20 },
  { kind: "softplus", beta: 3, threshold: 2 },
  { kind: "threshold", above: 0.1, value: -7 },
  { kind: "affine", scale: 3, shift: -1 },
  ...[1, 2, 0.5, -0.5, -1, 3, 0.75, 0].map((exponent) => ({ kind: "power", exponent }) as const),
];

/** Shapes that broadcast to one: some axes of one position, some missing in front. */
const broadcasting = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 0, maxLength: 5 }),
    fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    fc.nat(3),
  )
  .map(([dims, left, right, missing]) => {
    const shrunk = (which: readonly boolean[]) => dims.map((size, axis) => (which[axis] ? 1 : size));
    return [shrunk(left), shrunk(right).slice(Math.min(missing, dims.length))] as const;
  });

describe("engine: elementwise kernels", () => {
  for (const f of POINTWISE) {
    it(`${JSON.stringify(f)}`, () => {
      // From the smallest magnitudes, where functions are straight, to where they have become flat.
      for (const scale of [1e-4, 1e-2, 1, 8, 40, 300]) {
        const values = randomValues([2, 7, 5, 3], randomOf(scale));
        const data = values.data.map((value) => value * scale);
        assertSame([{ ...values, data }], ["rows", "pixels"], (backend, [x]) => backend.unary(x, f));
      }
    });

    it(`${JSON.stringify(f)} of what is no number, or no ordinary one`, () => {
      const specials = [0, -0, 1e-40, -1e-40, 3e38, -3e38, 88, -88, 1e-38];
      for (const value of [...specials, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const data = Float32Array.of(value, 1, value, -1, 0.25);
        assertSame([{ dims: [5], data }], ["rows"], (backend, [x]) => backend.unary(x, f));
      }
    });
  }

  it("operations of two tensors, broadcast", () => {
    const kinds = fc.constantFrom<Binary>("add", "subtract", "multiply", "divide", "maximum", "minimum");
    fc.assert(
      fc.property(broadcasting, kinds, form, form, fc.integer(), ([left, right], kind, one, other, seed) => {
        const random = randomOf(seed);
        const divisor = randomValues(right, random);
        const far = { ...divisor, data: divisor.data.map((value) => value + Math.sign(value)) };
        const inputs = [randomValues(left, random), kind === "divide" ? far : divisor];
        assertSame(inputs, [one, other], (backend, [a, b]) => backend.binary(kind, a, b));
      }),
      { numRuns: 300 },
    );
  });

  it("many numbers at once, and NaN in the greater and the lesser", () => {
    const random = randomOf(3);
    const [a, b] = [randomValues([3, 5, 61, 67], random), randomValues([1, 5, 1, 1], random)];
    a.data[1000] = Number.NaN;
    for (const kind of ["add", "maximum", "minimum"] as const) {
      assertSame([a, b], ["rows"], (backend, [x, y]) => backend.binary(kind, x, y));
      assertSame([b, a], ["rows", "pixels"], (backend, [x, y]) => backend.binary(kind, x, y));
    }
  });

  it("an affine function along an axis", () => {
    const cases = imageDims.chain((dims) => fc.tuple(fc.constant(dims), fc.nat(dims.length - 1)));
    const has = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean());
    const activations = fc.constantFrom<Pointwise | undefined>(undefined, { kind: "relu" }, { kind: "silu" });
    fc.assert(
      fc.property(cases, has, activations, form, fc.integer(), ([dims, axis], has, activation, form, seed) => {
        const random = randomOf(seed);
        const [mean, scale, shift] = has.map((one) => (one ? randomValues([dims[axis]!], random) : undefined));
        const along = {
          axis,
          ...(mean ? { mean } : {}),
          ...(scale ? { scale } : {}),
          ...(shift ? { shift } : {}),
          ...(activation ? { activation } : {}),
        };
        assertSame([randomValues(dims, random)], [form], (backend, [x]) => backend.scaleShift(x, along));
      }),
    );
  });
});

/** Dims of two to five axes. */
const anyDims = fc.oneof(imageDims, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 2 }));

/** Some dims, and an axis of theirs. */
const withAxis = anyDims.chain((dims) => fc.tuple(fc.constant(dims), fc.nat(dims.length - 1)));

describe("engine: moving kernels", () => {
  it("constant padding, that cuts off too", () => {
    const amounts = fc.array(fc.integer({ min: -1, max: 3 }), { minLength: 5, maxLength: 5 });
    const values = fc.constantFrom(0, 0, -1.5, Number.NEGATIVE_INFINITY);
    fc.assert(
      fc.property(anyDims, amounts, amounts, values, form, fc.integer(), (dims, before, after, value, form, seed) => {
        const kept = (amount: number[]) => dims.map((size, axis) => Math.max(amount[axis]!, size > 2 ? -1 : 0));
        const padding = { before: kept(before), after: kept(after), fill: { kind: "constant", value } } as const;
        assertSame([randomValues(dims, randomOf(seed))], [form], (backend, [x]) => backend.pad(x, padding), 0);
      }),
      { numRuns: 300 },
    );
  });

  it("padding by what is there", () => {
    const kinds = fc.constantFrom("reflect" as const, "replicate" as const, "circular" as const);
    const cells = fc.array(fc.nat(3), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(imageDims, kinds, cells, cells, form, fc.integer(), (dims, kind, before, after, form, seed) => {
        const most = (amount: number[]) => dims.map((n, axis) => (axis < 2 ? 0 : Math.min(amount[axis]!, n - 1)));
        const padding = { before: most(before), after: most(after), fill: { kind } };
        assertSame([randomValues(dims, randomOf(seed))], [form], (backend, [x]) => backend.pad(x, padding), 0);
      }),
      { numRuns: 200 },
    );
  });

  it("permutations", () => {
    const cases = anyDims.chain((dims) => {
      const axes = dims.map((_, axis) => axis);
      return fc.tuple(fc.constant(dims), fc.shuffledSubarray(axes, { minLength: axes.length }));
    });
    fc.assert(
      fc.property(cases, form, fc.integer(), ([dims, order], form, seed) => {
        assertSame([randomValues(dims, randomOf(seed))], [form], (backend, [x]) => backend.permute(x, order), 0);
      }),
      { numRuns: 200 },
    );
  });

  it("slices, backwards too", () => {
    const cases = withAxis.chain(([dims, axis]) =>
      fc.tuple(fc.constant(dims), fc.constant(axis), fc.nat(dims[axis]! - 1), fc.constantFrom(1, 1, 2, 3, -1, -2)),
    );
    fc.assert(
      fc.property(cases, fc.nat(8), form, fc.integer(), ([dims, axis, start, step], wanted, form, seed) => {
        const most = Math.floor((step > 0 ? dims[axis]! - 1 - start : start) / Math.abs(step)) + 1;
        const length = Math.min(wanted + 1, most);
        const compute: Compute = (backend, [x]) => backend.slice(x, axis, start, length, step);
        assertSame([randomValues(dims, randomOf(seed))], [form], compute, 0);
      }),
      { numRuns: 300 },
    );
  });

  it("concatenations", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(withAxis, lengths, form, form, fc.integer(), ([dims, axis], lengths, one, other, seed) => {
        const random = randomOf(seed);
        const inputs = lengths.map((length) => randomValues(dims.with(axis, length), random));
        assertSame(inputs, [one, other], (backend, xs) => backend.concat(xs, axis), 0);
      }),
      { numRuns: 300 },
    );
  });

  it("weighted cells along an axis", () => {
    const cases = withAxis.chain(([dims, axis]) => {
      const output = fc.integer({ min: 1, max: 12 });
      return fc.tuple(fc.constant(dims), fc.constant(axis), output, fc.integer({ min: 1, max: 5 }));
    });
    fc.assert(
      fc.property(cases, form, fc.integer(), ([dims, axis, output, count], form, seed) => {
        const random = randomOf(seed);
        const weights = Float64Array.from(randomValues([output * count], random).data);
        const places = randomValues([output * count], random).data;
        const indices = Int32Array.from(places, (value) => Math.floor(Math.abs(value) * 1e4) % dims[axis]!);
        // An output has at least one tap; of the others, some are missing.
        for (let at = 0; at < indices.length; at++) if (at % count > 0 && places[at]! > 1) indices[at] = -1;
        const taps = { output, count, indices, weights };
        const values = randomValues(dims, random);
        // Terms may cancel, in every output: what is lost then is measured by the terms.
        const most = ({ data }: Values) => data.reduce((greatest, value) => Math.max(greatest, Math.abs(value)), 0);
        const positive = { ...taps, weights: weights.map(Math.abs) };
        const terms = reference.resample({ ...values, data: values.data.map(Math.abs) }, axis, positive);
        const room = (CLOSE * most(terms)) / most(reference.resample(values, axis, taps));
        assertSame([values], [form], (backend, [x]) => backend.resample(x, axis, taps), room);
      }),
      { numRuns: 300 },
    );
  });
});

describe("engine: reducing kernels", () => {
  /** Some dims, and one or more axes of theirs. */
  const withAxes = anyDims.chain((dims) => {
    const axes = dims.map((_, axis) => axis);
    return fc.tuple(fc.constant(dims), fc.subarray(axes, { minLength: 1 }));
  });

  it("sums, means, the greatest and the least", () => {
    const kinds = fc.constantFrom("sum" as const, "mean" as const, "max" as const, "min" as const);
    fc.assert(
      fc.property(withAxes, kinds, form, fc.integer(), ([dims, axes], kind, form, seed) => {
        const values = randomValues(dims, randomOf(seed));
        // Of numbers that cancel out, nothing but their rounding may be left.
        const adds = kind === "sum" || kind === "mean";
        const input = adds ? { ...values, data: values.data.map(Math.abs) } : values;
        assertSame([input], [form], (backend, [x]) => backend.reduce(kind, x, axes));
      }),
      { numRuns: 400 },
    );
  });

  it("softmax and its logarithm, of numbers far apart too", () => {
    fc.assert(
      fc.property(
        withAxis,
        fc.boolean(),
        fc.constantFrom(1, 30, 300),
        form,
        fc.integer(),
        (at, log, far, form, seed) => {
          const [dims, axis] = at;
          const values = randomValues(dims, randomOf(seed));
          const input = { ...values, data: values.data.map((value) => value * far) };
          assertSame([input], [form], (backend, [x]) => backend.softmax(x, axis, log));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("normalisation, with and without the mean", () => {
    fc.assert(
      fc.property(withAxes, fc.boolean(), form, fc.integer(), ([dims, axes], centred, form, seed) => {
        const compute: Compute = (backend, [x]) => backend.normalize(x, axes, 1e-3, centred);
        assertSame([randomValues(dims, randomOf(seed))], [form], compute, 3e-5);
      }),
      { numRuns: 300 },
    );
  });

  it("NaN and infinities come out as from the reference", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const dims of [
        [2, 3],
        [1, 5, 4, 3],
      ]) {
        const input = randomValues(dims, randomOf(5));
        input.data[4] = value;
        for (const axis of dims.keys()) {
          for (const kind of ["sum", "mean", "max", "min"] as const) {
            assertSame([input], ["rows", "pixels"], (backend, [x]) => backend.reduce(kind, x, [axis]));
          }
          assertSame([input], ["rows", "pixels"], (backend, [x]) => backend.softmax(x, axis, false));
        }
      }
    }
  });
});
