/**
 * What weights are called: PyTorch's names and Keras's for the same numbers, and how Keras orders their axes.
 * Sources: state_dict of torch.nn; keras.layers; flax.linen for `scale`, `mean` and `var`.
 */
import { stridesOf, type Values } from "../kernels/values.ts";

/** How a stored tensor becomes the weight. */
export type Order =
  /** As it is. */
  | "same"
  /** Keras's […window, in, out] to PyTorch's [out, in, …window]; a matrix is turned around. */
  | "channels-last"
  /** Keras's […window, channels, multiplier] to [channels·multiplier, 1, …window]. */
  | "depthwise";

export interface Alias {
  readonly word: string;
  readonly order: Order;
}

const OTHER_WORDS: Readonly<Record<string, readonly string[]>> = {
  weight: ["gamma", "scale", "alpha", "embeddings"],
  bias: ["beta"],
  running_mean: ["moving_mean", "mean"],
  running_var: ["moving_variance", "var"],
  gamma: ["weight", "scale"],
  beta: ["bias"],
  moving_mean: ["running_mean", "mean"],
  moving_variance: ["running_var", "var"],
  alpha: ["weight"],
  embeddings: ["weight"],
};

/** What the weight of an operator may be called in a file, the likeliest first. @param op the operator's name. */
export function aliasesOf(op: string, name: string): readonly Alias[] {
  const aliases: Alias[] = [{ word: name, order: "same" }];
  const isDepthwise = /DepthwiseConv/.test(op);
  if (name === "depthwise.weight") aliases.push({ word: "depthwise_kernel", order: "depthwise" });
  else if (name === "pointwise.weight") aliases.push({ word: "pointwise_kernel", order: "channels-last" });
  else if (name === "weight" && /Conv|Linear|Dense/.test(op)) {
    aliases.push(
      { word: "kernel", order: isDepthwise ? "depthwise" : "channels-last" },
      { word: "depthwise_kernel", order: "depthwise" },
    );
  } else aliases.push(...(OTHER_WORDS[name] ?? []).map((word): Alias => ({ word, order: "same" })));
  return aliases;
}

/** The dims after reordering; null where there are too few axes. */
export function reorderedDims(order: Order, dims: readonly number[]): readonly number[] | null {
  if (order === "same") return dims;
  if (dims.length < 2) return null;
  const [a, b] = dims.slice(-2) as [number, number];
  const window = dims.slice(0, -2);
  return order === "depthwise" ? [a * b, 1, ...window] : [b, a, ...window];
}

/** @param values with at least two axes, unless the order is the same. */
export function reordered(order: Order, values: Values): Values {
  if (order === "same") return values;
  const rank = values.dims.length;
  const ends = order === "depthwise" ? [rank - 2, rank - 1] : [rank - 1, rank - 2];
  const axes = [...ends, ...Array.from({ length: rank - 2 }, (_, axis) => axis)];
  return { dims: reorderedDims(order, values.dims)!, data: permuted(values, axes) };
}

/** The numbers in the order in which output axis i is input axis axes[i]. */
function permuted({ dims, data }: Values, axes: readonly number[]): Float32Array {
  const steps = stridesOf(dims);
  const result = new Float32Array(data.length);
  let to = 0;
  const visit = (depth: number, from: number): void => {
    const axis = axes[depth]!;
    const [size, step] = [dims[axis]!, steps[axis]!];
    if (depth < axes.length - 1) for (let at = 0; at < size; at++) visit(depth + 1, from + at * step);
    else for (let at = 0; at < size; at++) result[to++] = data[from + at * step]!;
  };
  visit(0, 0);
  return result;
}

/** A stored name as a dotted path: `block1/conv2d_1/kernel:0` is `block1.conv2d_1.kernel`. */
export function dotted(name: string): string {
  return name.replace(/:\d+$/, "").replaceAll(/[/\\]/g, ".");
}
