/** Branches that cannot be concatenated. */
import { compare } from "#shared/shape/dim.ts";
import { axisName, channelAxis, spatialAxes, type Tensor } from "#shared/shape/tensor.ts";
import { differences, differingAxes, factorBetween, maybeAgree, strideBetween } from "./merge.ts";
import { defineRule, type MessageContext } from "./rule.ts";
import { branch, listed, nameOf, sourceOf, sources } from "./wording.ts";

type Context = MessageContext<"concat-mismatch">;

export const concatMismatch = defineRule({
  code: "concat-mismatch",
  severity: "error",
  grade: ({ data }) => {
    const [a, b] = [data.inputs[0]!, data.inputs[data.index]!];
    return a.dims.length === b.dims.length && maybeAgree(a, b, axesOf(data)) ? "warning" : "error";
  },
  summary: "Concatenated branches differ in another axis than the one they are joined along.",
  docs: `Concatenation joins tensors along one axis, normally the channels; every other size must be equal. It goes wrong where one
branch pads or strides differently, and in U-Nets whose input is not a multiple of the total stride: an up-sampled 27 is
54, but the skip connection has 55.

With symbolic sizes the message says for which inputs the branches agree; where some do, it is only a warning.`,
  examples: {
    bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, name: a, from: input, out_channels: 8, kernel_size: 3, padding: 1}
  - {type: Conv2d, name: b, from: input, out_channels: 8, kernel_size: 3}
  - {type: Concat, from: [a, b]}
`,
    good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, name: a, from: input, out_channels: 8, kernel_size: 3, padding: 1}
  - {type: Conv2d, name: b, from: input, out_channels: 8, kernel_size: 3, padding: 1}
  - {type: Concat, from: [a, b]}
`,
  },
  message: (context) => {
    const { data, words } = context;
    const [a, b] = [data.inputs[0]!, data.inputs[data.index]!];
    const both = `${branch(context, 0, a)} and ${branch(context, data.index, b)}`;
    if (a.dims.length !== b.dims.length) {
      return `cannot concatenate ${both}: one has ${a.dims.length} axes, the other ${b.dims.length}.`;
    }
    const axes = axesOf(data);
    const along = axisName(a, data.axis);
    return `cannot concatenate ${both} along the ${along} axis: ${listed(differences(a, b, axes, words))}.${adviceFor(context, a, b, axes)}`;
  },
  related: (context) =>
    sources(
      context,
      context.data.inputs.map((input, index) => [index, input] as const),
    ),
});

function axesOf({ inputs, index, axis }: Context["data"]): number[] {
  return differingAxes(inputs[0]!, inputs[index]!, axis, (a, b) => compare(a, b) !== "equal");
}

function adviceFor(context: Context, a: Tensor, b: Tensor, axes: readonly number[]): string {
  const { data } = context;
  if (axes.includes(channelAxis(a))) return "";
  const name = (index: number) => {
    const ref = sourceOf(context, index);
    return ref ? nameOf(ref.node, context) : `input ${index}`;
  };
  const isFirstLarger = axes.every((axis) => {
    const [left, right] = [a.dims[axis]!, b.dims[axis]!];
    return typeof left === "number" && typeof right === "number" && left > right;
  });
  const [large, small] = isFirstLarger ? [a, b] : [b, a];
  const [largeName, smallName] = isFirstLarger ? [name(0), name(data.index)] : [name(data.index), name(0)];
  const spatial = spatialAxes(a);
  if (!axes.every((axis) => spatial.includes(axis))) return "";
  const factor = factorBetween(small, large, spatial);
  if (factor !== null) return ` Up-sample ${smallName} by ${factor}, or give ${largeName} ${factor} times the stride.`;
  const missing = new Set(axes.map((axis) => (large.dims[axis] as number) - (small.dims[axis] as number)));
  const [by] = missing;
  if (missing.size === 1 && by !== undefined && by > 0)
    return ` Crop ${largeName} or pad ${smallName} by ${by} in ${listed(axes.map((axis) => axisName(a, axis)))}.`;
  return strideBetween(large, small, axes) === null
    ? ""
    : ` Make ${largeName} as small as ${smallName} before joining them.`;
}
