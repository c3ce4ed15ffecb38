/**
 * What a rule is: one diagnostic's code, severity, docs, examples and message, in one file per rule.
 */
import type { Graph, Node } from "#shared/graph/graph.ts";
import type { ShapeReport } from "#shared/graph/infer.ts";
import type { At, FindingCode, FindingData, Range } from "#shared/ops/finding.ts";
import type { Words } from "../dialects/dialect.ts";

export type Severity = "error" | "warning" | "information" | "hint";

/** What a message is written from. */
export interface MessageContext<C extends FindingCode> {
  readonly data: FindingData[C];
  readonly at: At;
  /** null where the finding belongs to the file. */
  readonly node: Node | null;
  readonly graph: Graph;
  readonly report: ShapeReport;
  readonly words: Words;
}

export interface RelatedPlace {
  readonly range: Range;
  readonly message: string;
}

export interface Rule<C extends FindingCode> {
  readonly code: C;
  /** The gravest it can be; a rule that grades overrides it in `grade`. */
  readonly severity: Severity;
  grade?(context: MessageContext<C>): Severity;
  /** One line, for lists. */
  readonly summary: string;
  /** Markdown: what it does and why it is bad. */
  readonly docs: string;
  /** A model that gives this rule's diagnostic, and the same mended; native unless `file`, its name, says otherwise. */
  readonly examples: { readonly bad: string; readonly good: string; readonly file?: string };
  /** What, why with the numbers, and what to do. */
  message(context: MessageContext<C>): string;
  related?(context: MessageContext<C>): readonly RelatedPlace[];
  /** For the editor: dead code fades. */
  readonly tag?: "unnecessary";
}

export function defineRule<C extends FindingCode>(rule: Rule<C>): Rule<C> {
  return rule;
}

/** A problem as every front shows it. */
export interface Diagnostic {
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly range: Range;
  readonly message: string;
  readonly related: readonly RelatedPlace[];
  /** Index into Graph.layers, or null. */
  readonly layer: number | null;
  readonly tag?: "unnecessary";
}
