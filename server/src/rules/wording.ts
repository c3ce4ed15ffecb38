/**
 * The sentences rules share: lists, axes, the window formula with its numbers, and how a branch is called.
 */
import { isComposite, type Node, ownerOf, type Ref } from "#shared/graph/graph.ts";
import type { FindingCode } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
import { Refusal } from "#shared/ops/param.ts";
import { type Dim, Expr, product } from "#shared/shape/dim.ts";
import { axisName, type Tensor } from "#shared/shape/tensor.ts";
import { effectiveKernel, type WindowUse } from "#shared/shape/window.ts";
import type { MessageContext, RelatedPlace } from "./rule.ts";

/** `a`, `a and b`, `a, b and c`. */
export function listed(items: readonly (string | number)[], last: "and" | "or" = "and"): string {
  if (items.length <= 1) return String(items[0] ?? "");
  return `${items.slice(0, -1).join(", ")} ${last} ${items.at(-1)}`;
}

/** `a, or b`: pieces of advice, which may hold an "or" of their own. */
export function offered(options: readonly string[]): string {
  return options.length <= 1 ? (options[0] ?? "") : `${options.slice(0, -1).join(", ")}, or ${options.at(-1)}`;
}

/** A number as written in a message: a true minus, at most two decimals, marked where they are not all. */
export function numeral(value: number): string {
  const rounded = Math.round(value * 100) / 100;
  const text = rounded < 0 ? `−${-rounded}` : String(rounded);
  return rounded === value ? text : `${text}…`;
}

/** `1 channel`, `3 channels`. */
export function counted(count: Dim, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * The windows of the node that are like `use`, itself among them: operators state one finding for a square input under a
 * square kernel, not one per axis, and its message speaks for all.
 */
export function alike({ node, report }: MessageContext<FindingCode>, use: WindowUse): readonly WindowUse[] {
  const geometry = ({ input, window: w }: WindowUse) =>
    [input, w.kernel, w.stride, w.dilation, w.padBefore, w.padAfter].join(" ");
  const windows = (node ? report.nodes[node.id]?.inference?.windows : null) ?? [];
  const same = windows.filter((other) => geometry(other) === geometry(use));
  return same.length > 0 ? same : [use];
}

/** `height and width`, from windows of one input. */
export function axesOf(uses: readonly WindowUse[], input: Tensor): string {
  return listed(uses.map((use) => axisName(input, use.axis)));
}

/** What one step along an axis holds: a row of the height, a column of the width. */
export function cellsOf(input: Tensor, axis: number): string {
  const name = axisName(input, axis);
  return { height: "row", width: "column", depth: "slice" }[name] ?? "step";
}

/** `28 − 5 + 2·0`: input minus what the window spans plus padding; dilation shows where it is not 1. */
export function windowRoom(use: WindowUse): string {
  const { kernel, dilation, padBefore, padAfter } = use.window;
  const span = dilation === 1 ? `${kernel}` : `${dilation}·(${kernel} − 1) − 1`;
  const padding = String(padBefore) === String(padAfter) ? `2·${padBefore}` : `${padBefore} + ${padAfter}`;
  const input = String(use.input);
  return `${input} − ${span} + ${padding}`;
}

/** `(28 − 5 + 2·0)/2 + 1`. */
export function windowFormula(use: WindowUse): string {
  return `(${windowRoom(use)})/${use.window.stride} + 1`;
}

/** The formula's value before rounding, or null where it is symbolic. */
export function exactSize(use: WindowUse): number | null {
  const { padBefore, padAfter, stride } = use.window;
  if (typeof use.input !== "number" || typeof padBefore !== "number" || typeof padAfter !== "number") return null;
  return (use.input + padBefore + padAfter - effectiveKernel(use.window)) / stride + 1;
}

/**
 * Whether the file could give the operator's parameter this value, so that advice never offers what would be refused or
 * what cannot be written there: inside a module only the arguments that its row writes.
 */
export function accepts(
  { node, graph, words }: Pick<MessageContext<FindingCode>, "node" | "graph" | "words">,
  param: string,
  value: Plain,
): boolean {
  if (!node || !takesValue(node, param, value)) return false;
  const layer = ownerOf(graph, node.id);
  if (layer && isComposite(graph, layer) && !node.origin.params.has(param)) return false;
  return words.takes?.(node.op.name, param, value) ?? true;
}

function takesValue({ op }: Node, param: string, value: Plain): boolean {
  const type = op.params[param]?.type;
  return type !== undefined && !(type.parse(value) instanceof Refusal);
}

/** The most cells of padding on one side that the operator takes: half a pooling window, or what its mode can fill. */
export function mostPadding(node: Node | null, { input, window }: WindowUse): number {
  if (node && takesValue(node, "ceil_mode", true)) return Math.floor(window.kernel / 2);
  const mode = node?.attrs.padding_mode;
  if (mode !== "reflect" && mode !== "circular") return Number.POSITIVE_INFINITY;
  return typeof input !== "number" ? 0 : mode === "reflect" ? input - 1 : input;
}

/** `576 = 16·6·6`, or the plain size where there is nothing to multiply. */
export function factored(size: Dim, factors: readonly Dim[], dim: (dim: Dim) => string): string {
  const shown = factors.length > 1 && String(product(factors)) === String(size);
  if (!shown) return dim(size);
  const parts = factors.map((factor) =>
    factor instanceof Expr && /[ ]/.test(dim(factor)) ? `(${dim(factor)})` : dim(factor),
  );
  const joined = parts.join("·");
  return size instanceof Expr && joined === dim(size) ? joined : `${dim(size)} = ${joined}`;
}

type AnyContext = Pick<MessageContext<FindingCode>, "graph" | "report" | "words">;

/** How a node is called in the file: its layer's name, or its type and path inside a block. */
export function nameOf(id: number, { graph, words }: AnyContext): string {
  const node = graph.nodes[id];
  if (!node) return "?";
  const layer = ownerOf(graph, id);
  if (layer && layer.nodes.end - layer.nodes.first === 1) return layer.name;
  if (layer && isComposite(graph, layer) && layer.outputs.some((ref) => ref?.node === id)) return layer.name;
  if (node.op.name === "Input") return node.scope === "input" ? "the input" : node.scope;
  return `${words.op(node.op.name)} ${node.scope}`;
}

/** What the node's input `index` reads: null where the reference did not resolve. */
export function sourceOf(context: Pick<MessageContext<FindingCode>, "node">, index: number): Ref | null {
  return context.node?.inputs[index] ?? null;
}

/** How the layer that feeds input `index` is called. */
export function sourceName(context: MessageContext<FindingCode>, index: number): string {
  const ref = sourceOf(context, index);
  return ref ? nameOf(ref.node, context) : `input ${index}`;
}

/** Which input of the node a tensor of its finding is. */
export function inputIndex({ at, node, report }: MessageContext<FindingCode>, input: Tensor): number {
  if (at.kind === "input") return at.index;
  const inputs = node ? (report.nodes[node.id]?.inputs ?? []) : [];
  return Math.max(0, inputs.indexOf(input));
}

/** `conv1 [N, 64, 28, 28]`: the branch that enters as input `index`. */
export function branch(context: MessageContext<FindingCode>, index: number, shape: Tensor): string {
  const source = sourceOf(context, index);
  const shown = context.words.shape(shape);
  return source ? `${nameOf(source.node, context)} ${shown}` : shown;
}

/** The layers that feed the given inputs, as places to jump to. */
export function sources(
  context: MessageContext<FindingCode>,
  inputs: readonly (readonly [index: number, shape: Tensor])[],
): RelatedPlace[] {
  return inputs.flatMap(([index, shape]) => {
    const source = sourceOf(context, index);
    const node = source ? context.graph.nodes[source.node] : undefined;
    if (!source || !node) return [];
    return [
      { range: node.origin.type, message: `${nameOf(source.node, context)} gives ${context.words.shape(shape)}` },
    ];
  });
}

/** The input of the finding's node as its related place, for rules about one tensor. */
export function source(context: MessageContext<FindingCode>, shape: Tensor): RelatedPlace[] {
  return sources(context, [[inputIndex(context, shape), shape]]);
}
