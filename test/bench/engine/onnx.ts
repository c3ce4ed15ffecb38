/** Layers and networks as ONNX models, in as much of protobuf as that takes. Source: onnx.proto, ONNX 1.13 (opset 13). */
import type { Layer, LayerData } from "./layers.ts";
import type { Network, Step } from "./networks.ts";

/** A protobuf message under construction. */
class Message {
  private readonly parts: Uint8Array[] = [];

  private raw(bytes: Uint8Array): this {
    this.parts.push(bytes);
    return this;
  }

  private varint(value: number | bigint): this {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    do {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      bytes.push(rest > 0n ? low | 0x80 : low);
    } while (rest > 0n);
    return this.raw(Uint8Array.from(bytes));
  }

  integer(field: number, value: number): this {
    return this.varint(field << 3).varint(value);
  }

  bytes(field: number, bytes: Uint8Array): this {
    return this.varint((field << 3) | 2)
      .varint(bytes.length)
      .raw(bytes);
  }

  text(field: number, text: string): this {
    return this.bytes(field, new TextEncoder().encode(text));
  }

  message(field: number, message: Message): this {
    return this.bytes(field, message.done());
  }

  done(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.parts));
  }
}

type Tensor = Float32Array | BigInt64Array;

function tensor(name: string, dims: readonly number[], data: Tensor): Message {
  const message = new Message();
  for (const size of dims) message.integer(1, size);
  return message
    .integer(2, data instanceof BigInt64Array ? 7 : 1)
    .text(8, name)
    .bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/** A list of integers or one. */
type Attribute = readonly number[] | number;

function node(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Message {
  const message = new Message();
  for (const input of inputs) message.text(1, input);
  message.text(2, output).text(4, op);
  for (const [name, value] of Object.entries(attributes)) {
    const attribute = new Message().text(1, name);
    if (typeof value === "number") attribute.integer(3, value).integer(20, 2);
    else {
      for (const each of value) attribute.integer(8, each);
      attribute.integer(20, 7);
    }
    message.message(5, attribute);
  }
  return message;
}

function typed(name: string, dims: readonly number[]): Message {
  const shape = new Message();
  for (const size of dims) shape.message(1, new Message().integer(1, size));
  const type = new Message().message(1, new Message().integer(1, 1).message(2, shape));
  return new Message().text(1, name).message(2, type);
}

type Typed = readonly (readonly [name: string, dims: readonly number[]])[];

function model(nodes: readonly Message[], initializers: readonly Message[], inputs: Typed, outputs: Typed): Uint8Array {
  const graph = new Message();
  for (const each of nodes) graph.message(1, each);
  graph.text(2, "graph");
  for (const each of initializers) graph.message(5, each);
  for (const [name, dims] of inputs) graph.message(11, typed(name, dims));
  for (const [name, dims] of outputs) graph.message(12, typed(name, dims));
  const opset = new Message().text(1, "").integer(2, 13);
  return new Message().integer(1, 8).text(2, "convlint").message(7, graph).message(8, opset).done();
}

function convolution({ kernel, stride, padding, dilation, groups }: Layer): Record<string, Attribute> {
  return { kernel_shape: kernel, strides: stride, pads: padding, dilations: dilation, group: groups };
}

/**
 * Copies of one layer over one input and one weight, with biases of their own so that none is left out as double.
 * @param cut gives one element of each result only, so that results stay inside the runtime.
 */
export function layerModel(layer: Layer, { w, b }: LayerData, copies: number, cut: boolean): Uint8Array {
  const integers = (name: string, values: readonly number[]) =>
    tensor(name, [values.length], BigInt64Array.from(values.map(BigInt)));
  const initializers = [tensor("w", layer.w, w)];
  if (cut) {
    initializers.push(integers("start", [0, 0, 0, 0]), integers("end", [1, 1, 1, 1]), integers("axes", [0, 1, 2, 3]));
  }
  const nodes: Message[] = [];
  const outputs: [string, readonly number[]][] = [];
  for (let copy = 0; copy < copies; copy++) {
    const bias = b.map((value) => value + copy * 1e-3);
    initializers.push(tensor(`b${copy}`, [b.length], bias));
    const op = layer.transposed ? "ConvTranspose" : "Conv";
    nodes.push(node(op, ["x", "w", `b${copy}`], cut ? `c${copy}` : `y${copy}`, convolution(layer)));
    if (cut) nodes.push(node("Slice", [`c${copy}`, "start", "end", "axes"], `y${copy}`));
    outputs.push([`y${copy}`, cut ? [1, 1, 1, 1] : layer.y]);
  }
  return model(nodes, initializers, [["x", layer.x]], outputs);
}

export function networkModel(network: Network, weights: readonly Float32Array[]): Uint8Array {
  const initializers: Message[] = [
    tensor("zero", [], Float32Array.of(0)),
    tensor("six", [], Float32Array.of(6)),
    ...network.weights.map(({ dims }, index) => tensor(`w${index}`, dims, weights[index]!)),
  ];
  const nodes = network.steps.flatMap((step) => {
    const sum = step.act ? `${step.out}_sum` : step.out;
    const activation =
      step.act === "relu" ? [node("Relu", [sum], step.out)] : [node("Clip", [sum, "zero", "six"], step.out)];
    return [...stepNodes(step, sum), ...(step.act ? activation : [])];
  });
  return model(nodes, initializers, [["x", network.x]], [[network.steps.at(-1)!.out, network.y]]);
}

function stepNodes(step: Step, out: string): Message[] {
  switch (step.op) {
    case "conv":
      return [node("Conv", [...step.in, `w${step.w}`, `w${step.b}`], out, convolution(step.layer))];
    case "add":
      return [node("Add", step.in, out)];
    case "global":
      return [node("GlobalAveragePool", step.in, out)];
    case "linear": {
      const flat = `${step.out}_flat`;
      return [
        node("Flatten", step.in, flat, { axis: 1 }),
        node("Gemm", [flat, `w${step.w}`, `w${step.b}`], out, { transB: 1 }),
      ];
    }
    default: {
      const { kernel, stride, padding } = step;
      const op = step.op === "max" ? "MaxPool" : "AveragePool";
      const pads = new Array<number>(4).fill(padding);
      return [node(op, step.in, out, { kernel_shape: [kernel, kernel], strides: [stride, stride], pads })];
    }
  }
}
