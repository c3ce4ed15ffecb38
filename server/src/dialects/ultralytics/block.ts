/**
 * Puts real operators into the graph for one YAML row: what module definitions are written with.
 *
 * A `Block` is a place in the module tree (`model.4.m.0`); its methods add an operator there and give back the wire that
 * carries its output. All operators of a row share the row's origin, so that whatever one of them refuses points at the
 * argument in the file.
 */
import type { Origin, Ref } from "#shared/graph/graph.ts";
import { AT_TYPE } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import { decodeAttrs } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { symbol, unknown } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST, tensor } from "#shared/shape/tensor.ts";
import type { GraphBuilder } from "../builder.ts";
import { RowRefusal } from "./signature.ts";

/** The output of an operator, or null where it is not known: then everything behind it stays silent. */
export type Wire = Ref | null;

/** One integer for both axes, or one each. */
export type Size = number | readonly number[];

/** Which framework's builder and module variants a file is written for. */
export type Flavour = "ultralytics" | "yolov5" | "yolov7" | "yolov9";

/** What every row of one model shares. */
export interface Site {
  readonly builder: GraphBuilder;
  readonly flavour: Flavour;
  /** nc; as many texts guide a text-guided model. */
  readonly classes: number;
  /** The activation that Conv units use where a row names none: an operator's name. */
  readonly activation: string;
  /** Heads use two full 3×3 convolutions per branch until a C3k2, A2C2f or C2fCIB row is seen (facts §1.5). */
  legacy: boolean;
  /** The text that text-guided modules read, once a row has enriched it. */
  text: Wire;
}

/** A unit's activation: the model's default, none, or an operator's name. */
export type Activation = boolean | string;

export class Block {
  constructor(
    readonly site: Site,
    private readonly origin: Origin,
    readonly scope: string,
    private readonly tied = false,
  ) {}

  /** The place one level deeper: `at("cv1")`, `at("m.0")`. */
  at(name: string | number): Block {
    return new Block(this.site, this.origin, `${this.scope}.${name}`, this.tied);
  }

  /** The same place once more: the weights belong to its first use. */
  again(): Block {
    return new Block(this.site, this.origin, this.scope, true);
  }

  /**
   * Adds an operator; `label` ends its scope. @throws RowRefusal where an attribute is refused.
   * @returns one wire per output, of which most operators have one.
   */
  add(
    op: string,
    label: string,
    inputs: readonly Wire[],
    attrs: Readonly<Record<string, Plain>> = {},
    outputs = 1,
  ): Wire[] {
    const operator = operators.get(op);
    if (!operator) throw new RangeError(`no operator ${op}`);
    const { builder } = this.site;
    if (builder.isFull)
      throw new RowRefusal("too-large", "n", { what: "the model", limit: `${builder.next} operators` });
    const decoded = decodeAttrs(operator, new Map(Object.entries(attrs)));
    const problem = decoded.problems[0];
    if (problem?.kind === "bad") {
      const { name, expected } = problem;
      throw new RowRefusal("bad-value", name, { name, value: attrs[name], expected });
    }
    if (problem) throw new RangeError(`${op}: ${problem.kind} ${problem.name}`);
    const place = { inputs, scope: `${this.scope}.${label}`, origin: this.origin };
    const { node } = builder.add(operator, decoded.attrs, place, { tied: this.tied });
    return Array.from({ length: outputs }, (_, output) => ({ node, output }));
  }

  /** An operator with one output. */
  one(op: string, label: string, inputs: readonly Wire[], attrs: Readonly<Record<string, Plain>> = {}): Wire {
    return this.add(op, label, inputs, attrs)[0]!;
  }

  conv(label: string, x: Wire, c1: number, c2: number, options: ConvOptions = {}): Wire {
    const { k = 1, s = 1, p = null, g = 1, d = 1, bias = false } = options;
    return this.one("Conv2d", label, [x], {
      in_channels: c1,
      out_channels: c2,
      kernel_size: k,
      stride: s,
      padding: p ?? samePad(k, d),
      dilation: d,
      groups: g,
      bias,
    });
  }

  norm(label: string, x: Wire, channels: number): Wire {
    return this.one("BatchNorm2d", label, [x], { num_features: channels });
  }

  /** The named activation, the model's own, or none. */
  activate(x: Wire, activation: Activation = true): Wire {
    if (activation === false) return x;
    return this.one(activation === true ? this.site.activation : activation, "act", [x]);
  }

  maxPool(label: string, x: Wire, k: Size, s: Size, p: Size = 0): Wire {
    return this.one("MaxPool2d", label, [x], { kernel_size: k, stride: s, padding: p });
  }

  avgPool(label: string, x: Wire, k: Size, s: Size): Wire {
    return this.one("AvgPool2d", label, [x], { kernel_size: k, stride: s });
  }

  concat(wires: readonly Wire[], dim = 1): Wire {
    return this.one("Concat", "concat", wires, { dim });
  }

  add2(a: Wire, b: Wire): Wire {
    return this.one("Add", "add", [a, b]);
  }

  /** torch.chunk over the channels: the last part may be smaller. */
  chunk(x: Wire, parts: number, dim = 1): Wire[] {
    return this.add("Chunk", "chunk", [x], { chunks: parts, dim }, parts);
  }

  /** The channels in parts of these sizes. */
  split(x: Wire, sizes: readonly number[], dim = 1): Wire[] {
    return this.add("Split", "split", [x], { split_size: sizes, dim }, sizes.length);
  }

  /** The first of `parts` equal parts of the channels, for its sizes. */
  chunkOf(x: Wire, parts: number): Wire {
    return this.chunk(x, parts)[0]!;
  }

  /** Every `step`-th index of one axis from `start`. */
  every(x: Wire, dim: number, start: number, step: number): Wire {
    return this.one("Slice", "slice", [x], { dim, start, step });
  }

  matmul(a: Wire, b: Wire): Wire {
    return this.one("MatMul", "matmul", [a, b]);
  }

  transpose(x: Wire, dim0: number, dim1: number): Wire {
    return this.one("Transpose", "transpose", [x], { dim0, dim1 });
  }

  /** A tensor that the graph only knows by its sizes without the batch. */
  declared(label: string, inputs: readonly Wire[], dims: readonly number[]): Wire {
    const place = { inputs, scope: `${this.scope}.${label}`, origin: this.origin };
    return this.site.builder.addOpaque(label, place, tensor([symbol("N"), ...dims], CHANNELS_FIRST));
  }

  /** A network that the framework fetches from elsewhere: only its channels are declared. */
  foreign(type: string, x: Wire, channels: number): Wire {
    const size = () => unknown(`${type} is not known`);
    const outputs = tensor([symbol("N"), channels, size(), size()], CHANNELS_FIRST);
    const { builder } = this.site;
    builder.reportOf(builder.next)("opaque-layer", AT_TYPE, {
      type,
      assumed: `give ${channels} channels`,
      candidates: [],
      ofFramework: true,
    });
    return builder.addOpaque(type, { inputs: [x], scope: this.scope, origin: this.origin }, outputs);
  }

  /** The running text as further inputs. */
  get text(): readonly Wire[] {
    return this.site.text ? [this.site.text] : [];
  }

  /** The same values in the sizes of another tensor. */
  like(x: Wire, other: Wire): Wire {
    return this.one("ReshapeLike", "reshape", [x, other]);
  }

  linear(label: string, x: Wire, c1: number, c2: number, bias = true): Wire {
    return this.one("Linear", label, [x], { in_features: c1, out_features: c2, bias });
  }

  layerNorm(label: string, x: Wire, channels: number): Wire {
    return this.one("LayerNorm", label, [x], { normalized_shape: channels });
  }

  /** Weights that act on something else than the image (text, training targets): exact count, x passes through. */
  weights(label: string, x: Wire, count: number, ...others: readonly Wire[]): Wire {
    return this.one("Parameters", label, [x, ...others], { count });
  }
}

export interface ConvOptions {
  readonly k?: Size;
  readonly s?: Size;
  /** null: keep the size at stride 1. */
  readonly p?: Size | null;
  readonly g?: number;
  readonly d?: number;
  readonly bias?: boolean;
}

/** ⌊(d(k − 1) + 1)/2⌋ per axis: the builder's automatic padding. */
export function samePad(k: Size, d = 1): Size {
  const pad = (kernel: number) => Math.floor((d * (kernel - 1) + 1) / 2);
  return typeof k === "number" ? pad(k) : k.map(pad);
}
