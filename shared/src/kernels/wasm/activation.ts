/** Functions of one number that kernels apply to what they are about to store. */
import type { Pointwise } from "../backend.ts";
import { type FunctionWriter, f32x4, type Local, type Operand, v128 } from "./assembler.ts";
import { exp, expm1, normalBelow, number, Scratch, sigmoid, softplus, tanh, tanhShrink } from "./math.ts";

/** Applies a function to a vector in place. Constants have been set up once, before the loops. */
export type Applied = (vector: Local) => void;

type Maker = (f: FunctionWriter) => Applied;

/** A function in terms of the vector, with variables of its own; the constants stand in the code. */
function by(of: (x: Local, s: Scratch) => Operand): Maker {
  return (f) => {
    const scratch = new Scratch(f);
    return (x) => {
      scratch.begin();
      f.set(x, of(x, scratch));
    };
  };
}

/** A constant in a variable. */
function constant(f: FunctionWriter, value: number): Local {
  return f.let("v128", f32x4.constant(value));
}

function clamp(least: number, most: number): Maker {
  return (f) => {
    const [low, high] = [constant(f, least), constant(f, most)];
    return (x) => {
      f.set(x, f32x4.greater(x, low));
      f.set(x, f32x4.lesser(x, high));
    };
  };
}

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** scale·x above 0, scale·alpha·(e^(x/width) − 1) below. */
function exponentialBelow(scale: number, alpha: number, width: number): Maker {
  return by((x, s) => {
    const below = f32x4.mul(expm1(s, width === 1 ? x : f32x4.div(x, number(width))), number(scale * alpha));
    return v128.select(scale === 1 ? x : f32x4.mul(x, number(scale)), below, f32x4.gt(x, number(0)));
  });
}

/** The powers that are products and roots: those that layers take. */
function powerOf(exponent: number): Maker | null {
  // As IEEE pow has it, the root of −∞ is ∞, and that of −0 is 0.
  const root = (x: Operand) => {
    const isNegated = v128.or(f32x4.eq(x, number(Number.NEGATIVE_INFINITY)), f32x4.eq(x, number(0)));
    return f32x4.sqrt(v128.select(f32x4.abs(x), x, isNegated));
  };
  switch (exponent) {
    case 1:
      return () => () => {};
    case 2:
      return by((x) => f32x4.mul(x, x));
    case 0.5:
      return by(root);
    case -0.5:
      return by((x) => f32x4.div(number(1), root(x)));
    case -1:
      return by((x) => f32x4.div(number(1), x));
    default:
      return null;
  }
}

function makerOf(g: Pointwise): Maker | null {
  switch (g.kind) {
    case "relu":
      return (f) => {
        const zero = constant(f, 0);
        return (x) => f.set(x, f32x4.greater(x, zero));
      };
    case "clamp":
      return clamp(g.least, g.most);
    case "leaky-relu":
      return (f) => {
        const [zero, slope] = [constant(f, 0), constant(f, g.slope)];
        return (x) => f.set(x, v128.select(f32x4.mul(x, slope), x, f32x4.lt(x, zero)));
      };
    case "hardsigmoid":
    case "hardswish":
      return (f) => {
        const [three, sixth] = [constant(f, 3), constant(f, 1 / 6)];
        const bound = clamp(0, 6)(f);
        const raised = f.local("v128");
        return (x) => {
          f.set(raised, f32x4.add(x, three));
          bound(raised);
          f.set(raised, f32x4.mul(raised, sixth));
          f.set(x, g.kind === "hardswish" ? f32x4.mul(x, raised) : raised);
        };
      };
    case "square":
      return by((x) => f32x4.mul(x, x));
    case "affine":
      return (f) => {
        const [scale, shift] = [constant(f, g.scale), constant(f, g.shift)];
        return (x) => f.set(x, f32x4.add(f32x4.mul(x, scale), shift));
      };
    case "threshold":
      return by((x) => v128.select(number(g.value), x, f32x4.le(x, number(g.above))));
    case "hardshrink":
      return by((x) => {
        const isInside = v128.and(f32x4.le(x, number(g.lambda)), f32x4.le(number(-g.lambda), x));
        return v128.andNot(x, isInside);
      });
    case "softshrink":
      return by((x) => {
        const [down, up] = [f32x4.sub(x, number(g.lambda)), f32x4.add(x, number(g.lambda))];
        const within = v128.select(up, f32x4.mul(x, number(0)), f32x4.lt(x, number(-g.lambda)));
        return v128.select(down, within, f32x4.gt(x, number(g.lambda)));
      });
    case "softsign":
      return by((x) => f32x4.div(x, f32x4.add(number(1), f32x4.abs(x))));
    case "sigmoid":
      return by((x, s) => sigmoid(s, x));
    case "silu":
      return by((x, s) => f32x4.mul(x, sigmoid(s, x)));
    case "tanh":
      return by((x, s) => tanh(s, x));
    case "tanhshrink":
      return by((x, s) => tanhShrink(s, x));
    case "logsigmoid":
      return by((x, s) => f32x4.neg(softplus(s, f32x4.neg(x))));
    case "softplus":
      return by((x, s) => {
        const scaled = s.keep(f32x4.mul(x, number(g.beta)));
        const bent = f32x4.div(softplus(s, scaled), number(g.beta));
        return v128.select(x, bent, f32x4.gt(scaled, number(g.threshold)));
      });
    case "mish":
      // tanh(ln(1 + e)) = e(e + 2)/(e(e + 2) + 2), which is 1 long before e overflows.
      return by((x, s) => {
        const e = s.keep(exp(s, f32x4.lesser(x, number(20))));
        const product = s.keep(f32x4.mul(e, f32x4.add(e, number(2))));
        return f32x4.mul(x, f32x4.div(product, f32x4.add(product, number(2))));
      });
    case "gelu":
      return by((x, s) => f32x4.mul(x, normalBelow(s, x)));
    case "gelu-tanh":
      // (1 + tanh(u))/2 is sigmoid(2u).
      return by((x, s) => {
        const cubed = f32x4.mul(f32x4.mul(x, x), f32x4.mul(x, number(0.044715)));
        const twice = f32x4.mul(f32x4.add(x, cubed), number(2 * Math.sqrt(2 / Math.PI)));
        return f32x4.mul(x, sigmoid(s, twice));
      });
    case "elu":
      return exponentialBelow(1, g.alpha, 1);
    case "celu":
      return exponentialBelow(1, g.alpha, g.alpha);
    case "selu":
      return exponentialBelow(SELU_SCALE, SELU_ALPHA, 1);
    case "power":
      return powerOf(g.exponent);
  }
}

/** Whether kernels can apply a function themselves. */
export function fuses(g: Pointwise): boolean {
  return makerOf(g) !== null;
}

/** Sets a function up in a kernel; null is none. The function is one that `fuses`. */
export function applied(f: FunctionWriter, g: Pointwise | null): Applied | null {
  return g && makerOf(g)!(f);
}
