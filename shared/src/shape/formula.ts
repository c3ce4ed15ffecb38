/**
 * The window formula in words: the same arithmetic as window.ts, written out with the numbers substituted, for hover,
 * hints, messages and the preview.
 *
 * Two notations are in use and both are shown: courses count the total padding p of an axis, ⌊(n − k + p + s)/s⌋;
 * papers and frameworks count the padding of each side, ⌊(n + 2p − k)/s⌋ + 1.
 */
import { add, type Dim } from "./dim.ts";
import { effectiveKernel, outputSize, type WindowUse } from "./window.ts";

/** One equation in three parts: `symbols = numbers = value`. */
export interface Formula {
  /** `⌊(n − k + p + s)/s⌋` */
  readonly symbols: string;
  /** `⌊(28 − 5 + 4 + 1)/1⌋` */
  readonly numbers: string;
  /** `28`, or a symbolic size. */
  readonly value: string;
}

export function equation({ symbols, numbers, value }: Formula): string {
  return `${symbols} = ${numbers} = ${value}`;
}

/** With p the total padding of the axis: ⌊(n − k + p + s)/s⌋, or (n − 1)·s − p + k + a for a transposed window. */
export function totalForm(use: WindowUse): Formula {
  const { window: w } = use;
  const { n, k, kernel, s, value, open, close } = parts(use);
  const p = term(add(w.padBefore, w.padAfter));
  if (use.outputPadding !== undefined) {
    return {
      symbols: `(n − 1)·s − p + ${k} + a`,
      numbers: `(${n} − 1)·${s} − ${p} + ${kernel} + ${use.outputPadding}`,
      value,
    };
  }
  return {
    symbols: `${open}(n − ${k} + p + s)/s${close}${dropped(use)}`,
    numbers: `${open}(${n} − ${kernel} + ${p} + ${s})/${s}${close}${dropped(use)}`,
    value,
  };
}

/** With p the padding of each side, or p₁ and p₂ where they differ: ⌊(n + 2p − k)/s⌋ + 1, (n − 1)·s − 2p + k + a. */
export function symmetricForm(use: WindowUse): Formula {
  const { window: w } = use;
  const { n, k, kernel, s, value, open, close } = parts(use);
  const even = String(w.padBefore) === String(w.padAfter);
  const before = term(w.padBefore);
  const after = term(w.padAfter);
  if (use.outputPadding !== undefined) {
    return {
      symbols: `(n − 1)·s − ${even ? "2p" : "p₁ − p₂"} + ${k} + a`,
      numbers: `(${n} − 1)·${s} − ${even ? `2·${before}` : `${before} − ${after}`} + ${kernel} + ${use.outputPadding}`,
      value,
    };
  }
  return {
    symbols: `${open}(n + ${even ? "2p" : "p₁ + p₂"} − ${k})/s${close} + 1${dropped(use)}`,
    numbers: `${open}(${n} + ${even ? `2·${before}` : `${before} + ${after}`} − ${kernel})/${s}${close} + 1${dropped(use)}`,
    value,
  };
}

/** `kₑ = d·(k − 1) + 1 = 2·(3 − 1) + 1 = 5`, or null where the kernel is not dilated. */
export function dilationForm({ window: w }: WindowUse): Formula | null {
  if (w.dilation === 1) return null;
  return {
    symbols: "kₑ = d·(k − 1) + 1",
    numbers: `${w.dilation}·(${w.kernel} − 1) + 1`,
    value: String(effectiveKernel(w)),
  };
}

/** `⌈n/s⌉ = ⌈28/2⌉ = 14` where the padding was chosen by TensorFlow's SAME rule, else null. */
export function sameForm(use: WindowUse): Formula | null {
  if (!use.window.same || use.outputPadding !== undefined) return null;
  const { n, s, value } = parts(use);
  return { symbols: "⌈n/s⌉", numbers: `⌈${n}/${s}⌉`, value };
}

/** The line that explains an equation best in little room: SAME's own rule where it applies, else the symmetric form. */
export function shortForm(use: WindowUse): Formula {
  return sameForm(use) ?? symmetricForm(use);
}

function parts({ input, output, window: w }: WindowUse) {
  return {
    n: term(input),
    k: w.dilation === 1 ? "k" : "kₑ",
    kernel: String(effectiveKernel(w)),
    s: String(w.stride),
    value: String(output),
    open: w.ceil ? "⌈" : "⌊",
    close: w.ceil ? "⌉" : "⌋",
  };
}

/** With ceil the last window is dropped where it would start in the padding at the end. */
function dropped({ input, window: w }: WindowUse): string {
  if (!w.ceil) return "";
  const rounded = outputSize(input, w);
  const { padBefore, padAfter } = w;
  if (typeof rounded !== "number" || typeof input !== "number") return "";
  if (typeof padBefore !== "number" || typeof padAfter !== "number") return "";
  const steps = Math.ceil((input + padBefore + padAfter - effectiveKernel(w)) / w.stride) + 1;
  return steps > rounded ? ` − ${steps - rounded}` : "";
}

/** A size as a term of a sum. */
function term(dim: Dim): string {
  const text = String(dim);
  return text.includes(" ") || text.startsWith("-") ? `(${text.replace("-", "−")})` : text;
}
