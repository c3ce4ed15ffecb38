/**
 * `# convlint: input=3x320x320 scale=s targets=pytorch,onnx`: what a file's own comments say about how to check it, and the order in which a
 * setting, such a comment and the command line are heard: the last wins.
 */
import type { Range } from "#shared/ops/finding.ts";
import { parseTargets, TARGET_WORDS, type Target } from "#shared/settings.ts";
import type { Context } from "./dialect.ts";

/** What a check is asked to assume; null where nobody says. */
export interface Wish {
  readonly input: readonly number[] | null;
  readonly scale: string | null;
  /** A setting asks for it, which speaks for all files of a folder: it holds where it can, and is no error where not. */
  readonly general: { readonly input: boolean; readonly scale: boolean };
  readonly targets: readonly Target[] | null;
  /** Directives that could not be read. `expected` completes "… must be …". */
  readonly problems: readonly WishProblem[];
}

export interface WishProblem {
  readonly range: Range;
  readonly name: string;
  readonly value: string;
  readonly expected: string;
}

const DIRECTIVE = /^\s*convlint:\s*(.*)$/;
const INPUT = "sizes without the batch, such as 3x320x320";
const FRAMEWORKS = `frameworks out of ${TARGET_WORDS.join(", ")}, with commas between them`;

/** Merges setting, comments and command line. Later comments win over earlier ones. */
export function wishOf(context: Context): Wish {
  let { input, scale } = context;
  let targets: readonly Target[] | null = null;
  const problems: WishProblem[] = [];
  for (const { range, text } of context.comments()) {
    const words = DIRECTIVE.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
    for (const word of words) {
      const equals = word.indexOf("=");
      const name = equals < 0 ? word : word.slice(0, equals);
      const value = equals < 0 ? "" : word.slice(equals + 1);
      if (name === "input") {
        const sizes = readSizes(value);
        if (sizes) input = context.input ?? sizes;
        else problems.push({ range, name, value, expected: INPUT });
      } else if (name === "scale") {
        if (value) scale = context.scale ?? value;
        else problems.push({ range, name, value, expected: "a scale such as n" });
      } else if (name === "targets") {
        const named = parseTargets(value.split(","));
        if (named) targets = named;
        else problems.push({ range, name, value, expected: FRAMEWORKS });
      }
    }
  }
  const general = { input: input === null, scale: scale === null };
  const { defaults } = context;
  return {
    input: input ?? defaults?.input ?? null,
    scale: scale ?? defaults?.scale ?? null,
    general,
    targets,
    problems,
  };
}

/** `3x320x320`, `3,320,320` or `[3,320,320]`; null where it is none of them. */
export function readSizes(text: string): readonly number[] | null {
  const sizes = text
    .replace(/^\[(.*)\]$/, "$1")
    .split(/[x,]/i)
    .map((size) => (/^\s*[1-9]\d*\s*$/.test(size) ? Number(size) : Number.NaN));
  return sizes.every(Number.isSafeInteger) ? sizes : null;
}
