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
import type {
  ColourRange,
  Diagram,
  Explanation,
  Place,
  PlaneLayout,
  ShiftedLayer,
  Size,
  Spread,
  Statistics,
  TensorRef,
  Variant,
} from "./shown.ts";

export type * from "./shown.ts";

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
