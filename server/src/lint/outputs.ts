/**
 * Where a run's formats go: one to standard output, any number to files, all fed by the same stream of checked files.
 */

import { once } from "node:events";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { FindingCode } from "#shared/ops/finding.ts";
import { didYouMean } from "../rules/nearest.ts";
import type { Severity } from "../rules/rule.ts";
import { Misuse } from "./arguments.ts";
import type { Format, FormatContext, FormatWriter, Tally } from "./formats/format.ts";
import { formats } from "./formats/index.ts";
import type { CheckedFile } from "./report.ts";

/** A format and the file it goes to; null for standard output. */
export interface Destination {
  readonly format: Format;
  readonly file: string | null;
}

/**
 * Reads every `--format`, each a name or `name=file`. A name alone goes to standard output, or to `outputFile`.
 * @throws Misuse
 */
export function readDestinations(words: readonly string[], outputFile: string | undefined): readonly Destination[] {
  const destinations = (words.length > 0 ? words : ["full"]).map((word): Destination => {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    const format = formats.find((known) => known.name === name);
    const names = formats.map((known) => known.name);
    if (!format) throw new Misuse(`--format must be ${listed(names)}, not ${name}.${didYouMean(name, names)}`);
    if (equals === word.length - 1) throw new Misuse(`--format ${word} names no file.`);
    return { format, file: equals < 0 ? (outputFile ?? null) : word.slice(equals + 1) };
  });
  const alone = destinations.filter(({ file }) => file === (outputFile ?? null));
  if (alone.length > 1) {
    const [first, second] = alone.map(({ format }) => format.name);
    throw new Misuse(`only one format fits on the output: write --format ${first} --format ${second}=<file>.`);
  }
  const [first, second] = destinations.filter(
    ({ file }) => file !== null && destinations.filter((other) => other.file === file).length > 1,
  );
  if (first && second) {
    throw new Misuse(
      `--format ${first.format.name} and --format ${second.format.name} cannot both go to ${first.file}.`,
    );
  }
  if (outputFile !== undefined && alone.length === 0) {
    throw new Misuse("--output-file has no format of its own: every --format names a file.");
  }
  return destinations;
}

function listed(names: readonly string[]): string {
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

interface Sink {
  readonly writer: FormatWriter;
  /** A file's descriptor, or null for standard output. */
  readonly descriptor: number | null;
}

/** Writes every checked file to all destinations as it comes, and counts. */
export class Outputs {
  private readonly sinks: readonly Sink[];
  private files = 0;
  private readonly severities: Record<Severity, number> = { error: 0, warning: 0, information: 0, hint: 0 };
  private readonly codes = new Map<FindingCode, number>();
  private fixed = 0;
  private readonly fixable = { safe: 0, unsafe: 0 };

  /**
   * Opens the files, relative to `cwd`.
   * @param context of standard output; files get no colours.
   * @param standard what stands for standard output: a descriptor, or null for itself.
   * @throws Misuse
   */
  constructor(
    destinations: readonly Destination[],
    context: FormatContext,
    cwd: string,
    private readonly standard: number | null = null,
  ) {
    this.sinks = destinations.map(({ format, file }) => ({
      writer: format.begin(file === null ? context : { ...context, paint: (_, text) => text }),
      descriptor: file === null ? standard : open(file, cwd),
    }));
  }

  get tally(): Tally {
    const { files, severities, codes, fixed, fixable } = this;
    return { files, severities, codes, fixed, fixable };
  }

  async start(): Promise<void> {
    for (const sink of this.sinks) await put(sink, sink.writer.header);
  }

  /** @param fixed how many of its problems were mended. */
  async file(checked: CheckedFile, fixed = 0): Promise<void> {
    this.files++;
    this.fixed += fixed;
    for (const { code, severity, fixes } of checked.report.problems) {
      if (fixes.length > 0) this.fixable[fixes.some(({ safe }) => safe) ? "safe" : "unsafe"]++;
      this.severities[severity]++;
      this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    }
    for (const sink of this.sinks) await put(sink, sink.writer.file(checked));
  }

  async finish(): Promise<void> {
    for (const sink of this.sinks) {
      await put(sink, sink.writer.footer(this.tally));
      if (sink.descriptor !== null && sink.descriptor !== this.standard) closeSync(sink.descriptor);
    }
  }
}

function open(file: string, cwd: string): number {
  const path = resolve(cwd, file);
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, "w");
  } catch (error) {
    throw new Misuse(`${file} cannot be written (${(error as Error).message}).`);
  }
}

async function put({ descriptor }: Sink, text: string): Promise<void> {
  if (text === "") return;
  if (descriptor === null) await toStdout(text);
  else writeSync(descriptor, text);
}

/** Writes to standard output and waits while its reader is behind, so that nothing piles up in memory. */
export async function toStdout(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}
