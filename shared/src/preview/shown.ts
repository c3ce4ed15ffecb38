/** What the page shows, as the preview's messages hold it: the model, its tensors, one value explained, a shift. Types only. */
import type { Range } from "../ops/finding.ts";

// ---- the model ----

/** One output's sizes. */
export interface Size {
  /** In the file's own words: `[N, 6, 28, 28]`, `(None, 28, 28, 6)`. */
  readonly text: string;
  /** In the file's own axis order, symbols replaced by what the run uses; null where a size is not known. */
  readonly dims: readonly number[] | null;
}

export interface Problem {
  readonly severity: "error" | "warning" | "information" | "hint";
  readonly code: string;
  readonly message: string;
  readonly range: Range;
}

/** An operator, an input, or a block that holds others. */
export interface DiagramNode {
  /** Stays the same while the text is edited, as long as the layer keeps its place or its name. */
  readonly id: string;
  readonly kind: "input" | "operator" | "block";
  /** The block it stands in. */
  readonly parent: string | null;
  /** Index of the file's own layer it belongs to; null for inputs. */
  readonly layer: number | null;
  /** As the file or the dialect names it; inside a block, the rest of its path: `m.0.cv1`. */
  readonly name: string;
  /** As written: `Conv2d`, `C2f`, `Dense`; empty for a block that is only a part of one. */
  readonly type: string;
  /** The line beneath the name: the parameters that matter, `6 × 5×5, padding 2`. May be empty. */
  readonly detail: string;
  /** Of its outputs; of a block, what leaves it. */
  readonly outputs: readonly Size[];
  /** `156`; of a block, the sum. Empty where there are none. */
  readonly parameters: string;
  readonly macs: string;
  /** Of the outputs, as float32: `18.4 KiB`. */
  readonly memory: string;
  /** `14 × 14`; empty where it sees the whole input or that is not known. */
  readonly receptiveField: string;
  readonly problems: readonly Problem[];
  /** The layer in the text. */
  readonly range: Range;
  /** Why it does not run; null where it does. */
  readonly blocked: string | null;
  /** The kernels and other weights that can be looked at, with their dims. */
  readonly weights: readonly { readonly name: string; readonly dims: readonly number[] }[];
}

/** From an input or operator to an operator; where a block is folded, the page draws it to the block. */
export interface DiagramEdge {
  readonly from: string;
  /** Which output. */
  readonly output: number;
  readonly to: string;
  /** In the file's words, without the batch: `6×28×28`; `?` where not known. */
  readonly text: string;
}

/** A symbol in the model's input that the run needs a number for. */
export interface FreeSize {
  readonly name: string;
  readonly value: number;
  /** `file`: from its `sample`; `default`: nobody said; `user`: set by a request `sizes`. */
  readonly from: "file" | "default" | "user";
}

export interface Diagram {
  readonly name: string | null;
  /** The dialect's name. */
  readonly dialect: string;
  /** Blocks stand before what they hold. */
  readonly nodes: readonly DiagramNode[];
  readonly edges: readonly DiagramEdge[];
  /** Ids of the inputs, and of the nodes whose outputs are the model's. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly sizes: readonly FreeSize[];
  /** Problems of the file as a whole. */
  readonly problems: readonly Problem[];
  /** `61,706`. */
  readonly parameters: string;
  readonly macs: string;
  readonly memory: string;
}

// ---- tensors ----

/**
 * `plain`: the model as it is. `shifted`: on the moved sample. `flipped`: every convolution with its kernel turned, a true
 * convolution.
 */
export type Variant = "plain" | "shifted" | "flipped";

/** Which tensor is looked at. */
export interface TensorRef {
  readonly node: string;
  /** One of the outputs. */
  readonly output: number;
  /** A weight of the node in place of its output: `weight`, or as `DiagramNode.weights` names it. */
  readonly weight?: string;
  readonly variant: Variant;
}

/**
 * How a tensor is shown: planes (channels) of depth × height × width. `vector`: one plane of one row. `lines`: planes of
 * one row. `images`: planes. `volumes`: planes in slices. Of a kernel [out, in, …], the planes are out × in. Only the first
 * sample of the batch is shown.
 */
export interface PlaneLayout {
  readonly kind: "vector" | "lines" | "images" | "volumes";
  readonly planes: number;
  readonly depth: number;
  readonly height: number;
  readonly width: number;
  /** Planes that belong together, as a kernel's inputs: a row of the grid. 1 where there is no such thing. */
  readonly group: number;
}

/** A value's place among the planes. */
export interface Place {
  readonly plane: number;
  readonly z: number;
  readonly y: number;
  readonly x: number;
}

export interface Statistics {
  readonly count: number;
  /** Of the finite values; null where there are none. */
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly deviation: number | null;
  readonly zeros: number;
  readonly nans: number;
  readonly infinities: number;
  /** Planes whose values are all the same: dead channels. */
  readonly constantPlanes: number;
  /** Equal bins from min to max. */
  readonly histogram: readonly number[];
}

/** Which values the ends of the palette stand for. `tensor`: the whole one's; `plane`: each plane's own. */
export type ColourRange = "tensor" | "plane" | { readonly min: number; readonly max: number };

// ---- one value explained ----

/** What one axis of the window reads for the value; outermost first, at most three. */
export interface WindowAxis {
  /** `height`. */
  readonly name: string;
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padBefore: number;
  readonly padAfter: number;
  /** The cells read, one for each tap in `taps`; those below 0 or from `input` on are padding. */
  readonly cells: readonly number[];
  /** Which kernel cell each is multiplied with. */
  readonly taps: readonly number[];
  /** Input cells that no window reads. */
  readonly unread: readonly number[];
}

/** How one output value comes about. Where the arithmetic has too many terms, `terms` is cut off and `cut` says so. */
export interface Explanation {
  readonly node: string;
  readonly output: number;
  readonly place: Place;
  /** Index in the file's own axis order. */
  readonly index: readonly number[];
  readonly kind: "convolution" | "transposed" | "linear" | "maximum" | "average" | "elementwise" | "whole" | "input";
  /** The tensor it reads, where that is one; its planes [from, from + count). */
  readonly source: (TensorRef & { readonly from: number; readonly count: number }) | null;
  readonly axes: readonly WindowAxis[];
  /** count × taps, all axes' taps multiplied; what is read, padding as 0. At most 16,384. */
  readonly inputs: Float32Array;
  /** Like `inputs`: the kernel as it is multiplied, turned where the variant is flipped; null where there is none. */
  readonly weights: Float32Array | null;
  /** taps: 1 where the tap reads the input, 0 where padding. */
  readonly inside: Uint8Array;
  /** count: every plane's own sum, exact to double precision. */
  readonly sums: Float64Array;
  readonly cut: boolean;
  readonly bias: number | null;
  /** Of an average. */
  readonly divisor: number | null;
  /** Of a maximum: its tap, among all of the plane's. */
  readonly winner: number | null;
  /** The definition's result in double precision, and what the engine computed. */
  readonly exact: number;
  readonly value: number;
  /** The arithmetic on one line, cut off in the middle where long: `0.12·0.5 + … − 0.3 = 1.25`. */
  readonly text: string;
  /** What the value sees of the model's inputs. */
  readonly field: readonly SeenInput[];
}

/** The box of an input that a value depends on, both ends included; `axes` as the planes' depth, height, width. */
export interface SeenInput {
  readonly input: string;
  readonly axes: readonly { readonly name: string; readonly first: number; readonly last: number }[];
  /** It sees all there is. */
  readonly whole: boolean;
}

/** What one input value of a transposed convolution writes to. */
export interface Spread {
  readonly node: string;
  /** The value, in the layer's input. */
  readonly place: Place;
  readonly value: number;
  /** The tensor it reads. */
  readonly source: TensorRef;
  /** Per axis: the output cells that are written; those outside the output are cut off. */
  readonly axes: readonly WindowAxis[];
  /** The output's plane that `products` belongs to; every plane of the group is written alike. */
  readonly plane: number;
  /** value · kernel, one per tap. */
  readonly products: Float32Array;
}

// ---- shift ----

/** What the shift of the sample did to one layer's output. */
export interface ShiftedLayer {
  readonly node: string;
  /** Output cells that the layer would move by if it followed: shift / jump. Outermost axis first, as `moved`. */
  readonly expected: readonly number[];
  /** Cells, fractions among them, by which it did move: where the outputs match best. null: no place stands out. */
  readonly moved: readonly number[] | null;
  /**
   * ‖after − before moved by the nearest whole cells of `expected`‖ / ‖before‖, inside, where the border has no part: 0 is
   * equivariant. null where the layer has no space or only zeros.
   */
  readonly equivariance: number | null;
  /** Every value sees the border, which then has its part in the comparison. */
  readonly border: boolean;
  /** ‖after − before‖ / ‖before‖: 0 is invariant. null where there were only zeros. */
  readonly invariance: number | null;
}
