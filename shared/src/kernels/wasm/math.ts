/**
 * Elementary functions of vectors of floats, to about 1e-7 of the value. NaN stays NaN, infinities go where they should,
 * results below 1e-37 are 0.
 *
 * Sources: Cody & Waite, "Software Manual for the Elementary Functions" (reduction of exp), the Cephes library's
 * polynomials for exp and tanh of floats. The polynomial of erfc is our own fit.
 */
import { type Code, type FunctionWriter, f32x4, i32x4, type Local, type Operand, v128 } from "./assembler.ts";

export const number = f32x4.constant;

/** Variables for what is computed on the way, the same ones in every application of a function. */
export class Scratch {
  private readonly kept: Local[] = [];
  private next = 0;

  constructor(private readonly f: FunctionWriter) {}

  /** Begins an application: what was kept before is not needed any more. */
  begin(): void {
    this.next = 0;
  }

  /** A vector in a variable. */
  keep(value: Operand): Local {
    const variable = this.kept[this.next] ?? this.f.local("v128");
    this.kept[this.next++] = variable;
    this.f.set(variable, value);
    return variable;
  }
}

/** c₀ + c₁x + c₂x² + …, by Horner's rule. */
export function polynomial(x: Operand, coefficients: readonly number[]): Code {
  const highest = number(coefficients.at(-1)!);
  return coefficients.slice(0, -1).reduceRight<Code>((sum, c) => f32x4.add(f32x4.mul(sum, x), number(c)), highest);
}

/** ln 2 in two parts, the first of few bits, so that multiples of it are exact. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = Math.LN2 - LN2_HIGH;
const EXP = [0.5, 0.166666665, 0.0416657959, 0.0083334519, 0.00139819995, 0.00019875691];

/** eˣ. */
export function exp(s: Scratch, argument: Operand): Code {
  const x = s.keep(argument);
  const bounded = f32x4.lesser(f32x4.greater(x, number(-87)), number(89));
  const n = s.keep(f32x4.nearest(f32x4.mul(bounded, number(Math.LOG2E))));
  const high = f32x4.sub(x, f32x4.mul(n, number(LN2_HIGH)));
  const rest = s.keep(f32x4.sub(high, f32x4.mul(n, number(LN2_LOW))));
  const small = f32x4.add(f32x4.mul(f32x4.mul(rest, rest), polynomial(rest, EXP)), f32x4.add(rest, number(1)));
  // 2ⁿ⁻¹ · 2: 2¹²⁸ is no float, though results just below it are.
  const exponent = i32x4.add(i32x4.fromFloats(n), i32x4.splat(126));
  const scaled = f32x4.mul(f32x4.mul(small, number(2)), i32x4.shiftLeft(exponent, 23));
  const below = v128.select(number(0), scaled, f32x4.lt(x, number(-87)));
  return v128.select(number(Number.POSITIVE_INFINITY), below, f32x4.gt(x, number(88.722839)));
}

/** 1/(1 + e⁻ˣ). */
export function sigmoid(s: Scratch, x: Operand): Code {
  return f32x4.div(number(1), f32x4.add(number(1), exp(s, f32x4.neg(x))));
}

const TANH = [-0.333332819, 0.133314422, -0.0537397155, 0.0206390888, -0.0057049887];

/** What tanh adds to x near 0. */
function tanhBend(s: Scratch, x: Local): Code {
  const square = s.keep(f32x4.mul(x, x));
  return f32x4.mul(f32x4.mul(polynomial(square, TANH), square), x);
}

/** Where tanh is so close to x that 1 − 2/(e²ˣ + 1) would lose digits. */
function isNearZero(x: Operand): Code {
  return f32x4.lt(f32x4.abs(x), number(0.625));
}

export function tanh(s: Scratch, argument: Operand): Code {
  const x = s.keep(argument);
  const near = f32x4.add(x, tanhBend(s, x));
  const far = f32x4.sub(number(1), f32x4.div(number(2), f32x4.add(exp(s, f32x4.add(x, x)), number(1))));
  return v128.select(near, far, isNearZero(x));
}

/** x − tanh(x). */
export function tanhShrink(s: Scratch, argument: Operand): Code {
  const x = s.keep(argument);
  const bend = s.keep(tanhBend(s, x));
  return v128.select(f32x4.neg(bend), f32x4.sub(x, tanh(s, x)), isNearZero(x));
}

/** eˣ − 1 for x ≤ 0. */
export function expm1(s: Scratch, argument: Operand): Code {
  const x = s.keep(argument);
  const series = f32x4.mul(x, polynomial(x, [1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040]));
  return v128.select(series, f32x4.sub(exp(s, x), number(1)), f32x4.gt(x, number(-0.35)));
}

/** ln(1 + y) for y from 0 to 1: 2·artanh(y/(2 + y)). */
function log1p(s: Scratch, y: Code): Code {
  const kept = s.keep(y);
  const root = s.keep(f32x4.div(kept, f32x4.add(kept, number(2))));
  const odd = polynomial(f32x4.mul(root, root), [1, 1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11, 1 / 13, 1 / 15]);
  return f32x4.mul(f32x4.add(root, root), odd);
}

/** ln(1 + eˣ). */
export function softplus(s: Scratch, argument: Operand): Code {
  const x = s.keep(argument);
  const bend = log1p(s, exp(s, f32x4.neg(f32x4.abs(x))));
  return f32x4.add(f32x4.greater(x, number(0)), bend);
}

/** erfc(z) = e^(−z²)·g(1/(1 + z/2)), z ≥ 0: the best g of this degree, to 4e-8. */
const ERFC = [
  0.28208768814941765, 0.28235329847620116, 0.2432622107250931, 0.20206562652262325, -0.02516894105567158,
  0.2759670151158499, -0.48537513414505135, 0.28369829241234973, -0.05889009826763725,
];

/** Φ(x), the distribution function of the normal distribution. */
export function normalBelow(s: Scratch, argument: Operand): Code {
  const x = s.keep(argument);
  const z = s.keep(f32x4.mul(f32x4.abs(x), number(Math.SQRT1_2)));
  const t = s.keep(f32x4.div(number(1), f32x4.add(number(1), f32x4.mul(z, number(0.5)))));
  const gauss = exp(s, f32x4.mul(f32x4.mul(x, x), number(-0.5)));
  const half = s.keep(f32x4.mul(f32x4.mul(f32x4.mul(gauss, t), polynomial(t, ERFC)), number(0.5)));
  return v128.select(half, f32x4.sub(number(1), half), f32x4.lt(x, number(0)));
}

/** ln(x) for x ≥ 1 that is finite, NaN where x is: the exponent times ln 2, and the logarithm of what is in [1, 2). */
export function log(s: Scratch, argument: Operand): Code {
  const x = s.keep(argument);
  const exponent = f32x4.sub(i32x4.toFloats(i32x4.shiftRight(x, 23)), number(127));
  const mantissa = v128.or(v128.and(x, i32x4.splat(0x007fffff)), i32x4.splat(0x3f800000));
  const root = f32x4.div(f32x4.sub(mantissa, number(1)), f32x4.add(mantissa, number(1)));
  const [whole, t] = [s.keep(exponent), s.keep(root)];
  const odd = polynomial(f32x4.mul(t, t), [1, 1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11, 1 / 13, 1 / 15]);
  const value = f32x4.add(f32x4.mul(whole, number(Math.LN2)), f32x4.mul(f32x4.add(t, t), odd));
  return v128.select(value, x, f32x4.eq(x, x));
}
