/**
 * Lowers every `torch.nn.Sequential` of a file to a chain of operators.
 *
 * Where no input size is given the first layer tells the channels, and the spatial sizes are symbols.
 */
import type { Origin, Ref } from "#shared/graph/graph.ts";
import { AT_TYPE, atParam, type Range } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import type { Operator } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { type Dim, symbol } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST } from "#shared/shape/tensor.ts";
import { get, type MapTree, type Tree } from "../../syntax/tree.ts";
import { bareOrigin, GraphBuilder } from "../builder.ts";
import type { Context, Lowered } from "../dialect.ts";
import { wishOf } from "../directive.ts";
import { follow, resolve } from "./reference.ts";

/** Modules of torch.nn that are right to use and that ConvLint has no shape rule for. */
const UNCHECKED = new Set(
  (
    "RNN LSTM GRU RNNCell LSTMCell GRUCell Transformer TransformerEncoder TransformerDecoder TransformerEncoderLayer " +
    "TransformerDecoderLayer MultiheadAttention Embedding EmbeddingBag SyncBatchNorm AdaptiveLogSoftmaxWithLoss " +
    "ModuleList ModuleDict ParameterList CosineSimilarity PairwiseDistance FractionalMaxPool2d FractionalMaxPool3d " +
    "MaxUnpool1d MaxUnpool2d MaxUnpool3d LazyConv1d LazyConv2d LazyConv3d LazyLinear LazyBatchNorm1d LazyBatchNorm2d " +
    "LazyBatchNorm3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d"
  ).split(" "),
);

/** Operators that torch.nn has under the same name. */
export const moduleNames: readonly string[] = [...operators.keys()].filter((name) => /^[A-Z]/.test(name));

/** Arguments of a module that say how it is stored or made, not what it does. */
const IGNORED = new Set(["device", "dtype"]);
const ASSUMED = "keep the number of axes and nothing else";
/** Deeper nesting of Sequential is hostile. */
const MAX_DEPTH = 64;

export function lower(root: Tree, context: Context): Lowered {
  const lowering = new Lowering(root, context);
  lowering.search(root, 0);
  return lowering.finish();
}

class Lowering {
  private readonly graph = new GraphBuilder();
  private readonly outputs: (Ref | null)[] = [];
  private index = 0;

  constructor(
    private readonly root: Tree,
    private readonly context: Context,
  ) {}

  finish(): Lowered {
    return this.graph.finish({ name: null, outputs: this.outputs, sample: new Map() });
  }

  /** Looks for Sequentials, outermost first; each is a network of its own. */
  search(tree: Tree, depth: number): void {
    if (depth > MAX_DEPTH) return;
    if (tree.kind === "map") {
      if (className(tree) === "Sequential") this.lowerNetwork(tree);
      else for (const { value } of tree.entries) this.search(value, depth + 1);
    } else if (tree.kind === "list") for (const item of tree.items) this.search(item, depth + 1);
  }

  private lowerNetwork(tree: MapTree): void {
    const input = this.inputOf(tree);
    this.outputs.push(this.lowerSequential(tree, input, "", 0));
  }

  /** The network's input: given from outside, or as far as the first layer that needs to know tells. */
  private inputOf(tree: MapTree): Ref | null {
    const dims = wishOf(this.context).input ?? this.dimsFrom(tree, 0);
    return dims && this.graph.addInput("input", { dims: [symbol("N"), ...dims], layout: CHANNELS_FIRST }, tree.range);
  }

  private dimsFrom(tree: MapTree, depth: number): readonly Dim[] | null {
    for (const [, item] of this.modulesOf(tree)) {
      const module = follow(item, this.root);
      const name = module?.kind === "map" ? className(module) : null;
      if (module?.kind !== "map" || name === null || depth > MAX_DEPTH) return null;
      if (name === "Sequential") return this.dimsFrom(module, depth + 1);
      const op = operators.get(name);
      if (!op) return null;
      const { written } = this.argumentsOf(module, op);
      const channels = written.get("in_channels") ?? written.get("num_features") ?? written.get("in_features");
      if (typeof channels !== "number" || !Number.isSafeInteger(channels) || channels < 1) continue;
      const axes = Number(/(\d)d$/.exec(name)?.[1] ?? 0);
      return [channels, ...spatialSymbols(axes)];
    }
    return null;
  }

  private lowerSequential(tree: MapTree, input: Ref | null, path: string, depth: number): Ref | null {
    let previous = input;
    for (const [name, item] of this.modulesOf(tree)) {
      const scope = path === "" ? name : `${path}.${name}`;
      const module = follow(item, this.root);
      if (module?.kind === "map" && className(module) === "Sequential" && depth < MAX_DEPTH) {
        previous = this.lowerSequential(module, previous, scope, depth + 1);
      } else previous = this.lowerModule(module, item, previous, scope);
    }
    return previous;
  }

  /** The modules of a Sequential with their names: `_args_` as a list, as a list in a list, or as a map of names. */
  private modulesOf(tree: MapTree): readonly (readonly [string, Tree])[] {
    const args = get(tree, "_args_");
    let list = args && follow(args, this.root);
    if (list?.kind === "list" && list.items.length === 1) {
      const only = follow(list.items[0]!, this.root);
      if (only?.kind === "list" || (only?.kind === "map" && !get(only, "_target_"))) list = only;
    }
    if (list?.kind === "list") return list.items.map((item, index) => [String(index), item] as const);
    return list?.kind === "map" ? list.entries.map(({ key, value }) => [String(key.value), value] as const) : [];
  }

  private lowerModule(module: Tree | null, item: Tree, previous: Ref | null, scope: string): Ref {
    const first = this.graph.next;
    const target = module?.kind === "map" ? get(module, "_target_") : undefined;
    const word = target?.kind === "scalar" ? String(target.value) : "?";
    const output =
      module?.kind === "map" && target
        ? this.lowerTarget(module, word, target.range, previous, scope)
        : this.graph.addOpaque(null, { inputs: [previous], scope, origin: bareOrigin(item.range) });
    this.graph.addLayer({
      index: this.index++,
      name: scope,
      type: word.slice(word.lastIndexOf(".") + 1),
      range: item.range,
      hintAt: item.range.end,
      first,
      outputs: [output],
      depth: 0,
    });
    return output;
  }

  private lowerTarget(module: MapTree, word: string, type: Range, previous: Ref | null, scope: string): Ref {
    const name = className(module);
    const op = name === null ? undefined : operators.get(name);
    const inputs = [previous];
    if (!op) {
      const origin: Origin = { layer: module.range, type, params: new Map(), inputs: [] };
      const report = this.graph.reportOf(this.graph.next);
      if (name === null || UNCHECKED.has(name))
        report("opaque-layer", AT_TYPE, { type: word, assumed: ASSUMED, candidates: [], ofFramework: name !== null });
      else
        report("unknown-layer", AT_TYPE, { type: word, candidates: moduleNames.map((known) => `torch.nn.${known}`) });
      return this.graph.addOpaque(word, { inputs, scope, origin });
    }
    const { written, params, failed } = this.argumentsOf(module, op);
    const origin: Origin = { layer: module.range, type, params, inputs: [] };
    const padding = written.get("padding");
    if (padding !== undefined && !isTorchPadding(padding)) {
      const expected = 'an integer, one per axis, "same" or "valid"';
      this.graph.reportOf(this.graph.next)("bad-value", atParam("padding"), {
        name: "padding",
        value: padding,
        expected,
      });
      written.delete("padding");
      failed.add("padding");
    }
    return this.graph.addOperator(op, written, { inputs, scope, origin }, { failed });
  }

  /** A module's arguments by name: keywords, and `_args_` in the order of the constructor. */
  private argumentsOf(module: MapTree, op: Operator) {
    const written = new Map<string, Plain>();
    const params = new Map<string, { value: Range; key?: Range; items?: readonly Range[] }>();
    const failed = new Set<string>();
    const take = (name: string, value: Tree, key?: Range) => {
      const items = value.kind === "list" ? { items: value.items.map((item) => item.range) } : {};
      params.set(name, { value: value.range, ...(key ? { key } : {}), ...items });
      const plain = resolve(value, this.root);
      if (plain === undefined) failed.add(name);
      else written.set(name, plain);
    };
    const positional = get(module, "_args_");
    const list = positional && follow(positional, this.root);
    const names = Object.keys(op.params);
    for (const [index, value] of (list?.kind === "list" ? list.items : []).entries()) {
      take(names[index] ?? `argument ${index}`, value);
    }
    for (const { key, value } of module.entries) {
      const name = String(key.value);
      if (!/^_\w+_$/.test(name) && !IGNORED.has(name)) take(name, value, key.range);
    }
    return { written, params, failed };
  }
}

/** Whether PyTorch pads by this: cells on both sides alike, or a word. Sides of their own are ConvLint's format only. */
export function isTorchPadding(value: Plain): boolean {
  if (typeof value === "string") return value === "same" || value === "valid";
  return value === null || typeof value !== "object" || Array.isArray(value);
}

/** `Conv2d` for a target in torch.nn, else null. */
function className(tree: MapTree): string | null {
  const target = get(tree, "_target_");
  if (target?.kind !== "scalar" || typeof target.value !== "string") return null;
  return /^(?:torch\.)?nn\.(?:modules\.\w+\.)?(\w+)$/.exec(target.value)?.[1] ?? null;
}

function spatialSymbols(axes: number): readonly Dim[] {
  return axes === 1 ? [symbol("L")] : ["D", "H", "W"].slice(3 - axes).map(symbol);
}
