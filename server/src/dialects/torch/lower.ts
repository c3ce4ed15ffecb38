/**
 * Lowers every `torch.nn.Sequential` of a file to a chain of operators.
 *
 * Where no input size is given the first layer tells the channels, and the spatial sizes are symbols.
 */
import type { Origin, Ref } from "#shared/graph/graph.ts";
import { AT_TYPE, atParam, type Range } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
import { type Dim, symbol } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST } from "#shared/shape/tensor.ts";
import { get, type MapTree, type Tree } from "../../syntax/tree.ts";
import { bareOrigin, GraphBuilder } from "../builder.ts";
import type { Context, Lowered } from "../dialect.ts";
import { wishOf } from "../directive.ts";
import { type Chained, inputDims } from "./input.ts";
import { isUnchecked, type Module, moduleNamed, moduleNames } from "./modules.ts";
import { References } from "./reference.ts";

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

/** A Sequential, and whether it is an argument of something else: an encoder, a head. */
interface Network {
  readonly tree: MapTree;
  readonly isPart: boolean;
}

class Lowering {
  private readonly graph = new GraphBuilder();
  private readonly outputs: (Ref | null)[] = [];
  private readonly networks: Network[] = [];
  private readonly references: References;
  private index = 0;

  constructor(
    root: Tree,
    private readonly context: Context,
  ) {
    this.references = new References(root);
  }

  finish(): Lowered {
    for (const network of this.networks) {
      const input = this.inputOf(network);
      this.outputs.push(this.lowerSequential(network.tree, input, "", 0));
    }
    return this.graph.finish({ name: null, outputs: this.outputs, sample: new Map() });
  }

  /** Looks for Sequentials, outermost first; each is a network of its own. */
  search(tree: Tree, depth: number, isPart = false): void {
    if (depth > MAX_DEPTH) return;
    if (tree.kind === "map") {
      if (className(tree) === "Sequential") this.networks.push({ tree, isPart });
      else {
        const inside = isPart || get(tree, "_target_") !== undefined;
        for (const { value } of tree.entries) this.search(value, depth + 1, inside);
      }
    } else if (tree.kind === "list") for (const item of tree.items) this.search(item, depth + 1, isPart);
  }

  /**
   * The network's input: given from outside, or as far as its layers tell. What is given is the input of the model as a
   * whole, so that a part of it gets that only where it takes as many channels.
   */
  private inputOf({ tree, isPart }: Network): Ref | null {
    const { input: asked, general } = wishOf(this.context);
    const own = inputDims(this.chain(tree, 0));
    const fits = own !== null && asked?.length === own.length && asked[0] === own[0];
    const dims: readonly Dim[] | null =
      asked && (fits || (!general.input && !isPart && this.networks.length === 1)) ? asked : own;
    return dims && this.graph.addInput("input", { dims: [symbol("N"), ...dims], layout: CHANNELS_FIRST }, tree.range);
  }

  /** The modules of a network in the order in which they run, with their arguments; null is one nobody knows. */
  private chain(tree: MapTree, depth: number): readonly (Chained | null)[] {
    return this.modulesOf(tree).flatMap(([, item]) => {
      const module = this.references.follow(item);
      const name = module?.kind === "map" ? className(module) : null;
      if (module?.kind !== "map" || name === null || depth > MAX_DEPTH) return [null];
      if (name === "Sequential") return this.chain(module, depth + 1);
      const known = moduleNamed(name);
      return [known && { name, op: known.op, written: this.argumentsOf(module, known).written }];
    });
  }

  private lowerSequential(tree: MapTree, input: Ref | null, path: string, depth: number): Ref | null {
    let previous = input;
    for (const [name, item] of this.modulesOf(tree)) {
      const scope = path === "" ? name : `${path}.${name}`;
      const module = this.references.follow(item);
      if (module?.kind === "map" && className(module) === "Sequential" && depth < MAX_DEPTH) {
        previous = this.lowerSequential(module, previous, scope, depth + 1);
      } else previous = this.lowerModule(module, item, previous, scope);
    }
    return previous;
  }

  /**
   * The modules of a Sequential with their names: `_args_` as a list, as a list in a list, as a map of names, or as an
   * OrderedDict by keywords or of pairs. Some libraries write `args`.
   */
  private modulesOf(tree: MapTree): readonly (readonly [string, Tree])[] {
    const args = get(tree, "_args_") ?? get(tree, "args");
    let list = args && this.references.follow(args);
    if (list?.kind === "list" && list.items.length === 1) {
      const only = this.references.follow(list.items[0]!);
      if (only?.kind === "list" || (only?.kind === "map" && (!get(only, "_target_") || isDict(only)))) list = only;
    }
    if (list?.kind === "list") return list.items.map((item, index) => [String(index), item] as const);
    if (list?.kind !== "map") return [];
    const pairs = get(list, "_args_");
    if (pairs) return pairsIn(pairs);
    const named = list.entries.filter(({ key }) => !isOfHydra(String(key.value)));
    return named.map(({ key, value }) => [String(key.value), value] as const);
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
      name: /^\d/.test(scope) ? `module ${scope}` : scope,
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
    const known = name === null ? null : moduleNamed(name);
    const inputs = [previous];
    if (!known) {
      const origin: Origin = { layer: module.range, type, params: new Map(), inputs: [] };
      const report = this.graph.reportOf(this.graph.next);
      if (name === null || isUnchecked(name))
        report("opaque-layer", AT_TYPE, { type: word, assumed: ASSUMED, candidates: [], ofFramework: name !== null });
      else
        report("unknown-layer", AT_TYPE, {
          type: word,
          candidates: moduleNames.map((candidate) => `torch.nn.${candidate}`),
        });
      return this.graph.addOpaque(word, { inputs, scope, origin });
    }
    const { written, params, failed } = this.argumentsOf(module, known);
    const origin: Origin = { layer: module.range, type, params, inputs: [] };
    const { width } = known;
    if (width !== undefined && !written.has(width) && !failed.has(width)) {
      this.graph.reportOf(this.graph.next)("missing-parameter", AT_TYPE, { name: width, of: known.op.name });
    }
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
    return this.graph.addOperator(known.op, written, { inputs, scope, origin }, { failed });
  }

  /** A module's arguments by name: keywords, and `_args_` in the order of the constructor. */
  private argumentsOf(module: MapTree, { positional: names, fixed }: Module) {
    const written = new Map<string, Plain>(Object.entries(fixed));
    const params = new Map<string, { value: Range; key?: Range; items?: readonly Range[] }>();
    const failed = new Set<string>();
    const take = (name: string, value: Tree, key?: Range) => {
      const items = value.kind === "list" ? { items: value.items.map((item) => item.range) } : {};
      params.set(name, { value: value.range, ...(key ? { key } : {}), ...items });
      const plain = this.references.resolve(value);
      if (plain === undefined) failed.add(name);
      else written.set(name, plain);
    };
    const positional = get(module, "_args_");
    const list = positional && this.references.follow(positional);
    for (const [index, value] of (list?.kind === "list" ? list.items : []).entries()) {
      take(names[index] ?? `argument ${index}`, value);
    }
    for (const { key, value } of module.entries) {
      const name = String(key.value);
      if (!isOfHydra(name) && !IGNORED.has(name)) take(name, value, key.range);
    }
    return { written, params, failed };
  }
}

/** `_target_`, `_partial_`, …: keys that steer how a module is made. */
function isOfHydra(key: string): boolean {
  return /^_\w+_$/.test(key);
}

function isDict(tree: MapTree): boolean {
  const target = get(tree, "_target_");
  return target?.kind === "scalar" && /(?:^|\.)(?:OrderedDict|dict)$/.test(String(target.value));
}

/** `[[[name, module], …]]`: the pairs that an OrderedDict is made of. */
function pairsIn(args: Tree): readonly (readonly [string, Tree])[] {
  const list = args.kind === "list" ? args.items[0] : undefined;
  return (list?.kind === "list" ? list.items : []).flatMap((pair) => {
    const [name, module] = pair.kind === "list" ? pair.items : [];
    return name?.kind === "scalar" && module ? [[String(name.value), module] as const] : [];
  });
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
