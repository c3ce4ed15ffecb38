/** Transposed convolutions, which enlarge. Source: torch.nn.ConvTranspose1d–3d. */
import { type Dim, mul, product, unknown } from "../shape/dim.ts";
import { channelAxis, type Tensor } from "../shape/tensor.ts";
import { makeWindow, transposedOutputSize, type WindowUse } from "../shape/window.ts";
import { channelsPerGroup, checkedChannels } from "./convolution.ts";
import { AT_LAYER, atParam, type Report } from "./finding.ts";
import { imageEpilogue, kernelOf, onImage, placements } from "./image.ts";
import { byFan, KERNEL } from "./initial.ts";
import { defineOp, type Inference, type Operator, type WeightSpec } from "./op.ts";
import { absent, bool, int, oneOf, optional, perAxis, required } from "./param.ts";
import { axesOf, noPadding, outputOf, type Padding, paddingType, unknownOutput, WRONG_RANK } from "./windowed.ts";

interface SpatialAttrs {
  readonly kernel_size: readonly number[];
  readonly stride: readonly number[];
  readonly padding: Padding;
  readonly output_padding: readonly number[];
  readonly dilation: readonly number[];
}

/** One transposed window per spatial axis, not yet checked. `padding` is explicit: the type takes no word but "valid". */
function windowsOver(attrs: SpatialAttrs, spatial: readonly number[], dims: readonly Dim[]): readonly WindowUse[] {
  const { padding } = attrs;
  return spatial.map((axis, index) => {
    const window = makeWindow({
      kernel: attrs.kernel_size[index]!,
      stride: attrs.stride[index]!,
      dilation: attrs.dilation[index]!,
      padBefore: padding.kind === "explicit" ? padding.before[index]! : 0,
      padAfter: padding.kind === "explicit" ? padding.after[index]! : 0,
    });
    const outputPadding = attrs.output_padding[index]!;
    const input = dims[axis]!;
    return { axis, input, output: transposedOutputSize(input, window, outputPadding), window, outputPadding };
  });
}

function checkOutputPadding(uses: readonly WindowUse[], report: Report): void {
  for (const [index, { window, outputPadding = 0 }] of uses.entries()) {
    const { stride, dilation } = window;
    if (outputPadding < stride || outputPadding < dilation) continue;
    report("output-padding-too-large", atParam("output_padding", index), { outputPadding, stride, dilation });
    return;
  }
}

/** Reports an output that the padding cuts away whole, and makes its sizes unknown. */
function withoutEmpty(uses: readonly WindowUse[], input: Tensor, out: number, report: Report): readonly WindowUse[] {
  const starved = uses.some((use) => use.input === 0);
  const isEmpty = ({ input: n, output }: WindowUse) => n === 0 || (typeof output === "number" && output < 1);
  if (!uses.some(isEmpty)) return uses;
  const why = starved ? "the input has no cells" : "the padding cuts everything off";
  const at = starved ? AT_LAYER : atParam("padding");
  report("empty-output", at, { output: outputOf(input, uses, out), fatal: true, why });
  return uses.map((use) => (isEmpty(use) ? { ...use, output: unknown(why) } : use));
}

function transposed(axes: number): Operator {
  const size = perAxis(axes, int(1));
  const ones = new Array<number>(axes).fill(1);
  return defineOp({
    name: `ConvTranspose${axes}d`,
    summary: "Spreads every input cell over a learned kernel: the gradient of a convolution, used to enlarge.",
    axes,
    params: {
      in_channels: absent(int(0), "Channels of the input; taken from the input where absent."),
      out_channels: required(int(1), "Channels of the output."),
      kernel_size: required(size, "Cells of the kernel along each axis."),
      stride: optional(size, ones, "Distance in the output between neighbouring input cells."),
      padding: optional(
        paddingType(axes, int(0), ["valid"]),
        noPadding(axes),
        "Cells cut off each side of the output.",
      ),
      output_padding: optional(
        perAxis(axes, int(0)),
        new Array<number>(axes).fill(0),
        "Cells added at the end of the output; less than the stride or the dilation.",
      ),
      groups: optional(int(1), 1, "Splits the channels into groups that do not see each other; divides both counts."),
      bias: optional(bool, true, "Adds a learned bias per output channel."),
      dilation: optional(size, ones, "Distance between the cells that the kernel writes."),
      padding_mode: optional(oneOf("zeros"), "zeros", "Only zeros."),
    },
    infer({ attrs, inputs, report }): Inference {
      const input = inputs[0]!;
      const out = attrs.out_channels;
      const spatial = axesOf(input, axes, report);
      if (!spatial) return { outputs: [unknownOutput(input, axes, out, WRONG_RANK)] };
      const count = checkedChannels(attrs.in_channels, input, report);
      channelsPerGroup(attrs.groups, count, out, report);
      const uses = windowsOver(attrs, spatial, input.dims);
      checkOutputPadding(uses, report);
      const sound = withoutEmpty(uses, input, out, report);
      const perGroup = attrs.groups === 1 ? out : Math.floor(out / attrs.groups);
      const kernel: Dim[] = [count, perGroup, ...attrs.kernel_size];
      const weights: WeightSpec[] = [{ name: "weight", dims: kernel, trainable: true, initial: KERNEL }];
      if (attrs.bias)
        weights.push({ name: "bias", dims: [out], trainable: true, initial: byFan(product(kernel.slice(1))) });
      return {
        outputs: [outputOf(input, sound, out)],
        windows: sound,
        weights,
        macs: mul(product(kernel), product(uses.map((use) => use.input))),
      };
    },
    recover: (attrs, inputs) => {
      const why = "a parameter is missing or wrong";
      return { outputs: [unknownOutput(inputs[0]!, axes, attrs.out_channels ?? unknown(why), why)] };
    },
    fuses: "addition",
    folds: channelAxis,
    run: (backend, execution) =>
      onImage(backend, execution, (image, layout) => {
        const { groups, out_channels: out } = execution.attrs;
        const { dims, data } = execution.weight("weight");
        const [count, perGroup] = [dims[0]!, dims[1]!];
        const channelOf = (filter: number) => {
          const group = Math.floor(filter / perGroup / (count / groups));
          return (group * (out / groups) + (filter % perGroup)) % out;
        };
        const epilogue = imageEpilogue(backend, execution.epilogue, layout);
        const kernel = kernelOf(execution, { length: data.length / (count * perGroup), channelOf });
        return [backend.convolveTransposed(image, { ...kernel, axes: placements(execution), groups, ...epilogue })];
      }),
    example: {
      attrs: { out_channels: 2, kernel_size: 4, stride: 2, padding: 1 },
      inputs: [[1, 3, ...new Array<number>(axes).fill(5)]],
      output: [1, 2, ...new Array<number>(axes).fill(10)],
    },
  });
}

export const transposedOps: readonly Operator[] = [1, 2, 3].map(transposed);
