/**
 * What the preview's three actors say to one another. Types only.
 *
 *     page  ──Request──▶ panel ──▶ worker         the page asks; the panel hands on what it does not answer itself
 *     page  ◀─WorkerEvent─ panel ◀── worker        the worker says what changed, and answers by the request's id
 *     page  ──PageMessage / PanelMessage── panel  files, the text, the window
 *     panel ──PanelRequest──▶ worker              the text, files, limits
 *
 * Binary data travels as ArrayBuffers, which are transferred. Whatever the page says is checked by who gets it.
 */
import type { Range } from "../ops/finding.ts";
import type { CheckOptions } from "../protocol.ts";
import type { PaletteName } from "./palette.ts";

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

// ---- samples and weights ----

export type GeneratedSample =
  | "digit"
  | "checkerboard"
  | "gradient"
  | "impulse"
  | "edges"
  | "noise"
  | "tone"
  | "ball"
  | "zeros";

export type Sample =
  | { readonly kind: "generated"; readonly name: GeneratedSample; readonly seed: number }
  /** Decoded by the page: 4 bytes for each pixel. `name` for the report. */
  | {
      readonly kind: "image";
      readonly name: string;
      readonly width: number;
      readonly height: number;
      readonly rgba: ArrayBuffer;
    };

export type KernelName = "edge" | "blur" | "sharpen" | "identity";

/** What became of a sample. */
export interface SampleReport {
  readonly input: string;
  /** Its name, and in plain words all that was done to it: `cat.png: 640×480 cropped to 480×480, scaled to 28×28, …`. */
  readonly text: string;
  /** Where it stayed as it was and why. */
  readonly problem: string | null;
}

export interface WeightsReport {
  /** `seeded with 1`, `weights.safetensors`. */
  readonly source: string;
  readonly matched: number;
  /** Model weights that the file has none for; they keep their seeded values. */
  readonly missing: readonly string[];
  /** File tensors that no layer has. */
  readonly unused: readonly string[];
  /** Same name, other shape. */
  readonly mismatched: readonly { readonly name: string; readonly expected: string; readonly found: string }[];
  /** All of it in words, one sentence per line. */
  readonly text: readonly string[];
}

// ---- runs ----

export interface Amount {
  readonly macs: number;
  /** Activations and weights together, at most. */
  readonly bytes: number;
  /** Seconds, by the speed measured so far. */
  readonly seconds: number;
}

export type Exported = "png" | "svg" | "npy" | "markdown" | "csv";

// ---- what is said ----

/** From the page to the worker; the panel hands it on. Answers carry the same id. */
export type Request = { readonly id: number } & (
  | {
      /** Says what is looked at, so that it is computed first; answered by `maps`, again whenever it changes. */
      readonly kind: "show";
      readonly tensor: TensorRef;
    }
  | {
      /** Planes [from, to) as pictures of at most width × height, answered by `tiles`. */
      readonly kind: "tiles";
      readonly tensor: TensorRef;
      readonly from: number;
      readonly to: number;
      readonly slice: number;
      /** The part of a plane that is wanted; the whole where absent. */
      readonly part?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
      readonly width: number;
      readonly height: number;
      /** `auto`: diverging where there are both signs. */
      readonly palette: PaletteName | "auto" | "picture";
      readonly range: ColourRange;
    }
  | {
      /** Planes [from, to) of one row each as numbers: the least and greatest of `points` stretches. By `series`. */
      readonly kind: "series";
      readonly tensor: TensorRef;
      readonly from: number;
      readonly to: number;
      readonly points: number;
    }
  | {
      /** One value and its index; by `value`. */
      readonly kind: "value";
      readonly tensor: TensorRef;
      readonly place: Place;
    }
  | {
      /** By `explanation`. */
      readonly kind: "explain";
      readonly tensor: TensorRef;
      readonly place: Place;
    }
  | {
      /** By `spread`; `place` is in the input of a transposed convolution, `plane` an output plane. */
      readonly kind: "spread";
      readonly tensor: TensorRef;
      readonly place: Place;
      readonly plane: number;
    }
  /** Moves the sample by cells of its innermost axes and runs the variant `shifted`; by `shift`. */
  | { readonly kind: "shift"; readonly dx: number; readonly dy: number }
  /** Runs the variant `flipped` too, or no longer; by `done`. */
  | { readonly kind: "flip"; readonly on: boolean }
  /** For one input, or the first; by `done`, and an event `sample`. */
  | { readonly kind: "sample"; readonly input: string | null; readonly sample: Sample }
  /** A number for a symbol, or null for the default; by `done`. */
  | { readonly kind: "sizes"; readonly sizes: Readonly<Record<string, number | null>> }
  /** By `done`, and an event `weights`. */
  | { readonly kind: "seed"; readonly seed: number }
  /** Puts a named kernel into a convolution's weights, null takes it out; by `done`. */
  | { readonly kind: "kernel"; readonly node: string; readonly name: KernelName | null }
  /** Allows the work that `asking` named; by `done`. */
  | { readonly kind: "proceed" }
  | { readonly kind: "cancel" }
  /** By `file`, which the panel saves. The table needs no tensor. `scale`: pixels per cell of a picture. */
  | {
      readonly kind: "export";
      readonly what: Exported;
      readonly tensor: TensorRef | null;
      readonly palette: PaletteName | "auto";
      readonly scale: number;
    }
);

/** From the panel to the worker. */
export type PanelRequest =
  /** A page is there and knows nothing yet: everything is said again. */
  | { readonly kind: "hello" }
  | {
      readonly kind: "text";
      readonly text: string;
      /** The URI, by whose name some dialects know their files. */
      readonly path: string;
      /** The text's version, told back in `diagram`. */
      readonly version: number;
      readonly options: CheckOptions;
    }
  /** Work beyond this is asked for first. */
  | { readonly kind: "budget"; readonly macs: number; readonly bytes: number }
  /** The cursor moved in the text. */
  | { readonly kind: "cursor"; readonly offset: number }
  /** Weights as files: one .safetensors, one .npz, a TF.js model.json with its shards, or a folder of .npy. */
  | { readonly kind: "weightFiles"; readonly files: readonly NamedBytes[] }
  /** A sample as .npy. */
  | { readonly kind: "sampleFile"; readonly input: string | null; readonly file: NamedBytes };

export interface NamedBytes {
  /** With the path below the folder that was picked. */
  readonly name: string;
  readonly bytes: ArrayBuffer;
}

/** From the worker; the panel hands it on to the page. */
export type WorkerEvent =
  | { readonly kind: "diagram"; readonly version: number; readonly diagram: Diagram }
  /** The text is no model; `message` says it in a sentence. */
  | { readonly kind: "noModel"; readonly version: number; readonly message: string }
  /** The layer under the cursor. */
  | { readonly kind: "focus"; readonly node: string }
  // Runs; `variant` says of what.
  | { readonly kind: "started"; readonly variant: Variant; readonly steps: number; readonly amount: Amount }
  | {
      readonly kind: "progress";
      readonly variant: Variant;
      /** Nodes computed together; the last one's outputs are there now, if they are kept. */
      readonly nodes: readonly string[];
      readonly index: number;
      readonly steps: number;
      readonly milliseconds: number;
      readonly macs: number;
      /** Of the activations that existed meanwhile. */
      readonly bytes: number;
      /** Taken from the run before. */
      readonly reused: boolean;
    }
  | {
      readonly kind: "ended";
      readonly variant: Variant;
      readonly how: "done" | "cancelled" | "stopped";
      /** Where and why it stopped; everything before has run. */
      readonly node: string | null;
      readonly message: string | null;
      readonly milliseconds: number;
    }
  /** The work is beyond the budget and waits for `proceed`. */
  | { readonly kind: "asking"; readonly variant: Variant; readonly amount: Amount; readonly message: string }
  | { readonly kind: "sample"; readonly report: SampleReport; readonly sample: { readonly name: string } }
  | { readonly kind: "weights"; readonly report: WeightsReport }
  /** A file was not what it says: weights and samples stay as they were. */
  | { readonly kind: "unreadable"; readonly message: string }
  /** The worker met an error of its own; the panel starts a new one. */
  | { readonly kind: "crashed"; readonly message: string }
  | Answer;

/** An answer to one request. */
export type Answer = { readonly id: number } & (
  | {
      readonly kind: "maps";
      readonly tensor: TensorRef;
      readonly size: Size;
      /** Names of its axes: batch, channel, height, width. */
      readonly axes: readonly string[];
      readonly layout: PlaneLayout;
      readonly statistics: Statistics;
      /** Both signs occur: `auto` is the diverging palette. */
      readonly signed: boolean;
    }
  /** It has not been computed, yet or at all: `message` says why. `maps` follows as soon as it is. */
  | { readonly kind: "waiting"; readonly tensor: TensorRef; readonly message: string }
  | {
      readonly kind: "tiles";
      readonly tensor: TensorRef;
      readonly from: number;
      readonly to: number;
      readonly slice: number;
      /** Of every picture. */
      readonly width: number;
      readonly height: number;
      /** The pictures one after another, 4 bytes for each pixel. */
      readonly rgba: ArrayBuffer;
      /** Least and greatest value of each picture's palette. */
      readonly ranges: Float32Array;
      readonly palette: PaletteName;
    }
  | {
      readonly kind: "series";
      readonly tensor: TensorRef;
      readonly from: number;
      readonly to: number;
      /** Planes × points × (least, greatest). */
      readonly values: Float32Array;
      readonly points: number;
    }
  | {
      readonly kind: "value";
      readonly tensor: TensorRef;
      readonly place: Place;
      readonly value: number;
      /** In the file's own axis order, and the same in its words: `[0, 5, 12, 3]`. */
      readonly index: readonly number[];
      readonly text: string;
    }
  | { readonly kind: "explanation"; readonly explanation: Explanation }
  | { readonly kind: "spread"; readonly spread: Spread }
  | { readonly kind: "shift"; readonly dx: number; readonly dy: number; readonly layers: readonly ShiftedLayer[] }
  | { readonly kind: "file"; readonly name: string; readonly bytes: ArrayBuffer }
  | { readonly kind: "done" }
  /** What was asked for cannot be: a sentence for the user. */
  | { readonly kind: "refused"; readonly message: string }
);

/** From the page to the panel, which answers it itself. */
export type PageMessage =
  /** The page's script runs. */
  | { readonly kind: "ready" }
  /** Puts the cursor there. */
  | { readonly kind: "reveal"; readonly range: Range }
  /** Opens the file picker; `image` comes back as `picked`, the rest goes to the worker. */
  | {
      readonly kind: "pick";
      readonly what: "image" | "array" | "weights" | "weightFolder";
      readonly input: string | null;
    }
  /** Saves what the page made: the diagram as PNG or SVG. */
  | { readonly kind: "save"; readonly name: string; readonly bytes: ArrayBuffer }
  /** A pinned panel stays with its file. */
  | { readonly kind: "pin"; readonly pinned: boolean };

/** Which files the user chose, as URIs. */
export interface ChosenFiles {
  /** A folder, or files; none: the weights are seeded. */
  readonly weights: readonly string[];
  /** By input: the file of its sample. */
  readonly samples: Readonly<Record<string, string>>;
}

/** From the panel to the page. */
export type PanelMessage =
  /**
   * First of all, and whenever one of it changes. `file` is the model's URI: the page keeps it, `pinned` and `files` in its
   * state, by which the panel is made again after the window was loaded anew.
   */
  | {
      readonly kind: "panel";
      readonly title: string;
      readonly pinned: boolean;
      readonly file: string;
      readonly files: ChosenFiles;
    }
  /** An image file, undecoded. */
  | { readonly kind: "picked"; readonly file: NamedBytes; readonly input: string | null }
  /** For the page's status line. */
  | { readonly kind: "notice"; readonly severity: "error" | "information"; readonly message: string };

/** All that the page sends, and all that it gets. */
export type FromPage = Request | PageMessage;
export type ToPage = WorkerEvent | PanelMessage;
