/**
 * Functions that a functional model calls between its layers, each a layer of its own in the file: keras.ops (Keras 3
 * writes their module) and TensorFlow's (`TFOpLambda` and `SlicingOpLambda` of tf.keras 2).
 *
 * Unlike layers they count the batch as an axis like others. A function that is not here is opaque.
 */
import { operators } from "#shared/ops/index.ts";
import type { Operator } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { entryOf, get, plain, type Tree } from "../../syntax/tree.ts";
import { fixed, type Step, step } from "./binding.ts";
import type { Arg, Config } from "./config.ts";

/** Arguments by any of the names that the two libraries give them. */
type Arguments = (...names: readonly string[]) => Arg | undefined;

/** Act on every element by itself; tensors are broadcast to one shape. */
const ELEMENTWISE = new Set(
  (
    "add subtract sub multiply mul divide div true_divide truediv realdiv floor_divide floordiv floormod mod divide_no_nan " +
    "maximum minimum power pow squared_difference absolute abs negative neg square sqrt rsqrt reciprocal exp expm1 log log1p " +
    "log2 log10 sin cos tan tanh sinh cosh arctan arctan2 sigmoid log_sigmoid relu relu6 leaky_relu elu selu gelu silu swish " +
    "celu mish softplus softsign hard_sigmoid hard_silu hard_tanh erf erfinv floor ceil round sign clip clip_by_value cast " +
    "stop_gradient identity greater greater_equal less less_equal equal not_equal logical_and logical_or logical_not " +
    "logical_xor where select isnan isfinite isinf nan_to_num zeros_like ones_like full_like softmax log_softmax normalize " +
    "l2_normalize layer_normalization flip reverse roll cumsum cumprod sort dropout bias_add batch_normalization"
  ).split(" "),
);

/** Take axes together; sizes are those of a mean whatever is computed. */
const REDUCING = new Set(
  "mean sum max min amax amin prod var std any all argmax argmin norm logsumexp median count_nonzero".split(" "),
);

const broadcasting: Operator = { ...operators.get("Add")!, inputs: { least: 1, most: Number.POSITIVE_INFINITY } };

const REARRANGING: Readonly<Record<string, (of: Arguments, call: Tree | undefined) => readonly Step[]>> = {
  reshape: (of) => [step("ReshapeAll", { shape: of("newshape", "shape") })],
  transpose: (of) => {
    const axes = of("axes", "perm");
    return axes ? [step("Permute", { dims: axes })] : [];
  },
  expand_dims: (of) => [step("Unsqueeze", { dim: of("axis") })],
  squeeze: (of) => {
    const axis = of("axis");
    return Array.isArray(axis?.value) ? [] : [step("Squeeze", { dim: axis })];
  },
  concatenate: (of) => [step("Concat", { dim: of("axis") ?? fixed(-1) })],
  concat: (of) => [step("Concat", { dim: of("axis") ?? fixed(-1) })],
  stack: (of) => [step("Stack", { dim: of("axis") ?? fixed(0) })],
  matmul: (of) => (of("transpose_a", "transpose_b")?.value === true ? [] : [step("MatMul")]),
  resize: (of) => [step("Upsample", { size: of("size") })],
  get_item: (_, call) => getItem(get(call, "args")),
  getitem: (_, call) => getItem(specOf(call)),
};

/** The steps of a function's layer; none where its sizes are not known. */
export function functionSteps(name: string, config: Config, call: Tree | undefined): readonly Step[] {
  const of: Arguments = (...names) => config.arg(...names) ?? argumentOf(call, names);
  const word = name.slice(name.lastIndexOf(".") + 1).replace(/^reduce_/, "");
  const snake = word.replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, "_").toLowerCase();
  if (ELEMENTWISE.has(snake)) return [{ op: broadcasting, args: {} }];
  if (REDUCING.has(snake)) {
    const axis = of("axis");
    const dims = axis?.value === undefined ? undefined : axis;
    return [step("Mean", { dims, keepdim: of("keepdims") ?? fixed(false) })];
  }
  return Object.hasOwn(REARRANGING, snake) ? REARRANGING[snake]!(of, call) : [];
}

/** Keywords of a call of tf.keras 2, which stand last in its first source: `["x", 0, 0, {"axis": 1}]`. */
function keywordsOf(call: Tree | undefined): Tree | undefined {
  if (call?.kind !== "list") return undefined;
  return call.items[0]?.kind === "list" ? keywordsOf(call.items[0]) : call.items[3];
}

function argumentOf(call: Tree | undefined, names: readonly string[]): Arg | undefined {
  const keywords = keywordsOf(call);
  for (const name of names) {
    const entry = entryOf(keywords, name);
    const value = entry && plain(entry.value);
    if (entry && value !== null && value !== undefined) return { value, entry };
  }
  return undefined;
}

/** The index expression of a call of tf.keras 2. */
const specOf = (call: Tree | undefined): Tree | undefined => get(keywordsOf(call), "slice_spec");

/** `x[:, 0, 1:4]`, one item per axis: a slice, an index, None for a new axis, or an ellipsis. */
function getItem(tree: Tree | undefined): readonly Step[] {
  const written = tree && plain(tree);
  const items = Array.isArray(written) && isTensor(written[0]) ? written[1] : written;
  const list = Array.isArray(items) ? items : [items];
  const steps: Step[] = [];
  const ellipsis = list.findIndex(isEllipsis);
  // Axes behind an ellipsis count from the end, and are cut from there so that the others keep their places.
  const before = ellipsis < 0 ? list : list.slice(0, ellipsis);
  const after = ellipsis < 0 ? [] : list.slice(ellipsis + 1);
  let axis = 0;
  for (const item of before) {
    const made = indexStep(item, axis);
    if (!made) return [];
    steps.push(...made);
    if (typeof item !== "number") axis++;
  }
  for (const [back, item] of after.reverse().entries()) {
    const made = item === null ? null : indexStep(item, -1 - back + after.slice(0, back).filter(isIndex).length);
    if (!made) return [];
    steps.push(...made);
  }
  return steps.length > 0 ? steps : [step("Identity")];
}

const isIndex = (item: Plain | undefined): boolean => typeof item === "number";

function isTensor(item: Plain | undefined): boolean {
  return partOf(item, "class_name") === "__keras_tensor__";
}

function isEllipsis(item: Plain | undefined): boolean {
  return partOf(item, "class_name") === "__ellipsis__" || partOf(item, "start") === "_ellipsis_";
}

function partOf(item: Plain | undefined, key: string): Plain | undefined {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return undefined;
  return (item as { readonly [key: string]: Plain })[key];
}

/** One axis of an index; null where it is neither a number nor a slice with plain ends. */
function indexStep(item: Plain | undefined, axis: number): readonly Step[] | null {
  if (typeof item === "number") return [step("Select", { dim: fixed(axis), index: fixed(item) })];
  if (item === null) return [step("Unsqueeze", { dim: fixed(axis) })];
  const slice = partOf(item, "config") ?? item;
  const [start, end, stride] = ["start", "stop", "step"].map((key) => partOf(slice, key));
  if (start === undefined || end === undefined) return null;
  if ([start, end, stride].some((part) => part !== null && part !== undefined && typeof part !== "number")) return null;
  if (typeof stride === "number" && stride < 1) return null;
  if (start === null && end === null && !stride) return [];
  const args = { dim: axis, start: start ?? 0, ...(end === null ? {} : { end }), step: stride ?? 1 };
  return [step("Slice", Object.fromEntries(Object.entries(args).map(([name, value]) => [name, fixed(value)])))];
}
