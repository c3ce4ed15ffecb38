/**
 * Lowers a Keras model: layers in the order their inputs become known, nested models inside their layer, a layer that is
 * called twice as two nodes that share one set of weights.
 */
import type { Origin, Ref } from "#shared/graph/graph.ts";
import type { ShapeReport } from "#shared/graph/infer.ts";
import { AT_TYPE, atParam, atRange, type Range } from "#shared/ops/finding.ts";
import { relayout } from "#shared/ops/keras.ts";
import type { Plain } from "#shared/ops/param.ts";
import { calledWith, timeDistributed } from "#shared/ops/wrapped.ts";
import { type Dim, symbol } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST, CHANNELS_LAST, type Layout, type Tensor } from "#shared/shape/tensor.ts";
import { get, plain, type Tree } from "../../syntax/tree.ts";
import { bareOrigin, GraphBuilder } from "../builder.ts";
import type { Context, Lowered } from "../dialect.ts";
import { wishOf } from "../directive.ts";
import type { Step } from "./binding.ts";
import { type Arg, Config } from "./config.ts";
import { bindingOf, bindings, isOfKeras } from "./layers.ts";
import { type LayerTree, type ModelTree, modelIn, readModel, type Source } from "./topology.ts";
import { type Declared, staleShapes, wrongWeights } from "./weights.ts";

/** Models inside models inside models: deeper than this is hostile. */
const MAX_DEPTH = 32;

const ASSUMED = "keep the number of axes and nothing else";

/** Arguments that steer a layer and are no data: masks, states to start from. */
const BESIDE = /(?:^|_)mask$|^(?:initial_state|constants|training)$/;

/** Layers that read one sequence; what else stands in their list are the states to start from. */
const WITH_STATES = /^(?:Bidirectional|RNN|(?:SimpleRNN|(?:CuDNN|Unified)?(?:GRU|LSTM)|ConvLSTM\dD)(?:V\d)?)$/;

/** Outputs by call of a layer; null where a call could not be lowered. */
type Calls = Map<string, readonly (Ref | null)[]>;

export function lower(root: Tree, context: Context): Lowered {
  const lowering = new Lowering(context);
  const tree = modelIn(root);
  const model = readModel(tree);
  const outputs = tree && model ? lowering.lowerModel(model, null, "", 0, false) : [];
  const lowered = lowering.graph.finish({ name: model?.name ?? null, outputs, sample: new Map() });
  const review = (report: ShapeReport) => [
    ...staleShapes(lowering.declared, report),
    ...wrongWeights(root, lowered.graph, report),
  ];
  return { ...lowered, review };
}

class Lowering {
  readonly graph = new GraphBuilder();
  /** Input shapes that layers behind the first declare. */
  readonly declared: Declared[] = [];
  private layout: Layout = CHANNELS_LAST;
  /** Nodes whose output is laid out by a layer's own data_format. */
  private readonly relaid = new Map<number, "first" | "last">();
  private readonly opaque = new Set<number>();
  /** How many TimeDistributed stand around the layers that are being lowered. */
  private timed = 0;

  constructor(private readonly context: Context) {}

  /**
   * Lowers a model and returns its outputs.
   * @param given what a nested model is called with; null for the file's own model, whose inputs the file declares.
   * @param tied the weights belong to an earlier call.
   */
  lowerModel(
    model: ModelTree,
    given: readonly (Ref | null)[] | null,
    path: string,
    depth: number,
    tied: boolean,
  ): readonly (Ref | null)[] {
    if (depth === 0) this.layout = layoutOf(model);
    if (model.isSequential) return this.lowerSequential(model, given, path, depth, tied);
    return this.lowerFunctional(model, given, path, depth, tied);
  }

  private lowerSequential(
    model: ModelTree,
    given: readonly (Ref | null)[] | null,
    path: string,
    depth: number,
    tied: boolean,
  ): readonly (Ref | null)[] {
    let previous: readonly (Ref | null)[] = given ?? [];
    const [first] = model.layers;
    if (given === null && first && !/^(?:InputLayer|Merge)$/.test(first.className)) {
      const declared = declaredInput(model, 0);
      const { input: asked, general } = wishOf(this.context);
      // A setting for images says nothing about a model whose axes are in another order.
      const sizes = declared ?? (asked && !general.input ? [null, ...asked] : null);
      previous = [sizes ? this.graph.addInput("input", this.inputTensor(sizes, ""), first.typeRange) : null];
    }
    for (const [index, layer] of model.layers.entries()) {
      previous = this.lowerCall(layer, { index, inputs: previous, sources: [], path, depth, tied, first: true });
    }
    return previous;
  }

  private lowerFunctional(
    model: ModelTree,
    given: readonly (Ref | null)[] | null,
    path: string,
    depth: number,
    tied: boolean,
  ): readonly (Ref | null)[] {
    const calls: Calls = new Map();
    for (const [index, source] of given === null ? [] : model.inputs.entries()) {
      calls.set(keyOf(source), [given![index] ?? null]);
    }
    for (const task of inOrder(model, calls, (task) => this.circular(task))) {
      const { layer, call, index } = task;
      const key = keyOf({ layer: layer.name, call });
      if (calls.has(key)) continue;
      const sources = layer.calls[call]?.sources ?? [];
      const inputs = sources.map((source) => this.outputAt(calls, source));
      const place = { index, inputs, sources, path, depth, tied: tied || call > 0, first: call === 0, call };
      calls.set(key, this.lowerCall(layer, place));
    }
    const names = new Set(model.layers.map(({ name }) => name));
    for (const { sources, report } of this.references(model)) {
      for (const source of sources) {
        if (names.has(source.layer)) continue;
        report("unknown-reference", atRange(source.range), { name: source.layer, candidates: [...names] });
      }
    }
    const last = model.layers.at(-1);
    const outputs = model.outputs.map((source) => this.outputAt(calls, source));
    return outputs.length > 0 || !last ? outputs : (calls.get(keyOf({ layer: last.name, call: 0 })) ?? []);
  }

  private references(model: ModelTree) {
    const { report } = this.graph;
    const called = model.layers.flatMap(({ calls }) => calls.map(({ sources }) => sources));
    return [...called, model.inputs, model.outputs].map((sources) => ({
      sources,
      report,
    }));
  }

  private circular(tasks: readonly Task[]): void {
    const [first] = tasks;
    if (first) {
      this.graph.report("cycle", atRange(first.layer.typeRange), {
        path: tasks.slice(0, 8).map(({ layer }) => layer.name),
      });
    }
  }

  /** An output of a call. Operators have as many as inference finds, so that only those of models are counted here. */
  private outputAt(calls: Calls, source: Source): Ref | null {
    const outputs = calls.get(keyOf(source)) ?? [];
    const [only] = outputs;
    if (outputs.length !== 1 || !only || source.output === 0) return outputs[source.output] ?? null;
    return { node: only.node, output: this.opaque.has(only.node) ? 0 : source.output };
  }

  // ---- one layer ----

  private lowerCall(layer: LayerTree, place: CallPlace): readonly (Ref | null)[] {
    const first = this.graph.next;
    const scope = place.path === "" ? layer.name : `${place.path}.${layer.name}`;
    const outputs = this.outputsOf(layer, place, scope);
    if (place.first && !place.tied) {
      this.graph.addLayer({
        index: place.index,
        name: layer.name,
        type: layer.className,
        range: layer.tree.range,
        // A layer is dozens of lines of JSON: the size belongs beside its name, not after its last brace.
        hintAt: layer.typeRange.end,
        first,
        outputs: outputs.length > 0 ? outputs : [null],
        depth: place.depth,
      });
    }
    return outputs;
  }

  private outputsOf(layer: LayerTree, place: CallPlace, scope: string): readonly (Ref | null)[] {
    if (this.graph.isFull) return [null];
    if (layer.className === "InputLayer") {
      if (place.inputs.length > 0) return place.inputs;
      const sizes = shapeOf(layer.config);
      return [sizes ? this.graph.addInput(layer.name, this.inputTensor(sizes, layer.name), layer.typeRange) : null];
    }
    const nested = place.depth < MAX_DEPTH ? readModel(layer.tree) : null;
    if (nested && layer.className === "Merge") return this.lowerBranches(nested, layer, place, scope);
    if (nested) return this.lowerModel(nested, dataOf(place).data, scope, place.depth + 1, place.tied);
    const config = new Config(layer.config);
    if (layer.className === "TimeDistributed" && place.depth < MAX_DEPTH) {
      const inner = readModel(get(layer.config, "layer"));
      if (inner) return this.lowerTimed(inner, dataOf(place).data, scope, place);
    }
    return this.lowerOperators(layer, config, place, scope);
  }

  private lowerOperators(layer: LayerTree, config: Config, place: CallPlace, scope: string): readonly (Ref | null)[] {
    const steps = bindingOf(layer.className, layer.tree)?.(config, layer.calls[place.call ?? 0]?.tree) ?? [];
    if (steps.length === 0) return [this.lowerOpaque(layer, config, place, scope)];
    this.noteDeclared(config, place);
    const { data, beside } = dataOf(place, layer.className);
    let inputs = this.inLayout(config.channels, data, layer, scope);
    let output: Ref | null = null;
    for (const [index, { op, args }] of steps.entries()) {
      const at = index === 0 ? scope : `${scope}.${op.name.toLowerCase()}`;
      const called = index === 0 && beside.length > 0 ? { op: calledWith(op, inputs.length), args } : { op, args };
      output = this.lowerStep(called, layer, { ...place, inputs: index === 0 ? [...inputs, ...beside] : inputs }, at);
      inputs = [output];
    }
    if (output && config.channels) this.relaid.set(output.node, config.channels);
    return this.inLayout(this.layout.channels, [output], layer, scope);
  }

  /** Keras 1's Merge at the start of a Sequential, which holds the models that it joins. */
  private lowerBranches(model: ModelTree, layer: LayerTree, place: CallPlace, scope: string): readonly (Ref | null)[] {
    const inputs = model.layers.flatMap(({ tree, name }) => {
      const branch = readModel(tree);
      return branch ? this.lowerModel(branch, null, `${scope}.${name}`, place.depth + 1, place.tied) : [null];
    });
    return this.lowerOperators(layer, new Config(layer.config), { ...place, inputs }, scope);
  }

  /** A model that is applied to every step by itself: each of its operators is. */
  private lowerTimed(
    model: ModelTree,
    inputs: readonly (Ref | null)[],
    scope: string,
    { depth, tied }: CallPlace,
  ): readonly (Ref | null)[] {
    this.timed++;
    const outputs = this.lowerModel(model, inputs, scope, depth + 1, tied);
    this.timed--;
    return outputs;
  }

  /** Keeps a declared shape for review where layers of the file give the input. */
  private noteDeclared(config: Config, { inputs, index, sources, first, tied }: CallPlace): void {
    const shape = shapeOf(config.tree);
    const entry = config.arg("batch_input_shape", "input_shape")?.entry;
    const isGiven = inputs.length === 1 && (index > 0 || sources.length > 0) && first && !tied;
    if (!shape || !entry || !isGiven || this.timed > 0) return;
    this.declared.push({ node: this.graph.next, shape: this.inputTensor(shape, ""), range: entry.value.range });
  }

  /** Reads inputs as the layer's own data_format says where the model's is the other one. */
  private inLayout(
    channels: "first" | "last" | null,
    inputs: readonly (Ref | null)[],
    layer: LayerTree,
    scope: string,
  ): readonly (Ref | null)[] {
    if (channels === null) return inputs;
    return inputs.map((input) => {
      if (!input || (this.relaid.get(input.node) ?? this.layout.channels) === channels) return input;
      const place = { inputs: [input], scope: `${scope}.data_format`, origin: bareOrigin(layer.typeRange) };
      const ref = this.graph.add(relayout, { channels }, place);
      this.relaid.set(ref.node, channels);
      return ref;
    });
  }

  private lowerStep(step: Step, layer: LayerTree, place: CallPlace, scope: string): Ref {
    const params = new Map<string, { value: Range; key?: Range; items?: readonly Range[] }>();
    const written = new Map<string, Plain>();
    const failed = new Set<string>();
    const report = this.graph.reportOf(this.graph.next);
    for (const [name, arg] of Object.entries(step.args)) {
      if (!arg) continue;
      if (arg.entry) params.set(name, rangesOf(arg));
      if (arg.refused === undefined) written.set(name, arg.value);
      else {
        report("bad-value", atParam(name), { name, value: writtenValue(arg), expected: arg.refused });
        failed.add(name);
      }
    }
    const inputs = place.sources.map((source) => source.range);
    const origin: Origin = { layer: layer.tree.range, type: layer.typeRange, params, inputs };
    let { op } = step;
    for (let around = 0; around < this.timed; around++) op = timeDistributed(op);
    return this.graph.addOperator(op, written, { inputs: place.inputs, scope, origin }, { failed, tied: place.tied });
  }

  /** Lambda layers and classes of the user's own: only a written output_shape says what they do. */
  private lowerOpaque(layer: LayerTree, config: Config, place: CallPlace, scope: string): Ref {
    const shape = config.value("output_shape");
    const sizes = Array.isArray(shape) && shape.every((size) => size === null || isSize(size)) ? shape : null;
    // Only Keras 1's transposed convolutions wrote the batch there too.
    const batch = layer.className.startsWith("Deconvolution") ? [] : [null];
    const declared = sizes && this.inputTensor([...batch, ...(sizes as (number | null)[])], layer.name);
    const called = config.text("function");
    const node = this.graph.next;
    const inputs = place.sources.map((source) => source.range);
    const origin: Origin = { layer: layer.tree.range, type: layer.typeRange, params: new Map(), inputs };
    if (place.first && !place.tied) {
      const ofFramework = isOfKeras(layer.className, layer.tree);
      this.graph.reportOf(node)("opaque-layer", AT_TYPE, {
        type: called === undefined ? layer.className : `${layer.className}(${called})`,
        assumed: declared ? "give its output_shape" : ASSUMED,
        candidates: ofFramework || layer.className in bindings ? [] : Object.keys(bindings),
        ofFramework,
      });
    }
    this.opaque.add(node);
    return this.graph.addOpaque(layer.className, { inputs: place.inputs, scope, origin }, declared);
  }

  /** None is a symbol of its own for every input and axis; the batch is one for all. */
  private inputTensor(sizes: readonly (number | null)[], name: string): Tensor {
    const axes = sizes.length - (this.layout.channels === "last" ? 2 : 1);
    const dims = sizes.map((size, axis): Dim => {
      if (axis === 0) return size ?? symbol("N");
      return size ?? symbol(`${name === "" ? "" : `${name}_`}${axis > axes ? "C" : `n${axis}`}`);
    });
    return { dims, layout: this.layout };
  }
}

/** One call of a layer: where it stands and what it reads. */
interface CallPlace {
  readonly index: number;
  readonly inputs: readonly (Ref | null)[];
  readonly sources: readonly Source[];
  readonly path: string;
  readonly depth: number;
  readonly tied: boolean;
  /** The first call of its layer: the one whose sizes are shown. */
  readonly first: boolean;
  /** Which call of the layer it is, in models that wire their layers. */
  readonly call?: number;
}

/** The inputs that a layer computes with, and those that only steer it: masks, states to start from. */
function dataOf({ inputs, sources }: CallPlace, className = "") {
  const isBeside = (index: number) =>
    BESIDE.test(sources[index]?.keyword ?? "") || (index > 0 && WITH_STATES.test(className));
  return {
    data: inputs.filter((_, index) => !isBeside(index)),
    beside: inputs.filter((input, index) => isBeside(index) && input !== null),
  };
}

/** The shape that the first layer of a model, or of the model that it is, declares. */
function declaredInput(model: ModelTree, depth: number): readonly (number | null)[] | null {
  const [source] = model.inputs;
  const first = model.layers.find(({ name }) => name === source?.layer) ?? model.layers[0];
  if (!first || depth > MAX_DEPTH) return null;
  const inner = readModel(first.tree);
  return shapeOf(first.config) ?? (inner && declaredInput(inner, depth + 1)) ?? shapeOf(model.config);
}

interface Task {
  readonly layer: LayerTree;
  readonly call: number;
  readonly index: number;
}

function keyOf({ layer, call }: Pick<Source, "layer" | "call">): string {
  return `${call} ${layer}`;
}

/** Calls in an order in which every input comes before its reader; what is left over goes round in circles. */
function inOrder(model: ModelTree, known: Calls, circular: (tasks: readonly Task[]) => void): readonly Task[] {
  const tasks = model.layers.flatMap((layer, index) =>
    Array.from({ length: Math.max(1, layer.calls.length) }, (_, call): Task => ({ layer, call, index })),
  );
  const exists = new Set(tasks.map(({ layer, call }) => keyOf({ layer: layer.name, call })));
  const readers = new Map<string, number[]>();
  const missing = tasks.map(({ layer, call }, task) => {
    const needs = new Set(
      (layer.calls[call]?.sources ?? []).map(keyOf).filter((key) => exists.has(key) && !known.has(key)),
    );
    for (const key of needs) readers.set(key, [...(readers.get(key) ?? []), task]);
    return needs.size;
  });
  const ready = tasks.flatMap((_, task) => (missing[task] === 0 ? [task] : []));
  for (let next = 0; next < ready.length; next++) {
    const { layer, call } = tasks[ready[next]!]!;
    for (const reader of readers.get(keyOf({ layer: layer.name, call })) ?? []) {
      missing[reader]!--;
      if (missing[reader] === 0) ready.push(reader);
    }
  }
  if (ready.length < tasks.length) circular(tasks.filter((_, task) => missing[task]! > 0));
  return ready.map((task) => tasks[task]!);
}

/** The data_format of most layers that say one; Keras's default where none does. */
function layoutOf(model: ModelTree): Layout {
  let balance = 0;
  for (const { config } of model.layers) {
    const channels = new Config(config).channels;
    if (channels) balance += channels === "first" ? 1 : -1;
  }
  return balance > 0 ? CHANNELS_FIRST : CHANNELS_LAST;
}

/** The declared shape with its batch, None as null. */
function shapeOf(tree: Tree | undefined): readonly (number | null)[] | null {
  const config = new Config(tree);
  const batched = config.value("batch_input_shape", "batch_shape", "build_input_shape");
  const open = config.value("input_shape");
  const width = config.value("input_dim");
  const shape = Array.isArray(batched)
    ? batched
    : Array.isArray(open)
      ? [null, ...open]
      : isSize(width)
        ? [null, width]
        : null;
  return shape?.every((size) => size === null || isSize(size)) ? (shape as (number | null)[]) : null;
}

/** What in a layer's config says an input's size along an axis, the batch counted. */
export function declaredSize(config: Tree | undefined, axis: number): Tree | undefined {
  for (const key of ["batch_input_shape", "batch_shape", "build_input_shape", "input_shape"]) {
    const shape = get(config, key);
    if (shape?.kind === "list") return shape.items[key === "input_shape" ? axis - 1 : axis];
  }
  return axis === 1 ? get(config, "input_dim") : undefined;
}

function isSize(value: Plain | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function rangesOf({ entry }: Arg): { value: Range; key?: Range; items?: readonly Range[] } {
  const { key, value } = entry!;
  const items = value.kind === "list" ? { items: value.items.map((item) => item.range) } : {};
  return { value: value.range, key: key.range, ...items };
}

function writtenValue({ entry, value }: Arg): Plain {
  return entry ? plain(entry.value) : value;
}
