/**
 * What an operator is: defined once, read by inference, completion, hover, JSON Schema, docs, rules and the engine.
 */
import type { Backend, Epilogue, Pointwise, Resident } from "../kernels/backend.ts";
import type { Values } from "../kernels/values.ts";
import type { Dim } from "../shape/dim.ts";
import type { Tensor } from "../shape/tensor.ts";
import type { WindowUse } from "../shape/window.ts";
import type { Report } from "./finding.ts";
import type { Initial } from "./initial.ts";
import { type Attrs, type Params, type Plain, Refusal } from "./param.ts";

/** A learned (or running) tensor of an operator, under the name PyTorch's state_dict uses. */
export interface WeightSpec {
  readonly name: string;
  readonly dims: readonly Dim[];
  /** Running statistics are not parameters. */
  readonly trainable: boolean;
  readonly initial: Initial;
}

/** One application of an operator to known inputs. */
export interface Call<A> {
  readonly attrs: A;
  readonly inputs: readonly Tensor[];
  readonly report: Report;
  /** The tensor that entered the Flatten which produced input `index`, for messages; undefined elsewhere. */
  flattenedFrom(index: number): Tensor | undefined;
}

export type Assumption = "sizes" | "rank";

/** The geometry record of one call: shapes, cost, receptive field, hover and kernels all read this. */
export interface Inference {
  readonly outputs: readonly Tensor[];
  /** One per spatial axis, for operators that move a window. */
  readonly windows?: readonly WindowUse[];
  readonly weights?: readonly WeightSpec[];
  /** Multiply-accumulates for one sample (batch counted as 1). Absent means none. */
  readonly macs?: Dim;
  /** The outputs are what such a layer usually gives, not what it is known to give: their sizes, or the mere number of axes. */
  readonly assumed?: Assumption;
}

/** Where attributes are broken even the rank of the output may be open; then nothing after it is checked. */
export const NOTHING: Inference = { outputs: [] };

/** One execution of an operator: what it was inferred from, every size a number, and the values. */
export interface Execution<A> {
  readonly attrs: A;
  /** Values of the inputs, dims in the file's own axis order. */
  readonly inputs: readonly Resident[];
  /** The inputs as inference saw them; no size is unknown or symbolic. */
  readonly shapes: readonly Tensor[];
  readonly inference: Inference;
  /** To be applied to the first output, by operators that say `fuses`. In the file's own axis order. */
  readonly epilogue: Epilogue;
  /** To be worked into the weights, by operators that say `folds`: what comes before the epilogue. */
  readonly folded: AffineValues | null;
  /** A weight that `infer` lists. @throws EngineError `missing-weight`. */
  weight(name: string): Values;
  /**
   * What is computed from weights and attributes alone. It is made once and is then the same object in every run, by which
   * a backend knows what it has packed.
   */
  derived(name: string, make: () => Values): Values;
  /** Refuses what the operator has no arithmetic for; `why` completes "… cannot be run: ". */
  cannot(why: string): never;
}

/** What of an execution is known without its inputs' values. */
export type WeightsOnly<A> = Pick<Execution<A>, "attrs" | "shapes" | "inference" | "weight" | "derived">;

/** (x − mean)·scale + shift, one of each for every channel, all 1-D. */
export interface AffineValues {
  readonly mean: Values;
  readonly scale: Values;
  readonly shift: Values;
}

/** What normalisation by fixed statistics comes down to. */
export interface ChannelAffine<A> {
  /** The channel axis, in the file's own axis order. */
  readonly axis: number;
  values(execution: WeightsOnly<A>): AffineValues;
}

/** How many inputs an operator takes. */
export interface Arity {
  readonly least: number;
  readonly most: number;
}

export const UNARY: Arity = { least: 1, most: 1 };

export interface OpDefinition<P extends Params> {
  /** The canonical name, PyTorch's where it has one. */
  readonly name: string;
  /** One line of docs. */
  readonly summary: string;
  readonly params: P;
  /** Default: exactly one. */
  readonly inputs?: Arity;
  /** How many spatial axes it works along, where it reads images: with two more axes there is a batch among them. */
  readonly axes?: number;
  /**
   * Shapes and cost. Reports what the framework refuses through `call.report` and still returns outputs of the right
   * rank, with unknown dims where they cannot be known. Never throws on any attribute its params accept.
   */
  infer(call: Call<Attrs<P>>): Inference;
  /**
   * What an output position sees of the inputs where infer returns no windows. `point` (default): elementwise; `all`:
   * everything, as after Flatten or global pooling. Windows always come first.
   */
  readonly field?: "point" | "all";
  /** Rank-preserving stand-in where attributes are broken; default: the first input with unknown spatial and channel dims. */
  recover?(attrs: Partial<Attrs<P>>, inputs: readonly Tensor[]): Inference;
  /** The arithmetic, as inference (not training) has it: values of all outputs, with the dims that `infer` gives. */
  run(backend: Backend, execution: Execution<Attrs<P>>): readonly Resident[];
  /** What of the execution's epilogue `run` applies itself: an activation, or an addition and then an activation. */
  readonly fuses?: "activation" | "addition";
  /** The axis of its output along which `run` can work an affine function into its weights; −1 for none. */
  folds?(output: Tensor): number;
  /** The affine function of every channel that this operator is, where it is one: an operator that folds may take it in. */
  channelAffine?(attrs: Attrs<P>, input: Tensor): ChannelAffine<Attrs<P>> | null;
  /** It is the sum of its inputs: an operator that fuses additions may take it in. */
  readonly sums?: true;
  /** The function of one number that this operator is, where it is one: then an operator before it may take it in. */
  pointwise?(attrs: Attrs<P>): Pointwise;
  /** A layer in the native format's words, and the shapes it maps; a test runs every one. */
  readonly example: OpExample;
}

export interface OpExample {
  readonly attrs: Readonly<Record<string, Plain>>;
  readonly inputs: readonly (readonly number[])[];
  readonly output: readonly number[];
}

/** An operator of any parameters, as the graph holds it. */
export type Operator = OpDefinition<any>;

export function defineOp<P extends Params>(definition: OpDefinition<P>): OpDefinition<P> {
  return definition;
}

export type ParamProblem =
  | { readonly kind: "unknown"; readonly name: string }
  | { readonly kind: "missing"; readonly name: string }
  | { readonly kind: "bad"; readonly name: string; readonly expected: string; readonly index?: number };

/**
 * Decodes written values into an operator's attributes. Where `problems` is not empty, `attrs` lacks the attributes that
 * are missing or bad; the others are there.
 */
export function decodeAttrs(
  op: Operator,
  written: ReadonlyMap<string, Plain>,
): { readonly attrs: Record<string, unknown>; readonly problems: readonly ParamProblem[] } {
  const attrs: Record<string, unknown> = {};
  const problems: ParamProblem[] = [];
  const params = op.params as Params;
  for (const name of written.keys()) if (!Object.hasOwn(params, name)) problems.push({ kind: "unknown", name });
  for (const name in params) {
    const param = params[name]!;
    const value = written.get(name);
    if (value === undefined) {
      if (param.required) problems.push({ kind: "missing", name });
      else attrs[name] = param.default;
      continue;
    }
    const parsed = param.type.parse(value);
    if (parsed instanceof Refusal) {
      problems.push({
        kind: "bad",
        name,
        expected: parsed.expected,
        ...(parsed.index === undefined ? {} : { index: parsed.index }),
      });
    } else attrs[name] = parsed;
  }
  return { attrs, problems };
}
