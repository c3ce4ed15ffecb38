/**
 * The modules of torch.nn: which operator each is, and the order of its constructor's arguments.
 */
import { operators } from "#shared/ops/index.ts";
import type { Operator } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";

export interface Module {
  readonly op: Operator;
  /** Names of the arguments by place. */
  readonly positional: readonly string[];
  /** What the class stands for beside its arguments. */
  readonly fixed: Readonly<Record<string, Plain>>;
  /** The width that PyTorch wants written, though the input tells it. */
  readonly width: string | undefined;
}

/** Whether an argument says how wide the module's input is. */
export function isWidth(name: string): boolean {
  return /^(?:in_channels|in_features|num_features)$/.test(name);
}

/** Operators that are functions in PyTorch, methods of tensors, or ConvLint's own. */
const NO_MODULES = new Set(
  (
    "Input Add Sub Mul Div Maximum Minimum Average Concat Stack MatMul Dot Mean Sum Max Min Reshape Permute Transpose Squeeze " +
    "Unsqueeze Slice Select Split Chunk GlobalAvgPool GlobalMaxPool MultiheadAttention TopK DeformableSampling DepthwiseConv1d " +
    "DepthwiseConv2d SeparableConv1d SeparableConv2d Crop ReshapeLike ResizeLike Parameters Interpolate"
  ).split(" "),
);

/** Operators that torch.nn has under the same name. */
export const moduleNames: readonly string[] = [...operators.keys()].filter(
  (name) => /^[A-Z]/.test(name) && !NO_MODULES.has(name),
);

const known = new Set(moduleNames);

/** Modules of torch.nn that are right to use and that ConvLint has no shape rule for. */
const UNCHECKED =
  /^(?:(?:RNN|LSTM|GRU)(?:Base|Cell)?|RNNCellBase|Transformer\w*|MultiheadAttention|Embedding(?:Bag)?|SyncBatchNorm|AdaptiveLogSoftmaxWithLoss|\w*Loss\w*|Module(?:List|Dict)?|Parameter(?:List|Dict)|CosineSimilarity|PairwiseDistance|FractionalMaxPool[23]d|MaxUnpool[123]d|CrossMapLRN2d|DataParallel|Container)$/;

export function isUnchecked(name: string): boolean {
  return UNCHECKED.test(name);
}

/** The module of that name in torch.nn; null where ConvLint has no operator for it. */
export function moduleNamed(name: string): Module | null {
  const resize = /^Upsampling(Nearest|Bilinear)2d$/.exec(name)?.[1];
  if (resize) {
    const fixed = resize === "Nearest" ? { mode: "nearest" } : { mode: "bilinear", align_corners: true };
    return { op: operators.get("Upsample")!, positional: ["size", "scale_factor"], fixed, width: undefined };
  }
  const lazy = name.startsWith("Lazy");
  const eager = lazy ? name.slice(4) : name;
  if (!known.has(eager)) return null;
  const op = operators.get(eager)!;
  const all = Object.keys(op.params);
  // A lazy module is made without the size that its first input tells.
  const positional = lazy ? all.filter((param) => !isWidth(param)) : all;
  return { op, positional, fixed: {}, width: lazy ? undefined : all.find(isWidth) };
}
