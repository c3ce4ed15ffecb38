/**
 * Constructor signatures of YOLO modules, written as Python writes them (`c1, c2, k=1, s=1, p=None`), and the values a row
 * binds to them, each with the place in the text it came from.
 */
import type { FindingCode, FindingData, Range } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
import { readPython } from "./python.ts";

/** A constructor argument: the value, and where it stands; no range for what the builder adds (c1, repeats). */
export interface Argument {
  readonly value: Plain;
  readonly range?: Range;
}

export interface Parameter {
  readonly name: string;
  /** undefined: required. */
  readonly default: Plain | undefined;
}

/**
 * The row cannot be built, stated as a finding. Thrown while one row is built and caught by the lowering, which reports it
 * and goes on with the next row. `at` is a parameter's name, a range, or undefined for the module's name.
 */
export class RowRefusal<C extends FindingCode = FindingCode> extends Error {
  constructor(
    readonly code: C,
    readonly at: string | Range | undefined,
    readonly data: FindingData[C],
  ) {
    super(code);
  }
}

/** Splits a signature at its commas; defaults are Python literals. */
export function parseSignature(text: string): readonly Parameter[] {
  if (text === "") return [];
  return text.split(/,\s*(?![^[(]*[\])])/).map((part) => {
    const [name, written] = part.trim().split("=");
    if (written === undefined) return { name: name!, default: undefined };
    const read = readPython(written);
    return { name: name!, default: read.kind === "literal" ? read.value : written };
  });
}

/** The operator's name for a constructor parameter, so that a finding of an inner operator finds the row's argument. */
const CANONICAL: Readonly<Record<string, string>> = {
  c1: "in_channels",
  c2: "out_channels",
  k: "kernel_size",
  s: "stride",
  p: "padding",
  p1: "padding",
  p2: "output_padding",
  g: "groups",
  d: "dilation",
  dimension: "dim",
};

export function canonicalName(name: string): string {
  return CANONICAL[name] ?? name;
}

/** The bound arguments of one module. Reading one of the wrong type refuses the row at that argument. */
export class Arguments {
  private constructor(
    readonly module: string,
    private readonly bound: ReadonlyMap<string, Argument>,
  ) {}

  /** @throws RowRefusal where an argument is missing or there are too many. */
  static bind(module: string, parameters: readonly Parameter[], given: readonly Argument[]): Arguments {
    const bound = new Map<string, Argument>();
    for (const [index, { name, default: byDefault }] of parameters.entries()) {
      const argument = given[index];
      if (argument) bound.set(name, argument);
      else if (byDefault !== undefined) bound.set(name, { value: byDefault });
      else throw new RowRefusal("missing-parameter", undefined, { name: canonicalName(name), of: module });
    }
    const extra = given.slice(parameters.length).find((argument) => argument.range) ?? given[parameters.length];
    if (extra) {
      const names = parameters.map((parameter) => parameter.name).join(", ");
      throw new RowRefusal("bad-value", extra.range, {
        name: `args of ${module}`,
        value: extra.value,
        expected: parameters.length === 0 ? "empty" : `at most ${parameters.length} values: ${names}`,
      });
    }
    return new Arguments(module, bound);
  }

  /** Where the row writes each argument, by the operators' names for them. */
  *places(): Iterable<readonly [string, Range]> {
    for (const [name, { range }] of this.bound) if (range) yield [canonicalName(name), range];
  }

  /** All arguments with values, defaults included. */
  *entries(): Iterable<readonly [string, Plain]> {
    for (const [name, { value }] of this.bound) if (value !== null) yield [name, value];
  }

  raw(name: string): Plain {
    return this.bound.get(name)!.value;
  }

  /** Python's truth of a value. */
  flag(name: string): boolean {
    const value = this.raw(name);
    return Array.isArray(value) ? value.length > 0 : Boolean(value);
  }

  number(name: string): number {
    const value = this.raw(name);
    if (typeof value === "boolean") return Number(value);
    return typeof value === "number" ? value : this.refuse(name, "a number");
  }

  int(name: string): number {
    const value = this.number(name);
    return Number.isSafeInteger(value) ? value : this.refuse(name, "an integer");
  }

  /** An integer that the module divides by or counts heads with. */
  positive(name: string): number {
    const value = this.int(name);
    return value > 0 ? value : this.refuse(name, "a positive integer");
  }

  text(name: string): string {
    const value = this.raw(name);
    return typeof value === "string" ? value : this.refuse(name, "a word");
  }

  /** One integer, or one per axis. */
  size(name: string): number | readonly number[] {
    const value = this.raw(name);
    return Array.isArray(value) ? this.ints(name) : this.int(name);
  }

  /** null where the value is None. */
  sizeOrNull(name: string): number | readonly number[] | null {
    return this.raw(name) === null ? null : this.size(name);
  }

  ints(name: string): readonly number[] {
    const value = this.raw(name);
    const integers = Array.isArray(value) && value.every((item) => Number.isSafeInteger(item));
    return integers ? (value as readonly number[]) : this.refuse(name, "a list of integers");
  }

  /** @throws RowRefusal always. */
  refuse(name: string, expected: string): never {
    throw new RowRefusal("bad-value", name, {
      name: canonicalName(name),
      value: this.raw(name),
      expected: `${expected} (${this.module})`,
    });
  }
}
