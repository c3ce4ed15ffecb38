/** Branches that cannot be added (or otherwise combined element by element). */
import { compare, type Dim } from "#shared/shape/dim.ts";
import { channelAxis, channels, spatialAxes, type Tensor } from "#shared/shape/tensor.ts";
import { differences, differingAxes, maybeAgree, strideBetween } from "./merge.ts";
import { defineRule, type MessageContext } from "./rule.ts";
import { branch, listed, nameOf, sourceOf, sources } from "./wording.ts";

type Context = MessageContext<"add-mismatch">;

export const addMismatch = defineRule({
  code: "add-mismatch",
  severity: "error",
  grade: ({ data }) => {
    const [a, b] = [data.inputs[0]!, data.inputs[data.index]!];
    return a.dims.length === b.dims.length && maybeAgree(a, b, axesOf(data)) ? "warning" : "error";
  },
  summary: "Branches combined element by element have different sizes.",
  docs: `Add, Mul and the like need equal sizes on every axis; only a size of 1 stretches to the other's. In a residual block
the shortcut must change its channels and stride exactly as the main branch does, usually by a 1×1 convolution.

With symbolic sizes the message says for which inputs the branches agree; where some do, it is only a warning.`,
  examples: {
    bad: `cnn: 1
input: [64, 56, 56]
layers:
  - {type: Conv2d, name: main, out_channels: 128, kernel_size: 3, padding: 1}
  - {type: Add, from: [main, input]}
`,
    good: `cnn: 1
input: [64, 56, 56]
layers:
  - {type: Conv2d, name: main, out_channels: 128, kernel_size: 3, padding: 1}
  - {type: Conv2d, name: shortcut, from: input, out_channels: 128, kernel_size: 1}
  - {type: Add, from: [main, shortcut]}
`,
  },
  message: (context) => {
    const { data, node, words } = context;
    const [a, b] = [data.inputs[0]!, data.inputs[data.index]!];
    const both = `${branch(context, 0, a)} and ${branch(context, data.index, b)}`;
    const op = node ? words.op(node.op.name) : "the layer";
    if (a.dims.length !== b.dims.length) {
      return `${op} cannot combine ${both}: aligned at their last axes, ${a.dims.length} and ${b.dims.length} axes do not match.`;
    }
    const axes = axesOf(data);
    return `${op} cannot combine ${both}: ${listed(differences(a, b, axes, words))}.${adviceFor(context, a, b, axes)}`;
  },
  related: (context) =>
    sources(
      context,
      context.data.inputs.map((input, index) => [index, input] as const),
    ),
});

/** Broadcasting: a size of 1 agrees with any. */
function differ(a: Dim, b: Dim): boolean {
  return a !== 1 && b !== 1 && compare(a, b) !== "equal";
}

function axesOf({ inputs, index }: Context["data"]): number[] {
  return differingAxes(inputs[0]!, inputs[index]!, null, differ);
}

/** A 1×1 convolution that takes the larger branch to the smaller one's size, put through the window formula first. */
function adviceFor(context: Context, a: Tensor, b: Tensor, axes: readonly number[]): string {
  const { data, words } = context;
  const spatial = spatialAxes(a);
  const rank = spatial.length;
  if (rank < 1 || rank > 3 || axes.some((axis) => axis !== channelAxis(a) && !spatial.includes(axis))) return "";
  const conv = `Conv${rank}d`;
  // The shortcut is normally named last.
  const candidates: readonly (readonly [number, Tensor, Tensor])[] = [
    [data.index, b, a],
    [0, a, b],
  ];
  for (const [index, from, to] of candidates) {
    const stride = strideBetween(from, to, spatial);
    const out = channels(to);
    const ref = sourceOf(context, index);
    if (stride === null || typeof out !== "number" || !ref) continue;
    const params = [
      `${words.param(conv, "kernel_size")}: 1`,
      ...(stride > 1 ? [`${words.param(conv, "stride")}: ${stride}`] : []),
      `${words.param(conv, "out_channels")}: ${out}`,
    ];
    return ` Project ${nameOf(ref.node, context)} with a ${words.op(conv)} (${params.join(", ")}).`;
  }
  return "";
}
