/**
 * Laws that hold whatever the numbers: of convolution as the field's textbooks have it, and of the corners of IEEE
 * arithmetic. On every backend.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Backend, Convolution } from "#shared/kernels/backend.ts";
import { EngineError, type Values, valuesOf, zeros } from "#shared/kernels/values.ts";
import { operators } from "#shared/ops/index.ts";
import type { Placement } from "#shared/shape/window.ts";
import { BACKENDS } from "./backends.ts";
import { distance, EngineModel, randomOf, randomValues, tableOf } from "./model.ts";

function axis(input: number, kernel: number, parts: Partial<Placement> = {}): Placement {
  const whole = { input, kernel, stride: 1, dilation: 1, padBefore: 0, padAfter: 0, ...parts };
  const span = whole.dilation * (kernel - 1) + 1;
  const output = Math.floor((input + whole.padBefore + whole.padAfter - span) / whole.stride) + 1;
  return { output, ...whole };
}

function convolved(
  backend: Backend<any>,
  x: Values,
  parts: Omit<Convolution, "groups" | "bias"> & Partial<Convolution>,
) {
  const [result] = backend.tidy(() => [backend.convolve(backend.enter(x), { bias: null, groups: 1, ...parts })]);
  const values = backend.read(result);
  backend.release(result);
  return values;
}

/** A kernel turned around along every spatial axis. */
function turned({ dims, data }: Values): Values {
  const cells = dims.slice(2).reduce((product, size) => product * size, 1);
  const at = (index: number) => Math.floor(index / cells) * cells + (cells - 1 - (index % cells));
  return { dims, data: data.map((_, index) => data[at(index)]!) };
}

function combined(a: number, x: Values, b: number, y: Values): Values {
  return { dims: x.dims, data: x.data.map((value, at) => a * value + b * y.data[at]!) };
}

/** Sizes of an image and a kernel in it, one to three axes. */
const geometries = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 3 })
  .map((axes) => axes.map(([size, kernel]) => [Math.max(size, kernel), kernel] as const));

for (const { name, backend, tolerance } of BACKENDS) {
  describe(`engine: laws on ${name}`, () => {
    const close = (actual: Values, expected: Values, room = tolerance) => {
      assert.deepEqual(actual.dims, expected.dims);
      const far = distance(actual.data, expected.data);
      assert.ok(far <= room, `${far} away`);
    };

    it("convolution is cross-correlation with the kernel turned around", () => {
      fc.assert(
        fc.property(geometries, fc.integer(), (sizes, seed) => {
          const random = randomOf(seed);
          const x = randomValues([1, 3, ...sizes.map(([size]) => size)], random);
          const weight = randomValues([4, 3, ...sizes.map(([, kernel]) => kernel)], random);
          const axes = sizes.map(([size, kernel]) => axis(size, kernel));
          const [a, b] = [
            convolved(backend, x, { weight, axes, flipped: true }),
            convolved(backend, x, { weight: turned(weight), axes }),
          ];
          close(a, b);
        }),
      );
    });

    it("convolution commutes: f ∗ g = g ∗ f, where both are seen whole", () => {
      fc.assert(
        fc.property(geometries, fc.integer(), (sizes, seed) => {
          const random = randomOf(seed);
          const image = [1, 1, ...sizes.map(([size]) => size)];
          const kernel = [1, 1, ...sizes.map(([, size]) => size)];
          const [f, g] = [randomValues(image, random), randomValues(kernel, random)];
          const over = (size: number, window: number) =>
            axis(size, window, { padBefore: window - 1, padAfter: window - 1 });
          const one = convolved(backend, f, { weight: g, axes: sizes.map(([n, k]) => over(n, k)), flipped: true });
          const other = convolved(backend, g, { weight: f, axes: sizes.map(([n, k]) => over(k, n)), flipped: true });
          close(one, other);
        }),
      );
    });

    it("convolution is linear: in its input, and in its kernel", () => {
      fc.assert(
        fc.property(geometries, fc.integer(), (sizes, seed) => {
          const random = randomOf(seed);
          const dims = [2, 3, ...sizes.map(([size]) => size)];
          const [x, y] = [randomValues(dims, random), randomValues(dims, random)];
          const shape = [5, 3, ...sizes.map(([, kernel]) => kernel)];
          const [v, w] = [randomValues(shape, random), randomValues(shape, random)];
          const axes = sizes.map(([size, kernel]) => axis(size, kernel, { padBefore: 1 }));
          const of = (input: Values, weight: Values) => convolved(backend, input, { weight, axes });
          close(of(combined(2, x, -3, y), v), combined(2, of(x, v), -3, of(y, v)), 3 * tolerance);
          close(of(x, combined(2, v, -3, w)), combined(2, of(x, v), -3, of(x, w)), 3 * tolerance);
        }),
      );
    });

    it("what moves the input moves the output, away from the borders", () => {
      fc.assert(
        fc.property(fc.nat(3), fc.nat(3), fc.integer({ min: 1, max: 4 }), fc.integer(), (down, right, kernel, seed) => {
          const random = randomOf(seed);
          const size = 12;
          const x = randomValues([1, 2, size, size], random);
          const moved = zeros([1, 2, size, size]);
          for (let at = 0; at < x.data.length; at++) {
            const [channel, row, column] = [Math.floor(at / size ** 2), Math.floor(at / size) % size, at % size];
            if (row < down || column < right) continue;
            moved.data[at] = x.data[channel * size ** 2 + (row - down) * size + column - right]!;
          }
          const weight = randomValues([3, 2, kernel, kernel], random);
          const axes = [axis(size, kernel), axis(size, kernel)];
          const [a, b] = [convolved(backend, x, { weight, axes }), convolved(backend, moved, { weight, axes })];
          const cells = size - kernel + 1;
          const inside = (values: Values, dy: number, dx: number) =>
            [...values.data].filter((_, at) => {
              const [row, column] = [Math.floor(at / cells) % cells, at % cells];
              return row >= dy && row < cells - (down - dy) && column >= dx && column < cells - (right - dx);
            });
          const far = distance(inside(b, down, right), inside(a, 0, 0));
          assert.ok(far <= tolerance, `${far} away`);
        }),
      );
    });

    const corners: readonly (readonly [
      what: string,
      x: readonly number[],
      w: readonly number[],
      axes: readonly Placement[],
      groups?: number,
    ])[] = [
      ["a kernel as large as the input", [1, 5, 6, 7], [3, 5, 6, 7], [axis(6, 6), axis(7, 7)]],
      [
        "an input of one pixel",
        [1, 8, 1, 1],
        [8, 8, 3, 3],
        [axis(1, 3, { padBefore: 1, padAfter: 1 }), axis(1, 3, { padBefore: 1, padAfter: 1 })],
      ],
      [
        "padding beyond the kernel",
        [1, 3, 4, 4],
        [4, 3, 2, 2],
        [axis(4, 2, { padBefore: 5, padAfter: 6 }), axis(4, 2, { padBefore: 7 })],
      ],
      [
        "stride beyond the kernel",
        [1, 3, 17, 19],
        [4, 3, 2, 2],
        [axis(17, 2, { stride: 5 }), axis(19, 2, { stride: 7 })],
      ],
      ["huge dilation", [1, 2, 101, 3], [2, 2, 3, 1], [axis(101, 3, { dilation: 50 }), axis(3, 1)]],
      ["groups of one", [2, 6, 5, 5], [6, 1, 3, 3], [axis(5, 3), axis(5, 3)], 6],
      ["channels that are no multiple of anything", [1, 13, 5, 5], [7, 13, 3, 3], [axis(5, 3), axis(5, 3)]],
      ["many channels, one output", [1, 3000, 2, 2], [1, 3000, 1, 1], [axis(2, 1), axis(2, 1)]],
    ];
    for (const [what, x, w, axes, groups = 1] of corners) {
      it(what, () => {
        const random = randomOf(11);
        const values = randomValues(x, random);
        const parts = { weight: randomValues(w, random), bias: randomValues([w[0]!], random), axes, groups };
        close(convolved(backend, values, parts), convolved(BACKENDS[0]!.backend, values, parts));
      });
    }

    it("NaN and infinities reach every output whose window sees them, and no other", () => {
      const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      // Few channels, and so many that larger tiles pay.
      for (const [special, channels] of specials.flatMap((special) => [
        [special, 3] as const,
        [special, 64] as const,
      ])) {
        const x = randomValues([1, channels, 9, 9], randomOf(2));
        x.data[40] = special;
        const weight = { dims: [64, channels, 3, 3], data: new Float32Array(64 * channels * 9).fill(1) };
        const around = { padBefore: 1, padAfter: 1 };
        const y = convolved(backend, x, { weight, axes: [axis(9, 3, around), axis(9, 3, around)] });
        for (const [at, value] of y.data.entries()) {
          const [row, column] = [Math.floor(at / 9) % 9, at % 9];
          const sees = Math.abs(row - 4) <= 1 && Math.abs(column - 4) <= 1;
          assert.ok(sees ? Object.is(value, special) : Number.isFinite(value), `${value} at ${row}, ${column}`);
        }
      }
    });

    it("an infinite weight makes no NaN of padding", () => {
      const x = valuesOf([1, 1, 1, 2], [1, 2]);
      const weight = valuesOf([1, 1, 1, 3], [Number.POSITIVE_INFINITY, 1, 1]);
      const y = convolved(backend, x, { weight, axes: [axis(1, 1), axis(2, 3, { padBefore: 1, padAfter: 1 })] });
      assert.deepEqual([...y.data], [3, Number.POSITIVE_INFINITY]);
    });

    it("denormals are numbers", () => {
      const x = { dims: [1, 4, 3, 3], data: new Float32Array(36).fill(1e-40) };
      const weight = { dims: [4, 4, 1, 1], data: new Float32Array(16).fill(1) };
      const y = convolved(backend, x, { weight, axes: [axis(3, 1), axis(3, 1)] });
      for (const value of y.data) assert.ok(Math.abs(value - 4e-40) <= 1e-44, String(value));
    });

    it("errors do not grow with the channels", () => {
      const channels = 20_000;
      const random = randomOf(4);
      const x = randomValues([1, channels, 2, 2], random);
      const shifted = { ...x, data: x.data.map((value) => value + 2) };
      const weight = randomValues([4, channels, 1, 1], random);
      const positive = { ...weight, data: weight.data.map((value) => value + 2) };
      const parts = { weight: positive, axes: [axis(2, 1), axis(2, 1)] };
      close(convolved(backend, shifted, parts), convolved(BACKENDS[0]!.backend, shifted, parts), 2e-6);
    });

    it("an empty image is refused", () => {
      const weight = zeros([1, 1, 1, 1]);
      assert.throws(
        () => convolved(backend, zeros([0, 1, 2, 2]), { weight, axes: [axis(2, 1), axis(2, 1)] }),
        (error) => error instanceof EngineError && error.problem === "bad-size",
      );
    });

    it("pooling has no parameters, and gives the same whenever it is asked", () => {
      for (const op of ["MaxPool2d", "AvgPool2d", "LPPool2d", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d"]) {
        const model = new EngineModel();
        const x = model.input(randomValues([1, 3, 9, 7], randomOf(6)));
        model.add(op, operators.get(op)!.example.attrs, [x]);
        const network = model.network(tableOf({}));
        assert.deepEqual(network.specsOf(model.nodes[1]!), []);
        const once = () => model.run(tableOf({}), { backend });
        assert.deepEqual(once(), once());
      }
    });
  });
}
