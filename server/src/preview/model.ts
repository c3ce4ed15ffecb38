/** Text → the model that the preview runs and draws: one value, made anew for every version of the text. */
import type { Ref } from "#shared/graph/graph.ts";
import type { Sized } from "#shared/graph/sizes.ts";
import { elementCount } from "#shared/kernels/values.ts";
import type { Diagram, PanelRequest, Size, TensorRef } from "#shared/preview/protocol.ts";
import type { Shape } from "#shared/preview/samples.ts";
import { type Analysis, analyse } from "../analysis.ts";
import { problems } from "../features/diagnostics.ts";
import { type Drawn, draw } from "./diagram.ts";
import { blockedNodes, type Runnable, runnable } from "./runnable.ts";

export type Text = Extract<PanelRequest, { kind: "text" }>;

export class Model {
  private drawn: Drawn;
  private blockedBy: ReadonlyMap<number, string>;
  /** Nodes that turned out not to run, with the reason. */
  private readonly failed = new Map<number, string>();

  private constructor(
    readonly analysis: Analysis,
    private readonly text: Text,
    private readonly fit: Runnable,
  ) {
    this.blockedBy = fit.blocked;
    this.drawn = this.redrawn();
  }

  /** null where the text is no model. @param sizes the user's numbers for symbols. */
  static of(text: Text, sizes: ReadonlyMap<string, number>): Model | null {
    const analysis = analyse(text.text, text.path, text.options);
    return analysis && new Model(analysis, text, runnable(analysis.graph, sizes));
  }

  private redrawn(): Drawn {
    const { analysis, fit, text } = this;
    const found = problems(analysis, text.options.rules);
    return draw({ analysis, sized: fit.sized, sizes: fit.sizes, blocked: this.blockedBy, problems: found });
  }

  /** null where not even the inputs have sizes. */
  get sized(): Sized | null {
    return this.fit.sized;
  }

  get diagram(): Diagram {
    return this.drawn.diagram;
  }

  get version(): number {
    return this.text.version;
  }

  get blocked(): ReadonlyMap<number, string> {
    return this.blockedBy;
  }

  /**
   * Notes that a node does not run; what depends on it is blocked too.
   * @param why the engine's words, which stand where no rule has told the same in better ones.
   */
  fail(node: number, why: string): void {
    const drawn = this.diagram.nodes.find(({ id }) => id === this.idOf(node));
    const told = drawn?.problems.find(({ severity }) => severity === "error");
    this.failed.set(node, told?.message ?? why);
    this.blockedBy = blockedNodes(this.fit.sized!, this.failed);
    this.drawn = this.redrawn();
  }

  /** The first node in order that is blocked by itself, with the reason. */
  get firstBlocked(): { readonly id: string; readonly why: string } | null {
    for (const { id, inputs } of this.analysis.graph.nodes) {
      const why = this.blockedBy.get(id);
      if (why !== undefined && !inputs.some((ref) => ref && this.blockedBy.has(ref.node)))
        return { id: this.idOf(id), why };
    }
    return null;
  }

  idOf(node: number): string {
    return this.drawn.ids[node]!;
  }

  /** The node of the graph that an id stands for. */
  nodeOf(id: string): number | null {
    return this.drawn.nodes.get(id) ?? null;
  }

  /** The output that a reference means; null where there is none. */
  refOf({ node, output }: Pick<TensorRef, "node" | "output">): Ref | null {
    const number = this.nodeOf(node);
    if (number === null || !Number.isInteger(output)) return null;
    const block = this.analysis.graph.layers.find(
      ({ depth, nodes }) => depth === 0 && nodes.end - nodes.first > 1 && nodes.first <= number && number < nodes.end,
    );
    // What leaves a layer of several operators may be outputs of several of them.
    const leaving = node.endsWith("/") && block?.outputs[0]?.node === number ? block.outputs[output] : undefined;
    const ref = leaving ?? { node: number, output };
    return this.analysis.report.nodes[ref.node]?.outputs[ref.output] ? ref : null;
  }

  /** The shape of an output with numbers; null where it has none. */
  shapeOf({ node, output }: Ref): Shape | null {
    const tensor = this.sized?.report.nodes[node]?.outputs[output];
    if (!tensor?.dims.every((dim) => typeof dim === "number")) return null;
    return { dims: tensor.dims as readonly number[], layout: tensor.layout };
  }

  /** Its sizes in the file's words. */
  sizeOf({ node, output }: Ref): Size {
    const tensor = this.analysis.report.nodes[node]?.outputs[output];
    const dims = this.shapeOf({ node, output })?.dims ?? null;
    return { text: tensor ? this.analysis.dialect.words.shape(tensor) : "?", dims };
  }

  bytesOf(ref: Ref): number {
    const shape = this.shapeOf(ref);
    return shape ? 4 * elementCount(shape.dims, Number.MAX_SAFE_INTEGER) : 0;
  }

  /** What leaves the file's own layers, in order: the tensors that the preview keeps where there is room. */
  get layerOutputs(): readonly Ref[] {
    const { graph } = this.analysis;
    const found = new Map<string, Ref>();
    const add = (ref: Ref | null) => {
      if (!ref || this.blockedBy.has(ref.node) || !this.shapeOf(ref)) return;
      found.set(`${ref.node}.${ref.output}`, ref);
    };
    for (const { depth, outputs } of graph.layers) if (depth === 0) for (const ref of outputs) add(ref);
    for (const ref of graph.outputs) add(ref);
    for (const { id, inputs } of graph.nodes) {
      // Layers that nobody put into the table: what no one reads.
      if (inputs.length > 0 && found.size === 0) add({ node: id, output: 0 });
    }
    return [...found.values()];
  }

  /** The id of the innermost layer that an offset of the text lies in. */
  at(offset: number): string | null {
    let best: { id: string; length: number } | null = null;
    for (const { id, range } of this.diagram.nodes) {
      const length = range.end - range.start;
      if (offset < range.start || offset > range.end || length === 0) continue;
      if (!best || length < best.length) best = { id, length };
    }
    return best?.id ?? null;
  }
}
