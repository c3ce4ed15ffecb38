/**
 * How the builder turns a row `[from, repeats, module, args]` into constructor arguments and a recorded width.
 *
 * The builder knows only recorded widths: where a module's real output differs, it is the next layer that fails. So the
 * rules here compute what the builder records, and the operators compute what really comes out. Source: facts, the table
 * of special rules.
 */
import type { Range } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
import type { Block, Wire } from "./block.ts";
import { makeDivisible, pythonRound, type Scaling, scaledWidth } from "./scaling.ts";
import { type Argument, type Arguments, type Parameter, parseSignature, RowRefusal } from "./signature.ts";

/** A recorded width; a list where the layer gives a list of tensors (CBLinear). */
export type Width = number | readonly number[];

/** One row, resolved: what a rule reads. */
export interface Row {
  readonly module: string;
  readonly given: readonly Argument[];
  /** Repeats after depth scaling. */
  readonly repeats: Argument;
  /** `from` is written as a list. */
  readonly many: boolean;
  readonly from: { readonly value: Plain; readonly range: Range };
  /** Recorded widths of the sources, and where each is written. */
  readonly sources: readonly { readonly width: Width; readonly range: Range }[];
  /** What the row before recorded. */
  readonly previous: Width;
  readonly scaling: Scaling;
  /** Widths equal to this stay unscaled: nc, or the outputs per position of anchor-based models. */
  readonly unscaled: number;
  readonly regMax: Plain;
  readonly end2end: Plain;
}

/** What a rule makes of a row. */
export interface Prepared {
  readonly args: readonly Argument[];
  readonly width: Width;
  /** The builder makes one instance that repeats inside; otherwise a sequence of equal instances. */
  readonly repeatsInside?: boolean;
}

export type Rule = (row: Row) => Prepared;

/** One entry of the module tables. */
export interface Module {
  readonly parameters: readonly Parameter[];
  readonly rule: Rule;
  /** Its width follows from its arguments alone. */
  readonly widens: boolean;
  readonly build: Build<readonly Value[]>;
}

/** What a layer gives to the next: a tensor, or a list of them. */
export type Value = Wire | readonly Wire[];

type Build<Inputs> = (b: Block, inputs: Inputs, a: Arguments) => Value;

export function define(rule: Rule, signature: string, build: Build<readonly Value[]>): Module {
  let parameters: readonly Parameter[] | undefined;
  return {
    get parameters() {
      parameters ??= parseSignature(signature);
      return parameters;
    },
    rule,
    widens: rule === base || rule === repeated || rule === stem || rule === hgBlock || rule === resNet,
    build,
  };
}

/** A module of one input, which is most of them. */
export function unary(rule: Rule, signature: string, build: Build<Wire>): Module {
  return define(rule, signature, (b, inputs, a) => build(b, tensorOf(inputs[0]), a));
}

/** A module of several tensors. */
export function joining(rule: Rule, signature: string, build: Build<readonly Wire[]>): Module {
  return define(rule, signature, (b, inputs, a) => build(b, inputs.map(tensorOf), a));
}

/** A list where a tensor is expected was refused by its recorded width; what is left is silent. */
export function tensorOf(value: Value | undefined): Wire {
  return value && "node" in value ? value : null;
}

/** The single source's recorded width. @throws RowRefusal for a list or for a list-valued source. */
function sourceWidth(row: Row): Argument & { readonly value: number } {
  const source = row.sources[0];
  if (row.many || !source) {
    throw new RowRefusal("bad-value", row.from.range, {
      name: "from",
      value: row.from.value,
      expected: `one layer: ${row.module} takes one input`,
    });
  }
  if (typeof source.width !== "number") {
    throw new RowRefusal("bad-value", source.range, {
      name: "from",
      value: row.from.value,
      expected: `a layer with one output: only CBFuse reads a list of tensors`,
    });
  }
  return { value: source.width };
}

function argument(row: Row, index: number, name: string): Argument {
  const given = row.given[index];
  if (!given) throw new RowRefusal("missing-parameter", undefined, { name, of: row.module });
  return given;
}

function numeric(row: Row, index: number, name: string): Argument & { readonly value: number } {
  const given = argument(row, index, name);
  if (typeof given.value === "number") return given as Argument & { value: number };
  throw new RowRefusal("bad-value", given.range, { name, value: given.value, expected: "a number" });
}

/** args[0] as the builder scales it. */
function outputWidth(row: Row): Argument & { readonly value: number } {
  const written = numeric(row, 0, "out_channels");
  if (written.value === row.unscaled) return written;
  return { ...written, value: scaledWidth(written.value, row.scaling) };
}

/** `[cin, c2 scaled, *rest]`. */
export const base: Rule = (row) => {
  const c1 = sourceWidth(row);
  const c2 = outputWidth(row);
  return { args: [c1, c2, ...row.given.slice(1)], width: c2.value };
};

/** `[cin, c2 scaled, n, *rest]`. */
export const repeated: Rule = (row) => {
  const { args, width } = base(row);
  return { args: [args[0]!, args[1]!, row.repeats, ...args.slice(2)], width, repeatsInside: true };
};

/** Arguments as written; the source's width is recorded whatever really comes out. */
export const verbatim: Rule = (row) => ({ args: row.given, width: sourceWidth(row).value });

/** `[cin, *args]`. */
export const withSource: Rule = (row) => ({ args: [sourceWidth(row), ...row.given], width: row.previous });

/** Scale letters for which C3k2 is forced to C3k blocks; the empty letter is "in" every word, as in Python. */
export function forced(letter: string, letters: string): boolean {
  return letters.includes(letter);
}

export const c3k2Rule: Rule = (row) => {
  const prepared = repeated(row);
  if (!forced(row.scaling.letter, "mlx")) return prepared;
  const args = [...prepared.args];
  if (args.length < 4) {
    const where = row.scaling.letter ? `at scale ${row.scaling.letter}` : "in a file without a scale";
    throw new RowRefusal("missing-parameter", undefined, { name: "c3k", of: `${row.module} ${where}` });
  }
  args[3] = { ...args[3]!, value: true };
  return { ...prepared, args };
};

export const a2c2fRule: Rule = (row) => {
  const prepared = repeated(row);
  if (!forced(row.scaling.letter, "lx")) return prepared;
  return { ...prepared, args: [...prepared.args, { value: true }, { value: 1.2 }] };
};

export const c2fAttnRule: Rule = (row) => {
  const { args, ...rest } = repeated(row);
  const { maxChannels, width } = row.scaling;
  const embed = numeric(row, 1, "ec");
  const heads = numeric(row, 2, "nh");
  const scaledEmbed = makeDivisible(Math.min(embed.value, Math.floor(maxChannels / 2)) * width);
  const limit = Math.floor(Math.floor(maxChannels / 2) / 32);
  const scaledHeads =
    heads.value > 1 ? Math.trunc(Math.max(pythonRound(Math.min(heads.value, limit) * width), 1)) : heads.value;
  return {
    ...rest,
    args: [...args.slice(0, 3), { ...embed, value: scaledEmbed }, { ...heads, value: scaledHeads }, ...args.slice(5)],
  };
};

/** `[cin, cm, c2, …]`, nothing scaled. */
export const stem: Rule = (row) => ({
  args: [sourceWidth(row), ...row.given],
  width: numeric(row, 1, "out_channels").value,
});

/** Like `stem`, with the repeats inserted after k. */
export const hgBlock: Rule = (row) => {
  const { args, width } = stem(row);
  return { args: [...args.slice(0, 4), row.repeats, ...args.slice(4)], width, repeatsInside: true };
};

export const resNet: Rule = (row) => {
  const c2 = numeric(row, 1, "out_channels").value;
  return { args: row.given, width: row.given[3]?.value === true ? c2 : 4 * c2 };
};

export const batchNorm: Rule = (row) => ({ args: [sourceWidth(row)], width: row.previous });

function sourceWidths(row: Row): number[] {
  if (!row.many) {
    throw new RowRefusal("bad-value", row.from.range, {
      name: "from",
      value: row.from.value,
      expected: `a list of layers for ${row.module}, e.g. [-1, 6]`,
    });
  }
  return row.sources.map(({ width, range }) => {
    if (typeof width === "number") return width;
    throw new RowRefusal("bad-value", range, {
      name: "from",
      value: row.from.value,
      expected: "a layer with one output",
    });
  });
}

/** Concat: the widths add up, whatever axis it joins. */
export const sum: Rule = (row) => ({ args: row.given, width: sourceWidths(row).reduce((a, b) => a + b, 0) });

/** The width of the first source. */
export const first: Rule = (row) => ({ args: row.given, width: sourceWidths(row)[0] ?? 0 });

/** CBFuse: the width of the last source; the others may be lists. */
export const last: Rule = (row) => ({ args: row.given, width: row.sources.at(-1)?.width ?? 0 });

/** A fixed multiple of the source's width: ReOrg, Contract, Expand, Foldcut. */
export function times(factor: (row: Row) => number): Rule {
  return (row) => ({ args: row.given, width: Math.floor(sourceWidth(row).value * factor(row)) });
}

/** `[cin, [widths], *rest]`: the recorded width is the list. */
export const splitLinear: Rule = (row) => {
  const widths = argument(row, 0, "c2s");
  if (!Array.isArray(widths.value) || !widths.value.every((width) => Number.isSafeInteger(width))) {
    throw new RowRefusal("bad-value", widths.range, { name: "c2s", value: widths.value, expected: "a list of widths" });
  }
  return { args: [sourceWidth(row), ...row.given], width: widths.value as number[] };
};

/** A head: `[*args, reg_max, end2end, [widths]]`. */
export const detect: Rule = (row) => ({
  args: [
    ...row.given,
    { value: row.regMax },
    { value: row.end2end },
    { value: sourceWidths(row), range: row.from.range },
  ],
  width: row.previous,
});

/** A segmentation head: like `detect`, with the prototype width scaled. */
export const segment: Rule = (row) =>
  detect({ ...row, given: scaleAt(row, 2, (npr) => scaledWidth(npr, row.scaling)) });

/** A head of the older builders: `[*args, [widths]]`. */
export const widthsLast: Rule = (row) => ({
  args: [...row.given, { value: sourceWidths(row), range: row.from.range }],
  width: row.previous,
});

/** The older builders' segmentation heads; the argument at `index` is scaled by width alone. */
export function widthsLastScaled(index: number): Rule {
  return (row) =>
    widthsLast({ ...row, given: scaleAt(row, index, (value) => makeDivisible(value * row.scaling.width)) });
}

/** `[args[0], [widths], *rest]`. */
export const widthsSecond: Rule = (row) => ({
  args: [argument(row, 0, "nc"), { value: sourceWidths(row), range: row.from.range }, ...row.given.slice(1)],
  width: row.previous,
});

function scaleAt(row: Row, index: number, scale: (value: number) => number): Argument[] {
  return row.given.map((given, at) =>
    at === index && typeof given.value === "number" ? { ...given, value: scale(given.value) } : given,
  );
}

/** `args[0]` declares the width and is no argument of the constructor; it is bound as `c2` all the same. */
export const declared: Rule = (row) => ({ args: row.given, width: numeric(row, 0, "out_channels").value });
