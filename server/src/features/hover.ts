/**
 * Hover: everything known about the layer under the cursor, its formula with the numbers substituted first of all, and
 * the docs of the parameter the cursor is on.
 */
import type { Layer, Node } from "#shared/graph/graph.ts";
import type { Cost, NodeReport } from "#shared/graph/infer.ts";
import type { FindingCode, Range } from "#shared/ops/finding.ts";
import type { Param, Params } from "#shared/ops/param.ts";
import { type Dim, isKnown } from "#shared/shape/dim.ts";
import { dilationForm, equation, type Formula, sameForm, symmetricForm, totalForm } from "#shared/shape/formula.ts";
import { axisName, type Tensor } from "#shared/shape/tensor.ts";
import { type Field, fieldCentre, type WindowUse } from "#shared/shape/window.ts";
import type { Analysis } from "../analysis.ts";
import { docsUrl, rules } from "../rules/index.ts";
import { suppressedCodeAt } from "../suppressions.ts";
import { costOf, count, fieldText, layerOutputs, number, outputField, shapesText } from "./layerTable.ts";
import { codeSpan, literal } from "./markdown.ts";

export interface HoverAnswer {
  /** What the answer is about: the parameter under the cursor, or the layer. */
  readonly range: Range;
  readonly markdown: string;
}

/** Operators listed one by one for a layer that is made of several; more are counted. */
const MAX_LISTED = 24;

/** The answer at an offset, or null where no layer, input, operator or suppressed rule stands. */
export function hover(analysis: Analysis, offset: number): HoverAnswer | null {
  const suppressed = suppressedCodeAt(analysis.parsed, analysis.text, offset);
  if (suppressed && Object.hasOwn(rules, suppressed.code)) {
    const { code, severity, summary } = rules[suppressed.code as FindingCode];
    const markdown = `**[${code}](${docsUrl(code)})** (${severity}) — ${literal(summary)}`;
    return { range: suppressed.range, markdown };
  }
  const layer = innermost(analysis.graph.layers, (candidate) => candidate.range, offset);
  const node = innermost(analysis.graph.nodes, (candidate) => candidate.origin.layer, offset);
  if (node && (!layer || size(node.origin.layer) <= size(layer.range))) return nodeHover(analysis, node, layer, offset);
  return layer ? { range: layer.range, markdown: blockSections(analysis, layer).join("\n\n") } : null;
}

/** The shortest of the ranges that hold the offset; of equal ones the first. */
function innermost<T>(items: readonly T[], rangeOf: (item: T) => Range, offset: number): T | null {
  let found: T | null = null;
  for (const item of items) {
    const range = rangeOf(item);
    if (range.start > offset || offset > range.end) continue;
    if (!found || size(range) < size(rangeOf(found))) found = item;
  }
  return found;
}

function size(range: Range): number {
  return range.end - range.start;
}

function nodeHover(analysis: Analysis, node: Node, layer: Layer | null, offset: number): HoverAnswer {
  const parameter = parameterAt(node, offset);
  const docs = parameter ? parameterDocs(analysis, node, parameter.name) : null;
  const sections = nodeSections(analysis, node, layer);
  return {
    range: parameter && docs ? parameter.range : node.origin.layer,
    markdown: (docs ? [docs, "---", ...sections] : sections).join("\n\n"),
  };
}

function parameterAt(node: Node, offset: number): { readonly name: string; readonly range: Range } | null {
  for (const [name, { key, value }] of node.origin.params) {
    const range = key ? { start: Math.min(key.start, value.start), end: Math.max(key.end, value.end) } : value;
    if (range.start <= offset && offset <= range.end) return { name, range };
  }
  return null;
}

function parameterDocs({ dialect }: Analysis, node: Node, name: string): string | null {
  const params = node.op.params as Params;
  const param = Object.hasOwn(params, name) ? params[name]! : null;
  if (!param) return null;
  const word = dialect.words.param(node.op.name, name);
  const standard = param.required ? "required" : `default ${codeSpan(JSON.stringify(writtenDefault(param)))}`;
  return `**${codeSpan(word)}** — ${literal(param.doc)} ${literal(capital(param.type.expected))}; ${standard}.`;
}

/** A default as a file would write it: 0 for the padding that it stands for, 1 for a stride of [1, 1]. */
function writtenDefault({ type, default: value }: Param<unknown>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const meant = JSON.stringify(value);
  return [0, 1, 2].find((written) => JSON.stringify(type.parse(written)) === meant) ?? value;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function nodeSections(analysis: Analysis, node: Node, layer: Layer | null): string[] {
  const { dialect, graph } = analysis;
  const report = analysis.report.nodes[node.id]!;
  const same = graph.nodes.filter(
    ({ origin }) => origin.layer.start === node.origin.layer.start && origin.layer.end === node.origin.layer.end,
  );
  const title = `**${literal(dialect.words.op(node.op.name))}** ${codeSpan(layer?.name ?? node.scope)}`;
  const sections = [`${title} — ${literal(node.op.summary)}`];
  if (same.length > 1)
    sections.push(`Used ${same.length} times; the numbers are those of ${codeSpan(node.scope)}, the first.`);
  sections.push(flow(report.inputs, report.outputs, analysis));
  const formulas = formulaSection(report);
  if (formulas) sections.push(formulas);
  sections.push(facts(report.cost, report.field));
  const isRepeated = layer && layer.nodes.end - layer.nodes.first > 1 && size(layer.range) === size(node.origin.layer);
  if (isRepeated) {
    const { first, end } = layer.nodes;
    sections.push("All together:", flow(report.inputs, layerOutputs(analysis, layer), analysis));
    sections.push(facts(costOf(analysis, first, end), outputField(analysis, layer)));
  }
  return sections;
}

/** A layer made of several operators: what goes in and out, the sum of its cost, and its operators. */
function blockSections(analysis: Analysis, layer: Layer): string[] {
  const { graph, report } = analysis;
  const { first, end } = layer.nodes;
  const sections = [`**${literal(layer.type)}** ${codeSpan(layer.name)} — ${end - first} operators`];
  const outputs = layerOutputs(analysis, layer);
  sections.push(flow(first < end ? report.nodes[first]!.inputs : [], outputs, analysis));
  const lines: string[] = [];
  for (let id = first; id < Math.min(end, first + MAX_LISTED); id++) {
    const node = graph.nodes[id]!;
    const shape = shapesText(report.nodes[id]!.outputs, analysis);
    lines.push(`- ${codeSpan(node.scope)} ${literal(analysis.dialect.words.op(node.op.name))} → ${codeSpan(shape)}`);
  }
  if (end - first > MAX_LISTED) lines.push(`- … and ${end - first - MAX_LISTED} more`);
  if (lines.length > 0) sections.push(lines.join("\n"));
  sections.push(facts(costOf(analysis, first, end), outputField(analysis, layer)));
  return sections;
}

function flow(inputs: readonly (Tensor | null)[], outputs: readonly (Tensor | null)[], analysis: Analysis): string {
  const output = codeSpan(shapesText(outputs, analysis));
  return inputs.length === 0 ? output : `${codeSpan(shapesText(inputs, analysis))} → ${output}`;
}

/** The equations of every axis, axes of the same arithmetic together. */
function formulaSection({ inputs, inference }: NodeReport): string | null {
  const tensor = inputs[0];
  const byText = new Map<string, string[]>();
  for (const use of inference?.windows ?? []) {
    const text = formulaLines(use).join("\n");
    const name = tensor ? axisName(tensor, use.axis) : `axis ${use.axis}`;
    byText.set(text, [...(byText.get(text) ?? []), name]);
  }
  if (byText.size === 0) return null;
  const blocks = [...byText].map(([text, names]) => `${names.join(" and ")}:\n${text}`);
  return `\`\`\`text\n${blocks.join("\n")}\n\`\`\``;
}

/** The lines that explain one axis: dilation first, then both notations, then SAME's rule and how it pads. */
export function formulaLines(use: WindowUse): readonly string[] {
  const { padBefore, padAfter } = use.window;
  const rows: [string, string][] = [];
  const row = (label: string, formula: Formula | null) => {
    if (formula) rows.push([label, equation(formula)]);
  };
  row("dilated kernel", dilationForm(use));
  row("same", sameForm(use));
  if (isKnown(padBefore) && isKnown(padAfter)) {
    row("total padding p", totalForm(use));
    row(String(padBefore) === String(padAfter) ? "p on each side" : "p₁ before, p₂ after", symmetricForm(use));
  }
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, text]) => `  ${label.padEnd(width)}  ${text}`);
}

function facts(cost: Cost, field: readonly Field[] | null): string {
  const buffers = cost.buffers === 0 ? "" : ` and ${count(cost.buffers)} running statistics`;
  const lines = [
    `- parameters: ${count(cost.params)}${buffers}`,
    `- MACs: ${count(cost.macs)} (multiply-accumulates, one sample)`,
    `- activation memory: ${bytes(cost.activationBytes)} (float32, one sample)`,
  ];
  if (field && field.length > 0) {
    const list = (pick: (axis: Field) => number) => field.map((axis) => number(pick(axis))).join(" × ");
    lines.push(
      `- receptive field: ${fieldText(field)}, jump ${list((axis) => axis.jump)}, ` +
        `offset ${list((axis) => axis.start)} (centre ${list(fieldCentre)})`,
    );
  } else if (field === null) lines.push("- receptive field: the whole input, or not known");
  return lines.join("\n");
}

/** `18.4 KiB`; symbolic sizes as a count of bytes. */
function bytes(dim: Dim): string {
  if (typeof dim !== "number") return isKnown(dim) ? `${dim} bytes` : String(dim);
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = dim;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
