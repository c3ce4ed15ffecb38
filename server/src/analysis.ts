/**
 * text → Analysis: the one pure function behind the editor, the command line and the preview. Built once per document
 * version, immutable, never throws on user text.
 */
import type { Graph } from "#shared/graph/graph.ts";
import { infer, type ShapeReport } from "#shared/graph/infer.ts";
import type { Context, Dialect } from "./dialects/dialect.ts";
import { dialects } from "./dialects/index.ts";
import { describe, diagnose, fromSyntax } from "./rules/index.ts";
import type { Diagnostic } from "./rules/rule.ts";
import { suppress } from "./suppressions.ts";
import { parse } from "./syntax/parse.ts";
import type { Parsed } from "./syntax/tree.ts";

export interface Analysis {
  readonly text: string;
  readonly parsed: Parsed;
  readonly dialect: Dialect;
  readonly graph: Graph;
  readonly report: ShapeReport;
  readonly diagnostics: readonly Diagnostic[];
}

/** Options that come from flags and settings rather than from the file. */
export type Options = Partial<Pick<Context, "input" | "scale" | "defaults">>;

/** Analyses a file, or returns null where it is no model: then nothing at all is shown for it. */
export function analyse(text: string, path: string, options: Options = {}): Analysis | null {
  const candidates = dialects.filter((dialect) => dialect.sniff(text, path));
  if (candidates.length === 0) return null;
  const parsed = parse(text, path);
  const root = parsed.root;
  const dialect = root ? candidates.find((candidate) => candidate.matches(root, path)) : undefined;
  if (!root || !dialect) return null;
  const context: Context = {
    path,
    input: options.input ?? null,
    scale: options.scale ?? null,
    ...(options.defaults ? { defaults: options.defaults } : {}),
    comments: () => parsed.comments,
  };
  const lowered = dialect.lower(root, context);
  const inferred = infer(lowered.graph, lowered.findings);
  const reviewed = lowered.review?.(inferred) ?? [];
  const report = { ...inferred, findings: [...inferred.findings, ...reviewed] };
  const found = diagnose(lowered.graph, report, dialect.words, fromSyntax(parsed.problems));
  const { diagnostics, unused } = suppress(found, parsed, text);
  return {
    text,
    parsed,
    dialect,
    graph: lowered.graph,
    report,
    diagnostics: [...diagnostics, ...unused.map((finding) => describe(finding, lowered.graph, report, dialect.words))],
  };
}
