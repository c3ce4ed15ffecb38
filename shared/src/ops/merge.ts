/**
 * Layers with several inputs: elementwise arithmetic with broadcasting, concatenation, and products of tensors.
 * Sources: PyTorch's broadcasting semantics, torch.cat, torch.stack, torch.matmul; keras.layers.Dot.
 */
import type { Backend, Binary, Resident } from "../kernels/backend.ts";
import { add, agreesWhen, compare, type Dim, isKnown, mul, product, unknown } from "../shape/dim.ts";
import { type Tensor, tensor } from "../shape/tensor.ts";
import { axisOf, countedAxis, withAxes } from "./axis.ts";
import { atInput, atParam, type Report, SILENT } from "./finding.ts";
import { reshaped } from "./image.ts";
import { type Arity, defineOp, NOTHING, type Operator } from "./op.ts";
import { absent, bool, int, optional, perAxis, required } from "./param.ts";
import { axisOrChannels } from "./slice.ts";

const MANY: Arity = { least: 2, most: Number.POSITIVE_INFINITY };
const PAIR: Arity = { least: 2, most: 2 };
/** What is known of a size that two tensors share: a number before a symbolic size before an unknown one. */
function shared(a: Dim, b: Dim): Dim {
  if (typeof a === "number") return a;
  if (typeof b === "number") return b;
  return isKnown(a) ? a : b;
}

/** The size two sizes broadcast to, or null where they cannot. A symbolic size is taken not to be 1. */
function broadcastSize(a: Dim, b: Dim): Dim | null {
  if (a === 1) return b;
  if (b === 1) return a;
  return compare(a, b) === "different" ? null : shared(a, b);
}

/** Whether two symbolic sizes agree for some inputs only, and it is known for which: worth telling, though no mistake. */
function isConditional(a: Dim, b: Dim): boolean {
  return typeof a === "number" && typeof b === "number"
    ? false
    : compare(a, b) === "sometimes" && agreesWhen(a, b) !== null;
}

/**
 * Dims of tensors that broadcast together, aligned at their last axes; `mismatch` is the first that cannot, `conditional`
 * the first that only can for some values of its symbols.
 */
export function broadcast(shapes: readonly (readonly Dim[])[]): {
  readonly dims: readonly Dim[];
  readonly mismatch: { readonly axis: number; readonly index: number } | null;
  readonly conditional: { readonly axis: number; readonly index: number } | null;
} {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const dims: Dim[] = new Array<Dim>(rank).fill(1);
  let mismatch: { axis: number; index: number } | null = null;
  let conditional: { axis: number; index: number } | null = null;
  for (const [index, shape] of shapes.entries()) {
    const first = rank - shape.length;
    for (const [place, size] of shape.entries()) {
      const axis = first + place;
      const before = dims[axis]!;
      const merged = broadcastSize(before, size);
      if (merged === null) mismatch ??= { axis, index };
      else if (before !== 1 && size !== 1 && isConditional(before, size)) conditional ??= { axis, index };
      dims[axis] = merged ?? unknown("the inputs differ here");
    }
  }
  return { dims, mismatch, conditional };
}

/** The layout of what several tensors broadcast to: that of the first with the most axes. */
function widest(inputs: readonly Tensor[]): Tensor {
  return inputs.reduce((best, input) => (input.dims.length > best.dims.length ? input : best));
}

/** The inputs combined one after the other; `mean` divides by their number. */
export function combined(
  backend: Backend,
  inputs: readonly Resident[],
  kind: Binary,
  mean = false,
): readonly Resident[] {
  const all = inputs.reduce((result, input) => backend.binary(kind, result, input));
  return [mean ? backend.unary(all, { kind: "affine", scale: 1 / inputs.length, shift: 0 }) : all];
}

function arithmetic(name: string, summary: string, kind: Binary, mean = false): Operator {
  return defineOp({
    name,
    summary,
    params: {},
    inputs: MANY,
    infer({ inputs, report }) {
      const { dims, mismatch, conditional } = broadcast(inputs.map((input) => input.dims));
      const at = mismatch ?? conditional;
      if (at) report("add-mismatch", atInput(at.index), { dim: at.axis, inputs, index: at.index });
      return { outputs: [tensor(dims, widest(inputs).layout)] };
    },
    ...(kind === "add" && !mean ? { sums: true } : {}),
    run: (backend, { inputs }) => combined(backend, inputs, kind, mean),
    example: {
      attrs: {},
      inputs: [
        [1, 4, 8, 8],
        [1, 4, 1, 1],
      ],
      output: [1, 4, 8, 8],
    },
  });
}

/**
 * The first input that has another rank than the first one, reported.
 * @returns whether all ranks are the same.
 */
function sameRank(report: Report, inputs: readonly Tensor[]): boolean {
  const rank = inputs[0]!.dims.length;
  const index = inputs.findIndex((input) => input.dims.length !== rank);
  if (index < 0) return true;
  report("wrong-rank", atInput(index), { input: inputs[index]!, expected: `${rank} axes, like the first input` });
  return false;
}

/** Sizes that must agree between all inputs, with the first that does not reported. `skip` is the concatenated axis. */
function agreeing(report: Report, inputs: readonly Tensor[], axis: number, skip: number | null): Dim[] {
  const dims = [...inputs[0]!.dims];
  let mismatch: { dim: number; index: number } | null = null;
  let conditional: { dim: number; index: number } | null = null;
  for (const [index, input] of inputs.entries()) {
    for (const [dim, size] of input.dims.entries()) {
      if (dim === skip) continue;
      const before = dims[dim]!;
      if (compare(before, size) !== "different") {
        if (isConditional(before, size)) conditional ??= { dim, index };
        dims[dim] = shared(before, size);
        continue;
      }
      mismatch ??= { dim, index };
      dims[dim] = unknown("the inputs differ here");
    }
  }
  const at = mismatch ?? conditional;
  if (at) report("concat-mismatch", atInput(at.index), { axis, inputs, ...at });
  return dims;
}

const concat = defineOp({
  name: "Concat",
  summary: "Joins tensors along an axis; all other sizes must be equal.",
  params: { dim: absent(int(), "The axis to join along; the batch counts. The channel axis where absent.") },
  inputs: { least: 1, most: Number.POSITIVE_INFINITY },
  infer({ attrs, inputs, report }) {
    const first = inputs[0]!;
    const axis = axisOrChannels(report, attrs.dim, first);
    if (axis === null || !sameRank(report, inputs)) return NOTHING;
    const dims = agreeing(report, inputs, axis, axis);
    dims[axis] = inputs.reduce<Dim>((sum, input) => add(sum, input.dims[axis]!), 0);
    return { outputs: [tensor(dims, first.layout)] };
  },
  run(backend, { attrs, inputs, shapes, cannot }) {
    const axis = axisOrChannels(SILENT, attrs.dim, shapes[0]!) ?? cannot("there is no such axis");
    return [backend.concat(inputs, axis)];
  },
  example: {
    attrs: {},
    inputs: [
      [1, 4, 8, 8],
      [1, 2, 8, 8],
    ],
    output: [1, 6, 8, 8],
  },
});

const stack = defineOp({
  name: "Stack",
  summary: "Joins tensors of equal sizes along a new axis.",
  params: { dim: optional(int(), 0, "Where the new axis is in the output; the batch counts.") },
  inputs: { least: 1, most: Number.POSITIVE_INFINITY },
  infer({ attrs, inputs, report }) {
    const first = inputs[0]!;
    const axis = axisOf(report, "dim", attrs.dim, first, { rank: first.dims.length + 1 });
    if (axis === null || !sameRank(report, inputs)) return NOTHING;
    const dims = agreeing(report, inputs, axis, null);
    dims.splice(axis, 0, inputs.length);
    return { outputs: [withAxes(first, dims, true)] };
  },
  recover: () => NOTHING,
  field: "all",
  run(backend, { attrs, inputs }) {
    const { dims } = inputs[0]!;
    const axis = countedAxis(attrs.dim, dims.length + 1);
    const layers = inputs.map((input) => backend.reshape(input, dims.toSpliced(axis, 0, 1)));
    return [backend.concat(layers, axis)];
  },
  example: {
    attrs: { dim: 1 },
    inputs: [
      [1, 4],
      [1, 4],
    ],
    output: [1, 2, 4],
  },
});

const matMul = defineOp({
  name: "MatMul",
  summary: "Matrix product of the last two axes, the others broadcast.",
  params: {},
  inputs: PAIR,
  infer({ inputs, report }) {
    const [a, b] = inputs as [Tensor, Tensor];
    const scalar = inputs.findIndex((input) => input.dims.length === 0);
    if (scalar >= 0) {
      report("wrong-rank", atInput(scalar), { input: inputs[scalar]!, expected: "at least one axis" });
      return NOTHING;
    }
    // A single axis is a row on the left and a column on the right, and is dropped from the result.
    const left = a.dims.length === 1 ? [1, ...a.dims] : a.dims;
    const right = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
    const inner = left.at(-1)!;
    const outer = broadcast([left.slice(0, -2), right.slice(0, -2)]);
    if (compare(inner, right.at(-2)!) === "different") {
      const axes: [number, number] = [a.dims.length - 1, Math.max(0, b.dims.length - 2)];
      report("product-mismatch", atInput(1), { inputs: [a, b], axes });
    } else if (outer.mismatch) {
      report("add-mismatch", atInput(1), { dim: outer.mismatch.axis, inputs, index: 1 });
    }
    const rows = a.dims.length === 1 ? [] : [left.at(-2)!];
    const columns = b.dims.length === 1 ? [] : [right.at(-1)!];
    const like = widest(inputs);
    const output = withAxes(like, [...outer.dims, ...rows, ...columns], outer.dims.length + rows.length > 0);
    const perSample = output.layout.batched ? output.dims.slice(1) : output.dims;
    return { outputs: [output], macs: mul(product(perSample), shared(inner, right.at(-2)!)) };
  },
  recover: () => NOTHING,
  field: "all",
  run(backend, { inputs, inference }) {
    const [a, b] = inputs as readonly [Resident, Resident];
    const left = a.dims.length === 1 ? backend.reshape(a, [1, ...a.dims]) : a;
    const right = b.dims.length === 1 ? backend.reshape(b, [...b.dims, 1]) : b;
    return reshaped(backend, { inputs: [backend.matmul(left, right)], inference });
  },
  example: {
    attrs: {},
    inputs: [
      [1, 4, 8],
      [1, 8, 6],
    ],
    output: [1, 4, 6],
  },
});

/** x over its length along an axis. Source: keras.utils.normalize, which divides by no less than 1e-12. */
function normalized(backend: Backend, x: Resident, axis: number): Resident {
  const squares = backend.reduce("sum", backend.unary(x, { kind: "square" }), [axis]);
  const lengths = backend.unary(squares, { kind: "power", exponent: 0.5 });
  const most = Number.POSITIVE_INFINITY;
  return backend.binary("divide", x, backend.unary(lengths, { kind: "clamp", least: 1e-12, most }));
}

/** A matrix for every sample: [N, others, summed] on the left of a product, [N, summed, others] on the right. */
function asMatrix(backend: Backend, x: Resident, summed: number, left: boolean): Resident {
  const others = x.dims.map((_, axis) => axis).filter((axis) => axis !== 0 && axis !== summed);
  const inner = x.dims[summed]!;
  const rest = others.reduce((count, axis) => count * x.dims[axis]!, 1);
  const ordered = backend.permute(x, left ? [0, ...others, summed] : [0, summed, ...others]);
  return backend.reshape(ordered, left ? [x.dims[0]!, rest, inner] : [x.dims[0]!, inner, rest]);
}

const dot = defineOp({
  name: "Dot",
  summary: "Keras's Dot: sums products over one axis of each input, sample by sample.",
  params: {
    axes: required(perAxis(2, int()), "The axis of each input to sum over, or one for both; the batch counts."),
    normalize: optional(bool, false, "Normalises along the axes first, which gives the cosine of the angle."),
  },
  inputs: PAIR,
  infer({ attrs, inputs, report }) {
    const [a, b] = inputs as [Tensor, Tensor];
    const { axes } = attrs;
    const first = axisOf(report, "axes", axes[0]!, a, { index: 0 });
    const second = first === null ? null : axisOf(report, "axes", axes[1]!, b, { index: 1 });
    if (first === null || second === null) return NOTHING;
    if (first === 0 || second === 0) {
      const index = first === 0 ? 0 : 1;
      report("bad-value", atParam("axes", index), { name: "axes", value: 0, expected: "an axis other than the batch" });
      return NOTHING;
    }
    const [inner, other] = [a.dims[first]!, b.dims[second]!];
    if (compare(a.dims[0]!, b.dims[0]!) === "different") {
      report("add-mismatch", atInput(1), { dim: 0, inputs, index: 1 });
    } else if (compare(inner, other) === "different") {
      report("product-mismatch", atInput(1), { inputs: [a, b], axes: [first, second] });
    }
    const batch = shared(a.dims[0]!, b.dims[0]!);
    const rest = [a, b].flatMap(({ dims }, index) => dims.filter((_, at) => at !== 0 && at !== [first, second][index]));
    const macs = mul(product(rest), shared(inner, other));
    return { outputs: [withAxes(a, [batch, ...(rest.length === 0 ? [1] : rest)], true)], macs };
  },
  recover: () => NOTHING,
  field: "all",
  run(backend, { attrs, inputs, inference }) {
    const sides = inputs.map((input, index) => {
      const axis = countedAxis(attrs.axes[index]!, input.dims.length);
      return { input: attrs.normalize ? normalized(backend, input, axis) : input, axis };
    });
    const [rows, columns] = sides.map(({ input, axis }, index) => asMatrix(backend, input, axis, index === 0));
    return reshaped(backend, { inputs: [backend.matmul(rows!, columns!)], inference });
  },
  example: {
    attrs: { axes: [2, 1] },
    inputs: [
      [1, 4, 8],
      [1, 8, 6],
    ],
    output: [1, 4, 6],
  },
});

export const mergeOps: readonly Operator[] = [
  arithmetic("Add", "The sum of tensors, broadcast to one shape.", "add"),
  arithmetic("Sub", "The first tensor minus the others, broadcast to one shape.", "subtract"),
  arithmetic("Mul", "The product of tensors, broadcast to one shape.", "multiply"),
  arithmetic("Div", "The first tensor divided by the others, broadcast to one shape.", "divide"),
  arithmetic("Maximum", "The greatest of tensors, elementwise, broadcast to one shape.", "maximum"),
  arithmetic("Minimum", "The least of tensors, elementwise, broadcast to one shape.", "minimum"),
  arithmetic("Average", "The mean of tensors, elementwise, broadcast to one shape.", "add", true),
  concat,
  stack,
  matMul,
  dot,
];
