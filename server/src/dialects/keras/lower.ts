/**
 * Lowers a Keras model: layers in the order their inputs become known, nested models inside their layer, a layer that is
 * called twice as two nodes that share one set of weights.
 */
import type { Origin, Ref } from "#shared/graph/graph.ts";
import type { ShapeReport } from "#shared/graph/infer.ts";
import { AT_TYPE, atParam, atRange, type Range } from "#shared/ops/finding.ts";
import { relayout } from "#shared/ops/keras.ts";
import type { Plain } from "#shared/ops/param.ts";
import { type Dim, symbol } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST, CHANNELS_LAST, type Layout, type Tensor } from "#shared/shape/tensor.ts";
import { plain, type Tree } from "../../syntax/tree.ts";
import { bareOrigin, GraphBuilder } from "../builder.ts";
import type { Context, Lowered } from "../dialect.ts";
import { wishOf } from "../directive.ts";
import { type Arg, Config } from "./config.ts";
import { bindings, type Step } from "./layers.ts";
import { type LayerTree, type ModelTree, modelIn, readModel, type Source } from "./topology.ts";
import { type Declared, staleShapes, wrongWeights } from "./weights.ts";

/** Models inside models inside models: deeper than this is hostile. */
const MAX_DEPTH = 32;

const ASSUMED = "keep the number of axes and nothing else";

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
    if (given === null) this.layout = layoutOf(model);
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
    if (given === null && first && first.className !== "InputLayer") {
      const declared = shapeOf(first.config) ?? shapeOf(model.config);
      const asked = wishOf(this.context).input;
      const sizes = declared ?? (asked && [null, ...asked]);
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
      const sources = layer.calls[call] ?? [];
      const inputs = sources.map((source) => calls.get(keyOf(source))?.[source.output] ?? null);
      const place = { index, inputs, sources, path, depth, tied: tied || call > 0, first: call === 0 };
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
    const outputs = model.outputs.map((source) => calls.get(keyOf(source))?.[source.output] ?? null);
    return outputs.length > 0 || !last ? outputs : (calls.get(keyOf({ layer: last.name, call: 0 })) ?? []);
  }

  private references(model: ModelTree) {
    const { report } = this.graph;
    return [...model.layers.flatMap(({ calls }) => calls), model.inputs, model.outputs].map((sources) => ({
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
    if (nested) return this.lowerModel(nested, place.inputs, scope, place.depth + 1, place.tied);
    const config = new Config(layer.config);
    const steps = bindings[layer.className]?.(config) ?? [];
    if (steps.length === 0) return [this.lowerOpaque(layer, config, place, scope)];
    this.noteDeclared(config, place);
    let inputs = this.inLayout(config.channels, place.inputs, layer, scope);
    let output: Ref | null = null;
    for (const [index, step] of steps.entries()) {
      const at = index === 0 ? scope : `${scope}.${step.op.name.toLowerCase()}`;
      output = this.lowerStep(step, layer, { ...place, inputs }, at);
      inputs = [output];
    }
    if (output && config.channels) this.relaid.set(output.node, config.channels);
    const [final] = this.inLayout(this.layout.channels, [output], layer, scope);
    return outputsOf(final ?? null, steps);
  }

  /** Keeps a declared shape for review where layers of the file give the input. */
  private noteDeclared(config: Config, { inputs, index, sources, first, tied }: CallPlace): void {
    const shape = shapeOf(config.tree);
    const entry = config.arg("batch_input_shape", "input_shape")?.entry;
    const isGiven = inputs.length === 1 && (index > 0 || sources.length > 0) && first && !tied;
    if (!shape || !entry || !isGiven) return;
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
    return this.graph.addOperator(
      step.op,
      written,
      { inputs: place.inputs, scope, origin },
      { failed, tied: place.tied },
    );
  }

  /** Lambda layers and classes of the user's own: only a written output_shape says what they do. */
  private lowerOpaque(layer: LayerTree, config: Config, place: CallPlace, scope: string): Ref {
    const shape = config.value("output_shape");
    const sizes = Array.isArray(shape) && shape.every((size) => size === null || isSize(size)) ? shape : null;
    const declared = sizes && this.inputTensor([null, ...(sizes as (number | null)[])], layer.name);
    const node = this.graph.next;
    const inputs = place.sources.map((source) => source.range);
    const origin: Origin = { layer: layer.tree.range, type: layer.typeRange, params: new Map(), inputs };
    if (place.first && !place.tied)
      this.graph.reportOf(node)("opaque-layer", AT_TYPE, {
        type: layer.className,
        assumed: declared ? "give its output_shape" : ASSUMED,
        candidates: Object.keys(bindings),
      });
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
    const needs = new Set((layer.calls[call] ?? []).map(keyOf).filter((key) => exists.has(key) && !known.has(key)));
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

function isSize(value: Plain | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** All outputs that a layer can be asked for: recurrent layers with return_state have several. */
function outputsOf(ref: Ref | null, steps: readonly Step[]): readonly (Ref | null)[] {
  const states = steps.length === 1 && steps[0]!.args.return_state?.value === true ? 2 : 0;
  return ref ? [ref, ...Array.from({ length: states }, (_, index) => ({ node: ref.node, output: index + 1 }))] : [null];
}

function rangesOf({ entry }: Arg): { value: Range; key?: Range; items?: readonly Range[] } {
  const { key, value } = entry!;
  const items = value.kind === "list" ? { items: value.items.map((item) => item.range) } : {};
  return { value: value.range, key: key.range, ...items };
}

function writtenValue({ entry, value }: Arg): Plain {
  return entry ? plain(entry.value) : value;
}
