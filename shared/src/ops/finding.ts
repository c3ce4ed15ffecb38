/**
 * What can be wrong with a model, as data. Words, severities and fixes belong to the rule of the same code in
 * server/src/rules; a code without a rule does not compile there.
 */
import type { Dim } from "../shape/dim.ts";
import type { Tensor } from "../shape/tensor.ts";
import type { WindowUse } from "../shape/window.ts";
import type { Plain } from "./param.ts";

/** Text offsets, end exclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Where in a layer (or in the file) a finding is; the node's origin turns it into a range. */
export type At =
  | { readonly kind: "layer" }
  | { readonly kind: "type" }
  | { readonly kind: "param"; readonly name: string; readonly index?: number }
  | { readonly kind: "input"; readonly index: number }
  | { readonly kind: "range"; readonly range: Range };

export const AT_LAYER: At = { kind: "layer" };
export const AT_TYPE: At = { kind: "type" };
export function atParam(name: string, index?: number): At {
  return index === undefined ? { kind: "param", name } : { kind: "param", name, index };
}
export function atInput(index: number): At {
  return { kind: "input", index };
}
export function atRange(range: Range): At {
  return { kind: "range", range };
}

/** The data each code carries. Names of operators and parameters are canonical; rules translate them to the file's words. */
export interface FindingData {
  /** The text is not YAML or JSON here. */
  syntax: { readonly message: string };
  "duplicate-key": { readonly key: string; readonly first: Range };
  /**
   * A layer of somebody's own: it may well load, so its sizes are only assumed. `assumed` completes "is taken to …";
   * `ofFramework`: the framework has it, only ConvLint has no rule for its sizes.
   */
  "opaque-layer": {
    readonly type: string;
    readonly assumed: string;
    readonly candidates: readonly string[];
    readonly ofFramework?: boolean;
  };
  "unknown-layer": { readonly type: string; readonly candidates: readonly string[] };
  /** A key that neither the format nor the operator knows. `of` says whose keys: an operator's name, or "the model". */
  "unknown-parameter": { readonly name: string; readonly of: string; readonly candidates: readonly string[] };
  "missing-parameter": { readonly name: string; readonly of: string };
  /** `expected` completes "must be …". */
  "bad-value": { readonly name: string; readonly value: Plain | undefined; readonly expected: string };
  "unknown-reference": { readonly name: string; readonly candidates: readonly string[]; readonly detail?: string };
  cycle: { readonly path: readonly string[] };
  /** A limit of ConvLint, not of a framework: expansion, nesting or size. */
  "too-large": { readonly what: string; readonly limit: string };
  /** The operator cannot take a tensor of this rank. `expected` completes "needs …". */
  "wrong-rank": { readonly input: Tensor; readonly expected: string };
  "wrong-input-count": { readonly got: number; readonly expected: string };

  /** A window that does not divide the input: `unread` real cells lost, or 0 where only padding is dropped. */
  "non-integer-size": { readonly use: WindowUse; readonly input: Tensor; readonly unread: number };
  "window-too-large": { readonly use: WindowUse; readonly input: Tensor };
  "channels-mismatch": {
    readonly param: string;
    readonly written: number;
    readonly actual: Dim;
    readonly input: Tensor;
  };
  "groups-divide": { readonly groups: number; readonly what: string; readonly count: Dim };
  /** The channel count (or an axis) must divide by a factor: PixelShuffle, PixelUnshuffle, ChannelShuffle, GLU, Chunk. */
  "not-divisible": { readonly what: string; readonly size: Dim; readonly by: number; readonly why: string };
  "concat-mismatch": {
    readonly axis: number;
    readonly dim: number;
    readonly inputs: readonly Tensor[];
    readonly index: number;
  };
  "add-mismatch": { readonly dim: number; readonly inputs: readonly Tensor[]; readonly index: number };
  /** The axes that a product sums over, one of each input, differ. */
  "product-mismatch": { readonly inputs: readonly [Tensor, Tensor]; readonly axes: readonly [number, number] };
  "features-mismatch": {
    readonly written: number;
    readonly actual: Dim;
    readonly input: Tensor;
    readonly param: string;
    /** The tensor before the Flatten that produced `input`, where there is one. */
    readonly flattened?: Tensor;
  };
  /** The total number of elements changes: Reshape, Unflatten, Fold. */
  "reshape-mismatch": { readonly from: readonly Dim[]; readonly to: readonly Dim[]; readonly why: string };
  /** A normalisation over a single value per channel gives nothing but zeros, and PyTorch refuses it. */
  "one-value-per-channel": { readonly input: Tensor };
  /** `accepted`: since when the framework takes it after all, e.g. "PyTorch 2.1". */
  "padding-too-large": {
    readonly padding: Dim;
    readonly limit: number | Dim;
    readonly why: string;
    readonly accepted?: string;
  };
  "same-with-stride": { readonly stride: readonly number[] };
  "output-padding-too-large": { readonly outputPadding: number; readonly stride: number; readonly dilation: number };
  "skips-pixels": { readonly use: WindowUse; readonly input: Tensor };
  /** `only`: ids of the layers before it that serve nothing else. */
  "dead-layer": { readonly only: readonly number[] };
  /** A comment that suppresses nothing: the `code` it names (null: all), by which directive, and why nothing. */
  "unused-suppression": {
    readonly code: string | null;
    readonly kind: string;
    readonly why: "nothing-there" | "unknown-code" | "unknown-directive" | "no-start";
    readonly candidates: readonly string[];
  };
  /** A weight stored with the model. `needed`: what the layer of that name has, axes in the file's order. */
  "weights-mismatch": {
    readonly layer: string;
    readonly weight: string;
    readonly stored: readonly number[];
    readonly needed: readonly Dim[];
  };
  /** A shape that the file declares for an input and that nobody reads. */
  "stale-shape": { readonly declared: Tensor; readonly actual: Tensor };
  /** Branches of equal sizes whose positions stand for different places of the input, in pixels of it along `axis`. */
  alignment: {
    readonly axis: number;
    readonly inputs: readonly Tensor[];
    readonly index: number;
    /** Of the first input and of the one at `index`. */
    readonly grids: readonly [Grid, Grid];
  };
  /** Axes along which an addition repeats a smaller input. */
  "silent-broadcast": { readonly index: number; readonly inputs: readonly Tensor[]; readonly axes: readonly number[] };
  /** A transposed window whose kernel is no multiple of its stride. */
  "uneven-overlap": { readonly use: WindowUse; readonly input: Tensor };
  /** A padding for which another framework's own has the same size and another place: cells before and after, each. */
  "same-shape-shifted": {
    readonly use: WindowUse;
    readonly input: Tensor;
    readonly other: {
      readonly target: "pytorch" | "tensorflow";
      readonly padBefore: number;
      readonly padAfter: number;
    };
  };
  /** An average pool behind a 1×1 convolution: multiply-accumulates now and the other way round. */
  "pool-after-1x1": { readonly convolution: number; readonly macs: number; readonly swapped: number };
  /** The bias of a node that a normalisation takes away again. */
  "redundant-bias": { readonly normalisation: number; readonly count: Dim };
  "activation-twice": { readonly before: number; readonly why: "same" | "never-negative" | "squashed" };
  "linear-too-large": {
    readonly weights: Dim;
    readonly max: number;
    readonly input: Tensor;
    readonly flattened?: Tensor;
  };
  /** Per spatial axis. */
  "receptive-field-smaller-than-object": { readonly field: readonly number[]; readonly object: readonly number[] };
  "parameter-budget": Budget;
  "mac-budget": Budget;
  "memory-budget": Budget;
  /** A step between neighbouring outputs of `jump` input pixels where each has seen no more than `size`. */
  "stride-before-enough-context": {
    readonly axis: number;
    readonly input: Tensor;
    readonly size: number;
    readonly jump: number;
    readonly least: number;
  };
  /** Something that is given a name and never used. `kind`: "variable", "block", "block parameter", "anchor". */
  "unused-definition": { readonly kind: string; readonly name: string };
  /** What each framework makes of a layer: its sizes, or why it refuses. */
  "framework-disagreement": { readonly answers: readonly FrameworkAnswer[] };
  "empty-output": { readonly output: Tensor; readonly fatal: boolean; readonly why: string };
}

/** Where the positions of a tensor stand on the model's input along one axis: position j at `centre` + j·`jump`. */
export interface Grid {
  readonly jump: number;
  readonly centre: number;
}

/** A cost above what was allowed. `whole`: of the model; else of one layer. */
export interface Budget {
  readonly cost: number;
  readonly max: number;
  readonly whole: boolean;
}

export interface FrameworkAnswer {
  readonly target: string;
  /** The output's spatial sizes; null where it refuses. */
  readonly sizes: readonly Dim[] | null;
  /** How it comes to that; completes a sentence. */
  readonly because?: string;
}

export type FindingCode = keyof FindingData;

/** One problem. `node` indexes the graph's nodes; null where it belongs to the file and `at` is a range. */
export type Finding = {
  readonly [C in FindingCode]: {
    readonly code: C;
    readonly node: number | null;
    readonly at: At;
    readonly data: FindingData[C];
    /** Where another run than the model's own input fails: "in the builder's own 256×256 pass". */
    readonly during?: string;
    /** The sizes it speaks of follow from a layer nobody knows: it may be wrong, and is no more than a hint. */
    readonly assumed?: true;
  };
}[FindingCode];

/** How an operator or a dialect states a finding. */
export type Report = <C extends FindingCode>(code: C, at: At, data: FindingData[C]) => void;

/** For looking again at what inference has reported on already. */
export const SILENT: Report = () => {};
