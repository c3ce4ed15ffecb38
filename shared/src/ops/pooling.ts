/** Pooling with a sliding window. Sources: torch.nn.MaxPool1d–3d, AvgPool1d–3d, LPPool1d–3d. */
import { unknown } from "../shape/dim.ts";
import type { Tensor } from "../shape/tensor.ts";
import { effectiveKernel, type WindowUse } from "../shape/window.ts";
import { atParam, type Report } from "./finding.ts";
import { onImage, placements } from "./image.ts";
import { defineOp, type Inference, type Operator } from "./op.ts";
import { absent, bool, int, optional, type ParamType, perAxis, Refusal, required } from "./param.ts";
import {
  ALL_WORDS,
  axesOf,
  type Geometry,
  noPadding,
  outputOf,
  type Padding,
  paddingType,
  placeWindows,
  unknownOutput,
  WRONG_RANK,
} from "./windowed.ts";

const ceilMode = optional(bool, false, "Rounds the output size up: the last window may reach over the end.");

/** Parameters of every pooling over `axes` spatial axes. */
function windowParams(axes: number) {
  const size = perAxis(axes, int(1));
  return {
    kernel_size: required(size, "Cells of the window along each axis."),
    stride: absent(size, "Step of the window along each axis; the kernel size where absent."),
  };
}

function paddingParam(axes: number) {
  return optional(
    paddingType(axes, int(0), ALL_WORDS),
    noPadding(axes),
    "Cells added around the input, which never win or, for averages, count as zeros; at most half the kernel.",
  );
}

interface PoolAttrs {
  readonly kernel_size: readonly number[];
  readonly stride: readonly number[] | null;
  readonly dilation?: readonly number[];
  readonly padding?: Padding;
  readonly ceil_mode: boolean;
}

/** Places the windows and checks what all poolings refuse; the input's channels stay. */
function pool(attrs: PoolAttrs, axes: number, input: Tensor, report: Report, mayBeEmpty = false): Inference {
  const spatial = axesOf(input, axes, report);
  if (!spatial) return { outputs: [unknownOutput(input, axes, unknown(WRONG_RANK), WRONG_RANK)] };
  const geometry: Geometry = {
    kernel_size: attrs.kernel_size,
    stride: attrs.stride ?? attrs.kernel_size,
    dilation: attrs.dilation ?? attrs.kernel_size.map(() => 1),
    padding: attrs.padding ?? noPadding(axes),
    ceil_mode: attrs.ceil_mode,
  };
  checkHalfKernel(geometry, report);
  const uses = placeWindows(input, spatial, geometry, report, mayBeEmpty);
  return { outputs: [outputOf(input, uses)], windows: uses };
}

/**
 * At most half of the kernel: PyTorch's rule, so that every window sees at least one real cell. Up to 2.0 it left dilation
 * out of account; since 2.1 it means the dilated kernel.
 */
function checkHalfKernel({ padding, kernel_size, dilation }: Geometry, report: Report): void {
  if (padding.kind !== "explicit") return;
  for (const [index, kernel] of kernel_size.entries()) {
    const most = Math.max(padding.before[index]!, padding.after[index]!);
    const limit = Math.floor(kernel / 2);
    if (most <= limit) continue;
    const why = `at most half of the kernel, which is ${kernel}`;
    const spans = effectiveKernel({ kernel, dilation: dilation[index]! });
    const accepted = most <= Math.floor(spans / 2) ? { accepted: "PyTorch 2.1" } : {};
    report("padding-too-large", atParam("padding", index), { padding: most, limit, why, ...accepted });
    return;
  }
}

function example(axes: number) {
  return {
    attrs: { kernel_size: 2 },
    inputs: [[1, 3, ...new Array<number>(axes).fill(8)]],
    output: [1, 3, ...new Array<number>(axes).fill(4)],
  };
}

function maxPool(axes: number): Operator {
  return defineOp({
    name: `MaxPool${axes}d`,
    summary: "The largest cell under a sliding window, per channel.",
    axes,
    params: {
      ...windowParams(axes),
      padding: paddingParam(axes),
      dilation: optional(
        perAxis(axes, int(1)),
        new Array<number>(axes).fill(1),
        "Distance between the cells it reads.",
      ),
      return_indices: optional(bool, false, "Also returns where each maximum was."),
      ceil_mode: ceilMode,
    },
    infer({ attrs, inputs, report }) {
      // PyTorch's one-dimensional kernel alone lets an output of 0 cells pass, unless it must find indices.
      const inference = pool(attrs, axes, inputs[0]!, report, axes === 1 && !attrs.return_indices);
      const output = inference.outputs[0]!;
      return attrs.return_indices ? { ...inference, outputs: [output, output] } : inference;
    },
    run: (backend, execution) =>
      onImage(backend, execution, (image) => {
        const axes = placements(execution);
        const { values, indices } = backend.pool(image, { kind: "max", axes, indices: execution.attrs.return_indices });
        return indices ? [values, indices] : [values];
      }),
    example: example(axes),
  });
}

const nonZeroInt: ParamType<number> = {
  expected: "an integer other than 0",
  schema: { type: "integer", not: { const: 0 } },
  parse: (value) =>
    typeof value === "number" && Number.isSafeInteger(value) && value !== 0
      ? value
      : new Refusal("an integer other than 0"),
};

function avgPool(axes: number): Operator {
  return defineOp({
    name: `AvgPool${axes}d`,
    summary: "The mean under a sliding window, per channel.",
    axes,
    params: {
      ...windowParams(axes),
      padding: paddingParam(axes),
      ceil_mode: ceilMode,
      count_include_pad: optional(bool, true, "Counts the padding in the divisor."),
      ...(axes === 1 ? {} : { divisor_override: absent(nonZeroInt, "Divides by this in place of the window's size.") }),
    },
    infer({ attrs, inputs, report }) {
      const input = inputs[0]!;
      const inference = pool(attrs, axes, input, report);
      if (axes === 3 && attrs.padding.kind === "explicit") checkUnpaddedInput(inference.windows ?? [], input, report);
      return inference;
    },
    run: (backend, execution) =>
      onImage(backend, execution, (image) => {
        const { count_include_pad: countPadding } = execution.attrs;
        const divisor = (execution.attrs as { readonly divisor_override?: number | null }).divisor_override ?? null;
        return [backend.pool(image, { kind: "average", axes: placements(execution), countPadding, divisor }).values];
      }),
    example: example(axes),
  });
}

/** PyTorch's AvgPool3d alone wants the kernel to fit before padding. */
function checkUnpaddedInput(uses: readonly WindowUse[], input: Tensor, report: Report): void {
  for (const [index, use] of uses.entries()) {
    // An output that is not a number has been reported already.
    if (typeof use.input !== "number" || typeof use.output !== "number" || use.input >= use.window.kernel) continue;
    report("window-too-large", atParam("kernel_size", index), { use, input });
    return;
  }
}

const norm: ParamType<number> = {
  expected: "a number other than 0",
  schema: { type: "number", not: { const: 0 } },
  parse: (value) =>
    typeof value === "number" && Number.isFinite(value) && value !== 0 ? value : new Refusal("a number other than 0"),
};

/** PyTorch's LPPool1d computes with the kernel size itself, so it takes no list. */
const single: ParamType<readonly number[]> = {
  ...int(1),
  parse(value) {
    const parsed = int(1).parse(value);
    return parsed instanceof Refusal ? parsed : [parsed];
  },
};

function lpPool(axes: number): Operator {
  return defineOp({
    name: `LPPool${axes}d`,
    summary: "The p-norm under a sliding window, per channel: (Σ xᵖ)^(1/p).",
    axes,
    params: {
      norm_type: required(norm, "The p of the norm: 1 sums, large values approach the maximum."),
      ...windowParams(axes),
      ...(axes === 1 ? { kernel_size: required(single, "Cells of the window.") } : {}),
      ceil_mode: ceilMode,
    },
    infer: ({ attrs, inputs, report }) => pool(attrs, axes, inputs[0]!, report),
    run: (backend, execution) =>
      onImage(backend, execution, (image) => {
        const { norm_type: p, kernel_size: kernel } = execution.attrs;
        const powers = backend.unary(image, { kind: "power", exponent: p });
        const axes = placements(execution);
        // A window over the end counts as a whole one: PyTorch multiplies the mean by the kernel's cells.
        const { values: means } = backend.pool(powers, { kind: "average", axes, countPadding: true, divisor: null });
        const cells = kernel.reduce((count, size) => count * size, 1);
        const sums = backend.unary(means, { kind: "affine", scale: cells, shift: 0 });
        return [backend.unary(sums, { kind: "power", exponent: 1 / p })];
      }),
    example: { ...example(axes), attrs: { norm_type: 2, kernel_size: 2 } },
  });
}

const RANKS = [1, 2, 3];

export const poolingOps: readonly Operator[] = [...RANKS.map(maxPool), ...RANKS.map(avgPool), ...RANKS.map(lpPool)];
