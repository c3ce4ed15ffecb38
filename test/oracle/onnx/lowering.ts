/**
 * ONNX nodes as ConvLint's operators. An operator with the same meaning is taken where there is one, and several otherwise;
 * what neither gives is `Uncovered`, with the reason. Source: onnx.ai/onnx/operators.
 */
import type { Ref } from "#shared/graph/graph.ts";
import { sizesOf } from "#shared/graph/plan.ts";
import { bindSizes } from "#shared/graph/sizes.ts";
import type { Backend, Resident } from "#shared/kernels/backend.ts";
import { type Values, valuesOf } from "#shared/kernels/values.ts";
import { defineOp } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { CHANNELS_FIRST, tensor } from "#shared/shape/tensor.ts";
import { EngineModel } from "../../engine/model.ts";

/** ConvLint's operators do not say this. */
export class Uncovered extends Error {}

export interface OnnxTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: readonly (number | boolean | string)[];
}

export interface OnnxNode {
  readonly op: string;
  /** Empty where an optional input is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: Readonly<Record<string, unknown>>;
}

export interface OnnxCase {
  readonly name: string;
  readonly opset: Readonly<Record<string, number>>;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxTensor[];
  readonly initializers: readonly OnnxTensor[];
  readonly outputs: readonly OnnxTensor[];
}

export function valuesOfTensor({ shape, data }: OnnxTensor): Values {
  return valuesOf(
    shape,
    data.map((value) => Number(value)),
  );
}

/** Operators over [batch, channels, …spatial]; all others count every axis alike. */
const ON_IMAGES =
  /^(.*Pool|Conv|ConvTranspose|(Batch|Instance|Group)Normalization|Resize|Upsample|LRN|Col2Im|DepthToSpace|SpaceToDepth)$/;

/** One case as a model under construction. */
export class Lowering {
  readonly model = new EngineModel();
  readonly weights: Record<string, Values> = {};
  private readonly named = new Map<string, Ref>();
  private readonly constants = new Map<string, Values>();
  private readonly layout;

  constructor(readonly record: OnnxCase) {
    this.layout = { ...CHANNELS_FIRST, batched: record.nodes.some(({ op }) => ON_IMAGES.test(op)) };
    for (const tensor of [...record.inputs, ...record.initializers]) {
      this.constants.set(tensor.name, valuesOfTensor(tensor));
    }
  }

  get opset(): number {
    return this.record.opset["ai.onnx"] ?? this.record.opset[""] ?? 0;
  }

  /** A tensor that the case gives, as numbers: shapes, axes, weights. */
  constant(name: string): Values {
    const values = this.constants.get(name);
    if (!values) throw new Uncovered(`${name} is computed, and would have to be an attribute`);
    return values;
  }

  define(name: string, values: Values): void {
    this.constants.set(name, values);
  }

  /** A tensor in the graph. */
  ref(name: string): Ref {
    const known = this.named.get(name) ?? this.enter(this.constant(name));
    this.named.set(name, known);
    return known;
  }

  name(name: string, ref: Ref): void {
    this.named.set(name, ref);
  }

  /** The outputs that the graph gives, which may be fewer than the case has. */
  outputs(): { readonly expected: OnnxTensor; readonly ref: Ref }[] {
    return this.record.outputs.flatMap((expected) => {
      const ref = this.named.get(expected.name);
      return ref ? [{ expected, ref }] : [];
    });
  }

  /** Numbers as an input of the graph. */
  enter(values: Values): Ref {
    if (values.dims.includes(0)) throw new Uncovered("an empty input, which the engine refuses");
    return { node: this.model.input(values, this.layout), output: 0 };
  }

  /** Adds a layer, with its weights by name; gives its first output. */
  layer(
    op: string,
    args: Readonly<Record<string, Plain>>,
    inputs: readonly Ref[],
    weights: Readonly<Record<string, Values | null>> = {},
  ): Ref {
    const node = this.model.add(op, args, inputs);
    for (const [name, values] of Object.entries(weights)) if (values) this.weights[`layer${node}.${name}`] = values;
    return { node, output: 0 };
  }

  /** Adds what no operator says but the engine does, as an operator of its own. */
  primitive(
    name: string,
    inputs: readonly Ref[],
    dims: readonly number[],
    run: (backend: Backend, inputs: readonly Resident[]) => Resident,
  ): Ref {
    const operator = defineOp({
      name,
      summary: "",
      params: {},
      infer: ({ inputs: [first] }) => ({ outputs: [tensor(dims, first!.layout)] }),
      run: (backend, execution) => [run(backend, execution.inputs)],
      example: { attrs: {}, inputs: [], output: [] },
    });
    return { node: this.model.add(operator, {}, inputs), output: 0 };
  }

  dims(ref: Ref): readonly number[] {
    return sizesOf(bindSizes(this.model.graph()), ref);
  }
}

/** One node to be lowered. */
export class NodeView {
  constructor(
    readonly to: Lowering,
    private readonly node: OnnxNode,
  ) {}

  get op(): string {
    return this.node.op;
  }

  get outputCount(): number {
    return this.node.outputs.length;
  }

  get inputCount(): number {
    return this.node.inputs.length;
  }

  has(index: number): boolean {
    return (this.node.inputs[index] ?? "") !== "";
  }

  input(index: number): Ref {
    return this.to.ref(this.node.inputs[index]!);
  }

  inputs(): Ref[] {
    return this.node.inputs.map((name) => this.to.ref(name));
  }

  dims(index: number): readonly number[] {
    return this.to.dims(this.input(index));
  }

  /** An input that must be known beforehand; null where it is left out. */
  constant(index: number): Values | null {
    return this.has(index) ? this.to.constant(this.node.inputs[index]!) : null;
  }

  /** A list of integers: an input of newer operator sets, an attribute of older ones. */
  list(attr: string, index = Number.POSITIVE_INFINITY): number[] | null {
    const values = this.constant(index);
    if (values) return [...values.data];
    return (this.node.attrs[attr] as number[] | undefined) ?? null;
  }

  number(attr: string, otherwise: number): number {
    return (this.node.attrs[attr] as number | undefined) ?? otherwise;
  }

  word(attr: string, otherwise: string): string {
    return (this.node.attrs[attr] as string | undefined) ?? otherwise;
  }

  /** An attribute that is 0 or 1. */
  flag(attr: string): boolean {
    return this.node.attrs[attr] === 1;
  }
}

/** The graph of a case. @throws Uncovered with the reason. */
export function lower(
  record: OnnxCase,
  operators: Readonly<Record<string, (node: NodeView) => Ref | Ref[]>>,
): Lowering {
  const to = new Lowering(record);
  for (const node of record.nodes) {
    if (node.op === "Constant") {
      to.define(node.outputs[0]!, valuesOfTensor(node.attrs.value as OnnxTensor));
      continue;
    }
    const build = operators[node.op];
    if (!build) throw new Uncovered(`no operator is ${node.op}`);
    const refs = [build(new NodeView(to, node))].flat();
    for (const [index, ref] of refs.entries()) if (node.outputs[index]) to.name(node.outputs[index], ref);
  }
  return to;
}
