/** Functions of one number, in float64. Sources: torch.nn's definitions. */
import type { Pointwise } from "../backend.ts";

const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);

/** 1 − erf(z) for z ≥ 0, to about 1e-15: the series of erf near 0, Lentz's continued fraction further out. */
function erfcPositive(z: number): number {
  const gauss = Math.exp(-z * z);
  if (z < 2) {
    // erf(z) = 2/√π · e^(−z²) Σ 2ⁿ z^(2n+1) / (2n+1)!!, whose terms are all positive.
    let term = z;
    let sum = z;
    for (let n = 1; term > sum * 1e-17; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      sum += term;
    }
    return 1 - TWO_OVER_ROOT_PI * gauss * sum;
  }
  // erfc(z) = e^(−z²)/√π · 1/(z + ½/(z + 1/(z + ³⁄₂/(z + …)))), evaluated from its tail.
  let tail = z;
  for (let n = 60; n >= 1; n--) tail = z + n / 2 / tail;
  return gauss / (Math.sqrt(Math.PI) * tail);
}

/** Φ(x), the distribution function of the normal distribution. */
function normalBelow(x: number): number {
  const half = erfcPositive(Math.abs(x) / Math.SQRT2) / 2;
  return x < 0 ? half : 1 - half;
}

function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** log(1 + eˣ) without overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

function clamp(x: number, least: number, most: number): number {
  return Math.min(Math.max(x, least), most);
}

const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** The function that a description names. */
export function pointwise(f: Pointwise): (x: number) => number {
  switch (f.kind) {
    case "relu":
      return (x) => Math.max(x, 0);
    case "leaky-relu":
      return (x) => (x > 0 ? x : x * f.slope);
    case "elu":
      return (x) => (x > 0 ? x : f.alpha * Math.expm1(x));
    case "celu":
      return (x) => (x > 0 ? x : f.alpha * Math.expm1(x / f.alpha));
    case "selu":
      return (x) => SELU_SCALE * (x > 0 ? x : SELU_ALPHA * Math.expm1(x));
    case "gelu":
      return (x) => (x === Number.NEGATIVE_INFINITY ? Number.NaN : x * normalBelow(x));
    case "gelu-tanh":
      return (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case "silu":
      return (x) => x * sigmoid(x);
    case "mish":
      return (x) => x * Math.tanh(softplus(x));
    case "hardswish":
      return (x) => (x * clamp(x + 3, 0, 6)) / 6;
    case "hardsigmoid":
      return (x) => clamp(x + 3, 0, 6) / 6;
    case "softsign":
      return (x) => x / (1 + Math.abs(x));
    case "sigmoid":
      return sigmoid;
    case "logsigmoid":
      return (x) => -softplus(-x);
    case "tanh":
      return Math.tanh;
    case "tanhshrink":
      return (x) => x - Math.tanh(x);
    case "square":
      return (x) => x * x;
    case "clamp":
      return (x) => clamp(x, f.least, f.most);
    case "hardshrink":
      return (x) => (x >= -f.lambda && x <= f.lambda ? 0 : x);
    case "softshrink":
      return (x) => (x > f.lambda ? x - f.lambda : x < -f.lambda ? x + f.lambda : x * 0);
    case "softplus":
      return (x) => (x * f.beta > f.threshold ? x : Math.log1p(Math.exp(x * f.beta)) / f.beta);
    case "threshold":
      return (x) => (x <= f.above ? f.value : x);
    case "affine":
      return (x) => f.scale * x + f.shift;
    case "power":
      return (x) => x ** f.exponent;
  }
}
