/** Layers that take parts of a tensor. Sources: torch and torch.Tensor, PyTorch 1.13. */
import type { Backend, Resident } from "../kernels/backend.ts";
import { add, ceilDiv, compare, type Dim, exactQuotient, min, sub, unknown } from "../shape/dim.ts";
import { axisName, channelAxis, type Tensor, withDims } from "../shape/tensor.ts";
import { axisOf, countedAxis, withAxes } from "./axis.ts";
import { AT_LAYER, atParam, type Report, SILENT } from "./finding.ts";
import { reshaped, sizesOf } from "./image.ts";
import { defineOp, type Execution, type Inference, NOTHING, type Operator } from "./op.ts";
import { absent, int, listOf, optional, type ParamType, Refusal, required } from "./param.ts";

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

export const sliceOps: readonly Operator[] = [slice, select, split, chunk];
