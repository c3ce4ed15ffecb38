/**
 * What a rule is: one diagnostic's code, severity, docs, examples and message, in one file per rule.
 */
import type { Graph, Node } from "#shared/graph/graph.ts";
import type { ShapeReport } from "#shared/graph/infer.ts";
import type { At, FindingCode, FindingData, Range } from "#shared/ops/finding.ts";
import type { RuleOptions, Target } from "#shared/settings.ts";
import type { DialectName, Words } from "../dialects/dialect.ts";
import type { Options, OptionValues } from "./option.ts";

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

/** What a rule that looks at a model as a whole is given. */
export interface Model {
  readonly graph: Graph;
  readonly report: ShapeReport;
  /** The frameworks the model is meant for; empty where nobody says. */
  readonly targets: readonly Target[];
}

export interface Rule<C extends FindingCode, O extends Options = any> {
  readonly code: C;
  /** It is heard only where somebody asks for it: by a severity, or by setting an option. */
  readonly optional?: true;
  /** What can be set besides its severity. */
  readonly options?: O;
  /** Looks at a whole model that has been inferred, once and only where the rule is on; states what it finds. */
  check?(model: Model, state: (node: Node, at: At, data: FindingData[C]) => void, options: OptionValues<O>): void;
  /** The gravest it can be; a rule that grades overrides it in `grade`. */
  readonly severity: Severity;
  grade?(context: MessageContext<C>): Severity;
  /** One line, for lists. */
  readonly summary: string;
  /** What, why with the numbers, and what to do. */
  message(context: MessageContext<C>): string;
  related?(context: MessageContext<C>): readonly RelatedPlace[];
  /** For the editor: dead code fades. */
  readonly tag?: "unnecessary";
}

/**
 * A rule's documentation. It stands beside the rule in its file, but only pages.ts reads it: what is not reached from
 * there, such as the editor's server, is bundled without.
 */
export interface RulePage {
  /** Markdown: what it does and why it is bad. */
  readonly docs: string;
  /** In every dialect where the rule can occur. */
  readonly examples: Readonly<Partial<Record<DialectName, RuleExample>>>;
  /** How the rule is set for its examples, where it is optional. Default: on, with its options' defaults. */
  readonly setting?: RuleOptions;
}

export interface RuleExample {
  /** A model that gives this rule's diagnostics where «these marks» stand, and nothing else. */
  readonly bad: string;
  /** The same mended: it gives nothing at all. */
  readonly good: string;
  /** Where the dialect's usual name for a file does not do. */
  readonly file?: string;
}

export function defineRule<C extends FindingCode, O extends Options = Record<never, never>>(
  rule: Rule<C, O>,
): Rule<C, O> {
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
