/**
 * The preview's worker, apart from how messages reach it: holds the text's model, and hands on what is asked: runs to
 * `runs.ts`, tensors to `tensors.ts`.
 */
import { EngineError, type Values } from "#shared/kernels/values.ts";
import { Planes } from "#shared/preview/planes.ts";
import type {
  Answer,
  KernelName,
  NamedBytes,
  PanelRequest,
  Request,
  Sample,
  TensorRef,
  Variant,
} from "#shared/preview/protocol.ts";
import { MOST_PICTURE_PIXELS } from "#shared/preview/samples.ts";
import { compareShifted } from "#shared/preview/shift.ts";
import { WeightFileError } from "#shared/weights/bytes.ts";
import { readNpy } from "#shared/weights/npy.ts";
import { type Answered, DONE, type Host, Refusal, type Unnumbered } from "./host.ts";
import { Model, type Text } from "./model.ts";
import { Runs } from "./runs.ts";
import { type SampleSource, Samples } from "./samples.ts";
import { Tensors } from "./tensors.ts";
import { WeightSource } from "./weights.ts";

/** A size that a user may give to a symbol. */
const LARGEST_SIZE = 2 ** 20;

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
  private readonly runs: Runs;
  private readonly tensors: Tensors;
  private readonly shown = new Map<Variant, Shown>();
  /** The request for the shift that is on; it is answered again whenever the outputs change. */
  private shiftId = 0;

  constructor(private readonly host: Host) {
    this.runs = new Runs(host, this.samples, this.weights, {
      lookedAt: (name) => this.shown.get(name)?.tensor ?? null,
      progressed: (name) => this.sayShown(name),
      redrawn: () => this.sayModel(),
      finished: (name) => name === "shifted" && this.sayShift(),
    });
    this.tensors = new Tensors(this.runs, () => this.model);
  }

  /** Takes a message; whatever goes wrong is said. */
  async receive(message: Request | PanelRequest): Promise<void> {
    const isRequest = "id" in message;
    try {
      if (!isRequest) this.told(message);
      else {
        const answered = await this.asked(message);
        if (answered) this.answer(message.id, answered.answer, answered.transfer);
      }
    } catch (error) {
      if (isRequest && (error instanceof Refusal || error instanceof EngineError)) {
        this.answer(message.id, { kind: "refused", message: error.message });
      } else this.host.post({ kind: "crashed", message: String(error instanceof Error ? error.stack : error) });
    }
  }

  private answer(id: number, answer: Unnumbered, transfer?: readonly ArrayBuffer[]): void {
    this.host.post({ ...answer, id } as Answer, transfer);
  }

  // ---- what the panel says ----

  private told(message: PanelRequest): void {
    switch (message.kind) {
      case "hello":
        this.shown.clear();
        if (this.text) this.sayModel();
        this.saySamples();
        this.sayWeights();
        this.runs.sayAgain();
        return;
      case "text":
        this.text = message;
        this.renew();
        return;
      case "budget":
        this.runs.budget = message;
        this.runs.restart();
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

  /** Makes the model of the text as it is now, and runs it. */
  private renew(): void {
    this.model = this.text && Model.of(this.text, this.sizes);
    this.sayModel();
    this.sayWeights();
    this.runs.renew(this.model);
    this.saySamples();
  }

  private useWeightFiles(files: readonly NamedBytes[]): void {
    try {
      this.weights.useFiles(files);
    } catch (error) {
      if (!(error instanceof WeightFileError)) throw error;
      this.host.post({ kind: "unreadable", message: `${error.message}. The weights stay as they were.` });
      return;
    }
    this.sayWeights();
    this.runs.renew(this.model);
  }

  private useSampleFile(input: string | null, { name, bytes }: NamedBytes): void {
    const inputs = this.model?.diagram.inputs ?? [];
    const id = input ?? inputs[0];
    if (id === undefined || !inputs.includes(id)) return; // the model has changed since the file was picked
    try {
      const values = readNpy({ name, bytes: new Uint8Array(bytes) }, name).read();
      this.useSample(id, { kind: "array", name, values });
    } catch (error) {
      if (!(error instanceof WeightFileError)) throw error;
      this.host.post({ kind: "unreadable", message: `${error.message}. The sample stays as it was.` });
    }
  }

  // ---- what the page is told unasked ----

  private sayModel(): void {
    const { model, text } = this;
    if (model) this.host.post({ kind: "diagram", version: model.version, diagram: model.diagram });
    else {
      const message = "This file is no model that ConvLint reads.";
      this.host.post({ kind: "noModel", version: text!.version, message });
    }
  }

  private sayWeights(): void {
    const sized = this.model?.sized;
    if (sized) this.host.post({ kind: "weights", report: this.weights.bind(sized) });
  }

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

  /** Tells the page of what it looks at, where that is new. */
  private sayShown(name: Variant): void {
    const shown = this.shown.get(name);
    const found = shown && this.tensors.lookUp(shown.tensor);
    if (!found || found.planes.values === shown.told) return;
    const { planes, size } = found;
    shown.told = planes.values;
    const statistics = planes.statistics();
    const signed = (statistics.min ?? 0) < 0 && (statistics.max ?? 0) > 0;
    const { tensor, id } = shown;
    this.answer(id, { kind: "maps", tensor, size, axes: planes.axisNames, layout: planes.layout, statistics, signed });
  }

  private sayShift(): void {
    const { model, runs } = this;
    const { shift } = runs;
    const [before, after] = [runs.get("plain"), runs.get("shifted")];
    const input = model?.analysis.graph.inputs[0];
    const shape = input === undefined ? null : model!.shapeOf({ node: input, output: 0 });
    if (!shift || !model || !before || !after || !shape) return;
    const sizes = Planes.of(before.inputs.get(input!)!, shape.layout).axes.map(({ size }) => size);
    const layers = model.layerOutputs.flatMap((ref) => {
      const [was, is] = [before.valuesOf(ref), after.valuesOf(ref)];
      if (!was || !is) return [];
      const { field } = model.sized!.report.nodes[ref.node]!;
      return [
        { node: model.idOf(ref.node), ...compareShifted(was, is, model.shapeOf(ref)!.layout, field, sizes, shift) },
      ];
    });
    this.answer(this.shiftId, { kind: "shift", ...shift, layers });
  }

  // ---- what the page asks ----

  private async asked(request: Request): Promise<Answered | null> {
    switch (request.kind) {
      case "tiles":
      case "series":
      case "value":
      case "explain":
      case "spread":
      case "export":
        return this.tensors.answer(request);
      case "show":
        return this.show(request.id, request.tensor);
      case "shift":
        return this.moveSample(request);
      case "flip":
        this.runs.flipped = request.on;
        this.runs.renew(this.model);
        return DONE;
      case "sample":
        this.useSample(this.inputNamed(request.input), sourceOf(request.sample));
        return DONE;
      case "sizes":
        this.useSizes(request.sizes);
        return DONE;
      case "seed":
        if (!Number.isSafeInteger(request.seed)) throw new Refusal("A seed is a whole number.");
        this.weights.useSeed(request.seed);
        this.sayWeights();
        this.runs.renew(this.model);
        return DONE;
      case "kernel":
        this.useKernel(request.node, request.name);
        return DONE;
      case "proceed":
        this.runs.allow();
        return DONE;
      case "cancel":
        this.runs.cancel();
        return DONE;
      default:
        throw new Refusal("The preview does not know this request.");
    }
  }

  private show(id: number, tensor: TensorRef): Answered | null {
    const ref = this.model?.refOf(tensor);
    if (!ref) throw new Refusal("There is no such layer.");
    const shown: Shown = { id, tensor, told: null };
    this.shown.set(tensor.variant, shown);
    const why = tensor.weight === undefined ? this.model!.blocked.get(ref.node) : undefined;
    if (why !== undefined) return { answer: { kind: "waiting", tensor, message: why } };
    this.sayShown(tensor.variant);
    if (shown.told) return null;
    // What is not kept is computed for being looked at.
    this.runs.restart();
    return { answer: { kind: "waiting", tensor, message: "not computed yet" } };
  }

  private moveSample({ id, dx, dy }: { id: number; dx: number; dy: number }): Answered | null {
    if (![dx, dy].every(Number.isSafeInteger)) throw new Refusal("A sample is moved by whole cells.");
    this.shiftId = id;
    this.runs.shift = dx === 0 && dy === 0 ? null : { dx, dy };
    this.runs.renew(this.model);
    return this.runs.shift ? null : { answer: { kind: "shift", dx, dy, layers: [] } };
  }

  /** @throws Refusal where the model has no such input. */
  private inputNamed(input: string | null): string {
    const inputs = this.model?.diagram.inputs ?? [];
    const id = input ?? inputs[0];
    if (id === undefined || !inputs.includes(id)) throw new Refusal("The model has no such input.");
    return id;
  }

  private useSample(input: string, source: SampleSource): void {
    this.samples.choose(input, source);
    this.runs.renew(this.model);
    this.saySamples();
  }

  private useSizes(sizes: Readonly<Record<string, number | null>>): void {
    for (const [name, size] of Object.entries(sizes)) {
      if (size !== null && !(Number.isSafeInteger(size) && size > 0 && size <= LARGEST_SIZE)) {
        throw new Refusal(`${name} = ${size} is no size: it must be a whole number from 1 to ${LARGEST_SIZE}.`);
      }
    }
    for (const [name, size] of Object.entries(sizes)) {
      if (size === null) this.sizes.delete(name);
      else this.sizes.set(name, size);
    }
    this.renew();
  }

  private useKernel(id: string, name: KernelName | null): void {
    const number = this.model?.nodeOf(id) ?? null;
    const node = number === null ? null : this.model!.analysis.graph.nodes[number]!;
    const network = this.runs.get("plain")?.network;
    const kernel = node && network?.specsOf(node).find(({ dims }) => dims.length > 2);
    if (!node || !kernel) throw new Refusal("This layer has no kernels.");
    this.weights.useKernel(`${node.scope}.${kernel.name}`, name);
    this.runs.renew(this.model);
  }
}

/** @throws Refusal where it is a picture that is too large or none at all. */
function sourceOf(sample: Sample): SampleSource {
  if (sample.kind === "generated") return sample;
  const { name, width, height, rgba } = sample;
  if (width * height > MOST_PICTURE_PIXELS) {
    const most = Math.floor(MOST_PICTURE_PIXELS / 1e6);
    throw new Refusal(`${name} has ${width}×${height} pixels, more than the ${most} million that the preview takes.`);
  }
  return { kind: "picture", picture: { name, width, height, rgba: new Uint8ClampedArray(rgba) } };
}
