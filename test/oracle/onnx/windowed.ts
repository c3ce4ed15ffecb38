/** ONNX's convolutions and poolings. */
import type { Ref } from "#shared/graph/graph.ts";
import { valuesOf } from "#shared/kernels/values.ts";
import type { Plain } from "#shared/ops/param.ts";
import { makeWindow, outputSize, type Placement } from "#shared/shape/window.ts";
import { type NodeView, Uncovered } from "./lowering.ts";

/** Names of the two sides of each axis, outermost axis first, as padding maps have them. */
const SIDES = [
  ["front", "back"],
  ["top", "bottom"],
  ["left", "right"],
];

interface Pads {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

function padsOf(node: NodeView, axes: number): Pads {
  const pads = node.list("pads") ?? new Array<number>(2 * axes).fill(0);
  return { before: pads.slice(0, axes), after: pads.slice(axes) };
}

/** The padding as operators with windows write it. */
function paddingOf(node: NodeView, axes: number): Plain {
  const auto = node.word("auto_pad", "NOTSET");
  if (auto === "SAME_UPPER" || auto === "SAME_LOWER") return auto.toLowerCase();
  const { before, after } = padsOf(node, axes);
  const sides = SIDES.slice(3 - axes).flatMap(([first, second], axis): [string, number][] => [
    [first!, before[axis]!],
    [second!, after[axis]!],
  ]);
  return Object.fromEntries(sides);
}

function kernelOf(node: NodeView): readonly number[] {
  return node.list("kernel_shape") ?? node.constant(1)!.dims.slice(2);
}

function ones(axes: number): number[] {
  return new Array<number>(axes).fill(1);
}

export function conv(node: NodeView): Ref {
  const weight = node.constant(1)!;
  const axes = weight.dims.length - 2;
  const args = {
    out_channels: weight.dims[0]!,
    kernel_size: weight.dims.slice(2),
    stride: node.list("strides") ?? ones(axes),
    dilation: node.list("dilations") ?? ones(axes),
    padding: paddingOf(node, axes),
    groups: node.number("group", 1),
    bias: node.has(2),
  };
  return node.to.layer(`Conv${axes}d`, args, [node.input(0)], { weight, bias: node.constant(2) });
}

export function convTranspose(node: NodeView): Ref {
  const weight = node.constant(1)!;
  const axes = weight.dims.length - 2;
  const kernel = weight.dims.slice(2);
  const stride = node.list("strides") ?? ones(axes);
  const dilation = node.list("dilations") ?? ones(axes);
  let extra = node.list("output_padding") ?? new Array<number>(axes).fill(0);
  let { before, after } = padsOf(node, axes);
  const sizes = node.list("output_shape");
  if (sizes) {
    const dims = node.dims(0).slice(2);
    const whole = dims.map((n, axis) => (n - 1) * stride[axis]! + dilation[axis]! * (kernel[axis]! - 1) + 1);
    extra = sizes.map((size, axis) => Math.max(0, size - whole[axis]!));
    const cut = sizes.map((size, axis) => Math.max(0, whole[axis]! - size));
    const early = (total: number) => (node.word("auto_pad", "") === "SAME_UPPER" ? total >> 1 : total - (total >> 1));
    before = cut.map(early);
    after = cut.map((total) => total - early(total));
  }
  if (before.some((amount, axis) => amount !== after[axis])) {
    throw new Uncovered("ConvTranspose cuts both sides alike");
  }
  const groups = node.number("group", 1);
  const args = {
    out_channels: weight.dims[1]! * groups,
    kernel_size: kernel,
    stride,
    dilation,
    padding: [...before],
    output_padding: extra,
    groups,
    bias: node.has(2),
  };
  return node.to.layer(`ConvTranspose${axes}d`, args, [node.input(0)], { weight, bias: node.constant(2) });
}

function poolArgs(node: NodeView, axes: number) {
  return {
    kernel_size: [...kernelOf(node)],
    stride: node.list("strides") ?? ones(axes),
    padding: paddingOf(node, axes),
    ceil_mode: node.flag("ceil_mode"),
  };
}

export function maxPool(node: NodeView): Ref[] {
  const axes = kernelOf(node).length;
  if (node.flag("storage_order")) throw new Uncovered("indices in column-major order");
  const args = {
    ...poolArgs(node, axes),
    dilation: node.list("dilations") ?? ones(axes),
    return_indices: node.outputCount === 2,
  };
  const first = node.to.layer(`MaxPool${axes}d`, args, [node.input(0)]);
  return Array.from({ length: node.outputCount }, (_, output) => ({ node: first.node, output }));
}

export function averagePool(node: NodeView): Ref {
  const axes = kernelOf(node).length;
  const args = poolArgs(node, axes);
  if ((node.list("dilations") ?? []).some((dilation) => dilation !== 1)) return dilatedAverage(node, node.input(0));
  return node.to.layer(`AvgPool${axes}d`, { ...args, count_include_pad: node.flag("count_include_pad") }, [
    node.input(0),
  ]);
}

/** The windows that a pooling moves, without padding, as the engine takes them. */
function placementsOf(node: NodeView): Placement[] {
  const kernel = kernelOf(node);
  if ((node.list("pads") ?? []).some((amount) => amount !== 0)) throw new Uncovered("dilated pooling with padding");
  return kernel.map((size, axis): Placement => {
    const input = node.dims(0)[axis + 2]!;
    const stride = node.list("strides")?.[axis] ?? 1;
    const dilation = node.list("dilations")?.[axis] ?? 1;
    const window = makeWindow({ kernel: size, stride, dilation, ceil: node.flag("ceil_mode") });
    const output = outputSize(input, window) as number;
    return { input, output, kernel: size, stride, dilation, padBefore: 0, padAfter: 0 };
  });
}

/** AvgPool has no dilation, as PyTorch's has none; the engine's `pool` has. */
function dilatedAverage(node: NodeView, x: Ref): Ref {
  const axes = placementsOf(node);
  const dims = [...node.dims(0).slice(0, 2), ...axes.map(({ output }) => output)];
  const pooling = { kind: "average", axes, countPadding: node.flag("count_include_pad"), divisor: null } as const;
  return node.to.primitive("pool", [x], dims, (backend, [value]) => backend.pool(value!, pooling).values);
}

export function lpPool(node: NodeView): Ref {
  const axes = kernelOf(node).length;
  if ((node.list("dilations") ?? []).some((dilation) => dilation !== 1)) return dilatedNorm(node);
  const zero = node.to.enter(valuesOf([], [0]));
  const negative = node.to.layer("Sub", {}, [zero, node.input(0)]);
  let x = node.to.layer("Maximum", {}, [node.input(0), negative]);
  const kernel = [...kernelOf(node)];
  const stride = node.list("strides") ?? ones(axes);
  if (node.word("auto_pad", "NOTSET") === "SAME_LOWER" && stride.every((step) => step === 1)) {
    // Zeros add nothing to a sum of powers.
    const sides = kernel.toReversed().flatMap((size) => [Math.ceil((size - 1) / 2), Math.floor((size - 1) / 2)]);
    x = node.to.layer(`ZeroPad${axes}d`, { padding: sides }, [x]);
  } else if (node.word("auto_pad", "NOTSET") !== "NOTSET") throw new Uncovered("LPPool has no padding");
  const size = axes === 1 ? kernel[0]! : kernel;
  return node.to.layer(`LPPool${axes}d`, { norm_type: node.number("p", 2), kernel_size: size, stride }, [x]);
}

/** LPPool has no dilation either: the root of a mean of powers. */
function dilatedNorm(node: NodeView): Ref {
  const p = node.number("p", 2);
  if (p % 2 !== 0) throw new Uncovered("odd norms with dilation");
  const cells = kernelOf(node).reduce((count, size) => count * size, 1);
  const power = (x: Ref, exponent: number) =>
    node.to.primitive("power", [x], node.to.dims(x), (backend, [value]) =>
      backend.unary(value!, { kind: "power", exponent }),
    );
  const means = dilatedAverage(node, power(node.input(0), p));
  return power(node.to.layer("Mul", {}, [means, node.to.enter(valuesOf([], [cells]))]), 1 / p);
}

export function globalPool(op: string): (node: NodeView) => Ref {
  return (node) => node.to.layer(op, { keepdims: true }, [node.input(0)]);
}
