/**
 * Runs a model and its variants, step by step. Between steps it lets messages in; whatever changes something starts the run
 * anew, and what did not change is taken from before.
 */
import type { Ref } from "#shared/graph/graph.ts";
import { keyOf, type Plan } from "#shared/graph/plan.ts";
import { LARGEST_RUN, Network } from "#shared/graph/run.ts";
import { EngineError, LARGEST_TENSOR, type Values } from "#shared/kernels/values.ts";
import type { Amount, TensorRef, Variant as VariantName, WorkerEvent } from "#shared/preview/protocol.ts";
import { moved } from "#shared/preview/samples.ts";
import type { Shift } from "#shared/preview/shift.ts";
import { bytesText } from "./diagram.ts";
import { type Host, Refusal } from "./host.ts";
import type { Model } from "./model.ts";
import type { Samples } from "./samples.ts";
import { convolving, Variant } from "./variant.ts";
import type { WeightSource } from "./weights.ts";

/** Bytes of layer outputs that are kept; of what does not fit, the largest are computed again when looked at. */
const KEPT_BYTES = 2 ** 29;
/** How long steps go on before messages are let in, in milliseconds. */
const SLICE_MS = 8;
/** Multiply-accumulates per second, before any have been measured. */
const FIRST_SPEED = 2e9;

const VARIANTS = ["plain", "flipped", "shifted"] as const;

/** What runs are for. */
export interface Audience {
  /** What the page looks at in a variant: it is computed too. */
  lookedAt(name: VariantName): TensorRef | null;
  /** Tensors of a variant may be there that were not. */
  progressed(name: VariantName): void;
  /** A layer turned out not to run: the diagram has changed. */
  redrawn(): void;
  /** A variant has been run to its end. */
  finished(name: VariantName): void;
}

/** What is said of a run. */
type RunEvent = Extract<WorkerEvent, { readonly kind: "started" | "progress" | "ended" | "asking" }>;

type Work = Pick<Amount, "macs" | "bytes">;

export class Runs {
  /** Work beyond this waits for `allow`. */
  budget: Work = { macs: 2e10, bytes: 2 ** 31 };
  flipped = false;
  shift: Shift | null = null;
  private model: Model | null = null;
  private allowed: Work = { macs: 0, bytes: 0 };
  private readonly variants = new Map<VariantName, Variant>();
  private readonly shifted = new WeakMap<Values, { readonly by: Shift; readonly values: Values }>();
  /** Rises whenever what runs is out of date. */
  private epoch = 0;
  private working: Promise<void> | null = null;
  private speed = FIRST_SPEED;
  /** What was said of the last run of every variant, for a page that comes later. */
  private readonly log = new Map<VariantName, RunEvent[]>();

  constructor(
    private readonly host: Host,
    private readonly samples: Samples,
    private readonly weights: WeightSource,
    private readonly audience: Audience,
  ) {}

  /** A variant; null where it is not switched on, or the model has no sizes. */
  get(name: VariantName): Variant | null {
    return this.variants.get(name) ?? null;
  }

  /** Gives every variant the model, the samples and the weights as they are now, and runs what that changes. */
  renew(model: Model | null): void {
    this.epoch++;
    this.model = model;
    this.log.clear();
    if (!model?.sized) this.variants.clear();
    else {
      refuseTooLarge(model);
      const network = new Network(model.sized, this.weights.current(blockedWeights(model)));
      const inputs = this.inputsOf(model);
      const own = new Set(kept(model).map(keyOf));
      for (const name of VARIANTS) {
        const isOn = name === "plain" || (name === "flipped" ? this.flipped : this.shift !== null);
        const before = this.variants.get(name) ?? null;
        if (!isOn) this.variants.delete(name);
        else if (!this.isAllowed(this.amountOf(wholePlan(network, inputs, this.wanted(model, name))))) {
          // Nothing is carried over, as that needs the weights, which may be too many.
          this.variants.set(name, new Variant(network, this.moved(name, model, inputs), null, own));
        } else this.variants.set(name, new Variant(network, this.moved(name, model, inputs), before, own));
      }
      this.weights.keepOnly(network);
    }
    this.restart();
  }

  private inputsOf(model: Model): ReadonlyMap<number, Values> {
    const inputs = new Map<number, Values>();
    for (const node of model.analysis.graph.inputs) {
      const shape = model.shapeOf({ node, output: 0 });
      if (shape && !model.blocked.has(node)) inputs.set(node, this.samples.of(model.idOf(node), shape).values);
    }
    return inputs;
  }

  private moved(name: VariantName, model: Model, inputs: ReadonlyMap<number, Values>): ReadonlyMap<number, Values> {
    const by = this.shift;
    if (name !== "shifted" || !by) return inputs;
    return new Map(
      [...inputs].map(([node, values]) => {
        const known = this.shifted.get(values);
        if (known?.by === by) return [node, known.values];
        const { layout } = model.shapeOf({ node, output: 0 })!;
        const made = moved(values, layout, by.dx, by.dy);
        this.shifted.set(values, { by, values: made });
        return [node, made];
      }),
    );
  }

  /** Says to a new page how the runs went, or how far they have come. */
  sayAgain(): void {
    for (const events of this.log.values()) for (const event of events) this.host.post(event);
  }

  private say(event: RunEvent): void {
    this.log.get(event.variant)?.push(event);
    this.host.post(event);
  }

  /** Runs, from now on, what is missing; ends what runs. */
  restart(): void {
    this.epoch++;
    this.working ??= this.work().finally(() => {
      this.working = null;
    });
  }

  /** Ends what runs; the rest is not computed until something changes. */
  cancel(): void {
    this.epoch++;
    this.isCancelled = true;
  }

  private isCancelled = false;

  /** Allows the work that is waiting. */
  allow(): void {
    const plain = this.variants.get("plain");
    if (!plain || !this.model) return;
    const { macs, bytes } = this.amountOf(wholePlan(plain.network, plain.inputs, this.wanted(this.model, "plain")));
    this.allowed = { macs: Math.max(this.allowed.macs, macs), bytes: Math.max(this.allowed.bytes, bytes) };
    this.renew(this.model);
  }

  private async work(): Promise<void> {
    for (let epoch = -1; epoch !== this.epoch; ) {
      epoch = this.epoch;
      this.isCancelled = false;
      try {
        await this.host.pause();
        if (epoch === this.epoch) await this.runAll(epoch);
      } catch (error) {
        this.host.post({ kind: "crashed", message: String(error instanceof Error ? error.stack : error) });
        return;
      }
      if (this.isCancelled) return;
    }
  }

  private async runAll(epoch: number): Promise<void> {
    for (const name of VARIANTS) {
      if (!this.variants.has(name)) continue;
      if (!(await this.runVariant(name, epoch))) return;
      this.audience.finished(name);
    }
    const blocked = this.model?.sized === null ? this.model.firstBlocked : null;
    if (blocked) {
      const { id: node, why: message } = blocked;
      this.say({ kind: "ended", variant: "plain", how: "stopped", node, message, milliseconds: 0 });
    }
  }

  /** Runs one variant to its end; false where it was ended or waits. */
  private async runVariant(name: VariantName, epoch: number): Promise<boolean> {
    const began = this.host.now();
    this.log.set(name, []);
    const ended = (how: "done" | "cancelled" | "stopped", node: string | null, message: string | null) =>
      this.say({ kind: "ended", variant: name, how, node, message, milliseconds: this.host.now() - began });
    this.sayReused(name);
    this.audience.progressed(name);
    for (;;) {
      const model = this.model!;
      try {
        const outcome = await this.steps(name, model, this.variants.get(name)!, epoch);
        if (outcome === "waits") return false;
        if (outcome === "ended") {
          ended("cancelled", null, null);
          return false;
        }
        const blocked = model.firstBlocked;
        ended(blocked ? "stopped" : "done", blocked?.id ?? null, blocked?.why ?? null);
        return true;
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        if (epoch !== this.epoch || error.problem === "cancelled") {
          ended("cancelled", null, null);
          return false;
        }
        if (error.node === undefined || model.blocked.has(error.node)) {
          ended("stopped", null, `The model is not run: ${error.message}.`);
          return false;
        }
        // What does not depend on it runs.
        model.fail(error.node, error.message);
        this.audience.redrawn();
      }
    }
  }

  private async steps(
    name: VariantName,
    model: Model,
    variant: Variant,
    epoch: number,
  ): Promise<"done" | "ended" | "waits"> {
    const { host } = this;
    const wanted = this.wanted(model, name);
    if (variant.missing(wanted).length === 0) return "done";
    // Without what is there already, so that no weight is made before it is known what all of them take.
    const whole = this.amountOf(wholePlan(variant.network, variant.inputs, wanted));
    if (!this.isAllowed(whole)) {
      this.say({ kind: "asking", variant: name, amount: whole, message: askingText(whole, this.budget) });
      return "waits";
    }
    const signal = {
      get aborted() {
        return host.isInterrupted();
      },
    };
    const run = variant.run(this.backendFor(name), wanted, signal, LARGEST_RUN);
    const steps = run.plan.steps.length;
    this.say({ kind: "started", variant: name, steps, amount: this.amountOf(run.plan) });
    const iterator = run[Symbol.iterator]();
    let [rested, computed, spent] = [host.now(), 0, 0];
    for (;;) {
      const start = host.now();
      const next = iterator.next();
      const milliseconds = host.now() - start;
      if (next.done) break;
      const { step, index, values } = next.value;
      for (const each of values) variant.keep(each.ref, each.values);
      computed += step.macs;
      spent += milliseconds;
      this.say({
        kind: "progress",
        variant: name,
        nodes: step.nodes.map((node) => model.idOf(node)),
        index,
        steps,
        milliseconds,
        macs: step.macs,
        bytes: step.bytes,
        reused: step.given,
      });
      this.audience.progressed(name);
      if (host.now() - rested < SLICE_MS) continue;
      await host.pause();
      rested = host.now();
      if (epoch !== this.epoch) {
        iterator.return();
        return "ended";
      }
    }
    if (computed > 1e7 && spent > 0) this.speed = (1000 * computed) / spent;
    return "done";
  }

  private backendFor(name: VariantName) {
    return name === "flipped" ? convolving(this.host.backend) : this.host.backend;
  }

  /** The layer outputs that are kept, and what is looked at. */
  private wanted(model: Model, name: VariantName): readonly Ref[] {
    const tensor = this.audience.lookedAt(name);
    const ref = tensor && tensor.weight === undefined ? model.refOf(tensor) : null;
    const isRunnable = ref && !model.blocked.has(ref.node) && model.shapeOf(ref);
    return [...kept(model), ...(isRunnable ? [ref] : [])];
  }

  private amountOf({ macs, peakBytes, weightBytes }: Plan): Amount {
    return { macs, bytes: peakBytes + weightBytes, seconds: macs / this.speed };
  }

  private isAllowed({ macs, bytes }: Work): boolean {
    const { budget, allowed } = this;
    return macs <= Math.max(budget.macs, allowed.macs) && bytes <= Math.max(budget.bytes, allowed.bytes);
  }

  /** Layers whose outputs are there from before. */
  private sayReused(name: VariantName): void {
    const nodes = this.variants.get(name)!.nodes.map((node) => this.model!.idOf(node));
    if (nodes.length === 0) return;
    const nothing = { index: 0, steps: 0, milliseconds: 0, macs: 0, bytes: 0 };
    this.say({ kind: "progress", variant: name, nodes, ...nothing, reused: true });
  }

  /**
   * Computes outputs that are not kept, once the run has come to its end, and gives the variant that has them.
   * @throws Refusal where they cannot be computed, or not without being allowed.
   */
  async obtain(name: VariantName, refs: readonly Ref[]): Promise<Variant> {
    const isThere = () => this.variants.get(name)?.missing(refs).length === 0;
    if (this.working && !isThere()) await this.working;
    const { model, epoch } = this;
    const variant = this.variants.get(name);
    if (!model || !variant) throw new Refusal("This has not been run.");
    const why = refs.map(({ node }) => model.blocked.get(node)).find((each) => each !== undefined);
    if (why !== undefined) throw new Refusal(why);
    if (isThere()) return variant;
    if (!this.isAllowed(this.amountOf(wholePlan(variant.network, variant.inputs, refs)))) {
      throw new Refusal("This has not been run: it takes more than the budget.");
    }
    for (const { values } of variant.run(this.backendFor(name), refs, { aborted: false }, LARGEST_RUN)) {
      for (const each of values) variant.keep(each.ref, each.values);
      await this.host.pause();
      if (epoch !== this.epoch) throw new Refusal("The model has changed meanwhile.");
    }
    return variant;
  }
}

/** A run that finds nothing computed. */
function wholePlan(network: Network, inputs: ReadonlyMap<number, Values>, wanted: readonly Ref[]): Plan {
  return network.plan({ wanted, inputs });
}

/** The outputs of the file's own layers that are kept: the smallest first, as many as there is room for. */
function kept(model: Model): readonly Ref[] {
  const outputs = model.layerOutputs;
  let bytes = 0;
  const fitting = new Set(
    outputs
      .toSorted((a, b) => model.bytesOf(a) - model.bytesOf(b))
      .filter((ref) => {
        bytes += model.bytesOf(ref);
        return bytes <= KEPT_BYTES;
      }),
  );
  return outputs.filter((ref) => fitting.has(ref));
}

/** Weights of layers that do not run. */
function blockedWeights(model: Model): ReadonlySet<string> {
  const { graph, report } = model.sized!;
  const names = [...model.blocked.keys()].flatMap((node) =>
    (report.nodes[node]!.inference?.weights ?? []).map(({ name }) => `${graph.nodes[node]!.scope}.${name}`),
  );
  return new Set(names);
}

/** A single tensor that is too large is its layer's own failure: what comes before it runs. */
function refuseTooLarge(model: Model): void {
  const { graph, report } = model.sized!;
  for (const { id } of graph.nodes) {
    if (model.blocked.has(id)) continue;
    const { outputs, inference } = report.nodes[id]!;
    const weights = (inference?.weights ?? []).map(({ dims }) =>
      dims.reduce<number>((bytes, dim) => bytes * Number(dim), 4),
    );
    const most = Math.max(0, ...outputs.map((_, output) => model.bytesOf({ node: id, output })), ...weights);
    if (most <= LARGEST_TENSOR) continue;
    const limit = bytesText(LARGEST_TENSOR);
    model.fail(id, `one of its tensors takes ${bytesText(most)}; at most ${limit} can be computed with`);
  }
}

function askingText({ macs, bytes, seconds }: Amount, budget: Work): string {
  const billions = (count: number) => `${(count / 1e9).toFixed(count < 1e10 ? 1 : 0)} billion`;
  const time = seconds < 90 ? `${Math.max(1, Math.round(seconds))} seconds` : `${Math.round(seconds / 60)} minutes`;
  return (
    `This run takes ${billions(macs)} multiply-accumulates and ${bytesText(bytes)} of memory, about ${time}. ` +
    `The budget is ${billions(budget.macs)} and ${bytesText(budget.bytes)}.`
  );
}
