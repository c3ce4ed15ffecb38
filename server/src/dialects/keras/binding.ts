/**
 * What reads a layer's config: the operators that it stands for, with their parameters by canonical name.
 */

import { operators } from "#shared/ops/index.ts";
import { kerasOperators } from "#shared/ops/keras.ts";
import type { Operator } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import type { Tree } from "../../syntax/tree.ts";
import type { Arg, Config } from "./config.ts";

/** One operator of a layer, with its parameters by canonical name. */
export interface Step {
  readonly op: Operator;
  readonly args: Readonly<Record<string, Arg | undefined>>;
}

/** @param call the arguments that the layer is called with, as written; absent in Sequential models. */
export type Binding = (config: Config, call: Tree | undefined) => readonly Step[];

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: "ReLU",
  relu6: "ReLU6",
  leaky_relu: "LeakyReLU",
  elu: "ELU",
  selu: "SELU",
  gelu: "GELU",
  celu: "CELU",
  silu: "SiLU",
  swish: "SiLU",
  mish: "Mish",
  sigmoid: "Sigmoid",
  hard_sigmoid: "Hardsigmoid",
  hard_silu: "Hardswish",
  hard_swish: "Hardswish",
  log_sigmoid: "LogSigmoid",
  tanh: "Tanh",
  softplus: "Softplus",
  softsign: "Softsign",
  softmax: "Softmax",
  log_softmax: "LogSoftmax",
};

export function op(name: string): Operator {
  const found = kerasOperators.get(name) ?? operators.get(name);
  if (!found) throw new RangeError(`no operator ${name}`);
  return found;
}

export function step(name: string, args: Step["args"] = {}): Step {
  return { op: op(name), args };
}

export function fixed(value: Plain): Arg {
  return { value, entry: null };
}

/** The activation that a layer applies last; a function of the user's own keeps every size too. */
export function activation(config: Config): readonly Step[] {
  const written = config.value("activation");
  const word =
    typeof written === "object" && written !== null && !Array.isArray(written)
      ? (written as { readonly [key: string]: Plain }).class_name
      : written;
  if (typeof word !== "string" || word === "linear") return [];
  const name = ACTIVATIONS[word.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase()];
  if (!name) return [step("Identity")];
  return [step(name, name.endsWith("oftmax") ? { dim: fixed(-1) } : {})];
}

/** Layers that keep every size and have no weights. */
export const keep: Binding = () => [step("Identity")];
