/**
 * Lowers the native format's layers to a graph: blocks and repeats expanded, `from` resolved, parameters decoded.
 *
 * Every problem becomes a finding on its own text and lowering goes on: what could not be read is a layer whose output is
 * not known, so that the layers around it keep their sizes.
 */
import type { Origin, Ref } from "#shared/graph/graph.ts";
import { AT_TYPE, atRange, type Range } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import { inputOp } from "#shared/ops/input.ts";
import type { Plain } from "#shared/ops/param.ts";
import { get, type ListTree, plain, type Tree } from "../../syntax/tree.ts";
import { bareOrigin, GraphBuilder, MAX_NODES } from "../builder.ts";
import type { Context, Lowered } from "../dialect.ts";
import { type Block, readHeader } from "./header.ts";
import { reportUnused } from "./unused.ts";
import { type Env, resolve } from "./values.ts";

/** A block inside a block inside a block …: deeper than this is a block that uses itself. */
const MAX_BLOCK_DEPTH = 32;

const LAYER_KEYS = ["type", "name", "from", "repeat"];

/** The operators a native file can name. */
export const nativeOperators: readonly string[] = [...operators.keys()].filter((name) => name !== inputOp.name);

/** Names and positions that `from` can mean inside one list of layers. */
interface Scope {
  readonly path: string;
  readonly names: Map<string, Ref | null>;
  readonly byIndex: (Ref | null)[];
  /** What the first layer takes where it names nothing. */
  readonly entry: readonly (Ref | null)[];
  readonly env: Env;
  readonly depth: number;
  /** Inputs that name a layer not there yet. */
  readonly pending: Pending[];
}

interface Pending {
  readonly node: number;
  readonly input: number;
  readonly source: Tree;
  /** The layer's own index, from which relative ones count. */
  readonly index: number;
}

/** A layer as written, with what it is called. */
interface Written {
  readonly item: Tree;
  readonly type: string;
  readonly typeRange: Range;
  readonly sources: readonly Tree[];
}

/** Lowers a whole file. Never throws, never stops at the first problem. */
export function lower(root: Tree, context: Context): Lowered {
  return new Lowering().run(root, context);
}

class Lowering {
  private readonly graph = new GraphBuilder();
  private readonly report = this.graph.report;
  /** Layers of blocks that have their hint: a block used twice shows the sizes of its first use. */
  private readonly shown = new Set<Tree>();
  private blocks: ReadonlyMap<string, Block> = new Map();
  private ceil = false;
  /** A bound was passed: nothing more is expanded. */
  private full = false;

  run(root: Tree, context: Context): Lowered {
    if (root.kind !== "map") {
      this.report("bad-value", atRange(root.range), {
        name: "the model",
        value: undefined,
        expected: "a map with input and layers",
      });
      return this.graph.finish({ name: null, outputs: [], sample: new Map() });
    }
    const header = readHeader(root, context, this.report);
    this.blocks = header.blocks;
    this.ceil = header.ceil;
    const inputs = header.inputs.map(({ name, tensor, tree }): [string, Ref | null] => [
      name,
      tensor && this.graph.addInput(name, tensor, tree.range),
    ]);
    const scope: Scope = {
      path: "",
      names: new Map(inputs),
      byIndex: [],
      // A missing input was reported: the first layer reads something not known.
      entry: inputs.length > 0 ? inputs.slice(0, 1).map(([, ref]) => ref) : [null],
      env: header.vars,
      depth: 0,
      pending: [],
    };
    const last = header.layers ? this.lowerList(header.layers, scope) : (scope.entry[0] ?? null);
    const outputs = header.outputs?.map((tree) => this.lookUp(tree, scope) ?? this.unresolved(tree, scope));
    reportUnused(root, this.report);
    const lowered = this.graph.finish({ name: header.name, outputs: outputs ?? [last], sample: header.sample });
    return header.targets ? { ...lowered, targets: header.targets } : lowered;
  }

  // ---- lists of layers ----

  /** Lowers a list of layers and returns the output of the last. */
  private lowerList(list: ListTree, scope: Scope): Ref | null {
    let previous: Ref | null = scope.entry[0] ?? null;
    for (const [index, item] of list.items.entries()) {
      if (this.full) break;
      const first = this.graph.next;
      const name = this.nameOf(item, scope);
      const label = name ?? String(index);
      const path = scope.path === "" ? label : `${scope.path}.${label}`;
      const written = this.read(item, scope.env);
      previous = written
        ? this.lowerLayer(written, path, previous, scope)
        : this.graph.addOpaque(null, { inputs: [previous], scope: path, origin: bareOrigin(item.range) });
      scope.byIndex.push(previous);
      if (name !== null) scope.names.set(name, previous);
      const type = written?.type ?? "?";
      this.addLayer({ index, name: name ?? `${type}_${index}`, type, item, first, output: previous, scope });
    }
    for (const { node, input, source, index } of scope.pending) {
      this.graph.connect(node, input, this.lookUp(source, scope, index) ?? this.unresolved(source, scope, node));
    }
    return previous;
  }

  private addLayer(layer: {
    index: number;
    name: string;
    type: string;
    item: Tree;
    first: number;
    output: Ref | null;
    scope: Scope;
  }): void {
    const { index, name, type, item, first, output, scope } = layer;
    if (scope.depth > 0) {
      if (this.shown.has(item)) return;
      this.shown.add(item);
    }
    this.graph.addLayer({
      index,
      name,
      type,
      range: item.range,
      hintAt: item.range.end,
      first,
      outputs: [output],
      depth: scope.depth,
    });
  }

  private nameOf(item: Tree, scope: Scope): string | null {
    const tree = get(item, "name");
    if (!tree) return null;
    const value = resolve(tree, scope.env, this.report);
    if (value === undefined || value === null) return null;
    if (typeof value === "object") {
      this.report("bad-value", atRange(tree.range), { name: "name", value, expected: "a word" });
      return null;
    }
    const name = String(value);
    if (scope.names.has(name)) {
      this.report("bad-value", atRange(tree.range), { name: "name", value, expected: "a name that nothing else has" });
    }
    return name;
  }

  /** The layer's type and sources as written; null where it has no type (reported). */
  private read(item: Tree, env: Env): Written | null {
    const typeTree = item.kind === "map" ? get(item, "type") : item;
    const fromTree = get(item, "from");
    const sources = fromTree === undefined ? [] : fromTree.kind === "list" ? fromTree.items : [fromTree];
    if (typeTree === undefined) {
      this.report("missing-parameter", atRange(item.range), { name: "type", of: "a layer" });
      return null;
    }
    const type = typeTree.kind === "scalar" ? resolve(typeTree, env, this.report) : plain(typeTree);
    if (typeof type === "string") return { item, type, typeRange: typeTree.range, sources };
    // A lone `-` is a layer still to be typed, and no mistake.
    if (type !== null && type !== undefined) {
      this.report("bad-value", atRange(typeTree.range), {
        name: "a layer",
        value: type,
        expected: "an operator's name, or a map with type",
      });
    }
    return null;
  }

  // ---- one layer ----

  private lowerLayer(layer: Written, path: string, previous: Ref | null, scope: Scope): Ref | null {
    const block = this.blocks.get(layer.type);
    const repeat = this.repeatOf(layer.item, scope.env);
    const named = layer.sources.map((source) => this.lookUp(source, scope));
    let inputs: (Ref | null)[] = get(layer.item, "from") ? named : scope.entry.length > 0 ? [previous] : [];
    let output: Ref | null = null;
    for (let round = 0; round < repeat && !this.full; round++) {
      const sources = round === 0 ? layer.sources : [];
      const at = repeat === 1 ? path : `${path}.${round}`;
      output = block
        ? this.lowerBlock(block, layer, at, inputs, sources, scope)
        : this.lowerOperator(layer, at, inputs, sources, scope);
      inputs = [output];
    }
    return output;
  }

  private lowerOperator(
    layer: Written,
    path: string,
    inputs: readonly (Ref | null)[],
    sources: readonly Tree[],
    scope: Scope,
  ): Ref | null {
    const id = this.graph.next;
    if (this.graph.isFull) {
      this.full = true;
      const at = atRange((get(layer.item, "repeat") ?? layer.item).range);
      this.report("too-large", at, { what: "the expanded model", limit: `${MAX_NODES} layers` });
      return null;
    }
    for (const [input, source] of sources.entries()) {
      if (inputs[input] === null) scope.pending.push({ node: id, input, source, index: scope.byIndex.length });
    }
    const op = operators.get(layer.type);
    const { origin, written, failed } = this.parametersOf(layer, sources, scope.env);
    const place = { inputs, scope: path, origin };
    if (!op || op === inputOp) {
      const candidates = [...nativeOperators, ...this.blocks.keys()];
      this.graph.reportOf(id)("unknown-layer", AT_TYPE, { type: layer.type, candidates });
      return this.graph.addOpaque(layer.type, place);
    }
    if (this.ceil && Object.hasOwn(op.params, "ceil_mode") && !written.has("ceil_mode")) written.set("ceil_mode", true);
    return this.graph.addOperator(op, written, place, { keys: LAYER_KEYS, failed });
  }

  /** The layer's parameters as written; `failed` are those whose expression has no value. */
  private parametersOf(layer: Written, sources: readonly Tree[], env: Env) {
    const params = new Map<string, { value: Range; key?: Range; items?: readonly Range[] }>();
    const written = new Map<string, Plain>();
    const failed = new Set<string>();
    for (const { key, value } of layer.item.kind === "map" ? layer.item.entries : []) {
      const name = String(key.value);
      if (LAYER_KEYS.includes(name)) continue;
      const items = value.kind === "list" ? { items: value.items.map((item) => item.range) } : {};
      params.set(name, { value: value.range, key: key.range, ...items });
      const resolved = resolve(value, env, this.report);
      if (resolved === undefined) failed.add(name);
      else written.set(name, resolved);
    }
    const inputs = sources.map((source) => source.range);
    const origin: Origin = { layer: layer.item.range, type: layer.typeRange, params, inputs };
    return { origin, written, failed };
  }

  private lowerBlock(
    block: Block,
    layer: Written,
    path: string,
    inputs: readonly (Ref | null)[],
    sources: readonly Tree[],
    scope: Scope,
  ): Ref | null {
    if (scope.depth >= MAX_BLOCK_DEPTH) {
      this.full = true;
      this.report("too-large", atRange(layer.typeRange), {
        what: `the nesting of block ${block.name} (does it use itself?)`,
        limit: `${MAX_BLOCK_DEPTH} levels`,
      });
      return null;
    }
    // Only an operator can wait for a later layer: a block's inside is expanded here and now.
    for (const [input, source] of sources.entries()) if (inputs[input] === null) this.unresolved(source, scope);
    const env = this.bind(block, layer, scope.env);
    if (!env || !block.layers) {
      return this.graph.addOpaque(null, { inputs, scope: path, origin: bareOrigin(layer.item.range) });
    }
    const inner: Scope = {
      path,
      names: new Map<string, Ref | null>([
        ["input", inputs[0] ?? null],
        ...inputs.map((ref, index): [string, Ref | null] => [`input.${index}`, ref]),
      ]),
      byIndex: [],
      entry: inputs,
      env,
      depth: scope.depth + 1,
      pending: [],
    };
    const last = this.lowerList(block.layers, inner);
    return block.output ? (this.lookUp(block.output, inner) ?? this.unresolved(block.output, inner)) : last;
  }

  /** The variables inside a block: the model's, and its params as this use gives them; null where one has no value. */
  private bind(block: Block, layer: Written, outer: Env): Env | null {
    const env = new Map(outer);
    let complete = true;
    for (const [name, byDefault] of block.params) {
      const given = get(layer.item, name);
      if (!given && !byDefault) {
        this.report("missing-parameter", atRange(layer.typeRange), { name, of: block.name });
      }
      const value = given
        ? resolve(given, outer, this.report)
        : byDefault
          ? resolve(byDefault, env, this.report)
          : undefined;
      if (value === undefined) complete = false;
      else env.set(name, value);
    }
    for (const { key } of layer.item.kind === "map" ? layer.item.entries : []) {
      const name = String(key.value);
      if (LAYER_KEYS.includes(name) || block.params.has(name)) continue;
      const candidates = [...block.params.keys(), ...LAYER_KEYS];
      this.report("unknown-parameter", atRange(key.range), { name, of: block.name, candidates });
    }
    return complete ? env : null;
  }

  private repeatOf(item: Tree, env: Env): number {
    const tree = get(item, "repeat");
    if (!tree) return 1;
    const value = resolve(tree, env, this.report);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
    if (value !== undefined) {
      this.report("bad-value", atRange(tree.range), { name: "repeat", value, expected: "a positive integer" });
    }
    return 1;
  }

  // ---- references ----

  /** A name, `name.output`, a relative index (−1) or an absolute one; null where nothing of that name is there yet. */
  private lookUp(tree: Tree, scope: Scope, index = scope.byIndex.length): Ref | null {
    const value = resolve(tree, scope.env, this.report);
    if (typeof value === "number") {
      const at = value < 0 ? index + value : value;
      return at === -1 ? (scope.entry[0] ?? null) : (scope.byIndex[at] ?? null);
    }
    if (value === undefined || value === null || typeof value === "object") return null;
    const name = String(value);
    const exact = scope.names.get(name);
    if (exact !== undefined) return exact;
    const dotted = /^(.+)\.(\d+)$/.exec(name);
    const base = dotted ? scope.names.get(dotted[1]!) : undefined;
    // Whether the layer has so many outputs is for inference to say.
    return dotted && base ? { node: base.node, output: Number(dotted[2]) } : null;
  }

  private unresolved(tree: Tree, scope: Scope, node: number | null = null): null {
    const report = node === null ? this.report : this.graph.reportOf(node);
    const value = resolve(tree, scope.env, () => {});
    if (value === undefined) return null; // reported where it was looked up
    if (value === null || typeof value === "object") {
      report("bad-value", atRange(tree.range), { name: "from", value, expected: "the name or the index of a layer" });
      return null;
    }
    const name = String(value);
    // A known name whose layer could not be read was reported there.
    if (scope.names.has(name)) return null;
    report("unknown-reference", atRange(tree.range), { name, candidates: [...scope.names.keys()] });
    return null;
  }
}
