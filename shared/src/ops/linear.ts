/** Fully connected layers. Sources: torch.nn.Linear, torch.nn.Bilinear. */
import type { Resident } from "../kernels/backend.ts";
import { compare, mul, product, unknown } from "../shape/dim.ts";
import type { Tensor } from "../shape/tensor.ts";
import { AT_LAYER, atInput, atParam } from "./finding.ts";
import { kernelOf, sizesOf } from "./image.ts";
import { byFan, KERNEL } from "./initial.ts";
import { defineOp, type Operator, type WeightSpec } from "./op.ts";
import { absent, bool, int, optional, required } from "./param.ts";

export const linear = defineOp({
  name: "Linear",
  summary: "Multiplies the last axis by a weight matrix: y = xWᵀ + b.",
  params: {
    in_features: absent(int(0), "Size of the last axis; taken from the input where absent."),
    out_features: required(int(0), "Size of the last axis of the output."),
    bias: optional(bool, true, "Adds a learned bias."),
  },
  infer({ attrs, inputs, report, flattenedFrom }) {
    const input = inputs[0]!;
    const actual = input.dims.at(-1);
    if (actual === undefined) {
      report("wrong-rank", AT_LAYER, { input, expected: "at least one axis" });
      return { outputs: [input] };
    }
    const written = attrs.in_features;
    if (written !== null && compare(written, actual) === "different") {
      const flattened = flattenedFrom(0);
      const data = { written, actual, input, param: "in_features" };
      report("features-mismatch", atParam("in_features"), flattened ? { ...data, flattened } : data);
    }
    const features = written ?? actual;
    const dims = [...input.dims.slice(0, -1), attrs.out_features];
    const weights: WeightSpec[] = [
      { name: "weight", dims: [attrs.out_features, features], trainable: true, initial: KERNEL },
    ];
    if (attrs.bias) {
      weights.push({ name: "bias", dims: [attrs.out_features], trainable: true, initial: byFan(features) });
    }
    const positions = product(input.dims.slice(input.layout.batched ? 1 : 0, -1));
    return {
      outputs: [{ dims, layout: input.layout }],
      weights,
      macs: mul(mul(features, attrs.out_features), positions),
    };
  },
  recover: (attrs, inputs) => ({ outputs: [withLast(inputs[0]!, attrs.out_features)] }),
  field: "point",
  fuses: "addition",
  folds: ({ dims }) => dims.length - 1,
  run: (backend, execution) => [
    backend.linear(execution.inputs[0]!, { ...kernelOf(execution), ...execution.epilogue }),
  ],
  example: { attrs: { in_features: 8, out_features: 4 }, inputs: [[2, 8]], output: [2, 4] },
});

const bilinear = defineOp({
  name: "Bilinear",
  summary: "A learned bilinear form of the last axes of two inputs: y = x₁ᵀWx₂ + b.",
  params: {
    in1_features: absent(int(1), "Size of the first input's last axis; taken from it where absent."),
    in2_features: absent(int(0), "Size of the second input's last axis; taken from it where absent."),
    out_features: required(int(0), "Size of the last axis of the output."),
    bias: optional(bool, true, "Adds a learned bias."),
  },
  inputs: { least: 2, most: 2 },
  infer({ attrs, inputs, report }) {
    const [first, second] = inputs as [Tensor, Tensor];
    const rank = first.dims.length;
    const output = withLast(first, attrs.out_features);
    if (rank === 0 || second.dims.length !== rank) {
      const expected = rank === 0 ? "at least one axis" : `${rank} axes, like the first input`;
      const index = rank === 0 ? 0 : 1;
      report("wrong-rank", atInput(index), { input: inputs[index]!, expected });
      return { outputs: [output] };
    }
    const uneven = first.dims.findIndex(
      (dim, axis) => axis < rank - 1 && compare(dim, second.dims[axis]!) === "different",
    );
    if (uneven >= 0) report("add-mismatch", atInput(1), { dim: uneven, inputs, index: 1 });
    const sizes = inputs.map((input, index) => {
      const param = index === 0 ? "in1_features" : "in2_features";
      const written = attrs[param];
      const actual = input.dims.at(-1)!;
      if (written !== null && compare(written, actual) === "different") {
        report("features-mismatch", atParam(param), { written, actual, input, param });
      }
      return written ?? actual;
    });
    const initial = byFan(sizes[0]!);
    const weights: WeightSpec[] = [{ name: "weight", dims: [attrs.out_features, ...sizes], trainable: true, initial }];
    if (attrs.bias) weights.push({ name: "bias", dims: [attrs.out_features], trainable: true, initial });
    const positions = product(first.dims.slice(first.layout.batched ? 1 : 0, -1));
    return { outputs: [output], weights, macs: mul(product([attrs.out_features, ...sizes]), positions) };
  },
  recover: (attrs, inputs) => ({ outputs: [withLast(inputs[0]!, attrs.out_features)] }),
  run(backend, { attrs, inputs, inference, weight: named, derived }) {
    const [first, second] = inputs as [Resident, Resident];
    const weight = named("weight");
    const [out, left, right] = weight.dims as [number, number, number];
    // The matrices turned around and stacked, so that x₁ᵀW is one product for every output.
    const turned = derived("turned weight", () => ({
      dims: [out * right, left],
      data: weight.data.map((_, at) => {
        const [row, i] = [Math.floor(at / left), at % left];
        return weight.data[(Math.floor(row / right) * left + i) * right + (row % right)]!;
      }),
    }));
    const lead = first.dims.slice(0, -1);
    const halves = backend.reshape(backend.linear(first, { weight: turned, bias: null }), [...lead, out, right]);
    const products = backend.binary("multiply", halves, backend.reshape(second, [...lead, 1, right]));
    const sums = backend.reshape(backend.reduce("sum", products, [lead.length + 1]), sizesOf(inference.outputs[0]!));
    return [attrs.bias ? backend.scaleShift(sums, { axis: lead.length, shift: named("bias") }) : sums];
  },
  example: {
    attrs: { in1_features: 8, in2_features: 6, out_features: 4 },
    inputs: [
      [2, 8],
      [2, 6],
    ],
    output: [2, 4],
  },
});

/** The tensor with another last axis. */
function withLast(input: Tensor, size: number | undefined): Tensor {
  if (input.dims.length === 0) return input;
  return { dims: [...input.dims.slice(0, -1), size ?? unknown("out_features is not known")], layout: input.layout };
}

export const linearOps: readonly Operator[] = [linear, bilinear];
