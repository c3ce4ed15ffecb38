/**
 * Layers whose work reaches no output of the model: dead code of a network.
 */
import { AT_LAYER, AT_TYPE, atRange, type Finding } from "../ops/finding.ts";
import { type Graph, isComposite, type Layer, type Node, ownerOf } from "./graph.ts";
import { finding } from "./infer.ts";

/** One finding per unread end: a chain that leads nowhere is one mistake, stated at its last layer. */
export function deadLayers(graph: Graph): Finding[] {
  if (graph.outputs.length === 0) return [];
  const live = liveNodes(graph);
  if (live.size === graph.nodes.length) return [];
  const read = new Set<number>();
  for (const node of graph.nodes) for (const input of node.inputs) if (input) read.add(input.node);

  const findings: Finding[] = [];
  for (const node of graph.nodes) {
    if (live.has(node.id) || read.has(node.id)) continue;
    const layer = ownerOf(graph, node.id);
    // Branches inside a module that only its training reads are no layers of the file.
    if (layer && isComposite(graph, layer) && isPartlyLive(layer, live)) continue;
    findings.push(finding("dead-layer", node.id, placeOf(layer, live), { only: onlyFor(node, graph, live) }));
  }
  return findings;
}

/** Ids of the nodes that some output of the model depends on. */
export function liveNodes(graph: Graph): Set<number> {
  const live = new Set<number>();
  const open = graph.outputs.map((ref) => ref.node);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (live.has(id)) continue;
    live.add(id);
    for (const input of graph.nodes[id]?.inputs ?? []) if (input) open.push(input.node);
  }
  return live;
}

/** The dead nodes before an end that nothing but it (directly or through others) could be kept for. */
function onlyFor(end: Node, graph: Graph, live: ReadonlySet<number>): number[] {
  const before = new Set<number>();
  const open = [end.id];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const input of graph.nodes[id]!.inputs) {
      if (!input || live.has(input.node) || before.has(input.node)) continue;
      before.add(input.node);
      open.push(input.node);
    }
  }
  return [...before].sort((a, b) => a - b);
}

/**
 * A block's nodes were written in the block's definition, which other uses may need: where a whole use is dead, the use
 * is what to point at.
 */
function placeOf(layer: Layer | undefined, live: ReadonlySet<number>): Finding["at"] {
  if (!layer) return AT_LAYER;
  const { first, end } = layer.nodes;
  return end - first === 1 || isPartlyLive(layer, live) ? AT_TYPE : atRange(layer.range);
}

function isPartlyLive({ nodes: { first, end } }: Layer, live: ReadonlySet<number>): boolean {
  for (let id = first; id < end; id++) if (live.has(id)) return true;
  return false;
}
