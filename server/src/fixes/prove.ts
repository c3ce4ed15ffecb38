/**
 * Fixes, each proven: a candidate is put into the text, the text is analysed anew, and it is offered only if the problem is
 * gone and no new one came. Its title says the sizes it leads to.
 */
import { type Graph, isComposite, ownerOf } from "#shared/graph/graph.ts";
import type { Plain } from "#shared/ops/param.ts";
import { isKnown } from "#shared/shape/dim.ts";
import { axisName, channelAxis, spatialAxes, type Tensor } from "#shared/shape/tensor.ts";
import type { Analysis } from "../analysis.ts";
import { candidatesFor } from "../rules/index.ts";
import type { Candidate, Change, Diagnostic, Severity } from "../rules/rule.ts";
import { listed, nameOf } from "../rules/wording.ts";
import { applyEdits, beforeEdits, type TextEdit } from "../syntax/edit.ts";
import { editsOf } from "./edits.ts";

/** A fix that has been tried. */
export interface Fix {
  /** `padding: 1 → output 28×28`. */
  readonly title: string;
  readonly edits: readonly TextEdit[];
  /** It cannot change a model that works, and is what was meant. */
  readonly safe: boolean;
}

/** A fix with what the text is after it. */
export interface ProvenFix extends Fix {
  readonly after: Analysis;
}

/** How a text is analysed: as the one before it was. Null where it is no model any more. */
export type Reanalyse = (text: string) => Analysis | null;

/** Fixes that are offered for one problem. */
const MAX_FIXES = 6;
/** Candidates that are tried for one problem. */
const MAX_TRIES = 12;
/** How much may be analysed anew for one text, in characters: a thousand fixes of a usual one, a few of a megabyte. */
export class Budget {
  private left = 4 << 20;

  /** Whether there is as much left; then it is spent. */
  spend(characters: number): boolean {
    this.left -= characters;
    return this.left >= 0;
  }
}

/** Tries what the rules propose for one analysis. */
export class Prover {
  private readonly known = new Map<Diagnostic, readonly ProvenFix[]>();

  constructor(
    readonly analysis: Analysis,
    readonly reanalyse: Reanalyse,
    private readonly budget = new Budget(),
  ) {}

  /** What mends a problem, the best first; found once, and without the unsafe not even tried. */
  fixesOf(diagnostic: Diagnostic, unsafeToo = true): readonly ProvenFix[] {
    let fixes = this.known.get(diagnostic);
    if (!fixes) {
      fixes = [...this.proven(diagnostic, unsafeToo)].slice(0, MAX_FIXES);
      if (unsafeToo) this.known.set(diagnostic, fixes);
    }
    return unsafeToo ? fixes : fixes.filter(({ safe }) => safe);
  }

  /** The first that is safe, or the first of all. */
  firstOf(diagnostic: Diagnostic, unsafeToo: boolean): ProvenFix | null {
    for (const fix of this.proven(diagnostic, unsafeToo)) return fix;
    return null;
  }

  private *proven(diagnostic: Diagnostic, unsafeToo: boolean): Generator<ProvenFix> {
    const { graph, report, dialect } = this.analysis;
    const texts = new Set([this.analysis.text]);
    for (const candidate of candidatesFor(diagnostic.finding, graph, report, dialect.words)) {
      if (texts.size > MAX_TRIES) return;
      if (!candidate.safe && !unsafeToo) continue;
      const edited = editsOf(candidate.changes, this.analysis);
      const safe = candidate.safe && !edited?.shared;
      if (!edited || !(safe || unsafeToo)) continue;
      const { edits } = edited;
      const after = this.try(edits, diagnostic, texts, candidate.reveals);
      if (after) yield { title: titleOf(candidate, diagnostic, this.analysis, after, edits), edits, safe, after };
    }
  }

  /** The analysis after edits that take this problem away and bring none; `texts` are those tried before. */
  private try(
    edits: readonly TextEdit[],
    diagnostic: Diagnostic,
    texts: Set<string>,
    reveals = false,
  ): Analysis | null {
    const text = applyEdits(this.analysis.text, edits);
    if (texts.has(text) || !this.budget.spend(text.length)) return null;
    texts.add(text);
    const after = this.reanalyse(text);
    return after && after.dialect === this.analysis.dialect && mends(diagnostic, this.analysis, after, edits, reveals)
      ? after
      : null;
  }

  /** Whether edits take this problem away and bring none. */
  proves(edits: readonly TextEdit[], diagnostic: Diagnostic): boolean {
    return this.try(edits, diagnostic, new Set()) !== null;
  }
}

const WEIGHT: Readonly<Record<Severity, number>> = { hint: 1, information: 2, warning: 3, error: 4 };

/**
 * Problems of one code in one layer count as one kind: of this kind there is one less, of no other more or a graver one. Where
 * an error goes, notes may come: no framework objects to what they say, and a 1×1 shortcut of stride 2 has one.
 */
function mends(
  diagnostic: Diagnostic,
  before: Analysis,
  after: Analysis,
  edits: readonly TextEdit[],
  reveals: boolean,
): boolean {
  // A layer is the same that begins at the same place, whatever its number is by now.
  const starts = new Map(before.graph.layers.map(({ range }, index) => [range.start, index]));
  const indices = after.graph.layers.map(({ range }) => starts.get(beforeEdits(range.start, edits)) ?? null);
  const was = kindsOf(before.diagnostics, (layer) => layer);
  const is = kindsOf(after.diagnostics, (layer) => indices[layer] ?? null);
  const own = kindOf(diagnostic.code, diagnostic.layer);
  if ((is.get(own)?.count ?? 0) >= was.get(own)!.count) return false;
  for (const [kind, { count, gravest, layer }] of is) {
    const old = was.get(kind);
    if (reveals && kind !== own && layer !== null && (layer === diagnostic.layer || !isChecked(layer, before)))
      continue;
    if (diagnostic.severity === "error" && gravest <= WEIGHT.information) continue;
    if (!old || count > old.count || gravest > old.gravest) return false;
  }
  return true;
}

function kindOf(code: string, layer: number | null): string {
  return `${code} ${layer}`;
}

function kindsOf(diagnostics: readonly Diagnostic[], indexOf: (layer: number) => number | null) {
  const kinds = new Map<string, { readonly count: number; readonly gravest: number; readonly layer: number | null }>();
  for (const diagnostic of diagnostics) {
    const { code, layer } = diagnostic;
    const index = layer === null ? null : indexOf(layer);
    const kind = kindOf(code, index);
    const { count, gravest } = kinds.get(kind) ?? { count: 0, gravest: 0 };
    kinds.set(kind, { count: count + 1, gravest: Math.max(gravest, WEIGHT[diagnostic.severity]), layer: index });
  }
  return kinds;
}

/** Whether all of a layer was read and all sizes that enter it were known, so that what is wrong with it was told. */
function isChecked(index: number, { graph, report }: Analysis): boolean {
  const { first, end } = graph.layers[index]!.nodes;
  for (let id = first; id < end; id++) {
    const { inputs } = report.nodes[id]!;
    if (graph.nodes[id]!.broken || !inputs.every((input) => input?.dims.every(isKnown))) return false;
  }
  return true;
}

// ---- titles ----

function titleOf(
  candidate: Candidate,
  { finding, layer }: Diagnostic,
  before: Analysis,
  after: Analysis,
  edits: readonly TextEdit[],
): string {
  const what = candidate.title ?? wordsOf(candidate.changes, finding.node, before);
  const node = finding.node ?? (layer === null ? null : before.graph.layers[layer]!.nodes.end - 1);
  return `${what}${outputOf(node, before, after, edits)}`;
}

/** `padding: 1, stride: 1 in conv2, input height and width 29`. */
function wordsOf(changes: readonly Change[], own: number | null, analysis: Analysis): string {
  const { words } = analysis.dialect;
  return changes
    .map((change) => {
      if (change.kind === "set") {
        const { node, param, value } = change;
        const op = node?.op.name ?? "";
        const name = node ? words.param(op, param) : param;
        const said = `${name}: ${shown(words.value?.(op, param, value) ?? value)}`;
        return node === null || node.id === own || ownerAlike(analysis.graph, node.id, own)
          ? said
          : `${said} in ${nameOf(node.id, { graph: analysis.graph, report: analysis.report, words })}`;
      }
      if (change.kind === "insert") return `${words.op(change.op)} before it`;
      if (change.kind === "replace") return `change to ${change.value}`;
      if (change.kind === "remove") return `remove ${shownText(analysis.text.slice(change.at.start, change.at.end))}`;
      const tensor = change.input.attrs.tensor as Tensor;
      const sizes = new Map<number, string[]>();
      for (const [axis, size] of change.sizes) sizes.set(size, [...(sizes.get(size) ?? []), axisName(tensor, axis)]);
      return `input ${listed([...sizes].map(([size, axes]) => `${listed(axes)} ${size}`))}`;
    })
    .join(", ");
}

function ownerAlike(graph: Graph, a: number, b: number | null): boolean {
  return b !== null && ownerOf(graph, a) !== undefined && ownerOf(graph, a) === ownerOf(graph, b);
}

function shown(value: Plain): string {
  if (Array.isArray(value)) return `[${(value as readonly Plain[]).map(shown).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value as Record<string, Plain>)
      .map(([key, item]) => `${key}: ${shown(item)}`)
      .join(", ")}}`;
  }
  return String(value);
}

function shownText(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length <= 40 ? line : `${line.slice(0, 40)}…`;
}

/** ` → output 28×28`: the spatial sizes where only they are new, else the whole shape; "" where it is not known. */
function outputOf(id: number | null, before: Analysis, after: Analysis, edits: readonly TextEdit[]): string {
  if (id === null) return "";
  const now = outputTensor(sameNode(id, before, after, edits), after);
  if (!now?.dims.every(isKnown)) return "";
  const old = outputTensor(id, before);
  const axes = spatialAxes(now);
  const dims = axes.map((axis) => now.dims[axis]!);
  const channels = (tensor: Tensor) => String(tensor.dims[channelAxis(tensor)]);
  const isImage = axes.length > 0 && dims.every((dim) => typeof dim === "number");
  if (isImage && old?.dims.length === now.dims.length && channels(old) === channels(now))
    return ` → output ${dims.join("×")}`;
  return ` → output ${after.dialect.words.shape(now)}`;
}

/** The node after edits; null where it is gone. */
function sameNode(id: number, before: Analysis, after: Analysis, edits: readonly TextEdit[]): number | null {
  if (after.graph.nodes.length === before.graph.nodes.length) return id;
  const layer = ownerOf(before.graph, id);
  const same = after.graph.layers.find(({ range }) => beforeEdits(range.start, edits) === layer?.range.start);
  return layer && same ? same.nodes.first + id - layer.nodes.first : null;
}

/** What a node gives, or the layer that it is a part of. */
function outputTensor(id: number | null, { graph, report }: Analysis): Tensor | null {
  if (id === null) return null;
  const layer = ownerOf(graph, id);
  const ref = layer && isComposite(graph, layer) ? layer.outputs[0] : { node: id, output: 0 };
  return (ref && report.nodes[ref.node]?.outputs[ref.output]) ?? null;
}
