/**
 * What can be set of a rule beside its severity: each option once, as schema, documentation and reader.
 */
import type { Plain } from "#shared/ops/param.ts";
import type { Schema } from "#shared/schema.ts";
import { type RuleSetting, severityOf } from "#shared/settings.ts";

export interface Option<T> {
  /** `description` is its documentation. */
  readonly schema: Schema;
  /** null: the rule says nothing of it until it is set. */
  readonly default: T | null;
  /** undefined for what it cannot be. */
  parse(value: Plain): T | undefined;
}

export type Options = Readonly<Record<string, Option<any>>>;

/** The values of a rule's options. */
export type OptionValues<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T | null : never;
};

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};
const QUANTITY = /^(\d+(?:\.\d+)?) ?(|[kMGT]i?)B?$/;

/** A count or a number of bytes: 5000000, `5M`, `64 MiB`. */
export function quantity(description: string, byDefault: number | null = null): Option<number> {
  const errorMessage = "must be a number such as 5000000, 5M or 64MiB";
  return {
    schema: { description, type: ["integer", "string"], pattern: QUANTITY.source, minimum: 1, errorMessage },
    default: byDefault,
    parse(value) {
      if (typeof value === "number") return Number.isFinite(value) && value > 0 ? value : undefined;
      const [, digits, unit] = (typeof value === "string" && QUANTITY.exec(value)) || [];
      return unit === undefined ? undefined : Number(digits) * (UNITS[unit] ?? Number.NaN) || undefined;
    },
  };
}

/** A positive number, not necessarily whole. */
export function ratio(description: string, byDefault: number): Option<number> {
  return {
    schema: { description, type: ["integer", "number"], minimum: 0, errorMessage: "must be a number" },
    default: byDefault,
    parse: (value) => (typeof value === "number" && value > 0 ? value : undefined),
  };
}

/** A size in pixels for all spatial axes, or one for each, outermost first. */
export function pixels(description: string): Option<readonly number[]> {
  return {
    schema: {
      description,
      type: ["integer", "array"],
      minimum: 1,
      items: { type: "integer", minimum: 1 },
      minItems: 1,
      errorMessage: "must be a size such as 96 or [64, 96]",
    },
    default: null,
    parse(value) {
      const sizes = typeof value === "number" ? [value] : value;
      const sound =
        Array.isArray(sizes) && sizes.length > 0 && sizes.every((size) => Number.isInteger(size) && size > 0);
      return sound ? sizes : undefined;
    },
  };
}

/** Options as a setting gives them; what is not set or makes no sense is at its default. */
export function optionValues<O extends Options>(options: O, setting: RuleSetting | undefined): OptionValues<O> {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(options)) {
    const option = options[name]!;
    const written = typeof setting === "object" && Object.hasOwn(setting, name) ? setting[name] : undefined;
    values[name] = (written === undefined ? undefined : option.parse(written)) ?? option.default;
  }
  return values as OptionValues<O>;
}

/** Whether a rule is to be heard at all. @param optional it is only where somebody asks for it. */
export function isOn({ optional }: { readonly optional?: true }, setting: RuleSetting | undefined): boolean {
  return setting === undefined ? optional !== true : severityOf(setting) !== "off";
}
