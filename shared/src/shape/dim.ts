/**
 * Sizes of tensor axes: plain numbers, symbolic sizes such as `H` or `(H + 1)//2`, and unknown sizes.
 *
 * Everything that computes with sizes goes through the functions here, so that a number never silently loses precision
 * (results beyond 2^53 become unknown), a symbol stays exact through every layer, and an unknown stays silent.
 * The numeric path is first in each function and costs no allocation.
 *
 * Symbolic sizes are kept canonical: a sum of integer coefficients times products of atoms, where an atom is a symbol
 * (a positive integer) or a floor division. Stacked floors collapse by ⌊(⌊x/m⌋ + b)/n⌋ = ⌊(x + b·m)/(m·n)⌋.
 */

/** The size of one axis. */
export type Dim = number | Expr | Unknown;

/** A size that could not be computed; equal only to itself, so that nothing is ever reported about it. */
export class Unknown {
  /** @param why one clause for tooltips, e.g. "padding is not a number". */
  constructor(readonly why: string) {}
  /** A number beyond 2^53 went into it; that is worth saying. */
  get isTooLarge(): boolean {
    return this.why === TOO_LARGE;
  }

  toString(): string {
    return this.isTooLarge ? "too large" : "?";
  }
}

export function unknown(why: string): Unknown {
  return new Unknown(why);
}

interface Symbol_ {
  readonly kind: "symbol";
  readonly text: string;
}
interface Floor {
  readonly kind: "floor";
  readonly text: string;
  readonly of: Expr;
  readonly by: number;
}
type Atom = Symbol_ | Floor;
interface Term {
  readonly coefficient: number;
  readonly factors: readonly Atom[];
}

/** More terms than this come only from hostile text; the size becomes unknown instead of slow. */
const MAX_TERMS = 64;

/** A canonical symbolic size. Build it with `symbol` and the arithmetic below; never empty, never a plain constant. */
export class Expr {
  private cachedText: string | undefined;
  /** @param terms keyed by the text of their factors; the constant has the key "". */
  constructor(readonly terms: ReadonlyMap<string, Term>) {}

  /** Python-like text, which the native format reads back: `H//2 + 1`. */
  toString(): string {
    this.cachedText ??= render(this.terms);
    return this.cachedText;
  }
}

function render(terms: ReadonlyMap<string, Term>): string {
  const keys = [...terms.keys()].sort((a, b) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1));
  const positiveFirst = [...keys].sort(
    (a, b) => Number(terms.get(a)!.coefficient < 0) - Number(terms.get(b)!.coefficient < 0),
  );
  let text = "";
  for (const key of positiveFirst) {
    const { coefficient } = terms.get(key)!;
    const size = Math.abs(coefficient);
    const body = key === "" ? String(size) : size === 1 ? key : `${size}*${key.includes("//") ? `(${key})` : key}`;
    if (text === "") text = coefficient < 0 ? `-${body}` : body;
    else text += coefficient < 0 ? ` - ${body}` : ` + ${body}`;
  }
  return text;
}

/** A named size, known to be a positive integer. */
export function symbol(name: string): Expr {
  const atom: Atom = { kind: "symbol", text: name };
  return new Expr(new Map([[name, { coefficient: 1, factors: [atom] }]]));
}

export function isKnown(dim: Dim): dim is number | Expr {
  return !(dim instanceof Unknown);
}

const TOO_LARGE = "larger than 2^53";
const TOO_COMPLEX = "the symbolic size is too complex";

function exact(value: number): Dim {
  return Number.isSafeInteger(value) ? value : new Unknown(TOO_LARGE);
}

function termsOf(dim: number | Expr): ReadonlyMap<string, Term> {
  if (typeof dim !== "number") return dim.terms;
  return dim === 0 ? new Map() : new Map([["", { coefficient: dim, factors: [] }]]);
}

/** Normalises a sum: drops zero terms, refuses what is too large, returns a number where no symbol is left. */
function simplify(terms: Map<string, Term>): Dim {
  for (const [key, term] of terms) {
    if (term.coefficient === 0) terms.delete(key);
    else if (!Number.isSafeInteger(term.coefficient)) return new Unknown(TOO_LARGE);
  }
  if (terms.size === 0) return 0;
  if (terms.size > MAX_TERMS) return new Unknown(TOO_COMPLEX);
  const constant = terms.get("");
  if (terms.size === 1 && constant) return constant.coefficient;
  return new Expr(terms);
}

function accumulate(into: Map<string, Term>, key: string, coefficient: number, factors: readonly Atom[]): void {
  const before = into.get(key);
  into.set(key, { coefficient: (before?.coefficient ?? 0) + coefficient, factors });
}

/** a + b; exact or unknown. */
export function add(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return exact(a + b);
  if (a instanceof Unknown) return a;
  if (b instanceof Unknown) return b;
  if (a === 0) return b;
  if (b === 0) return a;
  const sum = new Map(termsOf(a));
  for (const [key, term] of termsOf(b)) accumulate(sum, key, term.coefficient, term.factors);
  return simplify(sum);
}

/** a − b; exact or unknown. An unknown minus itself is still unknown. */
export function sub(a: Dim, b: Dim): Dim {
  return add(a, mul(b, -1));
}

/** a · b; exact or unknown. */
export function mul(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return exact(a * b);
  if (a instanceof Unknown) return a;
  if (b instanceof Unknown) return b;
  if (a === 1) return b;
  if (b === 1) return a;
  if (typeof a === "number") return scaled(b as Expr, a);
  if (typeof b === "number") return scaled(a, b);
  const product = new Map<string, Term>();
  for (const x of termsOf(a).values()) {
    for (const y of termsOf(b).values()) {
      const factors = [...x.factors, ...y.factors].sort((p, q) => (p.text < q.text ? -1 : p.text > q.text ? 1 : 0));
      accumulate(product, keyOf(factors), x.coefficient * y.coefficient, factors);
      if (product.size > MAX_TERMS) return new Unknown(TOO_COMPLEX);
    }
  }
  return simplify(product);
}

function scaled({ terms }: Expr, by: number): Dim {
  const product = new Map<string, Term>();
  for (const [key, { coefficient, factors }] of terms) product.set(key, { coefficient: coefficient * by, factors });
  return simplify(product);
}

function keyOf(factors: readonly Atom[]): string {
  if (factors.length === 1) return factors[0]!.text;
  return factors.map((factor) => (factor.kind === "floor" ? `(${factor.text})` : factor.text)).join("*");
}

/** The product of all sizes; 1 for none. */
export function product(dims: readonly Dim[]): Dim {
  let result: Dim = 1;
  for (const dim of dims) result = mul(result, dim);
  return result;
}

/** ⌊a / m⌋, the mathematical floor. @throws RangeError when m is not a positive integer: the caller checks user input. */
export function floorDiv(a: Dim, m: number): Dim {
  if (!(Number.isSafeInteger(m) && m > 0)) throw new RangeError(`floorDiv by ${m}`);
  if (typeof a === "number") return exact(Math.floor(a / m));
  if (a instanceof Unknown || m === 1) return a;
  const whole = new Map<string, Term>();
  const rest = new Map<string, Term>();
  for (const [key, { coefficient, factors }] of a.terms) {
    const quotient = Math.floor(coefficient / m);
    accumulate(whole, key, quotient, factors);
    accumulate(rest, key, coefficient - quotient * m, factors);
  }
  return add(simplify(whole), floorOfRest(simplify(rest), m));
}

/** ⌊rest / m⌋ where every coefficient of `rest` lies in [0, m). */
function floorOfRest(rest: Dim, m: number): Dim {
  if (typeof rest === "number") return Math.floor(rest / m);
  if (rest instanceof Unknown) return rest;
  let divisor = m;
  for (const [key, term] of rest.terms) if (key !== "") divisor = gcd(divisor, term.coefficient);
  if (divisor > 1) {
    const reduced = new Map<string, Term>();
    for (const [key, term] of rest.terms) {
      accumulate(reduced, key, Math.floor(term.coefficient / divisor), term.factors);
    }
    return floorDiv(simplify(reduced), m / divisor);
  }
  const floors = [...rest.terms.values()].filter((term) => term.factors.some((factor) => factor.kind === "floor"));
  const inner = floors[0];
  if (floors.length === 1 && inner!.coefficient === 1 && inner!.factors.length === 1) {
    const floor = inner!.factors[0] as Floor;
    const others = new Map(rest.terms);
    others.delete(floor.text);
    const scaled = mul(simplify(others), floor.by);
    const by = floor.by * m;
    if (Number.isSafeInteger(by)) return floorDiv(add(floor.of, scaled), by);
    return new Unknown(TOO_LARGE);
  }
  const inside = rest.toString();
  const text = `${rest.terms.size === 1 && !inside.includes("*") ? inside : `(${inside})`}//${m}`;
  const atom: Atom = { kind: "floor", text, of: rest, by: m };
  return new Expr(new Map([[text, { coefficient: 1, factors: [atom] }]]));
}

/** ⌈a / m⌉. @throws RangeError like floorDiv. */
export function ceilDiv(a: Dim, m: number): Dim {
  return floorDiv(add(a, m - 1), m);
}

/** a mod m in [0, m), or null where it depends on a symbol or is unknown. */
export function mod(a: Dim, m: number): number | null {
  if (typeof a === "number") return ((a % m) + m) % m;
  // A product of user's factors may be too large to divide by; then nothing is known of the rest.
  if (m > Number.MAX_SAFE_INTEGER) return null;
  const rest = sub(a, mul(floorDiv(a, m), m));
  return typeof rest === "number" ? rest : null;
}

/** a / b where it is exact for every value of the symbols, else null. */
export function exactQuotient(a: Dim, b: Dim): Dim | null {
  if (a instanceof Unknown) return a;
  if (b instanceof Unknown) return b;
  if (typeof b === "number") {
    if (b <= 0 || b > Number.MAX_SAFE_INTEGER) return null;
    return mod(a, b) === 0 ? floorDiv(a, b) : null;
  }
  if (b.terms.size !== 1) return a.toString() === b.toString() ? 1 : null;
  const [divisor] = b.terms.values();
  const quotient = new Map<string, Term>();
  for (const term of termsOf(a).values()) {
    const factors = [...term.factors];
    for (const factor of divisor!.factors) {
      const at = factors.findIndex((candidate) => candidate.text === factor.text);
      if (at < 0) return null;
      factors.splice(at, 1);
    }
    if (term.coefficient % divisor!.coefficient !== 0) return null;
    accumulate(quotient, keyOf(factors), term.coefficient / divisor!.coefficient, factors);
  }
  return simplify(quotient);
}

/** The smaller of two sizes where that is the same for all symbols, else unknown. */
export function min(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return Math.min(a, b);
  const difference = sub(a, b);
  if (typeof difference === "number") return difference <= 0 ? a : b;
  return difference instanceof Unknown ? difference : new Unknown("the smaller of two symbolic sizes");
}

/** How two sizes relate over all values of their symbols. An unknown may or may not agree, so it is `sometimes`. */
export function compare(a: Dim, b: Dim): "equal" | "different" | "sometimes" {
  if (typeof a === "number" && typeof b === "number") return a === b ? "equal" : "different";
  if (a === b) return "equal";
  const difference = sub(a, b);
  if (typeof difference === "number") return difference === 0 ? "equal" : "different";
  if (difference instanceof Unknown) return "sometimes";
  const agreement = agreesWhen(a, b);
  if (agreement === null) return "sometimes";
  if (agreement.residues.length === 0) return "different";
  return agreement.residues.length === agreement.period ? "equal" : "sometimes";
}

/** `symbol mod period` must be one of `residues`. */
export interface Agreement {
  readonly symbol: string;
  readonly period: number;
  readonly residues: readonly number[];
}

const MAX_PERIOD = 1 << 16;

/**
 * Exactly when a = b, decided on one period: a size map of one axis satisfies f(n + P) = f(n) + c.
 * null where that does not settle it: more than one symbol, products of symbols, or different growth.
 */
export function agreesWhen(a: Dim, b: Dim): Agreement | null {
  const difference = sub(a, b);
  if (!(difference instanceof Expr)) return null;
  const names = symbolsOf(difference);
  if (names.size !== 1) return null;
  const [name] = names;
  const period = periodOf(difference);
  if (period === null || period > MAX_PERIOD) return null;
  const at = (n: number) => evaluate(difference, new Map([[name!, n]])) as number;
  if (at(period) !== at(2 * period)) return null;
  const residues: number[] = [];
  for (let residue = 0; residue < period; residue++) if (at(period + residue) === 0) residues.push(residue);
  return { symbol: name!, period, residues };
}

/** The smallest period known from the divisors, or null where the expression is not linear in its atoms. */
function periodOf(expr: Expr): number | null {
  let period = 1;
  for (const { factors } of expr.terms.values()) {
    if (factors.length > 1) return null;
    const factor = factors[0];
    if (factor?.kind !== "floor") continue;
    const inner = periodOf(factor.of);
    if (inner === null) return null;
    period = lcm(period, inner * factor.by);
    if (period > MAX_PERIOD) return null;
  }
  return period;
}

/** The names of the symbols a size depends on. */
export function symbolsOf(dim: Dim): Set<string> {
  const names = new Set<string>();
  const visit = (expr: Expr): void => {
    for (const { factors } of expr.terms.values()) {
      for (const factor of factors) {
        if (factor.kind === "symbol") names.add(factor.text);
        else visit(factor.of);
      }
    }
  };
  if (dim instanceof Expr) visit(dim);
  return names;
}

/** The size with numbers in place of symbols; symbols without a value stay. */
export function evaluate(dim: Dim, values: ReadonlyMap<string, number>): Dim {
  if (!(dim instanceof Expr)) return dim;
  let sum: Dim = 0;
  for (const { coefficient, factors } of dim.terms.values()) {
    let term: Dim = coefficient;
    for (const factor of factors) {
      const value: Dim =
        factor.kind === "floor"
          ? floorDiv(evaluate(factor.of, values), factor.by)
          : (values.get(factor.text) ?? symbol(factor.text));
      term = mul(term, value);
    }
    sum = add(sum, term);
  }
  return sum;
}

function gcd(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : gcd(b, a % b);
}

function lcm(a: number, b: number): number {
  return (a / gcd(a, b)) * b;
}
