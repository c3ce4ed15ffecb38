/**
 * text → Analysis: the one pure function behind the editor, the command line and the preview. Built once per document
 * version, immutable, never throws on user text.
 */
import type { Graph } from "#shared/graph/graph.ts";
import { finding, infer, type ShapeReport } from "#shared/graph/infer.ts";
import { atRange } from "#shared/ops/finding.ts";
import type { RuleSettings, Target } from "#shared/settings.ts";
import { GraphBuilder } from "./dialects/builder.ts";
import type { Context, Dialect, Lowered } from "./dialects/dialect.ts";
import { wishOf } from "./dialects/directive.ts";
import { dialects } from "./dialects/index.ts";
import { describe, diagnose, fromSyntax } from "./rules/index.ts";
import type { Diagnostic } from "./rules/rule.ts";
import { suppress } from "./suppressions.ts";
import { isUtf16, legible, refusedAsUtf16 } from "./syntax/encoding.ts";
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

/** What is known of a text that could not be read at all: its problems say why. */
const unread: Lowered = new GraphBuilder().finish({ name: null, sample: new Map(), outputs: [] });

/** Options that come from flags and settings rather than from the file. */
export type Options = Partial<Pick<Context, "input" | "scale" | "defaults">> & {
  /** Which optional rules are heard, and with which options. Severities are left to who shows the diagnostics. */
  readonly rules?: RuleSettings;
  /** The frameworks that models are meant for, where the file does not say. */
  readonly targets?: readonly Target[];
};

/** A text and the format it is of; null where it is no model. */
function recognise(text: string, path: string): { readonly parsed: Parsed; readonly dialect: Dialect } | null {
  const candidates = dialects.filter((dialect) => dialect.sniff(text, path));
  if (candidates.length === 0) return null;
  const parsed = parse(text, path);
  const { root } = parsed;
  const isBroken = parsed.problems.length > 0;
  const dialect = candidates.find((candidate) =>
    root ? candidate.matches(root, path) : isBroken && candidate.claims?.(path),
  );
  return dialect ? { parsed, dialect } : null;
}

/** Analyses a file, or returns null where it is no model: then nothing at all is shown for it. */
export function analyse(text: string, path: string, options: Options = {}): Analysis | null {
  const wide = isUtf16(text);
  const read = recognise(wide ? legible(text) : text, path);
  if (!read) return null;
  const { dialect } = read;
  const parsed = wide ? refusedAsUtf16(read.parsed) : read.parsed;
  const { root } = parsed;
  const context: Context = {
    path,
    input: options.input ?? null,
    scale: options.scale ?? null,
    ...(options.defaults ? { defaults: options.defaults } : {}),
    comments: () => parsed.comments,
  };
  const lowered = root ? dialect.lower(root, context) : unread;
  const wish = wishOf(context);
  const unreadable = wish.problems.map(({ range, ...data }) => finding("bad-value", null, atRange(range), data));
  const unused = (parsed.unusedAnchors ?? []).map(({ name, range }) =>
    finding("unused-definition", null, atRange(range), { kind: "anchor", name }),
  );
  const inferred = infer(lowered.graph, [...unreadable, ...lowered.findings, ...unused]);
  const reviewed = lowered.review?.(inferred) ?? [];
  const report = { ...inferred, findings: [...inferred.findings, ...reviewed] };
  const targets = lowered.targets ?? wish.targets ?? options.targets ?? [];
  const asked = { rules: options.rules ?? {}, targets };
  const found = diagnose(lowered.graph, report, dialect.words, fromSyntax(parsed.problems, text), asked);
  const { diagnostics, unused: idle } = suppress(found, parsed, text, asked.rules);
  return {
    text,
    parsed,
    dialect,
    graph: lowered.graph,
    report,
    diagnostics: [...diagnostics, ...idle.map((found) => describe(found, lowered.graph, report, dialect.words))],
  };
}
