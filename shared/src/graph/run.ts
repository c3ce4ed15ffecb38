/**
 * Runs a graph: weights and inputs to every activation asked for, one step at a time.
 *
 *     const network = new Network(bindSizes(graph), weights);
 *     const run = network.run({ backend, inputs, wanted });
 *     for (const { values } of run) { show(values); await nextTask(); }
 *
 * A run is a plain iterator: it computes one step for each `next()`, so whoever drives it streams the results, shows the
 * progress and lets other tasks in between, and stops by leaving the loop. Within a step the backend polls the signal.
 * However a run ends, every tensor it made has been released.
 */
import {
  type Backend,
  checkpoint,
  type Epilogue,
  type Recording,
  type Resident,
  type Signal,
} from "../kernels/backend.ts";
import { EngineError, type Values } from "../kernels/values.ts";
import { inputOp } from "../ops/input.ts";
import type { AffineValues, Execution, WeightSpec } from "../ops/op.ts";
import type { Tensor } from "../shape/tensor.ts";
import type { Node, Ref } from "./graph.ts";
import { keyOf, type Plan, planRun, type Step, sizesOf } from "./plan.ts";
import type { Sized } from "./sizes.ts";

/** Where weights come from. */
export interface Weights {
  /**
   * @param name scope and weight, as state_dict names it: `features.0.weight`.
   * @param spec what the operator expects; every dim is a number.
   * @returns the same object for the same weight every time, by which backends know what they have packed; null: none.
   */
  get(name: string, spec: WeightSpec): Values | null;
}

export interface RunOptions {
  readonly backend: Backend;
  /** By id of the Input node, in the file's own axis order. */
  readonly inputs: ReadonlyMap<number, Values>;
  /** Outputs whose values are asked for. What they do not need is not computed. */
  readonly wanted: readonly Ref[];
  readonly signal?: Signal;
  /** What came out of an earlier run, maybe of a graph before an edit: whatever did not change is taken from there. */
  readonly previous?: Finished;
  /** Bytes that activations and weights may take together. */
  readonly limit?: number;
}

/** What a later run can build on. */
export interface Finished {
  readonly network: Network;
  readonly inputs: ReadonlyMap<number, Values>;
  /** By `keyOf` an output. */
  readonly activations: ReadonlyMap<string, Values>;
}

export interface StepDone {
  readonly step: Step;
  /** Counts from 1; the run has `run.plan.steps.length` of them. */
  readonly index: number;
  /** The outputs of this step that were asked for. */
  readonly values: readonly { readonly ref: Ref; readonly values: Values }[];
}

/** Bytes that a run may take unless told otherwise: what a 32-bit memory can hold. */
export const LARGEST_RUN = 2 ** 32;

/** Plans that a network remembers: whoever runs it over and over wants the same outputs. */
const REMEMBERED_PLANS = 16;

/** How a plan was last run to its end. */
interface Finish {
  readonly backend: Backend;
  /** Null where it was not recorded. */
  readonly recording: Recording | null;
}

/** A graph with its weights, ready to run as often as wanted. */
export class Network {
  private readonly computed = new Map<string, Values>();
  private readonly plans = new Map<string, Plan>();
  private readonly checked = new WeakSet<Plan>();
  private readonly finished = new WeakMap<Plan, Finish>();

  /** @param sized from `bindSizes`. */
  constructor(
    readonly sized: Sized,
    readonly weights: Weights,
  ) {}

  /** How a run will go; see `planRun`. */
  plan({ wanted, inputs, previous }: Pick<RunOptions, "inputs" | "wanted" | "previous">): Plan {
    return this.planWith(wanted, leftBehind(this, inputs, previous));
  }

  /** Refuses a plan whose weights are not all there. Weights are the same every time, so once is enough. */
  checkWeights(plan: Plan): void {
    if (this.checked.has(plan)) return;
    for (const { nodes, given } of plan.steps) {
      if (given) continue;
      for (const id of nodes) {
        const node = this.sized.graph.nodes[id]!;
        for (const { name } of this.specsOf(node)) this.weight(node, name);
      }
    }
    this.checked.add(plan);
  }

  /** How a backend last ran a plan to its end; null: it never did. */
  finishOf(plan: Plan, backend: Backend): Finish | null {
    const finish = this.finished.get(plan);
    return finish?.backend === backend ? finish : null;
  }

  finishedAs(plan: Plan, finish: Finish): void {
    this.finished.set(plan, finish);
  }

  /** The plan of a run that finds some nodes' outputs ready. */
  planWith(wanted: readonly Ref[], left: ReadonlyMap<number, number>): Plan {
    const key = `${wanted.map(keyOf).join(" ")} | ${[...left.keys()].join(" ")}`;
    const known = this.plans.get(key);
    if (known) return known;
    const plan = planRun(this.sized, wanted, new Set(left.keys()));
    if (this.plans.size === REMEMBERED_PLANS) this.plans.clear();
    this.plans.set(key, plan);
    return plan;
  }

  /**
   * Starts a run; nothing is computed before the first step is asked for.
   * @throws EngineError at the node where the sizes do not fit, a weight or an input is missing, or the plan takes more
   * than `limit` bytes: all of it before anything is allocated.
   */
  run(options: RunOptions): Run {
    return new Run(this, options);
  }

  /**
   * A weight of a node.
   * @throws EngineError `missing-weight`, or `mismatch` where it has other dims than the operator expects.
   */
  weight(node: Node, name: string): Values {
    const spec = this.specsOf(node).find((each) => each.name === name);
    const full = `${node.scope}.${name}`;
    const values = spec ? this.weights.get(full, spec) : null;
    if (!spec || !values) throw new EngineError("missing-weight", `there is no ${full}`, undefined, node.id);
    if (values.dims.length !== spec.dims.length || spec.dims.some((size, axis) => size !== values.dims[axis])) {
      const why = `${full} is [${values.dims.join(", ")}], not [${spec.dims.join(", ")}]`;
      throw new EngineError("mismatch", why, undefined, node.id);
    }
    return values;
  }

  specsOf(node: Node): readonly WeightSpec[] {
    return this.sized.report.nodes[node.id]?.inference?.weights ?? [];
  }

  /** Makes something from weights, once. */
  derived(node: Node, name: string, make: () => Values): Values {
    const key = `${node.id} ${name}`;
    const known = this.computed.get(key) ?? make();
    this.computed.set(key, known);
    return known;
  }
}

/** Nodes whose outputs an earlier run left behind, each with the node it was then. */
export function leftBehind(
  now: Network,
  inputs: ReadonlyMap<number, Values>,
  previous?: Finished,
): ReadonlyMap<number, number> {
  const left = new Map<number, number>();
  if (!previous) return left;
  for (const [node, before] of unchanged(now, inputs, previous)) {
    const outputs = now.sized.report.nodes[node]!.outputs.map((_, output) => ({ node: before, output }));
    if (outputs.length > 0 && outputs.every((ref) => previous.activations.has(keyOf(ref)))) left.set(node, before);
  }
  return left;
}

/** What a node computes, apart from its inputs. Numbers that JSON lacks are told apart. */
function signature({ op, attrs, scope }: Node): string {
  const plain = (_: string, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? `number ${value}` : value;
  return `${op.name} ${scope} ${JSON.stringify(attrs, plain)}`;
}

/** A node's computation, in terms of the nodes of one graph that its inputs come from. */
function computation(node: Node, inputs: readonly Ref[]): string {
  return `${signature(node)} ${inputs.map(keyOf).join(" ")}`;
}

/**
 * Nodes that compute what they did in an earlier run: the same operator with the same attributes and weights, on inputs
 * that did not change either. Each with its id then.
 */
function unchanged(now: Network, inputs: ReadonlyMap<number, Values>, previous: Finished): ReadonlyMap<number, number> {
  const before = previous.network;
  const known = new Map<string, Node>();
  for (const node of before.sized.graph.nodes) {
    if (node.inputs.every((ref) => ref !== null)) known.set(computation(node, node.inputs), node);
  }
  const same = new Map<number, number>();
  // Inputs are visited before what reads them; a file may name a later layer, which the next round finds.
  for (let found = -1; found !== same.size; ) {
    found = same.size;
    for (const node of now.sized.graph.nodes) {
      if (same.has(node.id)) continue;
      const refs = node.inputs.flatMap((ref) => {
        const then = ref && same.get(ref.node);
        return ref && typeof then === "number" ? [{ node: then, output: ref.output }] : [];
      });
      const then = refs.length === node.inputs.length ? known.get(computation(node, refs)) : undefined;
      if (!then || !sameWeights(now, node, before, then)) continue;
      if (node.op !== inputOp || inputs.get(node.id) === previous.inputs.get(then.id)) same.set(node.id, then.id);
    }
  }
  return same;
}

function sameWeights(now: Network, node: Node, before: Network, then: Node): boolean {
  const [specs, past] = [now.specsOf(node), before.specsOf(then)];
  return (
    specs.length === past.length &&
    specs.every((spec, index) => {
      const values = now.weights.get(`${node.scope}.${spec.name}`, spec);
      return values === before.weights.get(`${then.scope}.${spec.name}`, past[index]!);
    })
  );
}

/** One run of a network. Iterate it once. */
export class Run implements Finished, Iterable<StepDone> {
  readonly plan: Plan;
  readonly inputs: ReadonlyMap<number, Values>;
  private readonly done = new Map<string, Values>();
  private readonly held = new Map<string, Resident>();
  private readonly left: ReadonlyMap<number, number>;
  /** What this run repeats. */
  private recording: Recording | null = null;

  constructor(
    readonly network: Network,
    private readonly options: RunOptions,
  ) {
    const { inputs, wanted, previous, limit = LARGEST_RUN } = options;
    this.inputs = inputs;
    this.left = leftBehind(network, inputs, previous);
    this.plan = network.planWith(wanted, this.left);
    const bytes = this.plan.peakBytes + this.plan.weightBytes;
    if (bytes > limit) {
      throw new EngineError("too-large", `the run takes ${bytes} bytes; at most ${limit} are allowed`, bytes);
    }
    network.checkWeights(this.plan);
    const { nodes } = network.sized.graph;
    for (const step of this.plan.steps) {
      const node = nodes[step.nodes[0]!]!;
      if (node.op === inputOp) this.checkInput(node);
    }
  }

  /** What was asked for, as far as the run has come. */
  get activations(): ReadonlyMap<string, Values> {
    return this.done;
  }

  /** Runs to the end. */
  finish(): ReadonlyMap<string, Values> {
    for (const _ of this);
    return this.done;
  }

  *[Symbol.iterator](): Generator<StepDone, void, undefined> {
    const { backend, signal = null } = this.options;
    const { network, plan } = this;
    const before = network.finishOf(plan, backend);
    this.recording = before?.recording ?? null;
    // What runs a second time may well run a third time: only then is it worth the memory to record it.
    const recorder = before && !this.recording ? backend.record?.() : undefined;
    try {
      for (const [index, step] of plan.steps.entries()) {
        backend.signal = signal;
        checkpoint(signal);
        const compute = () => this.compute(step);
        const values = this.replay(index) ?? (recorder ? recorder.step(compute) : compute());
        yield { step, index: index + 1, values };
      }
      if (!this.recording) network.finishedAs(plan, { backend, recording: recorder?.finish() ?? null });
    } finally {
      for (const key of [...this.held.keys()]) this.drop(key);
      backend.signal = null;
    }
  }

  /** Does a step as it was recorded, if it was. */
  private replay(index: number): StepDone["values"] | null {
    const { recording } = this;
    if (!recording) return null;
    const { steps } = this.plan;
    const step = steps[index]!;
    const node = step.nodes.at(-1)!;
    const read = this.located(node, () => recording.replay(this, index, step.given ? this.valuesGiven(node) : []));
    if (read) return step.wanted.map((ref, at) => ({ ref, values: this.keep(ref, read[at]!) }));
    // It is of no use any more. What it has done so far was not in this run's hands, so it is computed after all.
    this.recording = null;
    for (const earlier of steps.slice(0, index)) this.compute(earlier);
    return null;
  }

  private checkInput(node: Node): void {
    const values = this.inputs.get(node.id);
    const dims = sizesOf(this.network.sized, { node: node.id, output: 0 });
    if (dims.includes(0)) {
      throw new EngineError("bad-size", `the input [${dims.join(", ")}] is empty`, undefined, node.id);
    }
    const got = values ? `[${values.dims.join(", ")}]` : "missing";
    if (got !== `[${dims.join(", ")}]`) {
      const why = `the input ${node.scope} is ${got}, not [${dims.join(", ")}]`;
      throw new EngineError("mismatch", why, undefined, node.id);
    }
  }

  /** Keeps what was asked for; the first answer stays where a step is done twice. */
  private keep(ref: Ref, values: Values): Values {
    const kept = this.done.get(keyOf(ref)) ?? values;
    this.done.set(keyOf(ref), kept);
    return kept;
  }

  /** Gives one output back. */
  private drop(key: string): void {
    const resident = this.held.get(key);
    this.held.delete(key);
    // Layers that do nothing hand their input on.
    if (resident && ![...this.held.values()].includes(resident)) this.options.backend.release(resident);
  }

  /** Does a step. @returns what of it was asked for. */
  private compute(step: Step): StepDone["values"] {
    const { backend } = this.options;
    const node = step.nodes.at(-1)!;
    this.located(node, () => {
      const outputs = step.given ? this.valuesGiven(node).map((values) => backend.enter(values)) : this.execute(step);
      for (const [output, resident] of outputs.entries()) this.held.set(keyOf({ node, output }), resident);
      for (const [output, resident] of outputs.entries()) this.checkOutput({ node, output }, resident);
    });
    const values = step.wanted.map((ref) => {
      return { ref, values: this.keep(ref, backend.read(this.held.get(keyOf(ref))!)) };
    });
    for (const ref of step.releases) this.drop(keyOf(ref));
    return values;
  }

  /** Lets errors say at which node they happened. */
  private located<T>(node: number, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const { scope } = this.network.sized.graph.nodes[node]!;
      const message = error.node === undefined ? `${scope}: ${error.message}` : error.message;
      throw new EngineError(error.problem, message, error.bytes, error.node ?? node);
    }
  }

  /** The outputs of a node that are at hand: an input of the network, or what an earlier run left behind. */
  private valuesGiven(node: number): readonly Values[] {
    const { previous } = this.options;
    const then = this.left.get(node);
    if (!previous || then === undefined) return [this.inputs.get(node)!];
    const { outputs } = this.network.sized.report.nodes[node]!;
    return outputs.map((_, output) => previous.activations.get(keyOf({ node: then, output }))!);
  }

  private checkOutput(ref: Ref, { dims }: Resident): void {
    const expected = sizesOf(this.network.sized, ref);
    if (dims.length !== expected.length || dims.some((size, axis) => size !== expected[axis])) {
      throw new EngineError("mismatch", `it gave [${dims.join(", ")}], not [${expected.join(", ")}]`);
    }
  }

  private execute(step: Step): readonly Resident[] {
    const { backend } = this.options;
    const { graph } = this.network.sized;
    const node = graph.nodes[step.nodes[0]!]!;
    const inputs = node.inputs.map((ref) => this.held.get(keyOf(ref!))!);
    const folded = step.folded === null ? null : this.affineOf(graph.nodes[step.folded]!);
    const execution = {
      ...this.weightsOnly(node),
      inputs,
      epilogue: this.epilogueOf(step),
      folded,
      cannot: cannotRun(node),
    };
    return backend.tidy(() => node.op.run(backend, execution));
  }

  private epilogueOf({ add, activation, margin }: Step): Epilogue {
    const by = activation === null ? null : this.network.sized.graph.nodes[activation]!;
    return {
      ...(add ? { add: this.held.get(keyOf(add))! } : {}),
      ...(by?.op.pointwise ? { activation: by.op.pointwise(by.attrs) } : {}),
      ...(margin ? { margin } : {}),
    };
  }

  private affineOf(node: Node): AffineValues {
    const { inputs } = this.network.sized.report.nodes[node.id]!;
    return node.op.channelAffine!(node.attrs, inputs[0]!)!.values(this.weightsOnly(node));
  }

  private weightsOnly(node: Node) {
    const { inputs, inference } = this.network.sized.report.nodes[node.id]!;
    return {
      attrs: node.attrs,
      shapes: inputs as readonly Tensor[],
      inference: inference!,
      weight: (name: string) => this.network.weight(node, name),
      derived: (name: string, make: () => Values) => this.network.derived(node, name, make),
    };
  }
}

function cannotRun(node: Node): Execution<unknown>["cannot"] {
  return (why) => {
    throw new EngineError("cannot-run", `${node.op.name} (${node.scope}) cannot be run: ${why}`, undefined, node.id);
  };
}
