/** Analysis → Diagram: the model as the preview's page draws it, in the file's own words. */
import type { Layer, Node, Ref } from "#shared/graph/graph.ts";
import type { NodeReport } from "#shared/graph/infer.ts";
import type { Sized } from "#shared/graph/sizes.ts";
import type { Range } from "#shared/ops/finding.ts";
import { inputOp } from "#shared/ops/input.ts";
import type { Diagram, DiagramEdge, DiagramNode, FreeSize, Problem, Size } from "#shared/preview/protocol.ts";
import type { Dim } from "#shared/shape/dim.ts";
import type { Tensor } from "#shared/shape/tensor.ts";
import type { Analysis } from "../analysis.ts";
import type { Problem as Found } from "../features/diagnostics.ts";
import { costOf, count, fieldText } from "../features/layerTable.ts";

/** A diagram, and the way between its ids and the graph's. */
export interface Drawn {
  readonly diagram: Diagram;
  /** By node of the graph. */
  readonly ids: readonly string[];
  /** By id; a block stands for the node whose output leaves it. */
  readonly nodes: ReadonlyMap<string, number>;
}

export interface DiagramParts {
  readonly analysis: Analysis;
  /** The same graph with numbers; null where there are none. */
  readonly sized: Sized | null;
  readonly sizes: readonly FreeSize[];
  /** By node: why it does not run. */
  readonly blocked: ReadonlyMap<number, string>;
  readonly problems: readonly Found[];
}

/** Draws a model. Never throws: what is not known is shown as `?`. */
export function draw(parts: DiagramParts): Drawn {
  return new Drawing(parts).finish();
}

class Drawing {
  private readonly nodes: DiagramNode[] = [];
  private readonly ids: string[] = [];
  private readonly byId = new Map<string, number>();
  private readonly used = new Map<string, number>();
  private readonly atLayer = new Map<number, Problem[]>();
  private readonly inBlocks: Problem[] = [];
  private readonly ofFile: Problem[] = [];

  constructor(private readonly parts: DiagramParts) {
    for (const { severity, code, message, range, layer } of parts.problems) {
      const problem = { severity, code, message, range };
      const place = layer === null ? undefined : parts.analysis.graph.layers[layer];
      if (!place) this.ofFile.push(problem);
      else if (place.depth > 0) this.inBlocks.push(problem);
      else this.atLayer.set(place.index, [...(this.atLayer.get(place.index) ?? []), problem]);
    }
  }

  finish(): Drawn {
    const { analysis, sizes } = this.parts;
    const { graph } = analysis;
    const layers = new Map<number, Layer>();
    for (const layer of graph.layers) if (layer.depth === 0) layers.set(layer.nodes.first, layer);
    for (let id = 0; id < graph.nodes.length; ) {
      const layer = layers.get(id);
      if (layer && layer.nodes.end > id) {
        this.addLayer(layer);
        id = layer.nodes.end;
      } else this.addOperator(graph.nodes[id++]!, null, null);
    }
    const totals = costOf(analysis, 0, graph.nodes.length);
    const diagram: Diagram = {
      name: graph.name,
      dialect: analysis.dialect.name,
      nodes: this.nodes,
      edges: graph.nodes.flatMap((node) => this.edgesInto(node)),
      inputs: graph.inputs.map((id) => this.ids[id]!),
      outputs: graph.outputs.map(({ node }) => this.ids[node]!),
      sizes,
      problems: this.ofFile,
      parameters: count(totals.params),
      macs: count(totals.macs),
      memory: bytesText(totals.activationBytes),
    };
    return { diagram, ids: this.ids, nodes: this.byId };
  }

  private addLayer(layer: Layer): void {
    const { graph } = this.parts.analysis;
    const { first, end } = layer.nodes;
    if (end - first === 1) this.addOperator(graph.nodes[first]!, null, layer, layer.name);
    else this.addBlock(graph.nodes.slice(first, end), sharedPath(graph.nodes.slice(first, end)), null, layer);
  }

  /** A block, and within it one for each path that several nodes share. */
  private addBlock(nodes: readonly Node[], path: readonly string[], parent: DiagramNode | null, layer: Layer): void {
    const id = this.fresh(`${path.join(".")}/`);
    const last =
      parent === null ? (layer.outputs.find((ref) => ref !== null)?.node ?? nodes.at(-1)!.id) : nodes.at(-1)!.id;
    const block: DiagramNode = {
      ...this.costs(nodes[0]!.id, nodes.at(-1)!.id + 1),
      id,
      kind: "block",
      parent: parent?.id ?? null,
      layer: layer.index,
      name: parent === null ? layer.name : path.slice(pathOf(parent).length).join("."),
      type: parent === null ? layer.type : "",
      detail: "",
      outputs:
        parent === null
          ? layer.outputs.map((ref) => (ref ? this.sizeOf(ref) : UNKNOWN))
          : this.outputsOf(nodes.at(-1)!.id),
      receptiveField: this.fieldOf(last),
      problems: parent === null ? (this.atLayer.get(layer.index) ?? []) : [],
      range: parent === null ? layer.range : nodes[0]!.origin.layer,
      blocked: nodes.map(({ id: node }) => this.parts.blocked.get(node)).find((why) => why !== undefined) ?? null,
      weights: [],
    };
    this.nodes.push(block);
    this.byId.set(id, last);
    for (const group of grouped(nodes, path.length)) {
      const shared = sharedPath(group);
      if (group.length === 1) this.addOperator(group[0]!, block, layer, nameBelow(group[0]!, path.length));
      else this.addBlock(group, shared, block, layer);
    }
  }

  private addOperator(node: Node, parent: DiagramNode | null, layer: Layer | null, name = node.scope): void {
    const id = this.fresh(node.scope);
    const isInput = node.op === inputOp;
    const { analysis, blocked } = this.parts;
    const own = parent === null && layer ? (this.atLayer.get(layer.index) ?? []) : [];
    this.nodes.push({
      ...this.costs(node.id, node.id + 1),
      id,
      kind: isInput ? "input" : "operator",
      parent: parent?.id ?? null,
      layer: layer?.index ?? null,
      name,
      type: parent === null && layer ? layer.type : isInput ? "" : analysis.dialect.words.op(node.op.name),
      detail: windowText(analysis.report.nodes[node.id]!, node),
      outputs: this.outputsOf(node.id),
      receptiveField: isInput ? "" : this.fieldOf(node.id),
      problems: [...own, ...this.inBlocks.filter(({ range }) => holds(node.origin.layer, range))],
      range: parent === null && layer ? layer.range : node.origin.layer,
      blocked: blocked.get(node.id) ?? null,
      weights: this.weightsOf(node.id),
    });
    this.ids[node.id] = id;
    this.byId.set(id, node.id);
  }

  /** Several layers may have one name: an operator called twice, for one. */
  private fresh(name: string): string {
    const times = (this.used.get(name) ?? 0) + 1;
    this.used.set(name, times);
    return times === 1 ? name : `${name}~${times}`;
  }

  private costs(first: number, end: number): Pick<DiagramNode, "parameters" | "macs" | "memory"> {
    const { params, macs, activationBytes } = costOf(this.parts.analysis, first, end);
    const shown = (dim: Dim) => (dim === 0 ? "" : count(dim));
    return { parameters: shown(params), macs: shown(macs), memory: bytesText(activationBytes) };
  }

  private fieldOf(node: number): string {
    const { field } = this.parts.analysis.report.nodes[node]!;
    return field && field.length > 0 ? fieldText(field) : "";
  }

  private outputsOf(node: number): readonly Size[] {
    const { outputs } = this.parts.analysis.report.nodes[node]!;
    return outputs.map((_, output) => this.sizeOf({ node, output }));
  }

  private sizeOf({ node, output }: Ref): Size {
    const { analysis, sized } = this.parts;
    const tensor = analysis.report.nodes[node]?.outputs[output];
    if (!tensor) return UNKNOWN;
    return { text: analysis.dialect.words.shape(tensor), dims: numbersOf(sized?.report.nodes[node]?.outputs[output]) };
  }

  private weightsOf(node: number): DiagramNode["weights"] {
    const specs = this.parts.sized?.report.nodes[node]?.inference?.weights ?? [];
    return specs.flatMap(({ name, dims }) =>
      dims.every((dim) => typeof dim === "number") ? [{ name, dims: dims as readonly number[] }] : [],
    );
  }

  private edgesInto(node: Node): readonly DiagramEdge[] {
    const { analysis } = this.parts;
    return node.inputs.flatMap((ref) => {
      if (!ref) return [];
      const tensor = analysis.report.nodes[ref.node]?.outputs[ref.output];
      const text = tensor ? withoutBatch(tensor).map(analysis.dialect.words.dim).join("×") : "?";
      return [{ from: this.ids[ref.node]!, output: ref.output, to: this.ids[node.id]!, text }];
    });
  }
}

const UNKNOWN: Size = { text: "?", dims: null };

function pathOf(block: DiagramNode): readonly string[] {
  return block.id.replace(/\/(~\d+)?$/, "").split(".");
}

/** The path that the scopes of several nodes begin with. */
function sharedPath(nodes: readonly Node[]): readonly string[] {
  let shared: readonly string[] = nodes[0]!.scope.split(".");
  for (const { scope } of nodes) {
    const path = scope.split(".");
    const differs = shared.findIndex((part, index) => path[index] !== part);
    if (differs >= 0) shared = shared.slice(0, differs);
  }
  return shared;
}

/** Neighbours whose scopes go on with the same part; nodes whose scope ends here stay alone. */
function grouped(nodes: readonly Node[], depth: number): readonly (readonly Node[])[] {
  const groups: Node[][] = [];
  let current: string | undefined;
  for (const node of nodes) {
    const part = node.scope.split(".")[depth];
    const path = node.scope.split(".").length;
    if (part !== undefined && part === current && path > depth + 1) groups.at(-1)!.push(node);
    else groups.push([node]);
    current = path > depth + 1 ? part : undefined;
  }
  return groups;
}

function nameBelow(node: Node, depth: number): string {
  return node.scope.split(".").slice(depth).join(".") || node.scope;
}

function holds(outer: Range, inner: Range): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

function numbersOf(tensor: Tensor | null | undefined): readonly number[] | null {
  return tensor?.dims.every((dim) => typeof dim === "number") ? (tensor.dims as readonly number[]) : null;
}

function withoutBatch({ dims, layout }: Tensor): readonly Dim[] {
  return layout.batched ? dims.slice(1) : dims;
}

/** `5×5, stride 2, padding 2`: what a window does, from the record of it. */
function windowText({ inference }: NodeReport, { attrs }: Node): string {
  const windows = inference?.windows?.map(({ window }) => window) ?? [];
  if (windows.length === 0) return "";
  const each = (of: (window: (typeof windows)[number]) => Dim) => {
    const texts = windows.map((window) => String(of(window)));
    return texts.every((text) => text === texts[0]) ? texts[0]! : texts.join("×");
  };
  const pads = windows.every(({ padBefore, padAfter }) => padBefore === padAfter)
    ? each(({ padBefore }) => padBefore)
    : windows.map(({ padBefore, padAfter }) => `${padBefore}+${padAfter}`).join("×");
  const { groups } = attrs;
  return [
    windows.map(({ kernel }) => kernel).join("×"),
    ...named(
      "stride",
      each(({ stride }) => stride),
      "1",
    ),
    ...named("padding", pads, "0"),
    ...named(
      "dilation",
      each(({ dilation }) => dilation),
      "1",
    ),
    ...(typeof groups === "number" ? named("groups", String(groups), "1") : []),
  ].join(", ");
}

function named(name: string, text: string, usual: string): readonly string[] {
  return text === usual ? [] : [`${name} ${text}`];
}

/** `18.4 KiB`; symbolic sizes have none. */
export function bytesText(bytes: Dim): string {
  if (typeof bytes !== "number") return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  const value = bytes / 2 ** (10 * power);
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}
