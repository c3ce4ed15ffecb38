/**
 * What a rule is: one diagnostic's code, severity, docs, examples and message, in one file per rule.
 */
import type { Graph, Node } from "#shared/graph/graph.ts";
import type { ShapeReport } from "#shared/graph/infer.ts";
import type { At, Finding, FindingCode, FindingData, Range } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
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

/** What a fix does to a model file. Parameters and operators by their canonical names, sizes as inference counts axes. */
export type Change =
  /** Gives a parameter a value, written or not; of a list, one item. `node` null: a key of the model itself. */
  | {
      readonly kind: "set";
      readonly node: Node | null;
      readonly param: string;
      readonly index?: number;
      readonly value: Plain;
    }
  /** Writes another word or value where one stands: a type, a key, a reference. `last`: only behind its last dot. */
  | { readonly kind: "replace"; readonly at: Range; readonly value: string | number; readonly last?: true }
  /** Takes out the entry or item whose key or value stands there, or the directive of a comment. */
  | { readonly kind: "remove"; readonly at: Range }
  /** Puts a layer of an operator without parameters before the layer of a node. */
  | { readonly kind: "insert"; readonly before: Node; readonly op: string }
  /** Another size for axes of a model's input. */
  | { readonly kind: "resize"; readonly input: Node; readonly sizes: ReadonlyMap<number, number> };

/** A fix that may do: whoever offers it tries it first, so that a rule need not be sure. */
export interface Candidate {
  readonly changes: readonly Change[];
  /** It cannot change a model that works, and is what was meant. */
  readonly safe: boolean;
  /** It puts a slip right. What the slip has hidden, in its own layer or where sizes were not known, is no new problem then. */
  readonly reveals?: true;
  /** What it does in words, where its changes don't say it. */
  readonly title?: string;
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
  /** What might mend it, the best first; generated lazily, so that only what is tried costs time. */
  fixes?(context: MessageContext<C>): Iterable<Candidate>;
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
  /** What it puts into words. */
  readonly finding: Finding;
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly range: Range;
  readonly message: string;
  readonly related: readonly RelatedPlace[];
  /** Index into Graph.layers, or null. */
  readonly layer: number | null;
  readonly tag?: "unnecessary";
}
