/**
 * In what order a graph runs, what is computed together, and when every tensor's memory is given back: known before
 * anything is computed.
 */
import type { Surround } from "../kernels/backend.ts";
import { EngineError, elementCount } from "../kernels/values.ts";
import { inputOp } from "../ops/input.ts";
import type { Tensor } from "../shape/tensor.ts";
import type { Node, Ref } from "./graph.ts";
import type { Sized } from "./sizes.ts";

/** One operator with what it takes in: folded into its weights, added to its sums, applied to its results. */
export interface Step {
  /** Node ids in order; the first one's operator runs, and the last one's outputs are the step's. */
  readonly nodes: readonly number[];
  /** A node whose affine function is worked into the weights. */
  readonly folded: number | null;
  /** A tensor that is added. */
  readonly add: Ref | null;
  /** A node whose function of one number is applied to the sum. */
  readonly activation: number | null;
  /** The cells around its first output that later windows read, along each spatial axis; null: none. */
  readonly margin: readonly Surround[] | null;
  /** Nothing is computed: the values are given, by the caller or by the run before. */
  readonly given: boolean;
  /** Outputs that somebody asked for. */
  readonly wanted: readonly Ref[];
  /** What is not needed after this step, unused outputs of its own among it. */
  readonly releases: readonly Ref[];
  /** Bytes of the activations that exist while the step runs. What an operator needs for itself comes on top. */
  readonly bytes: number;
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** The most that activations take at once: float32, without weights and without what an operator needs for itself. */
  readonly peakBytes: number;
  /** Of all weights that the steps read. */
  readonly weightBytes: number;
  readonly macs: number;
}

/** Names one output of one node in maps. */
export function keyOf({ node, output }: Ref): string {
  return `${node}.${output}`;
}

function refuse(node: Node, why: string): never {
  throw new EngineError("cannot-run", `${node.op.name} (${node.scope}) cannot be run: ${why}`, undefined, node.id);
}

function isSized(tensor: Tensor | null): tensor is Tensor {
  return tensor?.dims.every((dim) => typeof dim === "number" && dim >= 0) === true;
}

/** The dims of an output, all numbers. @throws EngineError `cannot-run` at the node where there is no such output. */
export function sizesOf({ graph, report }: Sized, { node, output }: Ref): readonly number[] {
  const tensor = report.nodes[node]?.outputs[output];
  if (!tensor || !isSized(tensor)) return refuse(graph.nodes[node]!, "its output's sizes are not known");
  return tensor.dims as readonly number[];
}

/** @throws EngineError `cannot-run` at a node that has no inputs or sizes that could be computed with. */
function check({ report }: Sized, node: Node): void {
  const { inference, inputs, outputs } = report.nodes[node.id]!;
  if (node.broken) refuse(node, "a parameter is missing or wrong");
  if (!inference || inputs.includes(null)) refuse(node, "its inputs are not known");
  if (![...inputs, ...outputs].every(isSized)) refuse(node, "not every size is known");
}

class Planner {
  /** Needed nodes, each after its inputs. */
  private readonly order: Node[] = [];
  private readonly given = new Set<number>();
  /** By output: nodes that read it, one for each time they do. */
  private readonly readers = new Map<string, number[]>();
  private readonly asked: ReadonlySet<string>;
  /** Nodes that are part of another node's step. */
  private readonly taken = new Set<number>();
  /** The step of a node that takes in others, by the last of its nodes. */
  private readonly merged = new Map<number, Pick<Step, "nodes" | "folded" | "add" | "activation">>();

  constructor(
    private readonly sized: Sized,
    wanted: readonly Ref[],
    given: ReadonlySet<number>,
  ) {
    this.asked = new Set(wanted.map(keyOf));
    this.collect(wanted, given);
    for (const node of this.order) {
      if (this.given.has(node.id)) continue;
      for (const ref of node.inputs) {
        const readers = this.readers.get(keyOf(ref!)) ?? [];
        this.readers.set(keyOf(ref!), [...readers, node.id]);
      }
    }
  }

  /** Fills `order` depth first with an explicit stack, so that deep graphs cannot overflow. */
  private collect(wanted: readonly Ref[], given: ReadonlySet<number>): void {
    const { nodes } = this.sized.graph;
    const seen = new Set<number>();
    const path: { readonly node: Node; next: number }[] = [];
    const open = (ref: Ref): void => {
      if (seen.has(ref.node)) return;
      seen.add(ref.node);
      const node = nodes[ref.node]!;
      check(this.sized, node);
      if (node.op === inputOp || given.has(node.id)) this.given.add(node.id);
      path.push({ node, next: this.given.has(node.id) ? node.inputs.length : 0 });
    };
    for (const root of wanted) {
      sizesOf(this.sized, root);
      open(root);
      for (let top = path.at(-1); top; top = path.at(-1)) {
        const ref = top.node.inputs[top.next++];
        if (ref) open(ref);
        else this.order.push(path.pop()!.node);
      }
    }
  }

  plan(): Plan {
    // The later of two operators takes an addition in, so that the earlier one's inputs can go.
    for (const node of this.order.toReversed()) this.merge(node);
    const parts = this.order.flatMap((node) => {
      const merged = this.merged.get(node.id);
      if (merged) return [merged];
      return this.taken.has(node.id) ? [] : [{ nodes: [node.id], folded: null, add: null, activation: null }];
    });
    return this.withMemory(parts);
  }

  /** The only reader of a node's only output, where nobody asked to see that output. */
  private soleReader(id: number): Node | null {
    const key = keyOf({ node: id, output: 0 });
    const readers = this.readers.get(key) ?? [];
    if (readers.length !== 1 || this.asked.has(key) || this.sized.report.nodes[id]!.outputs.length !== 1) return null;
    const reader = this.sized.graph.nodes[readers[0]!]!;
    return this.taken.has(reader.id) ? null : reader;
  }

  /** Lets an operator take in what follows it: an affine function, then an addition, then an activation. */
  private merge(head: Node): void {
    if (this.given.has(head.id) || this.taken.has(head.id)) return;
    const nodes = [head.id];
    let [folded, add, activation]: [number | null, Ref | null, number | null] = [null, null, null];
    let next = this.soleReader(head.id);
    if (next && this.canFold(head, next)) {
      folded = next.id;
      nodes.push(next.id);
      next = this.soleReader(next.id);
    }
    const addend = next && head.op.fuses === "addition" ? this.addendOf(next, nodes.at(-1)!) : null;
    if (next && addend) {
      add = addend;
      nodes.push(next.id);
      next = this.soleReader(next.id);
    }
    if (next?.op.pointwise && head.op.fuses) {
      activation = next.id;
      nodes.push(next.id);
    }
    if (nodes.length === 1) return;
    for (const id of nodes) this.taken.add(id);
    this.merged.set(nodes.at(-1)!, { nodes, folded, add, activation });
  }

  private canFold(head: Node, next: Node): boolean {
    const input = this.sized.report.nodes[next.id]!.inputs[0]!;
    const affine = next.op.channelAffine?.(next.attrs, input);
    return affine !== undefined && affine !== null && head.op.folds?.(input) === affine.axis;
  }

  /** What `node` adds to the output of node `to`, where it is such a sum and nothing broadcasts. */
  private addendOf(node: Node, to: number): Ref | null {
    if (!node.op.sums || node.inputs.length !== 2) return null;
    const other = node.inputs.find((ref) => ref!.node !== to);
    if (!other) return null;
    const [dims, more] = [sizesOf(this.sized, { node: to, output: 0 }), sizesOf(this.sized, other)];
    return dims.length === more.length && dims.every((size, axis) => size === more[axis]) ? other : null;
  }

  /** What a step reads. */
  private inputsOf({ nodes, add }: Pick<Step, "nodes" | "add">): readonly Ref[] {
    const head = this.sized.graph.nodes[nodes[0]!]!;
    if (this.given.has(head.id)) return [];
    return [...(head.inputs as readonly Ref[]), ...(add ? [add] : [])];
  }

  private outputsOf({ nodes }: Pick<Step, "nodes">): readonly Ref[] {
    const node = nodes.at(-1)!;
    return this.sized.report.nodes[node]!.outputs.map((_, output) => ({ node, output }));
  }

  /** What the windows of convolutions that read an output reach over its edges. */
  private marginOf(ref: Ref): readonly Surround[] | null {
    let margin: Surround[] = [];
    for (const reader of this.readers.get(keyOf(ref)) ?? []) {
      const { op } = this.sized.graph.nodes[reader]!;
      const windows = this.sized.report.nodes[reader]!.inference?.windows ?? [];
      if (op.fuses !== "addition" || windows.some(({ outputPadding }) => outputPadding !== undefined)) continue;
      const known = margin;
      margin = windows.map(({ window: { padBefore, padAfter } }, axis) => ({
        before: Math.max(known[axis]?.before ?? 0, typeof padBefore === "number" ? padBefore : 0),
        after: Math.max(known[axis]?.after ?? 0, typeof padAfter === "number" ? padAfter : 0),
      }));
    }
    return margin.some(({ before, after }) => before + after > 0) ? margin : null;
  }

  private bytesOf(ref: Ref): number {
    return 4 * elementCount(sizesOf(this.sized, ref), Number.MAX_SAFE_INTEGER);
  }

  private withMemory(parts: readonly Pick<Step, "nodes" | "folded" | "add" | "activation">[]): Plan {
    const lastUse = new Map<string, number>();
    for (const [index, part] of parts.entries()) {
      for (const ref of this.inputsOf(part)) lastUse.set(keyOf(ref), index);
    }
    let live = 0;
    let weightBytes = 0;
    const steps = parts.map((part, index): Step => {
      const outputs = this.outputsOf(part);
      for (const ref of outputs) live += this.bytesOf(ref);
      const releases = [
        ...new Map(
          this.inputsOf(part)
            .filter((ref) => lastUse.get(keyOf(ref)) === index)
            .map((ref) => [keyOf(ref), ref]),
        ).values(),
        ...outputs.filter((ref) => !lastUse.has(keyOf(ref))),
      ];
      const bytes = live;
      for (const ref of releases) live -= this.bytesOf(ref);
      const given = this.given.has(part.nodes[0]!);
      if (!given) for (const id of part.nodes) weightBytes += this.weightBytes(id);
      const wanted = outputs.filter((ref) => this.asked.has(keyOf(ref)));
      const margin = this.marginOf({ node: part.nodes.at(-1)!, output: 0 });
      return { ...part, margin, given, wanted, releases, bytes, macs: given ? 0 : this.macsOf(part.nodes) };
    });
    return {
      steps,
      peakBytes: steps.reduce((most, { bytes }) => Math.max(most, bytes), 0),
      weightBytes,
      macs: steps.reduce((sum, { macs }) => sum + macs, 0),
    };
  }

  private weightBytes(id: number): number {
    let bytes = 0;
    for (const { dims } of this.sized.report.nodes[id]!.inference?.weights ?? []) {
      if (!dims.every((dim) => typeof dim === "number"))
        refuse(this.sized.graph.nodes[id]!, "a weight's size is not known");
      bytes += 4 * elementCount(dims, Number.MAX_SAFE_INTEGER);
    }
    return bytes;
  }

  private macsOf(ids: readonly number[]): number {
    let macs = 0;
    for (const id of ids) {
      const { cost } = this.sized.report.nodes[id]!;
      if (typeof cost.macs === "number") macs += cost.macs;
    }
    return macs;
  }
}

/**
 * Plans how to compute the wanted outputs and nothing else.
 * @param given nodes whose outputs are all at hand already; what only they need is not computed.
 * @throws EngineError `cannot-run`, at the node, where something that is needed has unknown sizes or broken parameters;
 * `bad-size` where a size is no size.
 */
export function planRun(sized: Sized, wanted: readonly Ref[], given: ReadonlySet<number> = new Set()): Plan {
  return new Planner(sized, wanted, given).plan();
}
