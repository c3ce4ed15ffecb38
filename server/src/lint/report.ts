/**
 * One checked file as plain data: the JSON contract of docs/json-format.md, which every other format is written from.
 */
import type { FindingCode } from "#shared/ops/finding.ts";
import type { RuleSettings } from "#shared/settings.ts";
import { type Dim, isKnown } from "#shared/shape/dim.ts";
import type { Analysis } from "../analysis.ts";
import { problems } from "../features/diagnostics.ts";
import { costOf, layerTable } from "../features/layerTable.ts";
import type { Prover } from "../fixes/prove.ts";
import type { Severity } from "../rules/rule.ts";
import { problemKey } from "./identity.ts";
import { Lines, type Span } from "./positions.ts";
import { type TableCells, tableCells } from "./table.ts";

/** A number; a string where the size depends on symbols (`H//2`); null where it is not known. */
export type Size = number | string | null;

export interface LayerReport {
  readonly index: number;
  readonly name: string;
  readonly type: string;
  readonly range: Span;
  /** One per output; null where not even the rank is known. */
  readonly outputs: readonly (readonly Size[] | null)[];
  readonly params: Size;
  readonly macs: Size;
  /** Of the float32 outputs for one sample. */
  readonly activationBytes: Size;
  /** Per spatial axis of the first output; null where it sees everything, or where that is not known. */
  readonly receptiveField: readonly number[] | null;
}

export interface ProblemReport {
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly message: string;
  readonly range: Span;
  /** Index into the file's layers, or null where the problem belongs to the file. */
  readonly layer: number | null;
  readonly related: readonly { readonly message: string; readonly range: Span }[];
  readonly fixes: readonly {
    readonly title: string;
    /** It cannot change a model that works: `--fix` makes it without `--unsafe-fixes`. */
    readonly safe: boolean;
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
    readonly activationBytes: Size;
    readonly errors: number;
    readonly warnings: number;
    readonly information: number;
    readonly hints: number;
  };
}

/** The text of some lines, by number from 1. */
export type SourceLines = Readonly<Record<number, string>>;

/**
 * A checked file as every format is written from it: the report, and what formats for people need of the text. Plain data:
 * it crosses threads and rests in the cache.
 */
export interface CheckedFile {
  readonly report: FileReport;
  /** The lines where problems, their related places and their fixes begin or end. */
  readonly lines: SourceLines;
  /** For each problem what it is known by when lines move; see identity.ts. */
  readonly keys: readonly string[];
  readonly table: TableCells | null;
}

/** What is wanted of a checked file beyond its problems and totals. */
export interface Wants {
  readonly layers: boolean;
  readonly table: boolean;
  readonly fixes: boolean;
}

/** @param prover where fixes are wanted. @param path as it is to be shown. @param levels the user's severities by code, where they differ. */
export function checkedFile(
  path: string,
  analysis: Analysis,
  levels: RuleSettings,
  wants: Wants,
  prover: Prover | null,
): CheckedFile {
  const lines = new Lines(analysis.text);
  const found = reportedProblems(analysis, levels, lines, prover);
  const report: FileReport = {
    path,
    dialect: analysis.dialect.name,
    layers: wants.layers ? layerReports(analysis, lines) : [],
    problems: found.map(({ problem }) => problem),
    totals: totals(
      analysis,
      found.map(({ problem }) => problem),
    ),
  };
  return {
    report,
    lines: touchedLines(report.problems, lines),
    keys: found.map(({ key }) => key),
    table: wants.table ? tableCells(analysis) : null,
  };
}

/** The same file with only some of its problems. */
export function withProblems(
  { report, lines, keys, table }: CheckedFile,
  keep: (key: string, problem: ProblemReport) => boolean,
): CheckedFile {
  const kept = report.problems.map((problem, index) => keep(keys[index]!, problem));
  const problems = report.problems.filter((_, index) => kept[index]);
  return {
    report: { ...report, problems, totals: { ...report.totals, ...counts(problems) } },
    lines,
    keys: keys.filter((_, index) => kept[index]),
    table,
  };
}

function layerReports(analysis: Analysis, lines: Lines): readonly LayerReport[] {
  return layerTable(analysis).rows.map(({ layer, outputs, cost, field }) => ({
    index: layer.index,
    name: layer.name,
    type: layer.type,
    range: lines.span(layer.range),
    outputs: outputs.map((output) => (output === null ? null : output.dims.map(size))),
    params: size(cost.params),
    macs: size(cost.macs),
    activationBytes: size(cost.activationBytes),
    receptiveField: field?.map((axis) => axis.size) ?? null,
  }));
}

function reportedProblems(analysis: Analysis, levels: RuleSettings, lines: Lines, prover: Prover | null) {
  const { graph, text } = analysis;
  return problems(analysis, levels).map(({ diagnostic, code, severity, message, range, layer: index, related }) => {
    const layer = index === null ? undefined : graph.layers[index];
    const problem: ProblemReport = {
      code,
      severity,
      message,
      range: lines.span(range),
      layer: layer?.depth === 0 ? layer.index : null,
      related: related.map((place) => ({ message: place.message, range: lines.span(place.range) })),
      // Nobody wants another model because of a note.
      fixes: (prover?.fixesOf(diagnostic, severity === "error" || severity === "warning") ?? []).map(
        ({ title, safe, edits }) => ({
          title,
          safe,
          edits: edits.map((edit) => ({ range: lines.span(edit.range), newText: edit.newText })),
        }),
      ),
    };
    const about = layer ? text.slice(layer.range.start, layer.range.end) : lines.line(problem.range.start.line);
    return { problem, key: problemKey(code, about, message) };
  });
}

function touchedLines(problems: readonly ProblemReport[], lines: Lines): SourceLines {
  const touched: Record<number, string> = {};
  for (const { range, fixes } of problems) {
    for (const place of [range, ...fixes.flatMap(({ edits }) => edits.map((edit) => edit.range))]) {
      for (const { line } of [place.start, place.end]) touched[line] ??= lines.line(line);
    }
  }
  return touched;
}

function totals(analysis: Analysis, problems: readonly ProblemReport[]): FileReport["totals"] {
  const { graph } = analysis;
  const total = costOf(analysis, 0, graph.nodes.length);
  return {
    layers: graph.layers.filter(({ depth }) => depth === 0).length,
    params: size(total.params),
    buffers: size(total.buffers),
    macs: size(total.macs),
    activationBytes: size(total.activationBytes),
    ...counts(problems),
  };
}

function counts(problems: readonly ProblemReport[]) {
  const count = (severity: Severity) => problems.filter((problem) => problem.severity === severity).length;
  return {
    errors: count("error"),
    warnings: count("warning"),
    information: count("information"),
    hints: count("hint"),
  };
}

function size(dim: Dim): Size {
  if (typeof dim === "number") return dim;
  return isKnown(dim) ? dim.toString() : null;
}
