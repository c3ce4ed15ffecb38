/**
 * The preview's worker, apart from how messages reach it: holds the text's model, runs it step by step, and answers what the
 * page asks about its tensors. Between steps it lets messages in; a message that changes something starts the run anew from
 * the first layer that changed.
 */
import type { Node, Ref } from "#shared/graph/graph.ts";
import { keyOf } from "#shared/graph/plan.ts";
import { LARGEST_RUN, Network } from "#shared/graph/run.ts";
import type { Backend } from "#shared/kernels/backend.ts";
import { EngineError, LARGEST_TENSOR, type Values } from "#shared/kernels/values.ts";
import { explain, type Question, spreadOf } from "#shared/preview/explain.ts";
import { type Noted, note } from "#shared/preview/note.ts";
import { Planes } from "#shared/preview/planes.ts";
import type {
  Amount,
  Answer,
  NamedBytes,
  PanelRequest,
  Request,
  TensorRef,
  Variant as VariantName,
  WorkerEvent,
} from "#shared/preview/protocol.ts";
import { moved } from "#shared/preview/samples.ts";
import { seenBy } from "#shared/preview/seen.ts";
import { compareShifted } from "#shared/preview/shift.ts";
import { seriesOf, tilesOf } from "#shared/preview/tiles.ts";
import { bytesText } from "./diagram.ts";
import { exported } from "./exports.ts";
import { Model, type Text } from "./model.ts";
import { type SampleSource, Samples, WeightSource } from "./sources.ts";
import { convolving, Variant } from "./variant.ts";

/** What the session stands on. */
export interface Host {
  /** `transfer`: buffers that are given away. */
  post(event: WorkerEvent, transfer?: readonly ArrayBuffer[]): void;
  /** Resolves once waiting messages have been received. */
  pause(): Promise<void>;
  /** Milliseconds from any moment on. */
  now(): number;
  /** Whether messages wait that may end what is being computed; polled in the middle of steps. */
  isInterrupted(): boolean;
  readonly backend: Backend;
}

/** A request that was answered with words in place of an answer. */
class Refusal extends Error {}

/** Bytes of layer outputs that are kept; of what does not fit, the largest are computed again when looked at. */
const KEPT_BYTES = 2 ** 29;
/** How long steps go on before messages are let in, in milliseconds. */
const SLICE_MS = 8;
/** Multiply-accumulates per second, before any have been measured. */
const FIRST_SPEED = 5e8;

const VARIANTS = ["plain", "flipped", "shifted"] as const;

interface Shown {
  readonly id: number;
  readonly tensor: TensorRef;
  /** What the page was last told of. */
  told: Values | null;
}

export class Session {
  private text: Text | null = null;
  private model: Model | null = null;
  private readonly sizes = new Map<string, number>();
  private readonly samples = new Samples();
  private readonly weights = new WeightSource();
  private readonly variants = new Map<VariantName, Variant>();
  private readonly shown = new Map<VariantName, Shown>();
  private shift: { readonly id: number; readonly dx: number; readonly dy: number } | null = null;
  private flipped = false;
  private budget: Pick<Amount, "macs" | "bytes"> = { macs: 2e10, bytes: 2 ** 31 };
  /** What the user allowed, above the budget. */
  private allowed: Pick<Amount, "macs" | "bytes"> = { macs: 0, bytes: 0 };
  /** Rises whenever what runs is out of date. */
  private epoch = 0;
  private working: Promise<void> | null = null;
  private speed = FIRST_SPEED;
  private readonly noted = new WeakMap<Values, Noted>();
  private readonly bounds = new WeakMap<Values, readonly [number, number] | null>();

  constructor(private readonly host: Host) {}

  /** Takes a message; whatever goes wrong is answered. */
  receive(message: Request | PanelRequest): void {
    if (!("id" in message)) {
      this.told(message);
      return;
    }
    const { id } = message;
    this.asked(message).then(
      (answer) => answer && this.answer(id, answer.answer, answer.transfer),
      (error) => {
        if (error instanceof Refusal || error instanceof EngineError) {
          this.answer(id, { kind: "refused", message: error.message });
        } else this.host.post({ kind: "crashed", message: String(error instanceof Error ? error.stack : error) });
      },
    );
  }

  private answer(id: number, answer: Unnumbered, transfer: readonly ArrayBuffer[] = []): void {
    this.host.post({ ...answer, id } as Answer, transfer);
  }

  // ---- what the panel says ----

  private told(message: PanelRequest): void {
    switch (message.kind) {
      case "hello":
        this.shown.clear();
        this.sayAgain();
        return;
      case "text":
        this.text = message;
        this.renew();
        return;
      case "budget":
        this.budget = message;
        this.restart();
        return;
      case "cursor": {
        const node = this.model?.at(message.offset);
        if (node) this.host.post({ kind: "focus", node });
        return;
      }
      case "weightFiles":
        this.useWeightFiles(message.files);
        return;
      case "sampleFile":
        this.useSampleFile(message.input, message.file);
    }
  }

  private sayAgain(): void {
    if (this.text) this.sayModel();
    if (!this.model) return;
    this.saySamples();
    this.restart();
  }

  private sayModel(): void {
    const { model } = this;
    if (model) this.host.post({ kind: "diagram", version: model.version, diagram: model.diagram });
    else {
      const message = "This file is no model that ConvLint reads.";
      this.host.post({ kind: "noModel", version: this.text!.version, message });
    }
  }

  // ---- the model ----

  /** Makes the model of the text as it is now, and runs it. */
  private renew(): void {
    this.epoch++;
    this.model = this.text && Model.of(this.text, this.sizes);
    this.renewVariants();
    this.sayModel();
    this.saySamples();
    this.restart();
  }

  /** Gives every variant the model, the samples and the weights as they are now. */
  private renewVariants(): void {
    const { model } = this;
    if (!model?.sized) {
      this.variants.clear();
      return;
    }
    this.refuseTooLarge(model);
    const network = new Network(model.sized, this.weights);
    const inputs = this.inputValues(model);
    const own = new Set(this.kept(model).map(keyOf));
    for (const name of VARIANTS) {
      const before = this.variants.get(name) ?? null;
      if (!this.isOn(name)) this.variants.delete(name);
      else this.variants.set(name, new Variant(network, this.inputsFor(name, inputs, before), before, own));
    }
    this.weights.keepOnly(network);
  }

  private isOn(name: VariantName): boolean {
    return name === "plain" || (name === "flipped" ? this.flipped : this.shift !== null);
  }

  /** A single tensor that cannot be is the layer's own failure: what comes before it runs. */
  private refuseTooLarge(model: Model): void {
    const { graph, report } = model.sized!;
    for (const node of graph.nodes) {
      if (model.blocked.has(node.id)) continue;
      const outputs = report.nodes[node.id]!.outputs.map((_, output) => model.bytesOf({ node: node.id, output }));
      const weights = (report.nodes[node.id]!.inference?.weights ?? []).map(
        ({ dims }) => 4 * dims.reduce<number>((count, dim) => count * Number(dim), 1),
      );
      const most = Math.max(0, ...outputs, ...weights);
      if (most <= LARGEST_TENSOR) continue;
      const limit = bytesText(LARGEST_TENSOR);
      model.fail(node.id, `one of its tensors takes ${bytesText(most)}; at most ${limit} can be computed with`);
    }
  }

  private inputValues(model: Model): ReadonlyMap<number, Values> {
    const inputs = new Map<number, Values>();
    for (const node of model.analysis.graph.inputs) {
      const shape = model.shapeOf({ node, output: 0 });
      if (shape && !model.blocked.has(node)) inputs.set(node, this.samples.of(model.idOf(node), shape).values);
    }
    return inputs;
  }

  private inputsFor(
    name: VariantName,
    inputs: ReadonlyMap<number, Values>,
    before: Variant | null,
  ): ReadonlyMap<number, Values> {
    if (name !== "shifted" || !this.shift) return inputs;
    const { dx, dy } = this.shift;
    const plain = this.variants.get("plain");
    return new Map(
      [...inputs].map(([node, values]) => {
        const { layout } = this.model!.shapeOf({ node, output: 0 })!;
        const same = before && this.shiftedBy === `${dx} ${dy}` && plain?.inputs.get(node) === values;
        return [node, (same && before.inputs.get(node)) || moved(values, layout, dx, dy)];
      }),
    );
  }

  /** By how much the inputs of the variant `shifted` have been moved. */
  private shiftedBy = "";

  private saySamples(): void {
    const { model } = this;
    for (const node of model?.analysis.graph.inputs ?? []) {
      const shape = model!.shapeOf({ node, output: 0 });
      if (!shape || model!.blocked.has(node)) continue;
      const input = model!.idOf(node);
      const { text, problem, source } = this.samples.of(input, shape);
      const name = source.kind === "picture" ? source.picture.name : source.name;
      this.host.post({ kind: "sample", report: { input, text, problem }, sample: { name } });
    }
  }

  // ---- runs ----

  /** Runs, from now on, what is missing of all variants; ends what runs. */
  private restart(): void {
    this.epoch++;
    this.working ??= this.work().finally(() => {
      this.working = null;
    });
  }

  private async work(): Promise<void> {
    for (let epoch = -1; epoch !== this.epoch; ) {
      epoch = this.epoch;
      try {
        await this.host.pause();
        if (epoch === this.epoch) await this.runAll(epoch);
      } catch (error) {
        this.host.post({ kind: "crashed", message: String(error instanceof Error ? error.stack : error) });
        return;
      }
    }
  }

  private async runAll(epoch: number): Promise<void> {
    for (const name of VARIANTS) {
      if (!this.variants.has(name)) continue;
      if (!(await this.runVariant(name, epoch))) return;
      if (name === "shifted") this.sayShift();
    }
    if (this.model?.sized === null && this.model.firstBlocked) {
      const { id, why } = this.model.firstBlocked;
      this.host.post({ kind: "ended", variant: "plain", how: "stopped", node: id, message: why, milliseconds: 0 });
    }
  }

  /** The layer outputs that are kept, and what is shown. */
  private wanted(model: Model, name: VariantName): readonly Ref[] {
    const shown = this.shown.get(name);
    const ref = shown && shown.tensor.weight === undefined ? model.refOf(shown.tensor) : null;
    return [...this.kept(model), ...(ref && !model.blocked.has(ref.node) && model.shapeOf(ref) ? [ref] : [])];
  }

  private kept(model: Model): readonly Ref[] {
    let bytes = 0;
    const sorted = [...model.layerOutputs].sort((a, b) => model.bytesOf(a) - model.bytesOf(b));
    const fitting = new Set(
      sorted.filter((ref) => {
        bytes += model.bytesOf(ref);
        return bytes <= KEPT_BYTES;
      }),
    );
    return model.layerOutputs.filter((ref) => fitting.has(ref));
  }

  /** Runs one variant to its end; false where it was ended or waits. */
  private async runVariant(name: VariantName, epoch: number): Promise<boolean> {
    const began = this.host.now();
    const ended = (how: "done" | "cancelled" | "stopped", node: string | null, message: string | null) =>
      this.host.post({ kind: "ended", variant: name, how, node, message, milliseconds: this.host.now() - began });
    this.sayReused(name);
    this.sayShown(name);
    for (;;) {
      const model = this.model!;
      const variant = this.variants.get(name)!;
      try {
        const outcome = await this.steps(name, model, variant, epoch);
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
        this.sayModel();
      }
    }
  }

  private async steps(
    name: VariantName,
    model: Model,
    variant: Variant,
    epoch: number,
  ): Promise<"done" | "ended" | "waits"> {
    const wanted = this.wanted(model, name);
    if (variant.missing(wanted).length === 0) return "done";
    const { network } = variant;
    const { host } = this;
    // Without what is there already, so that no weight is made before it is known what all of them take.
    const whole = network.sized && planOf(variant, wanted);
    const amount = this.amountOf(whole);
    if (!this.isAllowed(amount)) {
      host.post({ kind: "asking", variant: name, amount, message: askingText(amount, this.budget) });
      return "waits";
    }
    const backend = name === "flipped" ? convolving(host.backend) : host.backend;
    const signal = {
      get aborted() {
        return host.isInterrupted();
      },
    };
    const run = variant.run(backend, wanted, signal, LARGEST_RUN);
    const steps = run.plan.steps.length;
    host.post({ kind: "started", variant: name, steps, amount: this.amountOf(run.plan) });
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
      const nodes = step.nodes.map((node) => model.idOf(node));
      host.post({
        kind: "progress",
        variant: name,
        nodes,
        index,
        steps,
        milliseconds,
        macs: step.macs,
        bytes: step.bytes,
        reused: step.given,
      });
      this.sayShown(name);
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

  private amountOf({ macs, peakBytes, weightBytes }: { macs: number; peakBytes: number; weightBytes: number }): Amount {
    return { macs, bytes: peakBytes + weightBytes, seconds: macs / this.speed };
  }

  private isAllowed({ macs, bytes }: Amount): boolean {
    return (
      macs <= Math.max(this.budget.macs, this.allowed.macs) && bytes <= Math.max(this.budget.bytes, this.allowed.bytes)
    );
  }

  /** Layers whose outputs are there from before. */
  private sayReused(name: VariantName): void {
    const { nodes } = this.variants.get(name)!;
    if (nodes.length === 0) return;
    this.host.post({
      kind: "progress",
      variant: name,
      nodes: nodes.map((node) => this.model!.idOf(node)),
      index: 0,
      steps: 0,
      milliseconds: 0,
      macs: 0,
      bytes: 0,
      reused: true,
    });
  }

  // ---- what the page asks ----

  private async asked(request: Request): Promise<Answered | null> {
    switch (request.kind) {
      case "show":
        return this.show(request.id, request.tensor);
      case "tiles": {
        const planes = await this.planesOf(request.tensor);
        const bounds = this.boundsOf(planes);
        const palette = request.palette === "auto" ? paletteFor(bounds) : request.palette;
        const { rgba, ranges, ...rest } = tilesOf(planes, { ...request, palette }, bounds);
        const name = palette === "picture" ? "grey" : palette;
        return {
          answer: { kind: "tiles", tensor: request.tensor, ...rest, rgba: rgba.buffer, ranges, palette: name },
          transfer: [rgba.buffer, ranges.buffer],
        };
      }
      case "series": {
        const { values, ...rest } = seriesOf(await this.planesOf(request.tensor), request);
        return { answer: { kind: "series", tensor: request.tensor, ...rest, values }, transfer: [values.buffer] };
      }
      case "value": {
        const { tensor, place } = request;
        const planes = this.placed(await this.planesOf(tensor), place);
        const index = planes.indexOf(place);
        return {
          answer: { kind: "value", tensor, place, value: planes.at(place), index, text: `[${index.join(", ")}]` },
        };
      }
      case "explain":
        return this.explanation(request.tensor, request.place);
      case "spread":
        return this.spread(request.tensor, request.place, request.plane);
      case "export":
        return this.export(request);
      default:
        return this.command(request);
    }
  }

  /** Requests that change something. */
  private async command(request: Request): Promise<Answered | null> {
    switch (request.kind) {
      case "shift": {
        const { id, dx, dy } = request;
        if (![dx, dy].every(Number.isSafeInteger)) throw new Refusal("A sample is moved by whole cells.");
        this.shift = dx === 0 && dy === 0 ? null : { id, dx, dy };
        if (!this.shift) this.answer(id, { kind: "shift", dx, dy, layers: [] });
        this.renewVariants();
        this.shiftedBy = this.shift ? `${dx} ${dy}` : "";
        this.restart();
        return null;
      }
      case "flip":
        this.flipped = request.on;
        this.renewVariants();
        this.restart();
        return DONE;
      case "sample":
        this.useSample(
          request.input,
          request.sample.kind === "generated"
            ? request.sample
            : { kind: "picture", picture: { ...request.sample, rgba: new Uint8ClampedArray(request.sample.rgba) } },
        );
        return DONE;
      case "sizes":
        for (const [name, size] of Object.entries(request.sizes)) {
          if (size === null) this.sizes.delete(name);
          else if (Number.isSafeInteger(size) && size > 0 && size <= 2 ** 20) this.sizes.set(name, size);
          else throw new Refusal(`${name} = ${size} is no size: it must be a whole number from 1 to ${2 ** 20}.`);
        }
        this.renew();
        return DONE;
      case "seed":
        if (!Number.isSafeInteger(request.seed)) throw new Refusal("A seed is a whole number.");
        this.weights.seed = request.seed;
        this.renewVariants();
        this.restart();
        return DONE;
      case "kernel":
        this.useKernel(request.node, request.name);
        return DONE;
      case "proceed":
        this.allow();
        return DONE;
      case "cancel":
        this.epoch++;
        return DONE;
      default:
        throw new Refusal("The preview does not know this request.");
    }
  }

  private allow(): void {
    const plain = this.variants.get("plain");
    if (!plain || !this.model) return;
    const { macs, bytes } = this.amountOf(planOf(plain, this.wanted(this.model, "plain")));
    this.allowed = { macs: Math.max(this.allowed.macs, macs), bytes: Math.max(this.allowed.bytes, bytes) };
    this.restart();
  }

  private useSample(input: string | null, source: SampleSource): void {
    const id = input ?? this.model?.diagram.inputs[0];
    if (!id || !this.model?.diagram.inputs.includes(id)) throw new Refusal("The model has no such input.");
    this.samples.choose(id, source);
    this.renewVariants();
    this.saySamples();
    this.restart();
  }

  private useSampleFile(input: string | null, { name, bytes }: NamedBytes): void {
    void input;
    void name;
    void bytes;
  }

  private useWeightFiles(files: readonly NamedBytes[]): void {
    void files;
  }

  private useKernel(id: string, name: Parameters<WeightSource["useKernel"]>[1]): void {
    const number = this.model?.nodeOf(id) ?? null;
    const node = number === null ? null : this.model!.analysis.graph.nodes[number]!;
    const kernel = node && this.plain.network.specsOf(node).find(({ dims }) => dims.length > 2);
    if (!node || !kernel) throw new Refusal("This layer has no kernels.");
    this.weights.useKernel(`${node.scope}.${kernel.name}`, name);
    this.renewVariants();
    this.restart();
  }

  // ---- tensors ----

  private get plain(): Variant {
    const variant = this.variants.get("plain");
    if (!variant) throw new Refusal("There is no model that runs.");
    return variant;
  }

  private show(id: number, tensor: TensorRef): Answered | null {
    const shown: Shown = { id, tensor, told: null };
    this.shown.set(tensor.variant, shown);
    if (this.model && this.variants.has(tensor.variant) && tensor.weight === undefined) {
      const ref = this.model.refOf(tensor);
      if (!ref) throw new Refusal("There is no such layer.");
      const why = this.model.blocked.get(ref.node);
      if (why !== undefined) return { answer: { kind: "waiting", tensor, message: why } };
    }
    this.sayShown(tensor.variant);
    if (shown.told) return null;
    // What is not kept is computed for being looked at.
    this.restart();
    return { answer: { kind: "waiting", tensor, message: "not computed yet" } };
  }

  /** Tells the page of what it looks at, where that is new. */
  private sayShown(name: VariantName): void {
    const shown = this.shown.get(name);
    if (!shown) return;
    const found = this.lookUp(shown.tensor);
    if (!found || found.planes.values === shown.told) return;
    shown.told = found.planes.values;
    const { planes, size } = found;
    const statistics = planes.statistics();
    const { tensor, id } = shown;
    const signed = (statistics.min ?? 0) < 0 && (statistics.max ?? 0) > 0;
    this.answer(id, { kind: "maps", tensor, size, axes: planes.axisNames, layout: planes.layout, statistics, signed });
  }

  /** A tensor that is there; null where it is not. */
  private lookUp(tensor: TensorRef): { planes: Planes; size: { text: string; dims: readonly number[] } } | null {
    const { model } = this;
    const variant = this.variants.get(tensor.variant);
    const ref = model?.refOf(tensor);
    if (!model || !variant || !ref) return null;
    if (tensor.weight !== undefined) {
      const values = this.weightOf(variant, model.analysis.graph.nodes[ref.node]!, tensor.weight);
      if (!values) return null;
      return { planes: Planes.ofWeight(values), size: { text: `[${values.dims.join(", ")}]`, dims: values.dims } };
    }
    const values = variant.valuesOf(ref);
    const shape = model.shapeOf(ref);
    if (!values || !shape) return null;
    const text = model.analysis.dialect.words.shape(model.analysis.report.nodes[ref.node]!.outputs[ref.output]!);
    return { planes: Planes.of(values, shape.layout), size: { text, dims: shape.dims } };
  }

  private weightOf({ network }: Variant, node: Node, name: string): Values | null {
    const spec = network.specsOf(node).find((each) => each.name === name);
    return spec && spec.dims.every((dim) => typeof dim === "number") ? network.weight(node, name) : null;
  }

  private async planesOf(tensor: TensorRef): Promise<Planes> {
    const found = this.lookUp(tensor) ?? (await this.computed(tensor));
    return found.planes;
  }

  private async computed(tensor: TensorRef) {
    const ref = this.model?.refOf(tensor);
    if (!ref) throw new Refusal("There is no such layer.");
    await this.obtain(tensor.variant, [ref]);
    const found = this.lookUp(tensor);
    if (!found) throw new Refusal("There is no such tensor.");
    return found;
  }

  /** Computes tensors that are not kept, once the run has come to its end. */
  private async obtain(name: VariantName, refs: readonly Ref[]): Promise<Variant> {
    if (this.working && (this.variants.get(name)?.missing(refs).length ?? 1) > 0) await this.working;
    const { model, epoch } = this;
    const variant = this.variants.get(name);
    if (!model || !variant) throw new Refusal("This has not been run.");
    const blocked = refs.map(({ node }) => model.blocked.get(node)).find((why) => why !== undefined);
    if (blocked !== undefined) throw new Refusal(blocked);
    if (variant.missing(refs).length === 0) return variant;
    const amount = this.amountOf(planOf(variant, refs));
    if (!this.isAllowed(amount)) throw new Refusal("The run waits for your word, or was cancelled.");
    const backend = name === "flipped" ? convolving(this.host.backend) : this.host.backend;
    for (const { values } of variant.run(backend, refs, { aborted: false }, LARGEST_RUN)) {
      for (const each of values) variant.keep(each.ref, each.values);
      await this.host.pause();
      if (epoch !== this.epoch) throw new Refusal("The model has changed meanwhile.");
    }
    return variant;
  }

  private boundsOf(planes: Planes): readonly [number, number] | null {
    const known = this.bounds.get(planes.values);
    if (known !== undefined) return known;
    const bounds = planes.bounds(null);
    this.bounds.set(planes.values, bounds);
    return bounds;
  }

  private placed(planes: Planes, place: Parameters<Planes["has"]>[0]): Planes {
    if (!planes.has(place)) throw new Refusal("The tensor has no such place.");
    return planes;
  }

  // ---- one value ----

  private async question(tensor: TensorRef, place: Question["place"]): Promise<Question & { readonly ref: Ref }> {
    const ref = this.model?.refOf(tensor);
    if (!ref || tensor.weight !== undefined) throw new Refusal("There is no such output.");
    const node = this.model!.sized?.graph.nodes[ref.node];
    if (!node) throw new Refusal("The model has no sizes.");
    const sources = node.inputs.filter((each) => each !== null);
    const { network, ...variant } = {
      network: this.plain.network,
      ready: await this.obtain(tensor.variant, [ref, ...sources]),
    };
    const values = variant.ready.valuesOf(ref)!;
    const inputs = sources.map((each) => variant.ready.valuesOf(each)!);
    const noted = this.noted.get(values) ?? note(network, node, inputs, tensor.variant === "flipped");
    this.noted.set(values, noted);
    const output = Planes.of(values, this.model!.shapeOf(ref)!.layout);
    return { network, node, inputs, noted, output, place, ref };
  }

  private async explanation(tensor: TensorRef, place: Question["place"]): Promise<Answered> {
    const question = await this.question(tensor, place);
    this.placed(question.output, place);
    const { source, ...rest } = explain(question);
    const { model } = this;
    const field = seenBy(question.network, question.ref.node, place).map(({ input, ...box }) => ({
      ...box,
      input: model!.idOf(input),
    }));
    const explanation = {
      ...rest,
      node: tensor.node,
      output: tensor.output,
      source: source && {
        node: model!.idOf(source.ref.node),
        output: source.ref.output,
        variant: tensor.variant,
        from: source.from,
        count: source.count,
      },
      field,
    };
    return { answer: { kind: "explanation", explanation } };
  }

  private async spread(tensor: TensorRef, place: Question["place"], plane: number): Promise<Answered> {
    const nowhere = { plane: 0, z: 0, y: 0, x: 0 };
    const question = await this.question(tensor, nowhere);
    const from = question.node.inputs[0]!;
    const shape = this.model!.shapeOf(from)!;
    const input = this.placed(Planes.of(question.inputs[0]!, shape.layout), place);
    if (!Number.isSafeInteger(plane)) throw new Refusal("The tensor has no such plane.");
    const source = { node: this.model!.idOf(from.node), output: from.output, variant: tensor.variant };
    return {
      answer: { kind: "spread", spread: { ...spreadOf(question, input, place, plane), node: tensor.node, source } },
    };
  }

  // ---- experiments and files ----

  private sayShift(): void {
    const { shift, model } = this;
    const [before, after] = [this.variants.get("plain"), this.variants.get("shifted")];
    if (!shift || !model || !before || !after) return;
    const [input] = model.analysis.graph.inputs;
    const shape = input === undefined ? null : model.shapeOf({ node: input, output: 0 });
    if (!shape) return;
    const sizes = Planes.of(before.inputs.get(input!)!, shape.layout).axes.map(({ size }) => size);
    const layers = model.layerOutputs.flatMap((ref) => {
      const [was, is] = [before.valuesOf(ref), after.valuesOf(ref)];
      if (!was || !is) return [];
      const { field } = model.sized!.report.nodes[ref.node]!;
      const { layout } = model.shapeOf(ref)!;
      return [{ node: model.idOf(ref.node), ...compareShifted(was, is, layout, field, sizes, shift) }];
    });
    this.answer(shift.id, { kind: "shift", dx: shift.dx, dy: shift.dy, layers });
  }

  private async export(request: Extract<Request, { kind: "export" }>): Promise<Answered> {
    const { model } = this;
    if (!model) throw new Refusal("There is no model.");
    const planes = request.tensor ? await this.planesOf(request.tensor) : null;
    const bounds = planes && this.boundsOf(planes);
    const palette = request.palette === "auto" ? paletteFor(bounds) : request.palette;
    const { name, bytes } = exported(request.what, {
      analysis: model.analysis,
      tensor: request.tensor,
      planes,
      bounds,
      palette,
      scale: request.scale,
    });
    const { buffer } = bytes;
    return { answer: { kind: "file", name, bytes: buffer }, transfer: [buffer] };
  }
}

type Unnumbered = Answer extends infer Each ? (Each extends Answer ? Omit<Each, "id"> : never) : never;

interface Answered {
  readonly answer: Unnumbered;
  readonly transfer?: readonly ArrayBuffer[];
}

const DONE: Answered = { answer: { kind: "done" } };

function planOf({ network, inputs }: Variant, wanted: readonly Ref[]) {
  return network.plan({ wanted, inputs });
}

/** Diverging where there are both signs. */
function paletteFor(bounds: readonly [number, number] | null) {
  return bounds && bounds[0] < 0 && bounds[1] > 0 ? "diverging" : "viridis";
}

function askingText({ macs, bytes, seconds }: Amount, budget: Pick<Amount, "macs" | "bytes">): string {
  const billions = (count: number) => `${(count / 1e9).toFixed(count < 1e10 ? 1 : 0)} billion`;
  const time = seconds < 90 ? `${Math.max(1, Math.round(seconds))} seconds` : `${Math.round(seconds / 60)} minutes`;
  return (
    `This run takes ${billions(macs)} multiply-accumulates and ${bytesText(bytes)} of memory, about ${time}. ` +
    `The budget is ${billions(budget.macs)} and ${bytesText(budget.bytes)}.`
  );
}
