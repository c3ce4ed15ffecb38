/**
 * What a model format is to the rest of the server: how it is recognised, lowered to a graph, and put back into words.
 */
import type { Graph } from "#shared/graph/graph.ts";
import type { ShapeReport } from "#shared/graph/infer.ts";
import type { Finding } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
import type { Target } from "#shared/settings.ts";
import type { Dim } from "#shared/shape/dim.ts";
import type { Layout, Tensor } from "#shared/shape/tensor.ts";
import type { Place } from "../syntax/edit.ts";
import type { Comment, Tree } from "../syntax/tree.ts";

/** What the check of one file is told from outside the tree: settings, command-line flags, directives in comments. */
export interface Context {
  /** The file's path or URI, for dialects marked by name. */
  readonly path: string;
  /** Input size from the command line, e.g. [3, 640, 640]: wins over the file; null where it says nothing. */
  readonly input: readonly number[] | null;
  /** A model scale such as YOLO's "n", from the command line. */
  readonly scale: string | null;
  /** The same from settings: the file's own directives win over them. `wishOf` in directive.ts merges all three. */
  readonly defaults?: { readonly input: readonly number[] | null; readonly scale: string | null };
  readonly comments: () => readonly Comment[];
}

export interface Lowered {
  readonly graph: Graph;
  readonly findings: readonly Finding[];
  /** The frameworks the model is meant for, where the file says so beside its layers. */
  readonly targets?: readonly Target[];
  /** What the file states beside its layers, checked against the sizes that were inferred. */
  readonly review?: (report: ShapeReport) => readonly Finding[];
}

/** How a dialect says things: parameters by its own names, shapes in its own notation. */
export interface Words {
  /** The file's name for an operator's parameter: `filters` for out_channels. */
  param(op: string, name: string): string;
  /** The file's name for an operator: `Dense` for Linear. */
  op(name: string): string;
  /** `[N, 6, 28, 28]` or `(None, 28, 28, 6)`. */
  shape(tensor: Tensor): string;
  dim(dim: Dim): string;
  /** Layers are read by their index in the file, which goes wrong where rows are inserted above. */
  readonly byIndex?: boolean;
  /**
   * Whether the format can write this value for an operator's parameter, or leave the parameter out (null); where it
   * cannot, no advice names it. Default: all.
   */
  takes?(op: string, name: string, value: Plain): boolean;
  /** How the format writes this value of an operator's parameter. Default: as it is. */
  value?(op: string, name: string, value: Plain): Plain;
}

/** Where a format's facts stand in the text, for edits. */
export interface Writing {
  /** What holds a layer's parameters: a map by name, or a list by place. Default: the layer itself. */
  parameters?(layer: Tree): Tree | undefined;
  /** Where the value stands that a text such as `${width}` refers to; the tree itself where it refers to nothing; null: not in one place. */
  definition?(value: Tree, root: Tree): Tree | null;
  /** A layer of an operator without parameters, as an item of the format's list of layers; absent: layers are no such list. */
  layer?(op: string): Plain;
  /** What says the size of a model's input along an axis of its tensor. */
  size?(input: Place, axis: number, tensor: Tensor): Tree | undefined;
}

export type DialectName = "native" | "keras" | "ultralytics" | "torch";

/** How documentation calls a dialect's files. */
export function dialectTitle(name: DialectName): string {
  return { native: "ConvLint's own format", keras: "Keras", ultralytics: "YOLO", torch: "torch.nn by path" }[name];
}

export interface Dialect {
  readonly name: DialectName;
  readonly words: Words;
  /**
   * Cheap and conservative: true where the text or path could be this dialect, before anything is parsed. Files that no
   * dialect claims are never parsed.
   */
  sniff(text: string, path: string): boolean;
  /** Whether a file is of this format by its name alone, so that even one that cannot be read gets its problems. */
  claims?(path: string): boolean;
  /** Looks at the root's own top keys only. */
  matches(root: Tree, path: string): boolean;
  /** Never throws and never stops at the first problem. */
  lower(root: Tree, context: Context): Lowered;
  readonly writing?: Writing;
  /** Operator words of the format, for completion and "did you mean". */
  readonly vocabulary: () => readonly string[];
}

/** The names and batch symbol of one notation; `(None, …)` for Keras, `[N, …]` otherwise. */
export function shapeText(tensor: Tensor, dim: (dim: Dim) => string, brackets: "[]" | "()" = "[]"): string {
  return `${brackets[0]}${tensor.dims.map(dim).join(", ")}${brackets[1]}`;
}

export type { Layout };
