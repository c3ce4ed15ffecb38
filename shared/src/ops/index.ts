/** The list of every operator: what completion, docs, tests and dialects iterate over. */
import { activationOps } from "./activation.ts";
import { adaptiveOps } from "./adaptive.ts";
import { attentionOps } from "./attention.ts";
import { convolutionOps } from "./convolution.ts";
import { foldOps } from "./fold.ts";
import { inputOp } from "./input.ts";
import { likeOps } from "./like.ts";
import { linearOps } from "./linear.ts";
import { mergeOps } from "./merge.ts";
import { normOps } from "./norm.ts";
import type { Operator } from "./op.ts";
import { paddingOps } from "./padding.ts";
import { parameterOps } from "./parameters.ts";
import { poolingOps } from "./pooling.ts";
import { reduceOps } from "./reduce.ts";
import { reshapeOps } from "./reshape.ts";
import { resizeOps } from "./resize.ts";
import { sliceOps } from "./slice.ts";
import { transposedOps } from "./transposed.ts";

/** By canonical name. `Input` is among them but no file names it. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  [
    inputOp,
    ...activationOps,
    ...linearOps,
    ...mergeOps,
    ...normOps,
    ...reduceOps,
    ...reshapeOps,
    ...sliceOps,
    ...adaptiveOps,
    ...attentionOps,
    ...convolutionOps,
    ...foldOps,
    ...paddingOps,
    ...likeOps,
    ...parameterOps,
    ...poolingOps,
    ...resizeOps,
    ...transposedOps,
  ].map((op) => [op.name, op]),
);
