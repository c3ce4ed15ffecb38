/** The list of every operator: what completion, docs, tests and dialects iterate over. */
import { activationOps } from "./activation.ts";
import { inputOp } from "./input.ts";
import { linearOps } from "./linear.ts";
import type { Operator } from "./op.ts";

/** By canonical name. `Input` is among them but no file names it. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  [inputOp, ...activationOps, ...linearOps].map((op) => [op.name, op]),
);
