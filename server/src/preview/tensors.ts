/** Answers what the page asks about tensors: pictures, numbers, how a value comes about, files to save. */
import type { Ref } from "#shared/graph/graph.ts";
import type { Values } from "#shared/kernels/values.ts";
import { explain, type Question, spreadOf } from "#shared/preview/explain.ts";
import { type Noted, note } from "#shared/preview/note.ts";
import type { PaletteName } from "#shared/preview/palette.ts";
import { Planes } from "#shared/preview/planes.ts";
import type { Place, Request, Size, TensorRef } from "#shared/preview/protocol.ts";
import { seenBy } from "#shared/preview/seen.ts";
import { seriesOf, tilesOf } from "#shared/preview/tiles.ts";
import { exported } from "./exports.ts";
import { type Answered, Refusal } from "./host.ts";
import type { Model } from "./model.ts";
import type { Runs } from "./runs.ts";

/** Requests about a tensor. */
export type TensorRequest = Extract<Request, { kind: "tiles" | "series" | "value" | "explain" | "spread" | "export" }>;

export interface Found {
  readonly planes: Planes;
  readonly size: Size;
}

type Bounds = readonly [number, number] | null;

export class Tensors {
  private readonly noted = new WeakMap<Values, Noted>();
  private readonly bounds = new WeakMap<Values, { readonly bounds: Bounds }>();

  constructor(
    private readonly runs: Runs,
    private readonly model: () => Model | null,
  ) {}

  /** A tensor that has been computed; null where it has not, or cannot be. */
  lookUp(tensor: TensorRef): Found | null {
    const model = this.model();
    const variant = this.runs.get(tensor.variant);
    const ref = model?.refOf(tensor);
    if (!model || !variant || !ref) return null;
    if (tensor.weight !== undefined) {
      const node = model.analysis.graph.nodes[ref.node]!;
      const spec = variant.network.specsOf(node).find(({ name }) => name === tensor.weight);
      if (!spec || model.blocked.has(node.id)) return null;
      const values = variant.network.weight(node, tensor.weight);
      return { planes: Planes.ofWeight(values), size: { text: `[${values.dims.join(", ")}]`, dims: values.dims } };
    }
    const values = variant.valuesOf(ref);
    const shape = model.shapeOf(ref);
    return values && shape && { planes: Planes.of(values, shape.layout), size: model.sizeOf(ref) };
  }

  /** @throws Refusal, EngineError where what is asked for cannot be. */
  async answer(request: TensorRequest): Promise<Answered> {
    switch (request.kind) {
      case "tiles": {
        const { tensor } = request;
        const planes = await this.planesOf(tensor);
        const bounds = this.boundsOf(planes);
        const palette = request.palette === "auto" ? paletteFor(bounds) : request.palette;
        const { rgba, ranges, ...rest } = tilesOf(planes, { ...request, palette }, bounds);
        const shown = palette === "picture" ? "grey" : palette;
        return {
          answer: { kind: "tiles", tensor, ...rest, rgba: rgba.buffer, ranges, palette: shown },
          transfer: [rgba.buffer, ranges.buffer],
        };
      }
      case "series": {
        const { tensor } = request;
        const { values, ...rest } = seriesOf(await this.planesOf(tensor), request);
        return { answer: { kind: "series", tensor, ...rest, values }, transfer: [values.buffer] };
      }
      case "value": {
        const { tensor, place } = request;
        const planes = placed(await this.planesOf(tensor), place);
        const index = planes.indexOf(place);
        const text = `[${index.join(", ")}]`;
        return { answer: { kind: "value", tensor, place, value: planes.at(place), index, text } };
      }
      case "explain":
        return this.explanation(request.tensor, request.place);
      case "spread":
        return this.spread(request.tensor, request.place, request.plane);
      case "export":
        return this.export(request);
    }
  }

  private async planesOf(tensor: TensorRef): Promise<Planes> {
    const found = this.lookUp(tensor);
    if (found) return found.planes;
    const ref = this.model()?.refOf(tensor);
    if (!ref || tensor.weight !== undefined) throw new Refusal("There is no such tensor.");
    await this.runs.obtain(tensor.variant, [ref]);
    const computed = this.lookUp(tensor);
    if (!computed) throw new Refusal("There is no such tensor.");
    return computed.planes;
  }

  private boundsOf(planes: Planes): Bounds {
    const known = this.bounds.get(planes.values) ?? { bounds: planes.bounds(null) };
    this.bounds.set(planes.values, known);
    return known.bounds;
  }

  private async question(
    { variant, ...tensor }: TensorRef,
    place: Place,
  ): Promise<Question & { readonly ref: Ref; readonly model: Model }> {
    const model = this.model();
    const ref = model?.refOf(tensor);
    const node = ref && model?.sized?.graph.nodes[ref.node];
    if (!model || !node || tensor.weight !== undefined) throw new Refusal("There is no such output.");
    const sources = node.inputs.filter((each) => each !== null);
    const ready = await this.runs.obtain(variant, [ref, ...sources]);
    if (model !== this.model()) throw new Refusal("The model has changed meanwhile.");
    const values = ready.valuesOf(ref)!;
    const inputs = sources.map((each) => ready.valuesOf(each)!);
    const noted = this.notedOf(values, () => note(ready.network, node, inputs, variant === "flipped"));
    const output = Planes.of(values, model.shapeOf(ref)!.layout);
    return { network: ready.network, node, inputs, noted, output, place, ref, model };
  }

  /** Many values of one output are asked for one after another. */
  private notedOf(values: Values, make: () => Noted): Noted {
    const noted = this.noted.get(values) ?? make();
    this.noted.set(values, noted);
    return noted;
  }

  private async explanation(tensor: TensorRef, place: Place): Promise<Answered> {
    const { model, ref, ...question } = await this.question(tensor, place);
    placed(question.output, place);
    const { source, ...rest } = explain(question);
    const field = seenBy(question.network, ref.node, place).map((seen) => ({ ...seen, input: model.idOf(seen.input) }));
    const { node, output, variant } = tensor;
    const from = source && { ...tensorOf(model, source.ref, variant), from: source.from, count: source.count };
    return { answer: { kind: "explanation", explanation: { ...rest, node, output, source: from, field } } };
  }

  private async spread(tensor: TensorRef, place: Place, plane: number): Promise<Answered> {
    const { model, ...question } = await this.question(tensor, { plane: 0, z: 0, y: 0, x: 0 });
    const from = question.node.inputs[0];
    const shape = from && model.shapeOf(from);
    if (!shape || !Number.isSafeInteger(plane)) throw new Refusal("There is no such place.");
    const input = placed(Planes.of(question.inputs[0]!, shape.layout), place);
    const source = tensorOf(model, from, tensor.variant);
    const spread = { ...spreadOf(question, input, place, plane), node: tensor.node, source };
    return { answer: { kind: "spread", spread } };
  }

  private async export({
    what,
    tensor,
    palette: asked,
    scale,
  }: Extract<Request, { kind: "export" }>): Promise<Answered> {
    const model = this.model();
    if (!model) throw new Refusal("There is no model.");
    const planes = tensor && (what === "png" || what === "svg" || what === "npy") ? await this.planesOf(tensor) : null;
    const bounds = planes && this.boundsOf(planes);
    const palette: PaletteName = asked === "auto" ? paletteFor(bounds) : asked;
    const { name, bytes } = exported(what, { analysis: model.analysis, tensor, planes, bounds, palette, scale });
    const { buffer } = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
    return { answer: { kind: "file", name, bytes: buffer }, transfer: [buffer] };
  }
}

function tensorOf(model: Model, { node, output }: Ref, variant: TensorRef["variant"]): TensorRef {
  return { node: model.idOf(node), output, variant };
}

/** @throws Refusal where there is no such place. */
function placed(planes: Planes, place: Place): Planes {
  if (!planes.has(place)) throw new Refusal("The tensor has no such place.");
  return planes;
}

/** Diverging where there are both signs. */
function paletteFor(bounds: Bounds): PaletteName {
  return bounds && bounds[0] < 0 && bounds[1] > 0 ? "diverging" : "viridis";
}
