/**
 * A model as a graph: what every dialect lowers to and everything later reads.
 */
import type { Range } from "../ops/finding.ts";
import type { Operator } from "../ops/op.ts";
import type { Plain } from "../ops/param.ts";

/** One output of one node. */
export interface Ref {
  readonly node: number;
  readonly output: number;
}

/** Where a node was written. Parameters the file does not write have no entry. */
export interface Origin {
  readonly layer: Range;
  readonly type: Range;
  /** By canonical parameter name: the value as written, and the key where there is one. */
  readonly params: ReadonlyMap<
    string,
    { readonly value: Range; readonly key?: Range; readonly items?: readonly Range[] }
  >;
  /** By input position, where the file names its inputs. */
  readonly inputs: readonly Range[];
  /** Where parameters are told by their place: those that further values would give, with what they are without. */
  readonly further?: readonly { readonly name: string; readonly default: Plain }[];
}

export interface Node {
  /** Its own index in `Graph.nodes`. */
  readonly id: number;
  readonly op: Operator;
  /** Decoded attributes; incomplete where `broken`. */
  readonly attrs: Readonly<Record<string, unknown>>;
  /** null: the reference did not resolve, so what depends on it stays silent. */
  readonly inputs: readonly (Ref | null)[];
  readonly origin: Origin;
  /** Dotted path that groups composite blocks and names weights: `model.4.m.0.cv1`. */
  readonly scope: string;
  /** A parameter is missing or bad (already reported): inference only recovers the rank. */
  readonly broken: boolean;
  /** Its weights are those of an earlier call of the same layer, and are counted there. */
  readonly tied?: boolean;
}

/** A layer of the file itself: what a hint, a table row and a JSON entry stand for. May hold many nodes. */
export interface Layer {
  /** Counts the file's own layers from 0. */
  readonly index: number;
  /** As written, or the dialect's default name. */
  readonly name: string;
  /** As written: "Conv2d", "C2f", "Dense". */
  readonly type: string;
  readonly range: Range;
  /** Where an inlay hint goes: the end of the layer's own text. */
  readonly hintAt: number;
  /** Ids of its nodes: [first, end). */
  readonly nodes: { readonly first: number; readonly end: number };
  readonly outputs: readonly (Ref | null)[];
  /** 0 for the model's own layers; greater inside block definitions, which only hints show. */
  readonly depth: number;
}

export interface Graph {
  readonly name: string | null;
  /** Not necessarily in topological order: `from` may name a later layer. */
  readonly nodes: readonly Node[];
  /** Layers in text order. */
  readonly layers: readonly Layer[];
  /** Ids of the Input nodes. */
  readonly inputs: readonly number[];
  readonly outputs: readonly Ref[];
  /** Numbers for symbols, from `sample:`; used by the preview only. */
  readonly sample: ReadonlyMap<string, number>;
}

const owners = new WeakMap<Graph, ReadonlyMap<number, Layer>>();

/** The file's own layer that a node belongs to; undefined for inputs. */
export function ownerOf(graph: Graph, node: number): Layer | undefined {
  let known = owners.get(graph);
  if (!known) {
    const found = new Map<number, Layer>();
    for (const layer of graph.layers) {
      if (layer.depth > 0) continue;
      for (let id = layer.nodes.first; id < layer.nodes.end; id++) found.set(id, layer);
    }
    owners.set(graph, found);
    known = found;
  }
  return known.get(node);
}

const allReaders = new WeakMap<Graph, readonly (readonly Node[])[]>();

/** The nodes that read some output of a node, each once. */
export function readersOf(graph: Graph, node: number): readonly Node[] {
  let known = allReaders.get(graph);
  if (!known) {
    const found: Node[][] = graph.nodes.map(() => []);
    for (const reader of graph.nodes) {
      for (const input of reader.inputs)
        if (input && found[input.node]?.at(-1) !== reader) found[input.node]?.push(reader);
    }
    allReaders.set(graph, found);
    known = found;
  }
  return known[node] ?? [];
}

/** Whether a node stands inside a module that is one layer of the file: nothing of it can be changed there. */
export function isInside(graph: Graph, node: Node): boolean {
  const layer = ownerOf(graph, node.id);
  return layer !== undefined && isComposite(graph, layer);
}

/** Whether a layer is one module of the file that stands for several operators, all written in the same place. */
export function isComposite(graph: Graph, { nodes }: Layer): boolean {
  return nodes.end - nodes.first > 1 && graph.nodes[nodes.first]!.origin === graph.nodes[nodes.end - 1]!.origin;
}
