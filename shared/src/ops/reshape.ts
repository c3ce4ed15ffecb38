import { compare, type Dim, exactQuotient, floorDiv, mod, product, Unknown, unknown } from "../shape/dim.ts";
import { withDims } from "../shape/tensor.ts";
import { axisOf, countedAxis, withAxes } from "./axis.ts";
import { AT_LAYER, atParam } from "./finding.ts";
import { reshaped } from "./image.ts";
import { defineOp, NOTHING, type Operator } from "./op.ts";
import { absent, int, listOf, optional, type ParamType, Refusal, required } from "./param.ts";

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

export const reshapeOps: readonly Operator[] = [
  flatten,
  unflatten,
  reshape,
  permute,
  transpose,
  squeeze,
  unsqueeze,
  channelShuffle,
];
