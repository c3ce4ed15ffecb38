/**
 * The documentation of every rule, for the command line, SARIF and docs/rules. Nothing of the editor's server imports this
 * file, so its bundle has no docs and no examples.
 */
import type { FindingCode } from "#shared/ops/finding.ts";
import type { DialectName } from "../dialects/dialect.ts";
import { page as activationTwice } from "./activation-twice.ts";
import { page as addMismatch } from "./add-mismatch.ts";
import { page as alignment } from "./alignment.ts";
import { page as badValue } from "./bad-value.ts";
import { page as channelsMismatch } from "./channels-mismatch.ts";
import { page as concatMismatch } from "./concat-mismatch.ts";
import { page as cycle } from "./cycle.ts";
import { page as deadLayer } from "./dead-layer.ts";
import { page as duplicateKey } from "./duplicate-key.ts";
import { page as emptyOutput } from "./empty-output.ts";
import { page as featuresMismatch } from "./features-mismatch.ts";
import { page as frameworkDisagreement } from "./framework-disagreement.ts";
import { page as groupsDivide } from "./groups-divide.ts";
import { page as linearTooLarge } from "./linear-too-large.ts";
import { page as macBudget } from "./mac-budget.ts";
import { page as memoryBudget } from "./memory-budget.ts";
import { page as missingParameter } from "./missing-parameter.ts";
import { page as nonIntegerSize } from "./non-integer-size.ts";
import { page as notDivisible } from "./not-divisible.ts";
import { page as oneValuePerChannel } from "./one-value-per-channel.ts";
import { page as opaqueLayer } from "./opaque-layer.ts";
import { page as outputPaddingTooLarge } from "./output-padding-too-large.ts";
import { page as paddingTooLarge } from "./padding-too-large.ts";
import { page as parameterBudget } from "./parameter-budget.ts";
import { page as poolAfter1x1 } from "./pool-after-1x1.ts";
import { page as productMismatch } from "./product-mismatch.ts";
import { page as receptiveFieldSmallerThanObject } from "./receptive-field-smaller-than-object.ts";
import { page as redundantBias } from "./redundant-bias.ts";
import { page as reshapeMismatch } from "./reshape-mismatch.ts";
import type { RuleExample, RulePage } from "./rule.ts";
import { page as sameShapeShifted } from "./same-shape-shifted.ts";
import { page as sameWithStride } from "./same-with-stride.ts";
import { page as silentBroadcast } from "./silent-broadcast.ts";
import { page as skipsPixels } from "./skips-pixels.ts";
import { page as staleShape } from "./stale-shape.ts";
import { page as strideBeforeEnoughContext } from "./stride-before-enough-context.ts";
import { page as syntax } from "./syntax.ts";
import { page as tooLarge } from "./too-large.ts";
import { page as unevenOverlap } from "./uneven-overlap.ts";
import { page as unknownLayer } from "./unknown-layer.ts";
import { page as unknownParameter } from "./unknown-parameter.ts";
import { page as unknownReference } from "./unknown-reference.ts";
import { page as unusedDefinition } from "./unused-definition.ts";
import { page as unusedSuppression } from "./unused-suppression.ts";
import { page as weightsMismatch } from "./weights-mismatch.ts";
import { page as windowTooLarge } from "./window-too-large.ts";
import { page as wrongInputCount } from "./wrong-input-count.ts";
import { page as wrongRank } from "./wrong-rank.ts";

/** A rule without documentation does not compile. */
export const pages: { readonly [C in FindingCode]: RulePage } = {
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

const FILE_NAMES: Readonly<Record<DialectName, string>> = {
  native: "model.cnn.yaml",
  keras: "model.json",
  ultralytics: "model.yaml",
  torch: "config.yaml",
};

/** An example as it can be shown and checked. */
export interface ShownExample {
  readonly dialect: DialectName;
  readonly file: string;
  readonly bad: string;
  /** What of `bad` the rule marks: offsets, end exclusive, in text order. */
  readonly marks: readonly { readonly start: number; readonly end: number }[];
  readonly good: string;
}

export function examplesOf({ examples }: RulePage): readonly ShownExample[] {
  return (Object.entries(examples) as [DialectName, RuleExample][]).map(([dialect, { bad, good, file }]) => ({
    dialect,
    file: file ?? FILE_NAMES[dialect],
    ...unmarked(bad),
    good,
  }));
}

function unmarked(marked: string): Pick<ShownExample, "bad" | "marks"> {
  const marks: { start: number; end: number }[] = [];
  const open: { start: number; end: number }[] = [];
  let bad = "";
  for (const part of marked.split(/([«»])/)) {
    if (part === "«") {
      const mark = { start: bad.length, end: bad.length };
      marks.push(mark);
      open.push(mark);
    } else if (part === "»") open.pop()!.end = bad.length;
    else bad += part;
  }
  return { bad, marks };
}
