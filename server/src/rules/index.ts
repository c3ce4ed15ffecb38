/**
 * Findings → diagnostics: every rule by its code, and the one function that puts words, severity and place to findings.
 */
import { deadLayers } from "#shared/graph/dead.ts";
import { type Graph, isComposite, type Node, ownerOf } from "#shared/graph/graph.ts";
import { finding, type ShapeReport } from "#shared/graph/infer.ts";
import { atRange, type Finding, type FindingCode, type Range } from "#shared/ops/finding.ts";
import type { RuleSettings, Target } from "#shared/settings.ts";
import type { Words } from "../dialects/dialect.ts";
import type { SyntaxProblem } from "../syntax/tree.ts";
import { activationTwice } from "./activation-twice.ts";
import { addMismatch } from "./add-mismatch.ts";
import { alignment } from "./alignment.ts";
import { badValue } from "./bad-value.ts";
import { channelsMismatch } from "./channels-mismatch.ts";
import { concatMismatch } from "./concat-mismatch.ts";
import { cycle } from "./cycle.ts";
import { deadLayer } from "./dead-layer.ts";
import { duplicateKey } from "./duplicate-key.ts";
import { emptyOutput } from "./empty-output.ts";
import { featuresMismatch } from "./features-mismatch.ts";
import { frameworkDisagreement } from "./framework-disagreement.ts";
import { groupsDivide } from "./groups-divide.ts";
import { linearTooLarge } from "./linear-too-large.ts";
import { macBudget } from "./mac-budget.ts";
import { memoryBudget } from "./memory-budget.ts";
import { missingParameter } from "./missing-parameter.ts";
import { nonIntegerSize } from "./non-integer-size.ts";
import { notDivisible } from "./not-divisible.ts";
import { oneValuePerChannel } from "./one-value-per-channel.ts";
import { opaqueLayer } from "./opaque-layer.ts";
import { isOn, optionValues } from "./option.ts";
import { outputPaddingTooLarge } from "./output-padding-too-large.ts";
import { paddingTooLarge } from "./padding-too-large.ts";
import { parameterBudget } from "./parameter-budget.ts";
import { poolAfter1x1 } from "./pool-after-1x1.ts";
import { productMismatch } from "./product-mismatch.ts";
import { receptiveFieldSmallerThanObject } from "./receptive-field-smaller-than-object.ts";
import { redundantBias } from "./redundant-bias.ts";
import { reshapeMismatch } from "./reshape-mismatch.ts";
import type { Candidate, Diagnostic, MessageContext, Rule } from "./rule.ts";
import { sameShapeShifted } from "./same-shape-shifted.ts";
import { sameWithStride } from "./same-with-stride.ts";
import { silentBroadcast } from "./silent-broadcast.ts";
import { skipsPixels } from "./skips-pixels.ts";
import { staleShape } from "./stale-shape.ts";
import { strideBeforeEnoughContext } from "./stride-before-enough-context.ts";
import { syntax } from "./syntax.ts";
import { tooLarge } from "./too-large.ts";
import { unevenOverlap } from "./uneven-overlap.ts";
import { unknownLayer } from "./unknown-layer.ts";
import { unknownParameter } from "./unknown-parameter.ts";
import { unknownReference } from "./unknown-reference.ts";
import { unusedDefinition } from "./unused-definition.ts";
import { unusedSuppression } from "./unused-suppression.ts";
import { weightsMismatch } from "./weights-mismatch.ts";
import { windowTooLarge } from "./window-too-large.ts";
import { wrongInputCount } from "./wrong-input-count.ts";
import { wrongRank } from "./wrong-rank.ts";

/** In the order the documentation lists them. A code without a rule does not compile. */
export const rules: { readonly [C in FindingCode]: Rule<C> } = {
  syntax,
  "duplicate-key": duplicateKey,
  "unknown-layer": unknownLayer,
  "opaque-layer": opaqueLayer,
  "unknown-parameter": unknownParameter,
  "missing-parameter": missingParameter,
  "bad-value": badValue,
  "unknown-reference": unknownReference,
  cycle,
  "too-large": tooLarge,
  "wrong-rank": wrongRank,
  "wrong-input-count": wrongInputCount,
  "non-integer-size": nonIntegerSize,
  "window-too-large": windowTooLarge,
  "channels-mismatch": channelsMismatch,
  "groups-divide": groupsDivide,
  "not-divisible": notDivisible,
  "concat-mismatch": concatMismatch,
  "add-mismatch": addMismatch,
  "product-mismatch": productMismatch,
  "features-mismatch": featuresMismatch,
  "reshape-mismatch": reshapeMismatch,
  "one-value-per-channel": oneValuePerChannel,
  "padding-too-large": paddingTooLarge,
  "same-with-stride": sameWithStride,
  "output-padding-too-large": outputPaddingTooLarge,
  "skips-pixels": skipsPixels,
  "dead-layer": deadLayer,
  "weights-mismatch": weightsMismatch,
  "stale-shape": staleShape,
  "empty-output": emptyOutput,
  alignment,
  "silent-broadcast": silentBroadcast,
  "uneven-overlap": unevenOverlap,
  "same-shape-shifted": sameShapeShifted,
  "pool-after-1x1": poolAfter1x1,
  "redundant-bias": redundantBias,
  "activation-twice": activationTwice,
  "linear-too-large": linearTooLarge,
  "receptive-field-smaller-than-object": receptiveFieldSmallerThanObject,
  "stride-before-enough-context": strideBeforeEnoughContext,
  "parameter-budget": parameterBudget,
  "mac-budget": macBudget,
  "memory-budget": memoryBudget,
  "framework-disagreement": frameworkDisagreement,
  "unused-definition": unusedDefinition,
  "unused-suppression": unusedSuppression,
};

/** The page that explains a code, for editors and SARIF. */
export function docsUrl(code: FindingCode): string {
  return `https://github.com/convlint/convlint/blob/main/docs/rules/${code}.md`;
}

/** Problems of the text itself as diagnostics; their words come from the parser. */
export function fromSyntax(problems: readonly SyntaxProblem[], text: string): Diagnostic[] {
  return problems.map(({ code, range, message, first }) => ({
    finding:
      code === "duplicate-key" && first
        ? finding(code, null, atRange(range), { key: text.slice(range.start, range.end), first })
        : finding("syntax", null, atRange(range), { message }),
    code,
    severity: rules[code].severity,
    range: visible(range),
    message: /[\w})\]"']$/.test(message) ? `${message}.` : message,
    related: first ? [{ range: visible(first), message: "written here first" }] : [],
    layer: null,
  }));
}

/**
 * Every diagnostic of a model, by position: the report's findings, dead layers, and `extra` (the text's own problems).
 * What several uses of one block share is told once.
 */
export function diagnose(
  graph: Graph,
  report: ShapeReport,
  words: Words,
  extra: readonly Diagnostic[],
  asked: Asked = {},
): readonly Diagnostic[] {
  const diagnostics = [...extra];
  const broken = extra.filter(({ code }) => code === "syntax").map(({ range }) => range);
  const told = new Map<string, number | null>();
  const findings = isWhole(report, extra) ? [...report.findings, ...deadLayers(graph)] : [...report.findings];
  findings.push(...checked(graph, report, asked));
  for (const found of findings) {
    const diagnostic = describe(found, graph, report, words);
    if (follows(diagnostic, graph, broken)) continue;
    const { code, severity, range, message } = diagnostic;
    const place = `${code} ${severity} ${range.start} ${range.end}`;
    const { node } = found;
    if (told.has(`${place} ${message}`) || (told.has(place) && told.get(place) !== node)) continue;
    told.set(place, node).set(`${place} ${message}`, node);
    diagnostics.push(diagnostic);
  }
  return diagnostics.sort((a, b) => a.range.start - b.range.start || a.range.end - b.range.end);
}

/** What is asked of rules from outside the model. */
export interface Asked {
  readonly rules?: RuleSettings;
  readonly targets?: readonly Target[];
}

const CHECKS = (Object.values(rules) as readonly Rule<FindingCode>[]).filter(({ check }) => check);

/** What the rules that look at models as a whole find, as far as they are on. */
function checked(graph: Graph, report: ShapeReport, { rules: settings = {}, targets = [] }: Asked): Finding[] {
  const found: Finding[] = [];
  for (const rule of CHECKS) {
    const { code, options = {} } = rule;
    const setting = Object.hasOwn(settings, code) ? settings[code] : undefined;
    if (!isOn(rule, setting)) continue;
    rule.check!(
      { graph, report, targets },
      (node, at, data) => {
        const { assumed } = report.nodes[node.id]!;
        found.push({ ...finding(code, node.id, at, data), ...(assumed === "sizes" ? { assumed: true } : {}) });
      },
      optionValues(options, setting),
    );
  }
  return found;
}

/** What a layer lacks or has too much of where its own text is broken: the syntax error already says it. */
function follows({ code, layer, range }: Diagnostic, graph: Graph, broken: readonly Range[]): boolean {
  if (broken.length === 0 || !OF_TEXT.has(code)) return false;
  const around = (layer === null ? undefined : graph.layers[layer]?.range) ?? range;
  return broken.some(({ start, end }) => start <= around.end && end >= around.start);
}

const OF_TEXT: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "missing-parameter",
  "bad-value",
  "unknown-layer",
  "unknown-parameter",
  "unknown-reference",
]);

/** Where some text or reference was not understood, an unread layer may well be read: nothing is dead for sure. */
function isWhole(report: ShapeReport, extra: readonly Diagnostic[]): boolean {
  const doubts: readonly FindingCode[] = ["syntax", "unknown-reference", "cycle", "too-large", "wrong-input-count"];
  return ![...extra, ...report.findings].some(({ code }) => doubts.includes(code));
}

/** What might mend a finding; nothing of it has been tried. */
export function candidatesFor(found: Finding, graph: Graph, report: ShapeReport, words: Words): Iterable<Candidate> {
  const rule = rules[found.code] as Rule<FindingCode>;
  return rule.fixes?.(contextOf(found, graph, report, words)) ?? [];
}

function contextOf(
  { data, at, node }: Finding,
  graph: Graph,
  report: ShapeReport,
  words: Words,
): MessageContext<FindingCode> {
  return { data, at, node: node === null ? null : (graph.nodes[node] ?? null), graph, report, words };
}

/** A finding in words, with its severity and place. */
export function describe(found: Finding, graph: Graph, report: ShapeReport, words: Words): Diagnostic {
  const rule = rules[found.code] as Rule<FindingCode>;
  const context = contextOf(found, graph, report, words);
  const { node } = context;
  const range = visible(placeOf(found, node));
  const related = rule.related?.(context) ?? [];
  return {
    finding: found,
    code: found.code,
    severity: found.assumed ? "hint" : (rule.grade?.(context) ?? rule.severity),
    range,
    message: [rule.message(context), ...circumstances(found, node, graph)].join(" "),
    related: related.map((place) => ({ ...place, range: visible(place.range) })),
    layer: layerAt(graph, node, range),
    ...(rule.tag ? { tag: rule.tag } : {}),
  };
}

/** What speaks of a layer as a whole, whatever is inside. */
const OF_LAYERS: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "dead-layer",
  "parameter-budget",
  "mac-budget",
  "memory-budget",
  "receptive-field-smaller-than-object",
]);

/** Where inside a module of the file it is, in which run, and how sure. */
function circumstances({ code, during, assumed }: Finding, node: Node | null, graph: Graph): string[] {
  const said: string[] = [];
  const layer = node ? ownerOf(graph, node.id) : undefined;
  if (node && layer && !OF_LAYERS.has(code) && isComposite(graph, layer))
    said.push(`(Inside ${layer.name} ${layer.type}: ${node.scope}.)`);
  if (during) said.push(`This is ${during}.`);
  if (assumed && code === "unknown-reference")
    said.push("A module above that ConvLint does not know may be several layers.");
  else if (assumed) said.push("The sizes follow from a layer ConvLint does not know.");
  return said;
}

/** The text a finding is about: the parameter or input where it is written, else the layer's type, never its whole line. */
function placeOf({ at, code }: Finding, node: Node | null): Range {
  if (at.kind === "range") return at.range;
  if (!node) return { start: 0, end: 0 };
  const { origin } = node;
  const input = at.kind === "input" ? origin.inputs[at.index] : undefined;
  if (input) return input;
  // The step of a pooling window is its size where it is not written.
  const instead = at.kind === "param" && at.name === "stride" ? origin.params.get("kernel_size") : undefined;
  const param = at.kind === "param" ? (origin.params.get(at.name) ?? instead) : undefined;
  if (at.kind !== "param" || !param) return isEmpty(origin.type) ? origin.layer : origin.type;
  if (code === "unknown-parameter" && param.key) return param.key;
  const item = at.index === undefined ? undefined : param.items?.[at.index];
  const value = item ?? param.value;
  return isEmpty(value) && param.key ? param.key : value;
}

function isEmpty(range: Range): boolean {
  return range.end <= range.start;
}

/** An editor shows nothing for an empty range: it takes in the character before, or the first of the file. */
function visible(range: Range): Range {
  if (!isEmpty(range)) return range;
  return range.start > 0 ? { start: range.start - 1, end: range.start } : { start: 0, end: 1 };
}

/** The file's layer of a node, or around a place of the text. */
function layerAt(graph: Graph, node: Node | null, range: Range): number | null {
  const owner = node
    ? ownerOf(graph, node.id)
    : graph.layers.find(({ range: layer }) => layer.start <= range.start && range.end <= layer.end);
  return owner ? graph.layers.indexOf(owner) : null;
}
