/**
 * Inlay hints: the output size after each layer and, where asked for, its parameters and receptive field.
 *
 * While a line is half typed, the sizes behind it are not known. Those layers keep the hint they had before the edit, so
 * that nothing flickers: see `previous` of `inlayHints`.
 */
import type { Layer } from "#shared/graph/graph.ts";
import type { Range } from "#shared/ops/finding.ts";
import type { HintSettings } from "#shared/settings.ts";
import { type Dim, isKnown } from "#shared/shape/dim.ts";
import { equation, shortForm } from "#shared/shape/formula.ts";
import { axisName, type Tensor } from "#shared/shape/tensor.ts";
import type { Analysis } from "../analysis.ts";
import { costOf, count, fieldText, layerOutputs, number, outputField, shapesText, shortCount } from "./layerTable.ts";
import { codeSpan } from "./markdown.ts";

export type HintKind = "size" | "parameters" | "receptiveField";

export interface Hint {
  readonly offset: number;
  readonly kind: HintKind;
  /** At most `maximumLength` UTF-16 units. */
  readonly label: string;
  /** Index into `graph.layers` of the analysis that `tooltip` needs. */
  readonly layer: number;
  /** Taken from the last analysis that knew: the text is being edited. */
  readonly kept: boolean;
}

/** Whether every size is known and nothing is wrong: what a document being edited can go back to. */
export function isSound(analysis: Analysis): boolean {
  return (
    !analysis.diagnostics.some(({ severity }) => severity === "error") &&
    analysis.graph.layers.every((layer) => isWhollyKnown(analysis, layer))
  );
}

/**
 * The hints whose place lies in `within`.
 *
 * @param previous the last sound analysis of the same document, where the document is being edited: a layer whose own
 * text has not changed since keeps the hint it had while the edit disturbs it.
 */
export function inlayHints(
  analysis: Analysis,
  settings: HintSettings,
  within: Range,
  previous: Analysis | null = null,
): readonly Hint[] {
  const hints: Hint[] = [];
  const before = previous ? sameLayers(analysis, previous) : null;
  for (const [index, layer] of analysis.graph.layers.entries()) {
    const offset = layer.hintAt;
    if (offset < within.start || offset > within.end) continue;
    const old = before?.get(index);
    const kept = previous !== null && old !== undefined && isDisturbed(analysis, layer, previous, old);
    for (const [kind, text] of kept ? labels(previous, old, settings) : labels(analysis, layer, settings)) {
      hints.push({ offset, kind, label: shortened(text, settings.maximumLength), layer: index, kept });
    }
  }
  return hints;
}

/** Markdown: the whole text of the hint, and how it comes about. */
export function hintTooltip(analysis: Analysis, hint: Pick<Hint, "kind" | "layer" | "kept">): string {
  const layer = analysis.graph.layers[hint.layer];
  if (!layer) return "";
  if (hint.kept) return "As before the edit: the model cannot be checked up to here right now.";
  if (hint.kind === "parameters") return parametersTooltip(analysis, layer);
  if (hint.kind === "receptiveField") return fieldTooltip(analysis, layer);
  return sizeTooltip(analysis, layer);
}

/**
 * Whether the edit has taken a layer's size away: it is not known any more, or it is another one while the text itself is
 * broken, as in `{kernel_size: 3` before `, padding: 1}` is typed.
 */
function isDisturbed(analysis: Analysis, layer: Layer, previous: Analysis, old: Layer): boolean {
  if (!isWhollyKnown(previous, old)) return false;
  if (!isWhollyKnown(analysis, layer)) return true;
  if (!analysis.parsed.problems.some(({ code }) => code === "syntax")) return false;
  return shapesText(layerOutputs(analysis, layer), analysis) !== shapesText(layerOutputs(previous, old), previous);
}

function labels(analysis: Analysis, layer: Layer, settings: HintSettings): [HintKind, string][] {
  const found: [HintKind, string][] = [];
  const outputs = layerOutputs(analysis, layer);
  if (settings.size && outputs.some((output) => output !== null && saysSomething(output))) {
    found.push(["size", shapesText(outputs, analysis)]);
  }
  if (settings.parameters) {
    const { params } = costOf(analysis, layer.nodes.first, layer.nodes.end);
    if (params !== 0 && (isKnown(params) || params.isTooLarge))
      found.push(["parameters", `${shortCount(params)} params`]);
  }
  const field = settings.receptiveField ? outputField(analysis, layer) : null;
  if (field && field.length > 0) found.push(["receptiveField", `sees ${fieldText(field)}`]);
  return found;
}

/** A size of which nothing but the batch is known is no information. */
function saysSomething({ dims, layout }: Tensor): boolean {
  const own = dims.slice(layout.batched ? 1 : 0);
  return own.length === 0 || own.some((dim: Dim) => isKnown(dim) || dim.isTooLarge);
}

function isWhollyKnown(analysis: Analysis, layer: Layer): boolean {
  return layerOutputs(analysis, layer).every((output) => output?.dims.every(isKnown) ?? false);
}

function shortened(text: string, maximum: number): string {
  if (text.length <= maximum) return text;
  // Never half a surrogate pair before the dots.
  return `${text.slice(0, maximum - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** Layers of `now` that stand in `then` as well: before the first character that differs, or behind the last. */
function sameLayers(now: Analysis, then: Analysis): ReadonlyMap<number, Layer> {
  const a = now.graph.layers;
  const b = then.graph.layers;
  const { head, tail } = commonEnds(now.text, then.text);
  const grown = now.text.length - then.text.length;
  const same = (one: Layer, other: Layer, moved: number) =>
    one.range.start === other.range.start + moved && one.range.end === other.range.end + moved;
  const found = new Map<number, Layer>();
  const shorter = Math.min(a.length, b.length);
  let first = 0;
  for (; first < shorter && a[first]!.range.end <= head && same(a[first]!, b[first]!, 0); first++) {
    found.set(first, b[first]!);
  }
  for (let last = 1; last <= shorter - first; last++) {
    const layer = a[a.length - last]!;
    const other = b[b.length - last]!;
    if (layer.range.start < now.text.length - tail || !same(layer, other, grown)) break;
    found.set(a.length - last, other);
  }
  return found;
}

/** How many characters two texts share at the start, and of the rest at the end. */
function commonEnds(one: string, other: string): { readonly head: number; readonly tail: number } {
  const shorter = Math.min(one.length, other.length);
  let head = 0;
  while (head < shorter && one.charCodeAt(head) === other.charCodeAt(head)) head++;
  let tail = 0;
  while (tail < shorter - head && one.charCodeAt(one.length - 1 - tail) === other.charCodeAt(other.length - 1 - tail)) {
    tail++;
  }
  return { head, tail };
}

function sizeTooltip(analysis: Analysis, layer: Layer): string {
  const { graph, report, dialect } = analysis;
  const lines: string[] = [];
  const input = report.nodes[layer.nodes.first]?.inputs[0];
  const output = codeSpan(shapesText(layerOutputs(analysis, layer), analysis));
  lines.push(`**output** ${input ? `${codeSpan(dialect.words.shape(input))} → ${output}` : output}`);
  // The window of a single operator explains its size; a block has many, which hover lists.
  const single = layer.nodes.end - layer.nodes.first === 1 ? report.nodes[layer.nodes.first] : undefined;
  const tensor = single?.inputs[0];
  for (const use of single?.inference?.windows ?? []) {
    if (tensor) lines.push(`${axisName(tensor, use.axis)}: ${codeSpan(equation(shortForm(use)))}`);
  }
  const nodes = layer.nodes.end - layer.nodes.first;
  if (nodes > 1) lines.push(`${nodes} operators, from ${codeSpan(graph.nodes[layer.nodes.first]!.scope)}`);
  return lines.join("\n\n");
}

function parametersTooltip(analysis: Analysis, { nodes }: Layer): string {
  const lines: string[] = [];
  const { params, buffers } = costOf(analysis, nodes.first, nodes.end);
  lines.push(`**${count(params)}** trainable values`);
  if (buffers !== 0) lines.push(`${count(buffers)} running statistics, not trained`);
  if (nodes.end - nodes.first === 1) {
    for (const weight of analysis.report.nodes[nodes.first]?.inference?.weights ?? []) {
      lines.push(`${codeSpan(weight.name)}: ${codeSpan(weight.dims.map(String).join(" × "))}`);
    }
  }
  return lines.join("\n\n");
}

function fieldTooltip(analysis: Analysis, layer: Layer): string {
  const field = outputField(analysis, layer) ?? [];
  const list = (pick: (axis: (typeof field)[number]) => number) => field.map((axis) => number(pick(axis))).join(" × ");
  return [
    `One output value sees **${fieldText(field)}** values of the input.`,
    `Neighbouring outputs look ${list((axis) => axis.jump)} apart; the first looks from ${list((axis) => axis.start)}.`,
  ].join("\n\n");
}
