/** Layers that merge, split and reshape: against plain definitions, against their inverses, and symbolic against numeric. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Finding, Report } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import { decodeAttrs } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { type Dim, evaluate, isKnown, product, symbol, unknown } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST, CHANNELS_LAST, type Layout, tensor } from "#shared/shape/tensor.ts";

interface Result {
  readonly outputs: readonly (readonly Dim[])[];
  /** Codes of what the framework refuses. */
  readonly refused: readonly string[];
}

/** Applies one operator. Parameters that are refused before any input is seen count as refusals. */
function apply(
  name: string,
  attrs: Readonly<Record<string, Plain>>,
  inputs: readonly (readonly Dim[])[],
  layout: Layout = CHANNELS_FIRST,
): Result {
  const op = operators.get(name)!;
  const decoded = decodeAttrs(op, new Map(Object.entries(attrs)));
  if (decoded.problems.length > 0) return { outputs: [], refused: decoded.problems.map((problem) => problem.kind) };
  const findings: Finding[] = [];
  const report: Report = (code, at, data) => findings.push({ code, node: 0, at, data } as Finding);
  const { outputs } = op.infer({
    attrs: decoded.attrs,
    inputs: inputs.map((dims) => tensor(dims, layout)),
    report,
    flattenedFrom: () => undefined,
  });
  const refusals = findings.filter((found) => found.code !== "empty-output" || found.data.fatal);
  return { outputs: outputs.map(({ dims }) => dims), refused: refusals.map(({ code }) => code) };
}

/** The only output of an operator that must accept. */
function only(name: string, attrs: Readonly<Record<string, Plain>>, inputs: readonly (readonly Dim[])[]) {
  const { outputs, refused } = apply(name, attrs, inputs);
  assert.deepEqual(refused, []);
  assert.equal(outputs.length, 1);
  return outputs[0]!;
}

const size = fc.integer({ min: 1, max: 6 });
const shape = (least: number, most: number) => fc.array(size, { minLength: least, maxLength: most });
/** A shape of at least `least` axes and one of its axes, counted from either end. */
const shapeAndAxis = (least = 1) =>
  shape(least, 5).chain((dims) =>
    fc.record({ dims: fc.constant(dims), axis: fc.integer({ min: -dims.length, max: dims.length - 1 }) }),
  );
const permutation = shape(1, 5).chain((dims) =>
  fc.record({
    dims: fc.constant(dims),
    order: fc.shuffledSubarray([...dims.keys()], { minLength: dims.length, maxLength: dims.length }),
  }),
);

describe("broadcasting", () => {
  /** By definition: aligned at the last axes, the sizes of an axis that are not 1 must all be the same. */
  function byDefinition(shapes: readonly (readonly number[])[]): number[] | null {
    const rank = Math.max(...shapes.map((dims) => dims.length));
    const result: number[] = [];
    for (let fromEnd = 1; fromEnd <= rank; fromEnd++) {
      const sizes = new Set(shapes.map((dims) => dims.at(-fromEnd) ?? 1).filter((each) => each !== 1));
      if (sizes.size > 1) return null;
      result.unshift([...sizes][0] ?? 1);
    }
    return result;
  }
  const near = fc.array(fc.array(fc.constantFrom(0, 1, 1, 2, 2, 3), { minLength: 1, maxLength: 4 }), {
    minLength: 2,
    maxLength: 4,
  });

  for (const name of ["Add", "Sub", "Mul", "Div", "Maximum", "Minimum", "Average"]) {
    it(`${name} is the plain definition`, () => {
      fc.assert(
        fc.property(near, (shapes) => {
          const expected = byDefinition(shapes);
          const { outputs, refused } = apply(name, {}, shapes);
          if (expected) assert.deepEqual({ outputs, refused }, { outputs: [expected], refused: [] });
          else assert.deepEqual(refused, ["add-mismatch"]);
        }),
        { numRuns: 1000 },
      );
    });
  }

  it("MatMul is a row times a column for every pair of matrices", () => {
    const matrices = fc.record({ outer: near, rows: size, inner: size, columns: size });
    fc.assert(
      fc.property(matrices, ({ outer: [a, b], rows, inner, columns }) => {
        const expected = byDefinition([a!, b!]);
        const { outputs, refused } = apply("MatMul", {}, [
          [...a!, rows, inner],
          [...b!, inner, columns],
        ]);
        if (expected) assert.deepEqual({ outputs, refused }, { outputs: [[...expected, rows, columns]], refused: [] });
        else assert.deepEqual(refused, ["add-mismatch"]);
      }),
    );
  });
});

describe("splitting", () => {
  it("Concat joins what Split cut by sizes, by size, and what Chunk cut", () => {
    const cuts = shapeAndAxis().chain((cut) => fc.record({ cut: fc.constant(cut), at: fc.nat(6), by: size }));
    fc.assert(
      fc.property(cuts, ({ cut: { dims, axis }, at, by }) => {
        const total = dims.at(axis)!;
        const first = Math.min(at, total);
        const splits = [
          apply("Split", { split_size: [first, total - first], dim: axis }, [dims]),
          apply("Split", { split_size: by, dim: axis }, [dims]),
          apply("Chunk", { chunks: by, dim: axis }, [dims]),
        ];
        for (const { outputs, refused } of splits) {
          assert.deepEqual(refused, []);
          assert.deepEqual(only("Concat", { dim: axis }, outputs), dims);
        }
        assert.ok(splits[2]!.outputs.length <= by);
      }),
    );
  });

  it("sizes that do not add up are refused", () => {
    fc.assert(
      fc.property(shapeAndAxis(), size, ({ dims, axis }, more) => {
        const { refused } = apply("Split", { split_size: [dims.at(axis)!, more], dim: axis }, [dims]);
        assert.deepEqual(refused, ["reshape-mismatch"]);
      }),
    );
  });

  it("Select takes one slice of what Stack joined", () => {
    const stacks = shape(1, 4).chain((dims) =>
      fc.record({
        dims: fc.constant(dims),
        axis: fc.integer({ min: -dims.length - 1, max: dims.length }),
        count: size,
      }),
    );
    fc.assert(
      fc.property(stacks, ({ dims, axis, count }) => {
        const copies = Array.from({ length: count }, () => dims);
        const stacked = only("Stack", { dim: axis }, copies);
        assert.equal(stacked.at(axis), count);
        assert.deepEqual(only("Select", { dim: axis, index: count - 1 }, [stacked]), dims);
      }),
    );
  });

  it("Slice counts the elements that Python's range does", () => {
    const bound = fc.integer({ min: -8, max: 8 });
    const slices = fc.record({ total: fc.nat(7), start: bound, end: fc.option(bound), step: size });
    fc.assert(
      fc.property(slices, ({ total, start, end, step }) => {
        const from = start < 0 ? Math.max(0, start + total) : start;
        const to = end === null ? total : end < 0 ? end + total : Math.min(end, total);
        let count = 0;
        for (let at = from; at < to; at += step) count++;
        assert.deepEqual(only("Slice", { dim: 1, start, end, step }, [[2, total]]), [2, count]);
      }),
      { numRuns: 2000 },
    );
  });

  it("works on the channel axis of either layout where no axis is written", () => {
    assert.deepEqual(apply("Chunk", { chunks: 2 }, [[1, 4, 9, 6]], CHANNELS_LAST).outputs, [
      [1, 4, 9, 3],
      [1, 4, 9, 3],
    ]);
    const images = [
      [1, 5, 5, 2],
      [1, 5, 5, 3],
    ];
    assert.deepEqual(apply("Concat", {}, images, CHANNELS_LAST), { outputs: [[1, 5, 5, 5]], refused: [] });
    assert.deepEqual(apply("Concat", {}, images).refused, ["concat-mismatch"]);
  });
});

describe("reshaping", () => {
  it("Flatten keeps the number of elements and the axes around the run", () => {
    fc.assert(
      fc.property(shapeAndAxis(), fc.nat(5), ({ dims, axis }, more) => {
        const start = axis < 0 ? axis + dims.length : axis;
        const end = Math.min(start + more, dims.length - 1);
        const flat = only("Flatten", { start_dim: axis, end_dim: end }, [dims]);
        assert.equal(product(flat), product(dims));
        assert.deepEqual(flat.toSpliced(start, 1), dims.toSpliced(start, end - start + 1));
      }),
    );
  });

  it("Unflatten undoes Flatten, with every size written and with any one left open", () => {
    fc.assert(
      fc.property(shape(2, 5), fc.nat(4), (dims, hole) => {
        const flat = only("Flatten", {}, [dims]);
        const sizes = dims.slice(1);
        assert.deepEqual(only("Unflatten", { dim: 1, unflattened_size: sizes }, [flat]), dims);
        const open = sizes.with(hole % sizes.length, -1);
        assert.deepEqual(only("Unflatten", { dim: -1, unflattened_size: open }, [flat]), dims);
        assert.deepEqual(only("Reshape", { shape: open }, [flat]), dims);
      }),
    );
  });

  it("Reshape accepts exactly what keeps the number of elements", () => {
    fc.assert(
      fc.property(shape(1, 4), shape(1, 4), size, (dims, other, batch) => {
        const { outputs, refused } = apply("Reshape", { shape: other }, [[batch, ...dims]]);
        const keeps = product(dims) === product(other);
        assert.deepEqual(refused, keeps ? [] : ["reshape-mismatch"]);
        assert.deepEqual(outputs, [[batch, ...other]]);
        const open = apply("Reshape", { shape: [-1, ...other] }, [[batch, ...dims]]);
        const divides = (product(dims) as number) % (product(other) as number) === 0;
        assert.deepEqual(open.refused, divides ? [] : ["reshape-mismatch"]);
        if (divides) assert.equal(product(open.outputs[0]!), product([batch, ...dims]));
      }),
    );
  });

  it("Permute by the inverse order undoes Permute, and Transpose undoes itself", () => {
    fc.assert(
      fc.property(permutation, ({ dims, order }) => {
        const inverse = order.map((_, axis) => order.indexOf(axis));
        const permuted = only("Permute", { dims: order }, [dims]);
        assert.deepEqual(
          permuted,
          order.map((axis) => dims[axis]),
        );
        assert.deepEqual(only("Permute", { dims: inverse }, [permuted]), dims);
        const swap = { dim0: order[0]!, dim1: -1 };
        assert.deepEqual(only("Transpose", swap, [only("Transpose", swap, [dims])]), dims);
      }),
    );
  });

  it("Squeeze undoes Unsqueeze", () => {
    fc.assert(
      fc.property(shapeAndAxis(), ({ dims, axis }) => {
        const longer = only("Unsqueeze", { dim: axis }, [dims]);
        assert.equal(longer.at(axis), 1);
        assert.deepEqual(only("Squeeze", { dim: axis }, [longer]), dims);
      }),
    );
  });

  it("reductions drop the axes they name, or keep them with size 1", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("Mean", "Sum", "Max", "Min"),
        permutation,
        fc.nat(4),
        (name, { dims, order }, many) => {
          const reduced = order.slice(0, 1 + (many % order.length));
          const kept = only(name, { dims: reduced, keepdim: true }, [dims]);
          assert.deepEqual(
            kept,
            dims.map((dim, axis) => (reduced.includes(axis) ? 1 : dim)),
          );
          assert.deepEqual(
            only(name, { dims: reduced }, [dims]),
            dims.filter((_, axis) => !reduced.includes(axis)),
          );
        },
      ),
    );
  });
});

describe("sizes that are not numbers", () => {
  interface Case {
    readonly name: string;
    readonly attrs: Readonly<Record<string, Plain>>;
    readonly inputs: readonly (readonly number[])[];
  }
  // Large enough for every slice below to lie inside, small enough to meet each other often.
  const big = fc.constantFrom(8, 8, 9, 12, 16);
  const dims = fc.array(big, { minLength: 2, maxLength: 4 });
  const axis = fc.integer({ min: -4, max: 3 });
  const small = fc.integer({ min: -4, max: 4 });
  const unary = (name: string, attrs: fc.Arbitrary<Readonly<Record<string, Plain>>>): fc.Arbitrary<Case> =>
    fc.record({ name: fc.constant(name), attrs, inputs: fc.tuple(dims) });
  /** Two inputs of mostly the same sizes. */
  const pair = dims.chain((a) =>
    fc.tuple(fc.constant(a), fc.tuple(...a.map((each) => fc.oneof({ weight: 4, arbitrary: fc.constant(each) }, big)))),
  );
  const binary = (name: string, attrs: fc.Arbitrary<Readonly<Record<string, Plain>>>): fc.Arbitrary<Case> =>
    fc.record({ name: fc.constant(name), attrs, inputs: pair });
  const count = fc.integer({ min: 1, max: 4 });
  const target = fc.array(fc.constantFrom(-1, 1, 2, 4, 8, 9), { minLength: 1, maxLength: 3 });
  const cases: fc.Arbitrary<Case> = fc.oneof(
    unary("Flatten", fc.record({ start_dim: axis, end_dim: axis })),
    unary("Reshape", fc.record({ shape: target })),
    unary("Unflatten", fc.record({ dim: axis, unflattened_size: target })),
    unary("Transpose", fc.record({ dim0: axis, dim1: axis })),
    unary("Unsqueeze", fc.record({ dim: axis })),
    unary("Squeeze", fc.record({ dim: axis })),
    unary("Slice", fc.record({ dim: axis, start: small, end: fc.option(small), step: count })),
    unary("Select", fc.record({ dim: axis, index: small })),
    unary("Split", fc.record({ split_size: fc.oneof(count, fc.array(count, { maxLength: 4 })), dim: axis })),
    unary("Chunk", fc.record({ chunks: count, dim: axis })),
    unary("Mean", fc.record({ dims: fc.array(axis, { maxLength: 2 }), keepdim: fc.boolean() })),
    unary("GLU", fc.record({ dim: axis })),
    unary("ChannelShuffle", fc.record({ groups: count })),
    unary("Linear", fc.record({ in_features: big, out_features: count })),
    unary("BatchNorm2d", fc.record({ num_features: big })),
    unary("GroupNorm", fc.record({ num_groups: count })),
    unary("LayerNorm", fc.record({ normalized_shape: fc.array(big, { minLength: 1, maxLength: 2 }) })),
    unary("PReLU", fc.record({ num_parameters: big })),
    binary("Add", fc.constant({})),
    binary("Concat", fc.record({ dim: axis })),
    binary("Stack", fc.record({ dim: axis })),
    binary("MatMul", fc.constant({})),
    binary("Dot", fc.record({ axes: axis })),
  );
  /** Which axes lose their number: a bit per input and axis. */
  const hidden = fc.array(fc.boolean(), { minLength: 8, maxLength: 8 });
  const replaced = (inputs: Case["inputs"], hide: readonly boolean[], by: (value: number) => Dim) =>
    inputs.map((input, index) => input.map((value, at) => (hide[index * 4 + at] ? by(value) : value)));

  it("symbolic sizes at numbers are the numeric sizes, and are refused only where the numbers are", () => {
    let compared = 0;
    fc.assert(
      fc.property(cases, hidden, ({ name, attrs, inputs }, hide) => {
        const numeric = apply(name, attrs, inputs);
        const symbolic = apply(
          name,
          attrs,
          replaced(inputs, hide, (value) => symbol(`s${value}`)),
        );
        if (numeric.refused.length > 0) return;
        assert.deepEqual(symbolic.refused, []);
        const values = new Map([8, 9, 12, 16].map((value) => [`s${value}`, value]));
        // How many parts there are may depend on a symbol; then there are none to compare.
        if (symbolic.outputs.length === 0) return assert.ok(name === "Split", `${name} lost its output`);
        // A short axis gives fewer chunks than asked for, which a symbolic one cannot tell.
        if (name === "Chunk") assert.ok(symbolic.outputs.length >= numeric.outputs.length);
        else assert.equal(symbolic.outputs.length, numeric.outputs.length);
        for (const [index, output] of symbolic.outputs.slice(0, numeric.outputs.length).entries()) {
          assert.equal(output.length, numeric.outputs[index]!.length);
          for (const [at, dim] of output.entries()) {
            if (!isKnown(dim)) continue;
            compared++;
            assert.equal(evaluate(dim, values), numeric.outputs[index]![at]);
          }
        }
      }),
      { numRuns: 8000 },
    );
    assert.ok(compared > 4000, `only ${compared} sizes were compared`);
  });

  it("nothing is said about a size that is not known", () => {
    fc.assert(
      fc.property(cases, hidden, ({ name, attrs, inputs }, hide) => {
        if (apply(name, attrs, inputs).refused.length > 0) return;
        const broken = replaced(inputs, hide, () => unknown("broken"));
        assert.deepEqual(apply(name, attrs, broken).refused, []);
      }),
      { numRuns: 8000 },
    );
  });
});
