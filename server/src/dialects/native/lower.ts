/**
 * Lowers the native format to a graph. Every problem becomes a finding on its own text, and lowering goes on.
 */
import type { Graph, Layer, Node, Origin, Ref } from "#shared/graph/graph.ts";
import { finding, unknownLike } from "#shared/graph/infer.ts";
import {
  AT_TYPE,
  type At,
  atParam,
  atRange,
  type Finding,
  type FindingCode,
  type FindingData,
  type Range,
} from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import { inputOp } from "#shared/ops/input.ts";
import { decodeAttrs, defineOp, type Operator } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { type Dim, symbol, unknown } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST, CHANNELS_LAST, type Layout } from "#shared/shape/tensor.ts";
import { entryOf, get, type ListTree, type MapTree, plain, type Tree } from "../../syntax/tree.ts";
import type { Context, Lowered } from "../dialect.ts";
import { ExpressionError, evaluateExpression } from "./expression.ts";

/** Bounds on what repeats and nested blocks may expand to. */
const MAX_NODES = 100_000;
const MAX_BLOCK_DEPTH = 32;

const MODEL_KEYS = [
  "cnn",
  "name",
  "input",
  "batch",
  "layers",
  "blocks",
  "vars",
  "layout",
  "rounding",
  "sample",
  "outputs",
];
const LAYER_KEYS = ["type", "name", "from", "repeat"];

/** Stands for a layer that is not known: its output has the input's rank and nothing else known. */
const unknownLayer = defineOp({
  name: "Unknown",
  summary: "A layer ConvLint does not know.",
  params: {},
  inputs: { least: 1, most: Number.POSITIVE_INFINITY },
  infer: ({ inputs }) => ({ outputs: [unknownLike(inputs[0]!, "the layer is not known")] }),
  example: { attrs: {}, inputs: [[1, 3, 8, 8]], output: [1, 3, 8, 8] },
});

type Value = Plain;
type Env = ReadonlyMap<string, Value>;

/** Names and positions that `from:` can mean inside one list of layers. */
interface Scope {
  readonly path: string;
  readonly names: Map<string, readonly (Ref | null)[]>;
  readonly byIndex: (readonly (Ref | null)[])[];
  readonly entry: readonly (Ref | null)[];
  readonly env: Env;
  readonly depth: number;
  /** The layer a block's `output:` names; default: its last. */
  readonly output?: Tree;
}

interface MutableNode extends Node {
  readonly inputs: (Ref | null)[];
}

interface Pending {
  readonly node: MutableNode;
  readonly input: number;
  readonly tree: Tree;
}

interface Block {
  readonly name: string;
  readonly params: MapTree | null;
  readonly layers: ListTree | null;
  readonly output: Tree | undefined;
}

export function lower(root: Tree, context: Context): Lowered {
  return new Lowering(root, context).run();
}

class Lowering {
  private readonly nodes: MutableNode[] = [];
  private readonly layers: Layer[] = [];
  private readonly findings: Finding[] = [];
  private readonly blocks = new Map<string, Block>();
  private readonly layout: Layout;
  private readonly ceil: boolean;
  private full = false;

  constructor(
    private readonly root: Tree,
    private readonly context: Context,
  ) {
    const batched = this.word("batch") !== "none";
    this.layout = { ...(this.word("layout") === "NHWC" ? CHANNELS_LAST : CHANNELS_FIRST), batched };
    this.ceil = this.word("rounding") === "ceil";
  }

  run(): Lowered {
    const { root } = this;
    if (root.kind !== "map") {
      this.state("bad-value", null, atRange(root.range), {
        name: "the model",
        value: undefined,
        expected: "a map with input and layers",
      });
      return this.result([], new Map());
    }
    this.checkKeys(root, MODEL_KEYS);
    this.checkWord("layout", ["NCHW", "NHWC"]);
    this.checkWord("rounding", ["floor", "ceil"]);
    const vars = this.variables(get(root, "vars"));
    this.readBlocks(get(root, "blocks"));
    const inputs = this.readInputs(root, vars);
    const entry = [...inputs.values()].flat();
    const scope: Scope = {
      path: "",
      names: new Map(inputs),
      byIndex: [],
      entry: entry.slice(0, 1),
      env: vars,
      depth: 0,
    };
    const layers = get(root, "layers");
    if (layers === undefined) this.missing(root, "layers");
    const last = layers ? this.lowerList(layers, scope, "layers") : [];
    return this.result(this.readOutputs(get(root, "outputs"), scope) ?? last, this.readSample(get(root, "sample")));
  }

  private result(outputs: readonly (Ref | null)[], sample: ReadonlyMap<string, number>): Lowered {
    const name = get(this.root, "name");
    const graph: Graph = {
      name: name?.kind === "scalar" && name.value !== null ? String(name.value) : null,
      nodes: this.nodes,
      layers: this.layers,
      inputs: this.nodes.filter((node) => node.op === inputOp).map((node) => node.id),
      outputs: outputs.filter((ref) => ref !== null),
      sample,
    };
    return { graph, findings: this.findings };
  }

  private state<C extends FindingCode>(code: C, node: number | null, at: At, data: FindingData[C]): void {
    this.findings.push(finding(code, node, at, data));
  }

  private word(key: string): Plain | undefined {
    const tree = get(this.root, key);
    return tree?.kind === "scalar" ? tree.value : undefined;
  }

  private checkWord(key: string, words: readonly string[]): void {
    const tree = get(this.root, key);
    if (!tree || (tree.kind === "scalar" && words.includes(String(tree.value)))) return;
    this.state("bad-value", null, atRange(tree.range), { name: key, value: plain(tree), expected: words.join(" or ") });
  }

  private checkKeys(map: MapTree, known: readonly string[]): void {
    for (const { key } of map.entries) {
      const name = String(key.value);
      if (!known.includes(name)) {
        this.state("unknown-parameter", null, atRange(key.range), { name, of: "the model", candidates: known });
      }
    }
  }

  private missing(tree: Tree, name: string): void {
    const range = { start: tree.range.start, end: Math.min(tree.range.end, tree.range.start + 1) };
    this.state("missing-parameter", null, atRange(range), { name, of: "the model" });
  }

  // ---- values ----

  /** A value with `${…}` replaced; undefined where an expression failed (reported). */
  private value(tree: Tree, env: Env): Value | undefined {
    if (tree.kind === "list") {
      const items = tree.items.map((item) => this.value(item, env));
      return items.includes(undefined) ? undefined : (items as Value[]);
    }
    if (tree.kind === "map") {
      const object: Record<string, Value> = Object.create(null);
      for (const { key, value } of tree.entries) {
        const resolved = this.value(value, env);
        if (resolved === undefined) return undefined;
        object[String(key.value)] = resolved;
      }
      return object;
    }
    if (typeof tree.value !== "string" || !tree.value.includes("${")) return tree.value;
    return this.interpolate(tree.value, tree.range, env);
  }

  private interpolate(source: string, range: Range, env: Env): Value | undefined {
    const lookup = (name: string) => env.get(name) as string | number | boolean | null | undefined;
    try {
      const whole = /^\$\{([^}]*)\}$/.exec(source);
      if (whole) {
        const name = whole[1]!.trim();
        return env.has(name) ? env.get(name) : evaluateExpression(name, lookup);
      }
      return source.replace(/\$\{([^}]*)\}/g, (_, inside: string) => String(evaluateExpression(inside, lookup)));
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      this.state("bad-value", null, atRange(range), { name: "the expression", value: source, expected: error.message });
      return undefined;
    }
  }

  private variables(tree: Tree | undefined): Env {
    const env = new Map<string, Value>();
    if (tree?.kind === "map") {
      for (const { key, value } of tree.entries) {
        const resolved = this.value(value, env);
        if (resolved !== undefined) env.set(String(key.value), resolved);
      }
    } else if (tree && !(tree.kind === "scalar" && tree.value === null)) {
      this.state("bad-value", null, atRange(tree.range), {
        name: "vars",
        value: plain(tree),
        expected: "a map of names to values",
      });
    }
    return env;
  }

  private readBlocks(tree: Tree | undefined): void {
    if (tree?.kind !== "map") {
      if (tree && !(tree.kind === "scalar" && tree.value === null)) {
        this.state("bad-value", null, atRange(tree.range), {
          name: "blocks",
          value: plain(tree),
          expected: "a map of names to blocks",
        });
      }
      return;
    }
    for (const { key, value } of tree.entries) {
      const name = String(key.value);
      const layers = value.kind === "list" ? value : get(value, "layers");
      const params = get(value, "params");
      if (value.kind === "map") this.checkKeys(value, ["params", "layers", "output"]);
      if (layers?.kind !== "list") {
        this.state("bad-value", null, atRange(value.range), {
          name,
          value: plain(value),
          expected: "a list of layers, or a map with layers",
        });
      }
      this.blocks.set(name, {
        name,
        params: params?.kind === "map" ? params : null,
        layers: layers?.kind === "list" ? layers : null,
        output: get(value, "output"),
      });
    }
  }

  private readSample(tree: Tree | undefined): ReadonlyMap<string, number> {
    const sample = new Map<string, number>();
    if (tree?.kind !== "map") return sample;
    for (const { key, value } of tree.entries) {
      if (value.kind === "scalar" && typeof value.value === "number") sample.set(String(key.value), value.value);
    }
    return sample;
  }

  private readOutputs(tree: Tree | undefined, scope: Scope): readonly (Ref | null)[] | null {
    if (!tree) return null;
    return (tree.kind === "list" ? tree.items : [tree]).map(
      (item) => this.lookUp(item, scope) ?? this.unresolved(item, scope, null),
    );
  }

  // ---- inputs ----

  private readInputs(root: MapTree, env: Env): Map<string, readonly (Ref | null)[]> {
    const inputs = new Map<string, readonly (Ref | null)[]>();
    const tree = get(root, "input");
    if (!tree) {
      if (!this.context.input) {
        this.missing(root, "input");
        return inputs;
      }
      inputs.set("input", [this.addInput(this.context.input, root, "input")]);
    } else if (tree.kind === "map") {
      for (const { key, value } of tree.entries)
        inputs.set(String(key.value), [this.input(value, env, String(key.value))]);
    } else {
      const dims = this.context.input;
      inputs.set("input", [dims ? this.addInput(dims, tree, "input") : this.input(tree, env, "input")]);
    }
    return inputs;
  }

  private input(tree: Tree, env: Env, name: string): Ref | null {
    if (tree.kind !== "list") {
      this.state("bad-value", null, atRange(tree.range), {
        name: "input",
        value: plain(tree),
        expected: "a list of sizes such as [3, 224, 224]",
      });
      return null;
    }
    const dims = tree.items.map((item): Dim => {
      const value = this.value(item, env);
      if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
      if (typeof value === "string" && /^[A-Za-z_]\w*$/.test(value)) return symbol(value);
      if (value !== undefined) {
        this.state("bad-value", null, atRange(item.range), {
          name: "input",
          value,
          expected: "a positive integer or a name such as H",
        });
      }
      return unknown("the input size is not known");
    });
    return this.addInput(dims, tree, name);
  }

  private addInput(dims: readonly Dim[], tree: Tree, name: string): Ref {
    const batch = this.word("batch");
    const first: readonly Dim[] = this.layout.batched
      ? [
          typeof batch === "number" && Number.isSafeInteger(batch) && batch >= 0
            ? batch
            : symbol(typeof batch === "string" ? batch : "N"),
        ]
      : [];
    const origin: Origin = { layer: tree.range, type: tree.range, params: new Map(), inputs: [] };
    const attrs = { tensor: { dims: [...first, ...dims], layout: this.layout } };
    const id = this.nodes.length;
    this.nodes.push({ id, op: inputOp, attrs, inputs: [], origin, scope: name, broken: false });
    return { node: id, output: 0 };
  }

  // ---- layers ----

  /** Lowers a list of layers and returns the outputs of the last. */
  private lowerList(tree: Tree, scope: Scope, name: string): readonly (Ref | null)[] {
    if (tree.kind !== "list") {
      if (!(tree.kind === "scalar" && tree.value === null)) {
        this.state("bad-value", null, atRange(tree.range), { name, value: plain(tree), expected: "a list of layers" });
      }
      return scope.entry;
    }
    const pending: Pending[] = [];
    let previous: readonly (Ref | null)[] = scope.entry;
    for (const [index, item] of tree.items.entries()) {
      if (this.full) break;
      const first = this.nodes.length;
      const type = this.typeOf(item, scope.env);
      const nameTree = get(item, "name");
      const written = nameTree ? this.value(nameTree, scope.env) : undefined;
      const label = typeof written === "string" || typeof written === "number" ? String(written) : String(index);
      const path = scope.path === "" ? label : `${scope.path}.${label}`;
      previous = this.lowerLayer(item, type, path, previous, scope, pending);
      scope.byIndex.push(previous);
      if (written !== undefined && written !== null) scope.names.set(String(written), previous);
      if (scope.depth === 0) {
        this.layers.push({
          index,
          name: written === undefined || written === null ? `${type?.word ?? "?"}_${index}` : String(written),
          type: type?.word ?? "?",
          range: item.range,
          hintAt: item.range.end,
          nodes: { first, end: this.nodes.length },
          outputs: previous.length > 0 ? previous : [null],
          depth: 0,
        });
      }
    }
    for (const { node, input, tree: from } of pending) {
      node.inputs[input] = this.lookUp(from, scope) ?? this.unresolved(from, scope, node.id);
    }
    return scope.output ? [this.lookUp(scope.output, scope) ?? this.unresolved(scope.output, scope, null)] : previous;
  }

  private typeOf(item: Tree, env: Env): { readonly word: string; readonly range: Range } | null {
    const tree = item.kind === "map" ? get(item, "type") : item;
    if (tree?.kind !== "scalar") return null;
    const value = this.value(tree, env);
    return typeof value === "string" ? { word: value, range: tree.range } : null;
  }

  private lowerLayer(
    item: Tree,
    type: { readonly word: string; readonly range: Range } | null,
    path: string,
    previous: readonly (Ref | null)[],
    scope: Scope,
    pending: Pending[],
  ): readonly (Ref | null)[] {
    if (!type) {
      const typeTree = get(item, "type");
      if (item.kind === "map" && !typeTree)
        this.state("missing-parameter", null, atRange(item.range), { name: "type", of: "a layer" });
      else if (!(item.kind === "scalar" && item.value === null)) {
        const at = typeTree ?? item;
        this.state("bad-value", null, atRange(at.range), {
          name: "a layer",
          value: plain(at),
          expected: "an operator's name, or a map with type",
        });
      }
      return this.passUnknown(item, path, previous);
    }
    const block = this.blocks.get(type.word);
    const op = operators.get(type.word);
    const repeat = this.repeatOf(item, scope.env);
    let inputs = previous.slice(0, 1);
    let sources: readonly Tree[] = [];
    const from = get(item, "from");
    if (from) {
      sources = from.kind === "list" ? from.items : [from];
      inputs = sources.map((source) => this.lookUp(source, scope, previous));
    }
    for (let round = 0; round < repeat && !this.full; round++) {
      const at = repeat === 1 ? path : `${path}.${round}`;
      if (block) inputs = [...this.lowerBlock(block, item, type, at, inputs, sources, scope)];
      else inputs = this.lowerOperator(op, item, type, at, inputs, round === 0 ? sources : [], scope, pending);
    }
    return inputs;
  }

  private lowerOperator(
    op: Operator | undefined,
    item: Tree,
    type: { readonly word: string; readonly range: Range },
    path: string,
    inputs: readonly (Ref | null)[],
    sources: readonly Tree[],
    scope: Scope,
    pending: Pending[],
  ): (Ref | null)[] {
    const id = this.nodes.length;
    if (id >= MAX_NODES) {
      this.full = true;
      const range = get(item, "repeat")?.range ?? item.range;
      this.state("too-large", null, atRange(range), { what: "the expanded model", limit: `${MAX_NODES} layers` });
      return [null];
    }
    const params = new Map<string, { value: Range; key?: Range; items?: readonly Range[] }>();
    const written = new Map<string, Plain>();
    let broken = op === undefined;
    if (item.kind === "map") {
      for (const { key, value } of item.entries) {
        const name = String(key.value);
        if (LAYER_KEYS.includes(name)) continue;
        params.set(name, {
          value: value.range,
          key: key.range,
          ...(value.kind === "list" ? { items: value.items.map((child) => child.range) } : {}),
        });
        const resolved = this.value(value, scope.env);
        if (resolved === undefined) broken = true;
        else written.set(name, resolved);
      }
    }
    if (this.ceil && op && Object.hasOwn(op.params, "ceil_mode") && !written.has("ceil_mode"))
      written.set("ceil_mode", true);
    const origin: Origin = {
      layer: item.range,
      type: type.range,
      params,
      inputs: sources.map((source) => source.range),
    };
    let attrs: Record<string, unknown> = {};
    if (!op) {
      const candidates = [...operators.keys(), ...this.blocks.keys()];
      this.state("unknown-layer", id, AT_TYPE, { type: type.word, candidates });
    } else {
      const decoded = decodeAttrs(op, written);
      attrs = decoded.attrs;
      for (const problem of decoded.problems) {
        if (problem.kind === "unknown") {
          const candidates = [...Object.keys(op.params), ...LAYER_KEYS];
          this.state("unknown-parameter", id, atParam(problem.name), { name: problem.name, of: op.name, candidates });
          continue;
        }
        const isFailedExpression = problem.kind === "missing" && params.has(problem.name);
        broken = true;
        if (isFailedExpression) continue;
        if (problem.kind === "missing")
          this.state("missing-parameter", id, AT_TYPE, { name: problem.name, of: op.name });
        else {
          const { name, expected, index } = problem;
          this.state("bad-value", id, atParam(name, index), { name, value: written.get(name), expected });
        }
      }
    }
    const node: MutableNode = {
      id,
      op: op ?? unknownLayer,
      attrs,
      inputs: [...inputs],
      origin,
      scope: path,
      broken: broken && op !== undefined,
    };
    this.nodes.push(node);
    for (const [input, tree] of sources.entries()) if (inputs[input] === null) pending.push({ node, input, tree });
    const outputs = op?.name === "Split" || op?.name === "Chunk" ? this.splitCount(attrs) : 1;
    return Array.from({ length: outputs }, (_, output) => ({ node: id, output }));
  }

  /** How many outputs `name.0`, `name.1`, … a splitting layer may be asked for; inference decides which exist. */
  private splitCount(attrs: Record<string, unknown>): number {
    const sizes = attrs["split_size"] ?? attrs["chunks"];
    return Array.isArray(sizes)
      ? sizes.length
      : typeof sizes === "number" && attrs["chunks"] !== undefined
        ? Math.min(sizes, 1024)
        : 64;
  }

  private lowerBlock(
    block: Block,
    item: Tree,
    type: { readonly word: string; readonly range: Range },
    path: string,
    inputs: readonly (Ref | null)[],
    sources: readonly Tree[],
    scope: Scope,
  ): readonly (Ref | null)[] {
    if (scope.depth >= MAX_BLOCK_DEPTH) {
      this.state("too-large", null, atRange(type.range), {
        what: `the nesting of block ${block.name} (does it use itself?)`,
        limit: `${MAX_BLOCK_DEPTH} levels`,
      });
      this.full = true;
      return [null];
    }
    for (const [index, tree] of sources.entries()) if (inputs[index] === null) this.unresolved(tree, scope, null);
    const env = new Map(scope.env);
    const known: string[] = [];
    for (const { key, value } of block.params?.entries ?? []) {
      const name = String(key.value);
      known.push(name);
      const given = get(item, name);
      const resolved = this.value(given ?? value, given ? scope.env : env);
      if (resolved === null && !given) {
        this.state("missing-parameter", null, atRange(type.range), { name, of: block.name });
      }
      if (resolved !== undefined && resolved !== null) env.set(name, resolved);
      else env.delete(name);
    }
    if (item.kind === "map") {
      for (const { key } of item.entries) {
        const name = String(key.value);
        if (LAYER_KEYS.includes(name) || known.includes(name)) continue;
        this.state("unknown-parameter", null, atRange(key.range), {
          name,
          of: block.name,
          candidates: [...known, ...LAYER_KEYS],
        });
      }
    }
    if (!block.layers) return [null];
    const inner: Scope = {
      path,
      names: new Map([
        ["input", inputs.slice(0, 1)],
        ...inputs.map((ref, index) => [`input.${index}`, [ref]] as const),
      ]),
      byIndex: [],
      entry: inputs,
      env,
      depth: scope.depth + 1,
      ...(block.output ? { output: block.output } : {}),
    };
    return this.lowerList(block.layers, inner, block.name);
  }

  private passUnknown(item: Tree, path: string, previous: readonly (Ref | null)[]): readonly (Ref | null)[] {
    const id = this.nodes.length;
    const origin: Origin = { layer: item.range, type: item.range, params: new Map(), inputs: [] };
    this.nodes.push({
      id,
      op: unknownLayer,
      attrs: {},
      inputs: [...previous.slice(0, 1)],
      origin,
      scope: path,
      broken: false,
    });
    return [{ node: id, output: 0 }];
  }

  private repeatOf(item: Tree, env: Env): number {
    const tree = get(item, "repeat");
    if (!tree) return 1;
    const value = this.value(tree, env);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
    if (value !== undefined) {
      this.state("bad-value", null, atRange(tree.range), { name: "repeat", value, expected: "a positive integer" });
    }
    return 1;
  }

  // ---- references ----

  /** A name, `name.output`, a relative index (−1) or an absolute one; null where nothing of that name is there yet. */
  private lookUp(tree: Tree, scope: Scope, previous?: readonly (Ref | null)[]): Ref | null {
    const value = this.value(tree, scope.env);
    if (typeof value === "number") {
      if (value === -1 && previous) return previous[0] ?? null;
      const at = value < 0 ? scope.byIndex.length + value : value;
      if (at === -1) return scope.entry[0] ?? null;
      return scope.byIndex[at]?.[0] ?? null;
    }
    const name = String(value);
    const exact = scope.names.get(name);
    if (exact) return exact[0] ?? null;
    const dot = name.lastIndexOf(".");
    if (dot < 0) return null;
    return scope.names.get(name.slice(0, dot))?.[Number(name.slice(dot + 1))] ?? null;
  }

  private unresolved(tree: Tree, scope: Scope, node: number | null): null {
    const name = String(plain(tree));
    this.state("unknown-reference", node, atRange(tree.range), { name, candidates: [...scope.names.keys()] });
    return null;
  }
}
