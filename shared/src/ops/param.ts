/**
 * Parameters of operators: how a value written in a model file becomes a typed attribute, or a problem.
 *
 * One definition is read by every dialect's lowering, by hover and completion, and by the JSON Schema.
 */

/** A value as a file holds it, without its position. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };

/** Why a value is refused; `expected` completes the sentence "… must be …". */
export class Refusal {
  constructor(
    readonly expected: string,
    /** Index into a list value where one element is at fault. */
    readonly index?: number,
  ) {}
}

export interface ParamType<T> {
  /** Completes "must be …"; shown in hover: "a positive integer". */
  readonly expected: string;
  /** JSON Schema of the accepted values. */
  readonly schema: object;
  parse(value: Plain): T | Refusal;
}

export interface Param<T> {
  readonly type: ParamType<T>;
  readonly doc: string;
  /** The attribute where the file says nothing. */
  readonly default?: T;
  readonly required: boolean;
}

export type Params = Readonly<Record<string, Param<any>>>;

/** The attributes an operator reads, typed from its params. */
export type Attrs<P extends Params> = { readonly [K in keyof P]: P[K] extends Param<infer T> ? T : never };

export function required<T>(type: ParamType<T>, doc: string): Param<T> {
  return { type, doc, required: true };
}

/** A parameter with a default value. */
export function optional<T>(type: ParamType<T>, byDefault: T, doc: string): Param<T> {
  return { type, doc, default: byDefault, required: false };
}

/** A parameter that may be absent; its attribute is then null. */
export function absent<T>(type: ParamType<T>, doc: string): Param<T | null> {
  return { type: orNull(type), doc, default: null, required: false };
}

export function orNull<T>(type: ParamType<T>): ParamType<T | null> {
  return {
    expected: `${type.expected} or null`,
    schema: { anyOf: [type.schema, { type: "null" }] },
    parse: (value) => (value === null ? null : type.parse(value)),
  };
}

/** An integer of at least `least`. */
export function int(least = Number.MIN_SAFE_INTEGER): ParamType<number> {
  const expected = least === 1 ? "a positive integer" : least === 0 ? "an integer ≥ 0" : "an integer";
  return {
    expected,
    schema: least === Number.MIN_SAFE_INTEGER ? { type: "integer" } : { type: "integer", minimum: least },
    parse: (value) =>
      typeof value === "number" && Number.isSafeInteger(value) && value >= least ? value : new Refusal(expected),
  };
}

export const number: ParamType<number> = {
  expected: "a number",
  schema: { type: "number" },
  parse: (value) => (typeof value === "number" && Number.isFinite(value) ? value : new Refusal("a number")),
};

/** A number in [least, most]. */
export function between(least: number, most: number): ParamType<number> {
  const expected = `a number from ${least} to ${most}`;
  return {
    expected,
    schema: { type: "number", minimum: least, maximum: most },
    parse: (value) => (typeof value === "number" && value >= least && value <= most ? value : new Refusal(expected)),
  };
}

/** Python accepts 0 and 1 for booleans; so does this. */
export const bool: ParamType<boolean> = {
  expected: "true or false",
  schema: { type: "boolean" },
  parse: (value) =>
    typeof value === "boolean" ? value : value === 0 || value === 1 ? value === 1 : new Refusal("true or false"),
};

export function oneOf<const T extends string>(...words: readonly T[]): ParamType<T> {
  const expected = words.length === 1 ? `"${words[0]}"` : `one of ${words.map((word) => `"${word}"`).join(", ")}`;
  return {
    expected,
    schema: { enum: words },
    parse: (value) => ((words as readonly Plain[]).includes(value) ? (value as T) : new Refusal(expected)),
  };
}

export const text: ParamType<string> = {
  expected: "a string",
  schema: { type: "string" },
  parse: (value) => (typeof value === "string" ? value : new Refusal("a string")),
};

/** A list, each element of `item`; `length` null for any. */
export function listOf<T>(item: ParamType<T>, length: number | null = null): ParamType<readonly T[]> {
  const expected = `a list of ${length === null ? "" : `${length} `}values, each ${item.expected}`;
  return {
    expected,
    schema: {
      type: "array",
      items: item.schema,
      ...(length === null ? {} : { minItems: length, maxItems: length }),
    },
    parse(value) {
      if (!Array.isArray(value) || (length !== null && value.length !== length)) return new Refusal(expected);
      const items: T[] = [];
      for (let index = 0; index < value.length; index++) {
        const parsed = item.parse(value[index] as Plain);
        if (parsed instanceof Refusal) return new Refusal(parsed.expected, index);
        items.push(parsed);
      }
      return items;
    },
  };
}

/** One value for every spatial axis, or a list with one each: kernel_size, stride, dilation. Always `axes` long inside. */
export function perAxis<T>(axes: number, item: ParamType<T>): ParamType<readonly T[]> {
  const list = listOf(item, axes);
  const expected = axes === 1 ? item.expected : `${item.expected}, or a list of ${axes}`;
  return {
    expected,
    schema: { anyOf: [item.schema, list.schema] },
    parse(value) {
      if (!Array.isArray(value)) {
        const one = item.parse(value);
        return one instanceof Refusal ? new Refusal(expected) : Array.from({ length: axes }, () => one);
      }
      const parsed = list.parse(value);
      return parsed instanceof Refusal && parsed.index === undefined ? new Refusal(expected) : parsed;
    },
  };
}

/** One value or a list of any length: axes, normalized_shape. Always a list inside. */
export function oneOrMore<T>(item: ParamType<T>): ParamType<readonly T[]> {
  const list = listOf(item);
  const expected = `${item.expected}, or a list of them`;
  return {
    expected,
    schema: { anyOf: [item.schema, list.schema] },
    parse(value) {
      if (Array.isArray(value)) return list.parse(value);
      const one = item.parse(value);
      return one instanceof Refusal ? new Refusal(expected) : [one];
    },
  };
}
