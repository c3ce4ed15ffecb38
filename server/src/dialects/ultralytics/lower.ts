/**
 * YOLO model files → the graph: every row resolved, scaled and built as the framework's own builder does it, with every
 * operator inside a module as a node of its own.
 */

import { withInput } from "#shared/graph/fit.ts";
import type { Origin } from "#shared/graph/graph.ts";
import { finding, infer } from "#shared/graph/infer.ts";
import {
  AT_TYPE,
  type At,
  atParam,
  atRange,
  type Finding,
  type FindingCode,
  type Range,
  type Report,
} from "#shared/ops/finding.ts";
import { opaqueOp } from "#shared/ops/opaque.ts";
import { symbol } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST, tensor } from "#shared/shape/tensor.ts";
import { type ListTree, type MapTree, plain, type Tree } from "../../syntax/tree.ts";
import { bareOrigin, GraphBuilder } from "../builder.ts";
import type { Context, Lowered } from "../dialect.ts";
import { Block, type Site, type Wire } from "./block.ts";
import { type Header, readHeader } from "./header.ts";
import { hasStridePass, moduleNamed, moduleNames } from "./modules.ts";
import { readPython } from "./python.ts";
import { type Module, type Prepared, type Row, tensorOf, type Value, type Width } from "./rows.ts";
import { scaledDepth, scaledWidth } from "./scaling.ts";
import { type Argument, Arguments, canonicalName, RowRefusal } from "./signature.ts";

/** The side of the image that the builder runs through a detection model to learn its strides. */
export const STRIDE_PASS = 256;
/** The id of the image in the graphs of this dialect: their first node. */
export const IMAGE_NODE = 0;

/** A row that was built, or stood in for: what later rows read. */
interface Built {
  readonly value: Value;
  /** null: not known, so that rows reading it are not judged. */
  readonly width: Width | null;
  /** The width is what a module nobody knows usually gives, or follows from that. */
  readonly assumed?: boolean;
}

/** Lowers a model file. Never throws; a row that cannot be built is reported, and the next go on. */
export function lower(root: Tree, context: Context): Lowered {
  const builder = new GraphBuilder();
  if (root.kind !== "map") return builder.finish({ name: null, sample: new Map(), outputs: [] });
  const header = readHeader(root, context, builder.report);
  const model = new Model(builder, header, root);
  for (const row of header.rows) model.add(row);
  const last = model.outputs;
  const lowered = builder.finish({ name: null, sample: new Map(), outputs: last });
  return { graph: lowered.graph, findings: [...lowered.findings, ...stridePass(lowered, header)] };
}

/**
 * What fails in the builder's own pass, and not with the model's own input too: one mistake is told once.
 */
function stridePass({ graph, findings }: Lowered, header: Header): Finding[] {
  const last = graph.layers.at(-1);
  if (!last || !hasStridePass(last.type)) return [];
  const [channels, height, width] = header.input;
  if (height === STRIDE_PASS && width === STRIDE_PASS) return [];
  const image = imageOf([channels, STRIDE_PASS, STRIDE_PASS]);
  const failed = infer(withInput(graph, IMAGE_NODE, image)).findings.filter(isRefusal);
  if (failed.length === 0) return [];
  const own = new Set(infer(graph, findings).findings.filter(isRefusal).map(placeOf));
  const during = `in the ${STRIDE_PASS}×${STRIDE_PASS} pass that building the model makes to learn its strides`;
  return failed.filter((found) => !own.has(placeOf(found))).map((found) => ({ ...found, during }));
}

const placeOf = ({ code, node }: Finding): string => `${code} ${node}`;

/** What no framework objects to. */
const REMARKS: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "opaque-layer",
  "non-integer-size",
  "skips-pixels",
  "dead-layer",
  "one-value-per-channel",
]);

/** Whether the framework stops here. */
export function isRefusal(found: Finding): boolean {
  return !REMARKS.has(found.code) && !(found.code === "empty-output" && !found.data.fatal);
}

export function imageOf([channels, height, width]: Header["input"]) {
  return tensor([symbol("N"), channels, height, width], CHANNELS_FIRST);
}

/** The rows built so far. */
class Model {
  private readonly built: Built[] = [];
  /** A module of somebody's own stands above: its builder may count rows in another way. */
  private isForeign = false;
  private readonly site: Site;
  private readonly image: Built;

  constructor(
    private readonly builder: GraphBuilder,
    private readonly header: Header,
    root: MapTree,
  ) {
    const image = builder.addInput("input", imageOf(header.input), { start: root.range.start, end: root.range.start });
    this.image = { value: image, width: header.input[0] };
    this.site = {
      builder,
      flavour: header.flavour,
      activation: header.activation,
      legacy: true,
      text: null,
      classes: header.classes,
    };
  }

  /** The model's outputs: what its last row gives. */
  get outputs(): readonly Wire[] {
    const last = this.built.at(-1);
    return last ? listOf(last.value) : [];
  }

  /** Builds one row and its layer. */
  add(tree: Tree): void {
    const index = this.built.length;
    const first = this.builder.next;
    const items = tree.kind === "list" ? tree.items : [];
    const type = items[2];
    const name = type?.kind === "scalar" ? String(type.value) : "?";
    const built = this.row(tree, index, name);
    this.built.push(built);
    this.builder.addLayer({
      index,
      name: `layer ${index}`,
      type: name,
      range: tree.range,
      hintAt: tree.range.end,
      first,
      outputs: listOf(built.value),
      depth: 0,
    });
  }

  private row(tree: Tree, index: number, name: string): Built {
    const report = this.builder.report;
    if (tree.kind !== "list" || tree.items.length !== 4) {
      const expected = "four items: [from, repeats, module, args]";
      report("bad-value", atRange(tree.range), { name: "a row", value: plain(tree), expected });
      return this.standIn(bareOrigin(tree.range), index, [this.before(index)], null);
    }
    const [fromTree, repeatsTree, moduleTree, argsTree] = tree.items as readonly [Tree, Tree, Tree, Tree];
    const sources = this.sourcesOf(fromTree, index, report);
    const bare: Origin = {
      layer: tree.range,
      type: moduleTree.range,
      params: new Map(),
      inputs: sources.map(({ range }) => range),
    };
    const inputs = sources.map(({ built }) => built);
    const given = this.argumentsOf(argsTree, report);
    const repeats = this.repeatsOf(repeatsTree, report);
    const module = moduleNamed(name, this.header.flavour);
    if (given === null || repeats === null) return this.standIn(bare, index, inputs, null);
    if (!module) return this.opaque(name, bare, index, inputs, given);
    const fallback = this.guessedWidth(given, inputs);
    if (inputs.some(({ width }) => width === null)) return this.standIn(bare, index, inputs, fallback);

    const row: Row = {
      module: name,
      given,
      repeats,
      many: fromTree.kind === "list",
      from: { value: plain(fromTree), range: fromTree.range },
      sources: sources.map(({ built, range }) => ({ width: built.width!, range })),
      previous: this.before(index).width ?? 0,
      scaling: this.header.scaling,
      unscaled: this.header.unscaled,
      regMax: this.header.regMax,
      end2end: this.header.end2end,
    };
    const isAssumed = inputs.some(({ assumed }) => assumed === true);
    let prepared: Prepared | null = null;
    let origin = bare;
    try {
      prepared = module.rule(row);
      if (name === "C3k2" || name === "A2C2f" || name === "C2fCIB") this.site.legacy = false;
      const bound = Arguments.bind(name, module.parameters, prepared.args);
      origin = { ...bare, params: placesOf(bound, argsTree), further: furtherOf(module, prepared, given) };
      const count = prepared.repeatsInside ? 1 : Number(repeats.value);
      let values: readonly Value[] = inputs.map(({ value }) => value);
      let value: Value = null;
      for (let copy = 0; copy === 0 || copy < count; copy++) {
        const scope = count > 1 ? `model.${index}.${copy}` : `model.${index}`;
        value = module.build(new Block(this.site, origin, scope), values, bound);
        values = [value];
      }
      return { value, width: prepared.width, assumed: isAssumed && !module.widens };
    } catch (error) {
      if (!(error instanceof RowRefusal)) throw error;
      const built = this.standIn(origin, index, inputs, prepared ? prepared.width : fallback);
      const node = tensorOf(built.value)?.node;
      const at = atOf(error.at);
      const where = node === undefined ? atRange(rangeOf(at, origin)) : at;
      this.builder.state(finding(error.code, node ?? null, where, error.data), isAssumed);
      return isAssumed ? { ...built, assumed: true } : built;
    }
  }

  private before(index: number): Built {
    return index === 0 ? this.image : this.built[index - 1]!;
  }

  /** The rows that `from` names, by the builder's rules; one that does not exist yet is reported. */
  private sourcesOf(tree: Tree, index: number, report: Report): { readonly built: Built; readonly range: Range }[] {
    const items = tree.kind === "list" ? tree.items : [tree];
    return items.map((item) => {
      const written = item.kind === "scalar" ? item.value : null;
      const range = item.range;
      if (typeof written !== "number" || !Number.isInteger(written)) {
        report("bad-value", atRange(range), {
          name: "from",
          value: plain(item),
          expected: "a layer's index, or -1 for the layer before",
        });
        return { built: UNKNOWN, range };
      }
      if (written === -1) return { built: this.before(index), range };
      const target = written < 0 ? index + written : written;
      const found = index > 0 && target < index ? this.built[target] : undefined;
      if (found) return { built: found, range };
      const known =
        index === 0
          ? "the first layer can only read -1, the image"
          : `layer ${index} can read ${index === 1 ? "layer 0" : `layers 0 to ${index - 1}`}`;
      const data = { name: String(written), candidates: [], detail: known };
      this.builder.state(finding("unknown-reference", null, atRange(range), data), this.isForeign);
      return { built: UNKNOWN, range };
    });
  }

  private repeatsOf(tree: Tree, report: Report): Argument | null {
    const written = plain(tree);
    if (typeof written === "number") return { value: scaledDepth(written, this.header.scaling), range: tree.range };
    report("bad-value", atRange(tree.range), { name: "repeats", value: written, expected: "a number" });
    return null;
  }

  /** The arguments with their names resolved; null where one is no Python (reported). */
  private argumentsOf(tree: Tree, report: Report): Argument[] | null {
    if (tree.kind !== "list") {
      report("bad-value", atRange(tree.range), { name: "args", value: plain(tree), expected: "a list" });
      return null;
    }
    let readable = true;
    const args = tree.items.map((item): Argument => {
      const written = plain(item);
      const range = item.range;
      if (typeof written !== "string") return { value: written, range };
      const named = this.header.names.get(written);
      if (named !== undefined) return { value: named, range };
      const read = readPython(written);
      if (read.kind === "literal") return { value: read.value, range };
      if (read.kind === "invalid") {
        report("bad-value", atRange(range), {
          name: "the argument",
          value: written,
          expected: "a number, a name or a Python literal",
        });
        readable = false;
      }
      return { value: written, range };
    });
    return readable ? args : null;
  }

  /** What most modules make of their first argument. */
  private guessedWidth(given: readonly Argument[], inputs: readonly Built[]): Width | null {
    const written = given[0]?.value;
    if (!Number.isSafeInteger(written) || !(Number(written) > 0)) return inputs.length === 1 ? inputs[0]!.width : null;
    const width = Number(written);
    return width === this.header.unscaled ? width : scaledWidth(width, this.header.scaling);
  }

  /** A row that could not be built: the rank goes on, and the recorded width, so that later rows are not blamed. */
  private standIn(origin: Origin, index: number, inputs: readonly Built[], width: Width | null): Built {
    const wires = inputs.map(({ value }) => tensorOf(value)).filter((wire) => wire !== null);
    if (wires.length === 0) return { value: null, width };
    return { value: this.builder.addOpaque(null, { inputs: wires, scope: `model.${index}`, origin }), width };
  }

  /** Somebody's own module: said once, and taken to keep the size. */
  private opaque(
    name: string,
    origin: Origin,
    index: number,
    inputs: readonly Built[],
    given: readonly Argument[],
  ): Built {
    this.isForeign = true;
    const width = this.guessedWidth(given, inputs) ?? commonWidth(inputs);
    const wires = inputs.map(({ value }) => tensorOf(value)).filter((wire) => wire !== null);
    if (wires.length === 0) return { value: null, width, assumed: true };
    const channels = typeof width === "number" && width > 0 ? width : null;
    const attrs = { type: name, outputs: null, channels };
    const ref = this.builder.add(opaqueOp, attrs, { inputs: wires, scope: `model.${index}`, origin });
    this.builder.reportOf(ref.node)("opaque-layer", AT_TYPE, {
      type: name,
      assumed:
        channels === null
          ? "keep the number of axes and nothing else"
          : `give ${channels} channels at the size of its input`,
      candidates: moduleNames(this.header.flavour),
    });
    return { value: ref, width: channels, assumed: true };
  }
}

/** The width of all inputs, which a module that fuses them most often keeps. */
function commonWidth(inputs: readonly Built[]): Width | null {
  const [first, ...others] = inputs.map(({ width }) => width);
  return first !== undefined && others.every((width) => width === first) ? first : null;
}

const UNKNOWN: Built = { value: null, width: null };

function listOf(value: Value): readonly Wire[] {
  return Array.isArray(value) ? value : [value as Wire];
}

function atOf(at: RowRefusal["at"]): At {
  if (at === undefined) return AT_TYPE;
  return typeof at === "string" ? atParam(at) : atRange(at);
}

/** The text of a place in a row of which no node stands in the graph. */
function rangeOf(at: At, origin: Origin): Range {
  if (at.kind === "range") return at.range;
  const param = at.kind === "param" ? origin.params.get(at.name) : undefined;
  return param?.value ?? origin.type;
}

/** The parameters that more arguments would give, where the builder adds none behind the row's own. */
function furtherOf(
  { parameters }: Module,
  { args }: Prepared,
  given: readonly Argument[],
): NonNullable<Origin["further"]> {
  if (args.at(-1) !== given.at(-1)) return [];
  return parameters
    .slice(args.length)
    .map((parameter) => ({ name: canonicalName(parameter.name), default: parameter.default ?? null }));
}

/** Where the row writes what the inner operators take. */
function placesOf(bound: Arguments, args: Tree): Origin["params"] {
  const items = (args as ListTree).items;
  const places = new Map<string, { readonly value: Range; readonly items?: readonly Range[] }>();
  for (const [name, range] of bound.places()) {
    const tree = items.find((item) => item.range === range);
    places.set(
      name,
      tree?.kind === "list" ? { value: range, items: tree.items.map((item) => item.range) } : { value: range },
    );
  }
  return places;
}
