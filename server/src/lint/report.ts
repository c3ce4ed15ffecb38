/**
 * One checked file as plain data: the JSON contract of docs/json-format.md, which every other format is written from.
 */
import type { Range } from "#shared/ops/finding.ts";
import { type Dim, isKnown } from "#shared/shape/dim.ts";
import type { Analysis } from "../analysis.ts";
import { layerTable } from "../features/layerTable.ts";
import type { Severity } from "../rules/rule.ts";
import { Lines, type Position } from "./positions.ts";

/** A number; a string where the size depends on symbols (`H//2`); null where it is not known. */
export type Size = number | string | null;

export interface Span {
  readonly start: Position;
  readonly end: Position;
}

export interface LayerReport {
  readonly index: number;
  readonly name: string;
  readonly type: string;
  readonly range: Span;
  /** One per output; null where not even the rank is known. */
  readonly outputs: readonly (readonly Size[] | null)[];
  readonly params: Size;
  readonly macs: Size;
}

export interface ProblemReport {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly range: Span;
  /** Index into the file's layers, or null where the problem belongs to the file. */
  readonly layer: number | null;
  readonly related: readonly { readonly message: string; readonly range: Span }[];
  readonly fixes: readonly {
    readonly title: string;
    readonly edits: readonly { readonly range: Span; readonly newText: string }[];
  }[];
}

export interface FileReport {
  readonly path: string;
  readonly dialect: string;
  readonly layers: readonly LayerReport[];
  readonly problems: readonly ProblemReport[];
  readonly totals: {
    readonly layers: number;
    readonly params: Size;
    readonly buffers: Size;
    readonly macs: Size;
    readonly errors: number;
    readonly warnings: number;
    readonly information: number;
    readonly hints: number;
  };
}

/** The report of one analysed file; `path` as it is to be shown. */
export function fileReport(path: string, analysis: Analysis): FileReport {
  const lines = new Lines(analysis.text);
  const span = (range: Range): Span => ({ start: lines.at(range.start), end: lines.at(range.end) });
  const { graph, dialect } = analysis;
  const table = layerTable(analysis);
  const layers = table.rows.map(
    ({ layer, outputs, cost }): LayerReport => ({
      index: layer.index,
      name: layer.name,
      type: layer.type,
      range: span(layer.range),
      outputs: outputs.map((output) => (output === null ? null : output.dims.map(size))),
      params: size(cost.params),
      macs: size(cost.macs),
    }),
  );
  const inTextOrder = analysis.diagnostics.toSorted(
    (a, b) => a.range.start - b.range.start || a.range.end - b.range.end,
  );
  const problems = inTextOrder.map((diagnostic): ProblemReport => {
    const layer = diagnostic.layer === null ? undefined : graph.layers[diagnostic.layer];
    return {
      code: diagnostic.code,
      severity: diagnostic.severity,
      message: diagnostic.message,
      range: span(diagnostic.range),
      layer: layer?.depth === 0 ? layer.index : null,
      related: diagnostic.related.map(({ message, range }) => ({ message, range: span(range) })),
      fixes: [],
    };
  });
  const count = (severity: Severity) => problems.filter((problem) => problem.severity === severity).length;
  return {
    path,
    dialect: dialect.name,
    layers,
    problems,
    totals: {
      layers: layers.length,
      params: size(table.totals.params),
      buffers: size(table.totals.buffers),
      macs: size(table.totals.macs),
      errors: count("error"),
      warnings: count("warning"),
      information: count("information"),
      hints: count("hint"),
    },
  };
}

function size(dim: Dim): Size {
  if (typeof dim === "number") return dim;
  return isKnown(dim) ? dim.toString() : null;
}
