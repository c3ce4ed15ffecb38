/**
 * What an output format is: a writer that is given one checked file after the other and keeps none of them, so that a run
 * over any number of files holds no more than a few in memory.
 */
import type { FindingCode } from "#shared/ops/finding.ts";
import type { Severity } from "../../rules/rule.ts";
import type { CheckedFile } from "../report.ts";
import type { Paint } from "../style.ts";

export interface Format {
  readonly name: string;
  /** What it is for, in a few words. */
  readonly summary: string;
  /** Whether it shows the layers, which cost time and room. */
  readonly layers: boolean;
  /** Whether it shows fixes, which cost as many analyses as are tried. */
  readonly fixes: boolean;
  /** Whether `--table` and `--statistics` have a place in it. */
  readonly forPeople: boolean;
  begin(context: FormatContext): FormatWriter;
}

export interface FormatContext {
  readonly paint: Paint;
  /** Whether problems of this severity make the run fail. */
  readonly fails: (severity: Severity) => boolean;
  /** Whether every file's table of layers is wanted before its problems. */
  readonly table: boolean;
  /** Whether the number of problems by code is wanted at the end. */
  readonly statistics: boolean;
}

/** What a format adds to the output: before the first file, for each, and after the last. Texts may be empty. */
export interface FormatWriter {
  readonly header: string;
  file(checked: CheckedFile): string;
  footer(tally: Tally): string;
}

/** What a whole run found. */
export interface Tally {
  readonly files: number;
  readonly severities: Readonly<Record<Severity, number>>;
  /** Problems by code. */
  readonly codes: ReadonlyMap<FindingCode, number>;
  /** Problems that were mended. */
  readonly fixed: number;
  /** Those left that could be: by `--fix`, and only by `--unsafe-fixes`. Known where a format shows fixes. */
  readonly fixable: { readonly safe: number; readonly unsafe: number };
}

/** Items with commas between them, whichever writer call they come from. */
export class Separated {
  private first = true;

  /** @param items each already written. */
  next(items: readonly string[]): string {
    let text = "";
    for (const item of items) {
      text += this.first ? item : `,\n${item}`;
      this.first = false;
    }
    return text;
  }
}

/** How the tools that know only three grades call a severity. */
export function grade<T extends string>(
  severity: Severity,
  names: { readonly error: T; readonly warning: T; readonly note: T },
): T {
  return severity === "error" ? names.error : severity === "warning" ? names.warning : names.note;
}
