/** Every ONNX operator that can be said with ConvLint's operators. */
import type { Ref } from "#shared/graph/graph.ts";
import { valuesOf } from "#shared/kernels/values.ts";
import { type NodeView, Uncovered } from "./lowering.ts";
import { resize, upsample } from "./resize.ts";
import { averagePool, conv, convTranspose, globalPool, lpPool, maxPool } from "./windowed.ts";

type Build = (node: NodeView) => Ref | Ref[];

function scalar(node: NodeView, value: number): Ref {
  return node.to.enter(valuesOf([], [value]));
}

function axisOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** An operator of one input. */
function unary(op: string, args: (node: NodeView) => Record<string, number | string | boolean> = () => ({})): Build {
  return (node) => node.to.layer(op, args(node), [node.input(0)]);
}

/** An operator of any number of inputs; one alone is the identity. */
function merged(op: string): Build {
  return (node) =>
    node.inputCount === 1 ? node.to.layer("Identity", {}, [node.input(0)]) : node.to.layer(op, {}, node.inputs());
}

/** Integers wrap around and divide without a rest; the engine computes in float32. */
function arithmetic(op: string): Build {
  return (node) => {
    const integers = node.to.record.inputs.some(({ dtype }) => /int/.test(dtype));
    if (op === "Div" && integers) throw new Uncovered("the engine divides floating-point numbers, not integers");
    const sized = /^uint(8|16|32|64)$/.exec(node.to.record.outputs[0]!.dtype);
    if (op === "Sub" && sized && node.to.record.outputs[0]!.data.some((value) => Number(value) >= 2 ** 24)) {
      throw new Uncovered("integers that wrap around; the engine computes in float32");
    }
    return merged(op)(node);
  };
}

function reduce(op: string): Build {
  return (node) => {
    const axes = node.list("axes", 1) ?? [];
    if (axes.length === 0 && node.flag("noop_with_empty_axes")) {
      return node.to.layer("Identity", {}, [node.input(0)]);
    }
    if (node.dims(0).includes(0)) throw new Uncovered("an empty axis, of which PyTorch takes no extreme either");
    const dims = axes.length === 0 ? {} : { dims: axes };
    return node.to.layer(op, { ...dims, keepdim: node.number("keepdims", 1) === 1 }, [node.input(0)]);
  };
}

/** The axes from `axis` to the end are normalised together. */
function lastAxes(node: NodeView): number[] {
  const dims = node.dims(0);
  return dims.slice(axisOf(node.number("axis", -1), dims.length));
}

function softmax(op: string): Build {
  return (node) => {
    const dims = node.dims(0);
    const axis = axisOf(node.number("axis", node.to.opset >= 13 ? -1 : 1), dims.length);
    if (node.to.opset < 13 && axis !== dims.length - 1 && dims.slice(axis + 1).some((size) => size !== 1)) {
      throw new Uncovered("before operator set 13 all axes behind the named one were taken together");
    }
    return node.to.layer(op, { dim: axis }, [node.input(0)]);
  };
}

function gemm(node: NodeView): Ref {
  const [a, b, c] = [node.input(0), node.constant(1)!, node.constant(2)];
  const left = node.flag("transA") ? node.to.layer("Transpose", { dim0: 0, dim1: 1 }, [a]) : a;
  const [alpha, beta] = [node.number("alpha", 1), node.number("beta", 1)];
  const [rows, columns] = b.dims as [number, number];
  const turned = node.flag("transB")
    ? b
    : valuesOf(
        [columns, rows],
        b.data.map((_, at) => b.data[(at % rows) * columns + Math.floor(at / rows)]!),
      );
  const out = turned.dims[0]!;
  const weight = { dims: turned.dims, data: turned.data.map((value) => alpha * value) };
  const product = node.to.layer("Linear", { out_features: out, bias: false }, [left], { weight });
  if (!c) return product;
  return node.to.layer("Add", {}, [
    product,
    node.to.enter({ dims: c.dims, data: c.data.map((value) => beta * value) }),
  ]);
}

function clip(node: NodeView): Ref {
  let x = node.to.layer("Identity", {}, [node.input(0)]);
  const [least, most] = [node.constant(1), node.constant(2)];
  if (least) x = node.to.layer("Maximum", {}, [x, node.to.enter(least)]);
  return most ? node.to.layer("Minimum", {}, [x, node.to.enter(most)]) : x;
}

function prelu(node: NodeView): Ref {
  const slope = node.constant(1)!;
  const x = node.input(0);
  const dims = node.dims(0);
  if (slope.dims.length === 1 && (slope.dims[0] === 1 || slope.dims[0] === dims[1])) {
    return node.to.layer("PReLU", { num_parameters: slope.dims[0]! }, [x], { weight: slope });
  }
  const zero = scalar(node, 0);
  const negative = node.to.layer("Mul", {}, [node.to.layer("Minimum", {}, [x, zero]), node.to.enter(slope)]);
  return node.to.layer("Add", {}, [node.to.layer("Maximum", {}, [x, zero]), negative]);
}

function hardSigmoid(node: NodeView): Ref {
  const scaled = node.to.layer("Mul", {}, [node.input(0), scalar(node, node.number("alpha", 0.2))]);
  const shifted = node.to.layer("Add", {}, [scaled, scalar(node, node.number("beta", 0.5))]);
  return node.to.layer("Hardtanh", { min_val: 0, max_val: 1 }, [shifted]);
}

function selu(node: NodeView): Ref {
  const [alpha, gamma] = [node.number("alpha", 1.6732631921768188), node.number("gamma", 1.0507010221481323)];
  if (Math.abs(alpha - 1.6732632) < 1e-6) return node.to.layer("SELU", {}, [node.input(0)]);
  const elu = node.to.layer("ELU", { alpha }, [node.input(0)]);
  return node.to.layer("Mul", {}, [elu, scalar(node, gamma)]);
}

function swish(node: NodeView): Ref {
  const alpha = node.number("alpha", 1);
  if (alpha === 1) return node.to.layer("SiLU", {}, [node.input(0)]);
  const scaled = node.to.layer("Mul", {}, [node.input(0), scalar(node, alpha)]);
  return node.to.layer("Mul", {}, [node.input(0), node.to.layer("Sigmoid", {}, [scaled])]);
}

function reshape(node: NodeView, shape: readonly number[]): Ref {
  return node.to.layer("Reshape", { shape }, [node.input(0)]);
}

function reshapeTo(node: NodeView): Ref {
  const dims = node.dims(0);
  const shape = node.list("shape", 1)!;
  return reshape(
    node,
    shape.map((size, axis) => (size === 0 && !node.flag("allowzero") ? dims[axis]! : size)),
  );
}

function flatten(node: NodeView): Ref {
  const dims = node.dims(0);
  const axis = axisOf(node.number("axis", 1), dims.length);
  const product = (sizes: readonly number[]) => sizes.reduce((count, size) => count * size, 1);
  return reshape(node, [product(dims.slice(0, axis)), product(dims.slice(axis))]);
}

function squeeze(node: NodeView): Ref {
  const axes = node.list("axes", 1);
  const rank = node.dims(0).length;
  let x = node.input(0);
  const dropped = axes?.map((axis) => axisOf(axis, rank)).sort((a, b) => b - a);
  if (!dropped) return node.to.layer("Squeeze", {}, [x]);
  for (const dim of dropped) x = node.to.layer("Squeeze", { dim }, [x]);
  return x;
}

function unsqueeze(node: NodeView): Ref {
  const axes = node.list("axes", 1)!;
  const rank = node.dims(0).length + axes.length;
  let x = node.input(0);
  for (const dim of axes.map((axis) => axisOf(axis, rank)).sort((a, b) => a - b)) {
    x = node.to.layer("Unsqueeze", { dim }, [x]);
  }
  return x;
}

/** Slice has no negative steps, as PyTorch has none; the engine's `slice` has. */
function backwards(node: NodeView, x: Ref, axis: number, start: number, end: number, step: number): Ref {
  const dims = node.to.dims(x);
  const size = dims[axis]!;
  const clip = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, -1), size - 1);
  const [from, to] = [clip(start), clip(end)];
  const length = Math.max(0, Math.ceil((to - from) / step));
  return node.to.primitive("slice", [x], dims.with(axis, length), (backend, [value]) =>
    backend.slice(value!, axis, from, length, step),
  );
}

function slice(node: NodeView): Ref {
  const [starts, ends] = [node.list("starts", 1)!, node.list("ends", 2)!];
  const axes = node.list("axes", 3) ?? starts.map((_, axis) => axis);
  const steps = node.list("steps", 4) ?? starts.map(() => 1);
  const dims = node.dims(0);
  let x = node.input(0);
  for (const [index, written] of axes.entries()) {
    const dim = axisOf(written, dims.length);
    const [start, end, step] = [starts[index]!, ends[index]!, steps[index]!];
    x = step < 0 ? backwards(node, x, dim, start, end, step) : node.to.layer("Slice", { dim, start, end, step }, [x]);
  }
  return x;
}

function split(node: NodeView): Ref[] {
  const dims = node.dims(0);
  const axis = axisOf(node.number("axis", 0), dims.length);
  const count = node.outputCount;
  const each = Math.ceil(dims[axis]! / count);
  const sizes =
    node.list("split", 1) ?? Array.from({ length: count }, (_, at) => Math.min(each, dims[axis]! - at * each));
  const first = node.to.layer("Split", { split_size: sizes, dim: axis }, [node.input(0)]);
  return sizes.map((_, output) => ({ node: first.node, output }));
}

function pad(node: NodeView): Ref {
  const rank = node.dims(0).length;
  const axes = (node.list("axes", 3) ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) =>
    axisOf(axis, rank),
  );
  const pads = node.list("pads", 1)!;
  const mode = node.word("mode", "constant");
  const lowest = Math.min(...axes.filter((_, at) => pads[at] !== 0 || pads[axes.length + at] !== 0), rank - 1);
  const spatial = rank - lowest;
  if (spatial > 3) throw new Uncovered("padding of more than three axes");
  const sides: number[] = [];
  for (let axis = rank - 1; axis >= lowest; axis--) {
    const at = axes.indexOf(axis);
    sides.push(...(at < 0 ? [0, 0] : [pads[at]!, pads[axes.length + at]!]));
  }
  const names: Record<string, string> = { reflect: "Reflection", edge: "Replication", wrap: "Circular" };
  if (mode !== "constant") return node.to.layer(`${names[mode]}Pad${spatial}d`, { padding: sides }, [node.input(0)]);
  const value = node.constant(2)?.data[0] ?? 0;
  return node.to.layer(`ConstantPad${spatial}d`, { padding: sides, value }, [node.input(0)]);
}

function centerCropPad(node: NodeView): Ref {
  const dims = node.dims(0);
  const shape = node.list("shape", 1)!;
  const axes = node.list("axes") ?? shape.map((_, axis) => axis);
  let x = node.input(0);
  for (const [index, written] of axes.entries()) {
    const axis = axisOf(written, dims.length);
    const [size, wanted] = [dims[axis]!, shape[index]!];
    const before = Math.floor(Math.abs(size - wanted) / 2);
    if (size > wanted) x = node.to.layer("Slice", { dim: axis, start: before, end: before + wanted }, [x]);
    if (size >= wanted) continue;
    const sides = Array.from({ length: 2 * (dims.length - axis) }, () => 0);
    sides.splice(-2, 2, before, wanted - size - before);
    x = node.to.layer(`ZeroPad${dims.length - axis}d`, { padding: sides }, [x]);
  }
  return node.to.layer("Identity", {}, [x]);
}

function tile(node: NodeView): Ref {
  let x = node.input(0);
  for (const [dim, count] of node.list("repeats", 1)!.entries()) {
    if (count > 1) x = node.to.layer("Concat", { dim }, new Array<Ref>(count).fill(x));
  }
  return x;
}

function col2im(node: NodeView): Ref {
  const [size, kernel] = [node.list("", 1)!, node.list("", 2)!];
  const pads = node.list("pads") ?? [0, 0, 0, 0];
  if (pads[0] !== pads[2] || pads[1] !== pads[3]) throw new Uncovered("Fold pads both sides alike");
  const args = {
    output_size: size,
    kernel_size: kernel,
    dilation: node.list("dilations") ?? [1, 1],
    padding: pads.slice(0, 2),
    stride: node.list("strides") ?? [1, 1],
  };
  return node.to.layer("Fold", args, [node.input(0)]);
}

function depthToSpace(node: NodeView): Ref {
  const [, channels, height, width] = node.dims(0) as [number, number, number, number];
  const by = node.number("blocksize", 1);
  if (node.word("mode", "DCR") === "CRD") return node.to.layer("PixelShuffle", { upscale_factor: by }, [node.input(0)]);
  const count = channels / by ** 2;
  const cells = reshape(node, [by, by, count, height, width]);
  const moved = node.to.layer("Permute", { dims: [0, 3, 4, 1, 5, 2] }, [cells]);
  return node.to.layer("Reshape", { shape: [count, height * by, width * by] }, [moved]);
}

function spaceToDepth(node: NodeView): Ref {
  const [, channels, height, width] = node.dims(0) as [number, number, number, number];
  const by = node.number("blocksize", 1);
  const cells = reshape(node, [channels, height / by, by, width / by, by]);
  const moved = node.to.layer("Permute", { dims: [0, 3, 5, 1, 2, 4] }, [cells]);
  return node.to.layer("Reshape", { shape: [channels * by ** 2, height / by, width / by] }, [moved]);
}

function batchNorm(node: NodeView): Ref {
  if (node.flag("training_mode")) throw new Uncovered("the engine normalises as inference does, not training");
  const axes = Math.max(node.dims(0).length - 2, 1);
  const [weight, bias, mean, variance] = [1, 2, 3, 4].map((at) => node.constant(at));
  return node.to.layer(`BatchNorm${axes}d`, { eps: node.number("epsilon", 1e-5) }, [node.input(0)], {
    weight: weight!,
    bias: bias!,
    running_mean: mean!,
    running_var: variance!,
  });
}

function instanceNorm(node: NodeView): Ref {
  const axes = node.dims(0).length - 2;
  const [weight, bias] = [node.constant(1), node.constant(2)];
  const args = { affine: true, eps: node.number("epsilon", 1e-5) };
  return node.to.layer(`InstanceNorm${axes}d`, args, [node.input(0)], { weight, bias });
}

function groupNorm(node: NodeView): Ref {
  const [weight, bias] = [node.constant(1), node.constant(2)];
  const args = { num_groups: node.number("num_groups", 1), eps: node.number("epsilon", 1e-5) };
  return node.to.layer("GroupNorm", args, [node.input(0)], { weight, bias });
}

function layerNorm(node: NodeView): Ref {
  const [weight, bias] = [node.constant(1), node.constant(2)];
  const args = { normalized_shape: lastAxes(node), eps: node.number("epsilon", 1e-5), bias: bias !== null };
  return node.to.layer("LayerNorm", args, [node.input(0)], { weight, bias });
}

function rmsNorm(node: NodeView): Ref {
  const args = { normalized_shape: lastAxes(node), eps: node.number("epsilon", 1e-5) };
  return node.to.layer("RMSNorm", args, [node.input(0)], { weight: node.constant(1) });
}

function dropout(node: NodeView): Ref {
  const isTraining = node.constant(2)?.data[0] === 1;
  const ratio = node.constant(1)?.data[0] ?? node.number("ratio", 0.5);
  if (isTraining && ratio !== 0) throw new Uncovered("drops at random while training; the engine runs inference");
  return node.to.layer("Dropout", {}, [node.input(0)]);
}

function transpose(node: NodeView): Ref {
  const axes = node.dims(0).map((_, axis) => axis);
  return node.to.layer("Permute", { dims: node.list("perm") ?? axes.reverse() }, [node.input(0)]);
}

export const OPERATORS: Readonly<Record<string, Build>> = {
  Add: arithmetic("Add"),
  AveragePool: averagePool,
  BatchNormalization: batchNorm,
  Celu: unary("CELU", (node) => ({ alpha: node.number("alpha", 1) })),
  CenterCropPad: centerCropPad,
  Clip: clip,
  Col2Im: col2im,
  Concat: (node) =>
    node.to.layer("Concat", { dim: axisOf(node.number("axis", 0), node.dims(0).length) }, node.inputs()),
  Conv: conv,
  ConvTranspose: convTranspose,
  DepthToSpace: depthToSpace,
  Div: arithmetic("Div"),
  Dropout: dropout,
  Elu: unary("ELU", (node) => ({ alpha: node.number("alpha", 1) })),
  Flatten: flatten,
  Gelu: unary("GELU", (node) => ({ approximate: node.word("approximate", "none") })),
  Gemm: gemm,
  GlobalAveragePool: globalPool("GlobalAvgPool"),
  GlobalMaxPool: globalPool("GlobalMaxPool"),
  GroupNormalization: groupNorm,
  HardSigmoid: hardSigmoid,
  HardSwish: unary("Hardswish"),
  Identity: unary("Identity"),
  InstanceNormalization: instanceNorm,
  LRN: (node) =>
    node.to.layer(
      "LocalResponseNorm",
      {
        size: node.number("size", 1),
        alpha: node.number("alpha", 1e-4),
        beta: node.number("beta", 0.75),
        k: node.number("bias", 1),
      },
      [node.input(0)],
    ),
  LayerNormalization: layerNorm,
  LeakyRelu: unary("LeakyReLU", (node) => ({ negative_slope: node.number("alpha", 0.01) })),
  LogSoftmax: softmax("LogSoftmax"),
  LpPool: lpPool,
  MatMul: (node) => node.to.layer("MatMul", {}, node.inputs()),
  Max: merged("Maximum"),
  MaxPool: maxPool,
  Min: merged("Minimum"),
  Mul: arithmetic("Mul"),
  PRelu: prelu,
  Pad: pad,
  RMSNormalization: rmsNorm,
  ReduceMax: reduce("Max"),
  ReduceMean: reduce("Mean"),
  ReduceSum: reduce("Sum"),
  Relu: unary("ReLU"),
  Reshape: reshapeTo,
  Resize: resize,
  Selu: selu,
  Sigmoid: unary("Sigmoid"),
  Slice: slice,
  Softmax: softmax("Softmax"),
  Softplus: unary("Softplus"),
  Softsign: unary("Softsign"),
  SpaceToDepth: spaceToDepth,
  Split: split,
  Squeeze: squeeze,
  Sub: arithmetic("Sub"),
  Sum: merged("Add"),
  Swish: swish,
  Tanh: unary("Tanh"),
  ThresholdedRelu: unary("Threshold", (node) => ({ threshold: node.number("alpha", 1), value: 0 })),
  Tile: tile,
  Transpose: transpose,
  Unsqueeze: unsqueeze,
  Upsample: upsample,
};
