/** Layers that move values about without computing. Sources: torch.nn and torch, PyTorch 1.13. */
import type { Backend, Resident } from "../kernels/backend.ts";
import {
  add,
  ceilDiv,
  compare,
  type Dim,
  exactQuotient,
  floorDiv,
  min,
  mod,
  product,
  sub,
  Unknown,
  unknown,
} from "../shape/dim.ts";
import { axisName, channelAxis, type Tensor, withDims } from "../shape/tensor.ts";
import { axisOf, countedAxis, withAxes } from "./axis.ts";
import { AT_LAYER, atParam, type Report, SILENT } from "./finding.ts";
import { reshaped, sizesOf } from "./image.ts";
import { defineOp, type Execution, type Inference, type Operator } from "./op.ts";
import { absent, int, listOf, optional, type ParamType, Refusal, required } from "./param.ts";

/** Where attributes are broken even the rank of the output is open, so nothing after it is checked. */
const NOTHING: Inference = { outputs: [] };

const flatten = defineOp({
  name: "Flatten",
  summary: "Merges a run of axes into one.",
  params: {
    start_dim: optional(int(), 1, "The first axis to merge; the batch counts."),
    end_dim: optional(int(), -1, "The last axis to merge."),
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const start = axisOf(report, "start_dim", attrs.start_dim, input);
    const end = start === null ? null : axisOf(report, "end_dim", attrs.end_dim, input);
    if (start === null || end === null) return NOTHING;
    if (start > end) {
      const expected = `at or after start_dim, axis ${start}`;
      report("bad-value", atParam("end_dim"), { name: "end_dim", value: attrs.end_dim, expected });
      return NOTHING;
    }
    const { dims } = input;
    const merged = product(dims.slice(start, end + 1));
    return {
      outputs: [withAxes(input, [...dims.slice(0, start), merged, ...dims.slice(end + 1)], start > 0 || end === 0)],
    };
  },
  recover: () => NOTHING,
  field: "all",
  run: reshaped,
  example: { attrs: {}, inputs: [[1, 4, 8, 8]], output: [1, 256] },
});

/** Sizes, one of which may be −1: whatever is left. */
const sizes: ParamType<readonly number[]> = {
  expected: "a list of sizes, one of which may be −1",
  schema: { type: "array", items: { type: "integer", minimum: -1 } },
  parse(value) {
    const parsed = listOf(int(-1)).parse(value);
    if (parsed instanceof Refusal) {
      return parsed.index === undefined ? new Refusal(sizes.expected) : new Refusal("a size or −1", parsed.index);
    }
    const open = parsed.indexOf(-1);
    const second = open < 0 ? -1 : parsed.indexOf(-1, open + 1);
    return second < 0 ? parsed : new Refusal("a size: only one of them can be −1", second);
  },
};

/**
 * The sizes with −1 filled in, for `total` elements.
 * @returns why it cannot be, as a clause.
 */
export function fillSizes(total: Dim, written: readonly number[]): readonly Dim[] | { readonly why: string } {
  const known = product(written.filter((size) => size !== -1));
  if (!written.includes(-1)) {
    if (compare(total, known) !== "different") return written;
    return { why: `${total} elements cannot become ${known}` };
  }
  if (known === 0) return { why: "−1 could be anything beside a size of 0" };
  const rest = quotient(total, known);
  if (rest === null) return { why: `${total} elements cannot be divided by ${known}` };
  return written.map((size) => (size === -1 ? rest : size));
}

/** total / known; null where that is never an integer. Where it is only sometimes one, the value it then has. */
function quotient(total: Dim, known: Dim): Dim | null {
  const exact = exactQuotient(total, known);
  if (exact !== null) return exact;
  if (typeof known !== "number") return unknown("the sizes are too large");
  return mod(total, known) === null ? floorDiv(total, known) : null;
}

const reshape = defineOp({
  name: "Reshape",
  summary: "Gives the values of every sample other axes; the batch axis stays and is not part of the shape.",
  params: { shape: required(sizes, "Sizes without the batch; −1 stands for what is left.") },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const kept = input.layout.batched ? input.dims.slice(0, 1) : [];
    const from = input.dims.slice(kept.length);
    const to = fillSizes(product(from), attrs.shape);
    if ("why" in to) {
      report("reshape-mismatch", atParam("shape"), { from, to: attrs.shape, why: to.why });
      const open = attrs.shape.map((size) => (size === -1 ? unknown("the reshape is refused") : size));
      return { outputs: [withAxes(input, [...kept, ...open], true)] };
    }
    return { outputs: [withAxes(input, [...kept, ...to], true)] };
  },
  recover: () => NOTHING,
  field: "all",
  run: reshaped,
  example: { attrs: { shape: [-1, 4] }, inputs: [[1, 4, 8, 8]], output: [1, 64, 4] },
});

const unflatten = defineOp({
  name: "Unflatten",
  summary: "Splits one axis into several.",
  params: {
    dim: required(int(), "The axis to split; the batch counts."),
    unflattened_size: required(sizes, "Its new sizes; −1 stands for what is left."),
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const param = "unflattened_size";
    const written = attrs.unflattened_size;
    const axis = axisOf(report, "dim", attrs.dim, input);
    if (written.length === 0) {
      report("bad-value", atParam(param), { name: param, value: [], expected: "at least one size" });
    }
    if (axis === null || written.length === 0) return NOTHING;
    const size = input.dims[axis]!;
    const filled = fillSizes(size, written);
    if ("why" in filled) report("reshape-mismatch", atParam(param), { from: [size], to: written, why: filled.why });
    const to = "why" in filled ? written.map((each) => (each === -1 ? unknown(filled.why) : each)) : filled;
    return {
      outputs: [withAxes(input, [...input.dims.slice(0, axis), ...to, ...input.dims.slice(axis + 1)], axis > 0)],
    };
  },
  recover: () => NOTHING,
  field: "all",
  run: reshaped,
  example: { attrs: { dim: 1, unflattened_size: [2, -1] }, inputs: [[1, 8, 4]], output: [1, 2, 4, 4] },
});

const permute = defineOp({
  name: "Permute",
  summary: "Reorders the axes. What was the channel axis is not any more: layers after it still count axes by place.",
  params: { dims: required(listOf(int()), "For every axis of the output, the axis of the input; the batch counts.") },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const rank = input.dims.length;
    const { dims } = attrs;
    const order = dims.map((dim) => (dim < 0 ? dim + rank : dim));
    if (order.length !== rank || new Set(order).size !== rank || order.some((axis) => !(axis in input.dims))) {
      const expected = `every axis of the ${rank}-dimensional input once`;
      report("bad-value", atParam("dims"), { name: "dims", value: dims, expected });
      return {
        outputs: [
          withAxes(
            input,
            dims.map(() => unknown("the axes are not a permutation")),
            true,
          ),
        ],
      };
    }
    return {
      outputs: [
        withAxes(
          input,
          order.map((axis) => input.dims[axis]!),
          true,
        ),
      ],
    };
  },
  field: "all",
  run: (backend, { attrs, inputs }) => [
    backend.permute(
      inputs[0]!,
      attrs.dims.map((dim) => countedAxis(dim, attrs.dims.length)),
    ),
  ],
  example: { attrs: { dims: [0, 2, 3, 1] }, inputs: [[1, 4, 8, 6]], output: [1, 8, 6, 4] },
});

const transpose = defineOp({
  name: "Transpose",
  summary: "Swaps two axes.",
  params: {
    dim0: required(int(), "One axis; the batch counts."),
    dim1: required(int(), "The other."),
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const first = axisOf(report, "dim0", attrs.dim0, input);
    const second = axisOf(report, "dim1", attrs.dim1, input);
    if (first === null || second === null) {
      return {
        outputs: [
          withAxes(
            input,
            input.dims.map(() => unknown("there is no such axis")),
            true,
          ),
        ],
      };
    }
    const { dims } = input;
    return {
      outputs: [
        withDims(
          input,
          new Map([
            [first, dims[second]!],
            [second, dims[first]!],
          ]),
        ),
      ],
    };
  },
  field: "all",
  run(backend, { attrs, inputs }) {
    const order = inputs[0]!.dims.map((_, axis) => axis);
    const [first, second] = [attrs.dim0, attrs.dim1].map((dim) => countedAxis(dim, order.length)) as [number, number];
    return [backend.permute(inputs[0]!, order.with(first, second).with(second, first))];
  },
  example: { attrs: { dim0: 1, dim1: 2 }, inputs: [[1, 4, 8]], output: [1, 8, 4] },
});

const squeeze = defineOp({
  name: "Squeeze",
  summary: "Drops axes of size 1; a symbolic size is taken not to be 1.",
  params: { dim: absent(int(), "The axis to drop, if its size is 1; all such axes where absent. The batch counts.") },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const { dims } = input;
    const only = attrs.dim === null ? null : axisOf(report, "dim", attrs.dim, input);
    if (attrs.dim !== null && only === null) return { outputs: [input] };
    const chosen = (axis: number) => only === null || axis === only;
    if (dims.some((dim, axis) => chosen(axis) && dim instanceof Unknown)) return NOTHING;
    const kept = dims.filter((dim, axis) => !(chosen(axis) && dim === 1));
    return { outputs: [withAxes(input, kept, !(chosen(0) && dims[0] === 1))] };
  },
  recover: () => NOTHING,
  field: "all",
  run: reshaped,
  example: { attrs: { dim: 2 }, inputs: [[1, 4, 1]], output: [1, 4] },
});

const unsqueeze = defineOp({
  name: "Unsqueeze",
  summary: "Inserts an axis of size 1.",
  params: { dim: required(int(), "Where the new axis is in the output; the batch counts.") },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const axis = axisOf(report, "dim", attrs.dim, input, { rank: input.dims.length + 1 });
    if (axis === null) return NOTHING;
    return { outputs: [withAxes(input, [...input.dims.slice(0, axis), 1, ...input.dims.slice(axis)], true)] };
  },
  recover: () => NOTHING,
  field: "all",
  run: reshaped,
  example: { attrs: { dim: 2 }, inputs: [[1, 4, 8]], output: [1, 4, 1, 8] },
});

const channelShuffle = defineOp({
  name: "ChannelShuffle",
  summary: "Interleaves groups of channels.",
  params: { groups: required(int(1), "Number of groups; divides the channels.") },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const rank = input.dims.length;
    if (rank < 3) {
      report("wrong-rank", AT_LAYER, { input, expected: "at least 3 axes" });
      return { outputs: [input] };
    }
    // PyTorch shuffles axis 1 even of a tensor without a batch.
    const size = input.dims[input.layout.channels === "first" ? 1 : rank - 1]!;
    const rest = mod(size, attrs.groups);
    if (rest !== null && rest !== 0) {
      const data = { what: "channel", size, by: attrs.groups, why: "every group has as many channels" };
      report("not-divisible", atParam("groups"), data);
    }
    return { outputs: [input] };
  },
  recover: (_attrs, inputs) => ({ outputs: [inputs[0]!] }),
  run(backend, { attrs, inputs, shapes }) {
    const { dims } = inputs[0]!;
    const axis = shapes[0]!.layout.channels === "first" ? 1 : dims.length - 1;
    const split = backend.reshape(inputs[0]!, dims.toSpliced(axis, 1, attrs.groups, dims[axis]! / attrs.groups));
    const order = split.dims.map((_, other) => other);
    return [backend.reshape(backend.permute(split, order.with(axis, axis + 1).with(axis + 1, axis)), dims)];
  },
  example: { attrs: { groups: 2 }, inputs: [[1, 4, 8, 8]], output: [1, 4, 8, 8] },
});

/** Ends where a Python slice of `size` elements does, in [0, size]. A symbolic size is taken to reach both ends. */
function clip(at: number, size: Dim): Dim {
  if (typeof size !== "number") return at < 0 ? add(size, at) : min(size, at);
  return Math.max(0, Math.min(size, at < 0 ? at + size : at));
}

/** Number of elements of start:end:step over `size`. */
function sliced(size: Dim, start: number, end: number | null, step: number): Dim {
  // A start inside a symbolic size is itself, though the smaller of the two is not known.
  const from = typeof size !== "number" && start >= 0 ? start : clip(start, size);
  const length = sub(end === null ? size : clip(end, size), from);
  return typeof length === "number" ? Math.max(0, Math.ceil(length / step)) : ceilDiv(length, step);
}

const slice = defineOp({
  name: "Slice",
  summary: "Keeps part of an axis, as Python's start:end:step.",
  params: {
    dim: required(int(), "The axis to cut; the batch counts."),
    start: optional(int(), 0, "The first element kept; negative counts from the end."),
    end: absent(int(), "The first element not kept; to the end where absent."),
    step: optional(int(1), 1, "Every how many elements one is kept."),
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const axis = axisOf(report, "dim", attrs.dim, input);
    if (axis === null) return { outputs: [input] };
    const size = input.dims[axis]!;
    const output = withDims(input, new Map([[axis, sliced(size, attrs.start, attrs.end, attrs.step)]]));
    if (output.dims[axis] === 0 && size !== 0) {
      report("empty-output", AT_LAYER, {
        output,
        fatal: false,
        why: `nothing of ${axisName(input, axis)} ${size} is kept`,
      });
    }
    return { outputs: [output] };
  },
  field: "all",
  run(backend, { attrs, inputs, inference }) {
    const { dims } = inputs[0]!;
    const axis = countedAxis(attrs.dim, dims.length);
    const start = clip(attrs.start, dims[axis]!) as number;
    return [backend.slice(inputs[0]!, axis, start, sizesOf(inference.outputs[0]!)[axis]!, attrs.step)];
  },
  example: { attrs: { dim: 2, start: 1, end: -1, step: 2 }, inputs: [[1, 4, 8]], output: [1, 4, 3] },
});

const select = defineOp({
  name: "Select",
  summary: "Takes one element of an axis, which is dropped.",
  params: {
    dim: required(int(), "The axis; the batch counts."),
    index: required(int(), "Which element; negative counts from the end."),
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const axis = axisOf(report, "dim", attrs.dim, input);
    if (axis === null) return NOTHING;
    const size = input.dims[axis]!;
    const { index } = attrs;
    if (typeof size === "number" && (index >= size || index < -size)) {
      const expected = size === 0 ? "absent: the axis is empty" : `from ${-size} to ${size - 1}`;
      report("bad-value", atParam("index"), { name: "index", value: index, expected });
    }
    return {
      outputs: [
        withAxes(
          input,
          input.dims.filter((_, other) => other !== axis),
          axis > 0,
        ),
      ],
    };
  },
  recover: () => NOTHING,
  field: "all",
  run(backend, { attrs, inputs, inference }) {
    const { dims } = inputs[0]!;
    const axis = countedAxis(attrs.dim, dims.length);
    const one = backend.slice(inputs[0]!, axis, countedAxis(attrs.index, dims[axis]!), 1, 1);
    return reshaped(backend, { inputs: [one], inference });
  },
  example: { attrs: { dim: 2, index: -1 }, inputs: [[1, 4, 8]], output: [1, 4] },
});

/** A model of more outputs from one layer is a mistake in the file; it would only slow the editor. */
const MAX_PARTS = 1024;

const splitAxis = absent(int(), "The axis to split; the batch counts. The channel axis where absent.");

/** The axis a Split, Chunk or Concat works on; reported and null where there is none. */
export function axisOrChannels(report: Report, dim: number | null, input: Tensor): number | null {
  const channel = channelAxis(input);
  return axisOf(report, "dim", dim ?? (channel < 0 ? 1 : channel), input);
}

/** The input cut into parts of these sizes along an axis. */
function parts(input: Tensor, axis: number, sizes: readonly Dim[]): Inference {
  return { outputs: sizes.map((size) => withDims(input, new Map([[axis, size]]))) };
}

/** The parts that inference has found, one after the other. */
function cutApart(
  backend: Backend,
  { attrs, inputs, shapes, inference, cannot }: Execution<{ readonly dim: number | null }>,
): readonly Resident[] {
  const axis = axisOrChannels(SILENT, attrs.dim, shapes[0]!) ?? cannot("there is no such axis");
  let start = 0;
  return inference.outputs.map((output) => {
    const length = sizesOf(output)[axis]!;
    start += length;
    return backend.slice(inputs[0]!, axis, start - length, length, 1);
  });
}

/** Parts of `size` elements, the last with what remains; none where the number of parts is not known. */
function evenParts(report: Report, input: Tensor, axis: number, size: number): Inference {
  const total = input.dims[axis]!;
  const count = ceilDiv(total, size);
  if (typeof count !== "number") return NOTHING;
  if (count > MAX_PARTS) {
    report("too-large", AT_LAYER, { what: "the number of outputs", limit: `${MAX_PARTS}` });
    return NOTHING;
  }
  if (total === 0) return parts(input, axis, [0]);
  const last = sub(total, size * (count - 1));
  return parts(
    input,
    axis,
    Array.from({ length: count }, (_, index) => (index === count - 1 ? last : size)),
  );
}

/** One size for every part, or a list with one each. */
const splitSize: ParamType<number | readonly number[]> = {
  expected: "a positive integer, or a list of sizes",
  schema: { anyOf: [int(1).schema, listOf(int(0)).schema] },
  parse(value) {
    const parsed = Array.isArray(value) ? listOf(int(0)).parse(value) : int(1).parse(value);
    return parsed instanceof Refusal && parsed.index === undefined ? new Refusal(splitSize.expected) : parsed;
  },
};

const split = defineOp({
  name: "Split",
  summary: "Cuts an axis into parts, one output each: `name.0`, `name.1`, …",
  params: {
    split_size: required(splitSize, "Size of every part (the last may be smaller), or a list with the size of each."),
    dim: splitAxis,
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const axis = axisOrChannels(report, attrs.dim, input);
    if (axis === null) return NOTHING;
    const { split_size: written } = attrs;
    if (typeof written === "number") return evenParts(report, input, axis, written);
    const total = input.dims[axis]!;
    const sum = written.reduce<Dim>(add, 0);
    if (compare(sum, total) === "different") {
      const why = `the parts sum to ${sum}, the ${axisName(input, axis)} axis has ${total}`;
      report("reshape-mismatch", atParam("split_size"), { from: [total], to: written, why });
    }
    return parts(input, axis, written);
  },
  recover: () => NOTHING,
  run: cutApart,
  example: { attrs: { split_size: [1, 3], dim: 1 }, inputs: [[1, 4, 8, 8]], output: [1, 1, 8, 8] },
});

const chunk = defineOp({
  name: "Chunk",
  summary: "Cuts an axis into equal parts, one output each: `name.0`, `name.1`, …; the last may be smaller.",
  params: { chunks: required(int(1), "Number of parts; there are fewer where the axis is too short."), dim: splitAxis },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const axis = axisOrChannels(report, attrs.dim, input);
    if (axis === null) return NOTHING;
    const { chunks } = attrs;
    const total = input.dims[axis]!;
    if (typeof total === "number" && total > 0) return evenParts(report, input, axis, Math.ceil(total / chunks));
    if (chunks > MAX_PARTS) {
      report("too-large", atParam("chunks"), { what: "the number of outputs", limit: `${MAX_PARTS}` });
      return NOTHING;
    }
    const each = exactQuotient(total, chunks) ?? unknown("the parts of a symbolic size may differ");
    return parts(
      input,
      axis,
      Array.from({ length: chunks }, () => each),
    );
  },
  recover: () => NOTHING,
  run: cutApart,
  example: { attrs: { chunks: 2 }, inputs: [[1, 4, 8, 8]], output: [1, 2, 8, 8] },
});

export const reshapeOps: readonly Operator[] = [
  flatten,
  unflatten,
  reshape,
  permute,
  transpose,
  squeeze,
  unsqueeze,
  channelShuffle,
  slice,
  select,
  split,
  chunk,
];
