/** Functions of one number that kernels apply to what they are about to store. */
import type { Pointwise } from "../backend.ts";
import { type FunctionWriter, f32x4, type Local, v128 } from "./assembler.ts";

/** Applies a function to a vector in place. Constants have been set up once, before the loops. */
export type Applied = (vector: Local) => void;

type Maker = (f: FunctionWriter) => Applied;

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
          f.set(x, f32x4.mul(g.kind === "hardswish" ? f32x4.mul(x, raised) : raised, sixth));
        };
      };
    case "square":
      return (f) => (x) => f.set(x, f32x4.mul(x, x));
    case "affine":
      return (f) => {
        const [scale, shift] = [constant(f, g.scale), constant(f, g.shift)];
        return (x) => f.set(x, f32x4.add(f32x4.mul(x, scale), shift));
      };
    default:
      return null;
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
