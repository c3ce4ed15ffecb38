/**
 * Pooling to a wanted output size, and over whole channels. Sources: torch.nn.AdaptiveAvgPool1d–3d and
 * AdaptiveMaxPool1d–3d; keras.layers.GlobalAveragePooling for the global ones.
 */
import { type Dim, exactQuotient, unknown } from "../shape/dim.ts";
import { spatialAxes, type Tensor, withDims } from "../shape/tensor.ts";
import { makeWindow, type WindowUse } from "../shape/window.ts";
import { AT_LAYER, AT_TYPE, atParam } from "./finding.ts";
import { onImage, reshaped, sizesOf } from "./image.ts";
import { defineOp, type Inference, type Operator } from "./op.ts";
import { bool, int, optional, orNull, type ParamType, perAxis, Refusal, required } from "./param.ts";
import { axesOf, unknownOutput, WRONG_RANK } from "./windowed.ts";

/** One size per axis, where null keeps the input's; a bare null is refused, as PyTorch does. */
function outputSizes(axes: number): ParamType<readonly (number | null)[]> {
  if (axes === 1) return perAxis(1, int(0));
  const sizes = perAxis(axes, orNull(int(0)));
  const expected = `an integer ≥ 0, or a list of ${axes}, where null keeps the size`;
  return {
    expected,
    schema: sizes.schema,
    parse: (value) => (value === null ? new Refusal(expected) : sizes.parse(value)),
  };
}

/**
 * Output i reads the cells ⌊i·n/o⌋ … ⌈(i+1)·n/o⌉ − 1: a plain window where o divides n. Elsewhere the windows differ
 * in size, and null says so.
 */
function uniformWindow(axis: number, n: Dim, o: Dim): WindowUse | null {
  if (n === o) return { axis, input: n, output: o, window: makeWindow({ kernel: 1 }) };
  const size = typeof n === "number" && typeof o === "number" && o > 0 ? exactQuotient(n, o) : null;
  if (typeof size !== "number") return null;
  return { axis, input: n, output: o, window: makeWindow({ kernel: size, stride: size }) };
}

function adaptive(kind: "Avg" | "Max", axes: number): Operator {
  const keepsSize = axes > 1;
  return defineOp({
    name: `Adaptive${kind}Pool${axes}d`,
    summary: `${kind === "Avg" ? "Averages" : "Takes maxima"} over windows chosen so that the output has the wanted size.`,
    axes,
    params: {
      output_size: required(outputSizes(axes), `The output size along each axis${keepsSize ? "; null keeps it" : ""}.`),
      ...(kind === "Max" ? { return_indices: optional(bool, false, "Also returns where each maximum was.") } : {}),
    },
    infer({ attrs, inputs, report }): Inference {
      const input = inputs[0]!;
      const spatial = axesOf(input, axes, report);
      if (!spatial) return { outputs: [unknownOutput(input, axes, unknown(WRONG_RANK), WRONG_RANK)] };
      const sizes = new Map(spatial.map((axis, index) => [axis, attrs.output_size[index] ?? input.dims[axis]!]));
      const output = withDims(input, sizes);
      if (spatial.some((axis) => input.dims[axis] === 0)) {
        report("empty-output", AT_LAYER, { output, fatal: true, why: "the input has no cells" });
      } else if (attrs.output_size.includes(0)) {
        report("empty-output", atParam("output_size"), { output, fatal: false, why: "an output size is 0" });
      }
      const uses = spatial.map((axis) => uniformWindow(axis, input.dims[axis]!, sizes.get(axis)!));
      const windows = uses.filter((use) => use !== null);
      const twice = (attrs as { readonly return_indices?: boolean }).return_indices === true;
      return {
        outputs: twice ? [output, output] : [output],
        ...(windows.length === uses.length ? { windows } : {}),
      };
    },
    field: "all",
    run: (backend, execution) =>
      onImage(backend, execution, (image) => {
        const output = execution.inference.outputs[0]!;
        const dims = sizesOf(output);
        const pooling = {
          kind: kind === "Max" ? "max" : "average",
          sizes: spatialAxes(output).map((axis) => dims[axis]!),
          indices: execution.inference.outputs.length > 1,
        } as const;
        const { values, indices } = backend.adaptivePool(image, pooling);
        return indices ? [values, indices] : [values];
      }),
    example: {
      attrs: { output_size: 4 },
      inputs: [[1, 3, ...new Array<number>(axes).fill(9)]],
      output: [1, 3, ...new Array<number>(axes).fill(4)],
    },
  });
}

function globalOutput(input: Tensor, keepdims: boolean): Tensor {
  const spatial = spatialAxes(input);
  if (keepdims) return withDims(input, new Map(spatial.map((axis) => [axis, 1])));
  return { dims: input.dims.filter((_, axis) => !spatial.includes(axis)), layout: input.layout };
}

function global(kind: "Avg" | "Max"): Operator {
  return defineOp({
    name: `Global${kind}Pool`,
    summary: `The ${kind === "Avg" ? "mean" : "largest cell"} of every channel.`,
    params: { keepdims: optional(bool, false, "Keeps the spatial axes with size 1 in place of removing them.") },
    infer({ attrs, inputs, report }) {
      const input = inputs[0]!;
      if (spatialAxes(input).length === 0) {
        report("wrong-rank", AT_TYPE, { input, expected: "at least one spatial axis" });
        return { outputs: [input] };
      }
      return { outputs: [globalOutput(input, attrs.keepdims)] };
    },
    field: "all",
    run(backend, execution) {
      const { inputs, shapes, inference } = execution;
      const reduced = backend.reduce(kind === "Avg" ? "mean" : "max", inputs[0]!, spatialAxes(shapes[0]!));
      return reshaped(backend, { inputs: [reduced], inference });
    },
    recover: (attrs, inputs) => ({ outputs: [globalOutput(inputs[0]!, attrs.keepdims ?? false)] }),
    example: { attrs: {}, inputs: [[1, 3, 8, 8]], output: [1, 3] },
  });
}

const RANKS = [1, 2, 3];

export const adaptiveOps: readonly Operator[] = [
  ...RANKS.map((axes) => adaptive("Avg", axes)),
  ...RANKS.map((axes) => adaptive("Max", axes)),
  global("Avg"),
  global("Max"),
];
