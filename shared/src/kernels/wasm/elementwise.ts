/**
 * Functions of single numbers of one or more tensors that broadcast to one shape.
 *
 * Tensors are walked over with strides, which are 0 where one is broadcast: images as pixels, where that form is at hand,
 * everything else in rows. Axes that lie behind one another without gaps are one, so that mostly a single loop is left:
 *
 *     for each combination of outer indices, each piece of the innermost axis
 *       for each vector in it: load one of every input, apply, store
 */
import type { Binary, Pointwise, ScaleShift } from "../backend.ts";
import { broadcastDims, checkAxis, sameDims } from "../check.ts";
import { stridesOf } from "../values.ts";
import { applied } from "./activation.ts";
import { type FunctionWriter, f32x4, i32, type Local, type Operand, v128 } from "./assembler.ts";
import type { Core } from "./core.ts";
import type { Kernel } from "./kernel.ts";
import { type Pixels, padded, size3, type WasmTensor } from "./tensor.ts";

/** Computes on one vector of every input; what is left in the first is the result. */
export type Body = (vectors: readonly Local[]) => void;

export interface Walk {
  /** Outermost first; the last one is the innermost axis. */
  readonly sizes: readonly number[];
  /**
   * Of every input, then of the output: floats between neighbours along each axis; 0 where an input is broadcast. The
   * output's innermost is 1.
   */
  readonly strides: readonly (readonly number[])[];
}

/** Leaves out axes of one position, and joins neighbours where every tensor goes on from one to the next. */
export function joined({ sizes, strides }: Walk): Walk {
  let kept: Walk = { sizes: [], strides: strides.map(() => []) };
  for (const [axis, size] of sizes.entries()) {
    if (size === 1) continue;
    const last = kept.sizes.length - 1;
    const follows = strides.every((each, tensor) => kept.strides[tensor]![last] === each[axis]! * size);
    kept =
      last >= 0 && follows
        ? {
            sizes: kept.sizes.with(last, kept.sizes[last]! * size),
            strides: kept.strides.map((each, tensor) => each.with(last, strides[tensor]![axis]!)),
          }
        : {
            sizes: [...kept.sizes, size],
            strides: kept.strides.map((each, tensor) => [...each, strides[tensor]![axis]!]),
          };
  }
  return kept.sizes.length > 0 ? kept : { sizes: [1], strides: strides.map(() => [1]) };
}

/** Floats of the innermost axis that one unit of work does. */
const PIECE = 4096;

/** Vectors that one round of the innermost loop does. */
const UNROLL = 4;

/** The first `lanes` floats at an address, zeros behind them. Nothing else is read. */
export function loadLanes(address: Operand, lanes: number, offset: number): Operand {
  if (lanes === 4) return v128.load(address, offset);
  if (lanes === 1) return v128.loadOne(address, offset);
  const two = v128.loadTwo(address, offset);
  return lanes === 2 ? two : v128.loadLane(address, two, 2, offset + 8);
}

/** Numbers that lie apart, one after the other into the lanes. */
function gatherLanes(address: Local, lanes: number, first: number, stride: number): Operand {
  const at = (lane: number) => i32.add(address, 4 * stride * (first + lane));
  let vector: Operand = v128.loadOne(at(0));
  for (let lane = 1; lane < lanes; lane++) vector = v128.loadLane(at(lane), vector, lane);
  return vector;
}

/** The kernel that walks over tensors; a name stands for what `body` does. */
export function walkKernel(name: string, walk: Walk, body: (f: FunctionWriter) => Body): Kernel {
  const { sizes, strides } = walk;
  const inner = sizes.at(-1)!;
  const pieces = Math.ceil(inner / PIECE);
  const outer = sizes.slice(0, -1);
  const inputs = strides.slice(0, -1);
  const addresses = strides.map((_, tensor) => `t${tensor}`);
  return {
    key: `elementwise ${name} ${JSON.stringify(walk)}`,
    addresses,
    units: outer.reduce((count, size) => count * size, 1) * pieces,
    work: 8 * Math.min(inner, PIECE),
    write(f, named, unit) {
      const at = addresses.map((address) => f.let("i32", named[address]!));
      const index = f.let("i32", i32.div(unit, pieces));
      for (let axis = outer.length - 1; axis >= 0; axis--) {
        const here = f.let("i32", i32.rem(index, outer[axis]!));
        for (const [tensor, address] of at.entries()) f.increase(address, i32.mul(here, 4 * strides[tensor]![axis]!));
        f.set(index, i32.div(index, outer[axis]!));
      }
      const first = f.let("i32", i32.mul(i32.rem(unit, pieces), PIECE));
      for (const [tensor, address] of at.entries()) f.increase(address, i32.mul(first, 4 * strides[tensor]!.at(-1)!));
      const left = f.let("i32", i32.min(i32.sub(inner, first), PIECE));
      const vectors = f.locals("v128", inputs.length);
      const apply = body(f);
      const to = at.at(-1)!;
      const step = (vector: number, lanes: number) => {
        for (const [tensor, each] of inputs.entries()) {
          const [address, stride] = [at[tensor]!, each.at(-1)!];
          if (stride === 0) f.set(vectors[tensor]!, v128.splat(address));
          else if (stride === 1) f.set(vectors[tensor]!, loadLanes(address, lanes, 16 * vector));
          else f.set(vectors[tensor]!, gatherLanes(address, lanes, 4 * vector, stride));
        }
        apply(vectors);
        f.storeVector(to, vectors[0]!, 16 * vector, lanes);
      };
      const advance = (floats: number) => {
        for (const [tensor, address] of at.entries()) f.increase(address, 4 * floats * strides[tensor]!.at(-1)!);
        f.set(left, i32.sub(left, floats));
      };
      for (const count of inner >= 4 * UNROLL ? [UNROLL, 1] : [1]) {
        f.while(i32.ge(left, 4 * count), () => {
          for (let vector = 0; vector < count; vector++) step(vector, 4);
          advance(4 * count);
        });
      }
      // Only the last piece has a rest.
      if (inner % 4 > 0) f.if(left, () => step(0, inner % 4));
    },
  };
}

/** Whether the result is best as pixels: it is an image, and a tensor of its dims is at hand in that form. */
function prefersPixels(xs: readonly WasmTensor[], dims: readonly number[]): boolean {
  if (dims.length < 3 || dims.length > 5) return false;
  return xs.some(
    ({ dims: own, storage: { form } }) =>
      form.kind === "pixels" && form.pixel % 4 === 0 && own.every((size, axis) => size === dims[axis]),
  );
}

/** Strides along [batch, planes, rows, columns, channels]; 0 where the tensor has one position and the result more. */
function pixelStrides(form: Pixels, batch: number, channels: number, size: readonly number[]): number[] {
  const [planes, rows, columns] = form.size;
  const step = (own: number, whole: number, stride: number) => (own === 1 && whole > 1 ? 0 : stride);
  return [
    step(form.batch, batch, form.image),
    step(planes, size[0]!, form.plane),
    step(rows, size[1]!, form.row),
    step(columns, size[2]!, form.pixel),
    form.channels === 1 && (channels > 1 || form.pixel % 4 !== 0) ? 0 : 1,
  ];
}

/** The result of applying a function to every number of tensors that broadcast together. No size is 0. */
export function elementwise(
  core: Core,
  name: string,
  xs: readonly WasmTensor[],
  body: (f: FunctionWriter) => Body,
): WasmTensor {
  const dims = broadcastDims(...xs.map((x) => x.dims));
  const ranked = xs.map((x) => {
    const missing = dims.length - x.dims.length;
    return missing === 0 ? x : core.share(x, [...new Array<number>(missing).fill(1), ...x.dims]);
  });
  const result = prefersPixels(ranked, dims) ? asPixels() : asRows();
  for (const [index, x] of ranked.entries()) if (x !== xs[index]) core.release(x);
  return result;

  function asPixels(): WasmTensor {
    const froms = ranked.map((x) => core.asPixels(x));
    const y = core.image(dims);
    const to = core.asPixels(y);
    const [batch, channels] = dims as [number, number];
    const size = size3(dims.slice(2));
    const strides = [...froms, to].map(({ form }) => pixelStrides(form, batch, channels, size));
    run({ sizes: [batch, ...size, padded(channels)], strides }, [...froms, to]);
    return y;
  }

  function asRows(): WasmTensor {
    const froms = ranked.map((x) => core.asRows(x));
    const y = core.rows(dims);
    const strides = [...ranked.map((x) => x.dims), dims].map((own) =>
      stridesOf(own).map((stride, axis) => (own[axis] === 1 && dims[axis]! > 1 ? 0 : stride)),
    );
    run({ sizes: dims, strides }, [...froms, core.asRows(y)]);
    return y;
  }

  function run(walk: Walk, tensors: readonly { readonly address: number }[]): void {
    const addresses = Object.fromEntries(tensors.map(({ address }, index) => [`t${index}`, address]));
    core.run(walkKernel(name, joined(walk), body), addresses);
  }
}

/** See `Backend.unary`; the function is one that kernels can apply. */
export function unary(core: Core, x: WasmTensor, g: Pointwise): WasmTensor {
  return elementwise(core, JSON.stringify(g), [x], (f) => {
    const apply = applied(f, g)!;
    return ([vector]) => apply(vector!);
  });
}

const OPERATIONS: Readonly<Record<Binary, (a: Operand, b: Operand) => Operand>> = {
  add: f32x4.add,
  subtract: f32x4.sub,
  multiply: f32x4.mul,
  divide: f32x4.div,
  maximum: f32x4.max,
  minimum: f32x4.min,
};

/** See `Backend.binary`. */
export function binary(core: Core, kind: Binary, a: WasmTensor, b: WasmTensor): WasmTensor {
  return elementwise(
    core,
    kind,
    [a, b],
    (f) =>
      ([left, right]) =>
        f.set(left!, OPERATIONS[kind](left!, right!)),
  );
}

/** See `Backend.scaleShift`; the activation is one that kernels can apply. */
export function scaleShift(core: Core, x: WasmTensor, along: ScaleShift): WasmTensor {
  checkAxis(x.dims, along.axis);
  const { mean, scale, shift, activation = null } = along;
  for (const values of [mean, scale, shift]) if (values) sameDims(values.dims, [x.dims[along.axis]!]);
  const dims = x.dims.map((size, axis) => (axis === along.axis ? size : 1));
  const entered = [mean, scale, shift].map((values) => values && core.constant({ dims, data: values.data }));
  const inputs = [x, ...entered.filter((each) => each !== undefined)];
  const has = entered.map((each) => Number(each !== undefined)).join("");
  const result = elementwise(core, `scale ${has} ${JSON.stringify(activation)}`, inputs, (f) => {
    const apply = applied(f, activation);
    return ([vector, ...rest]) => {
      const next = (each: unknown) => (each === undefined ? undefined : rest.shift());
      const [m, s, t] = [next(mean), next(scale), next(shift)];
      if (m) f.set(vector!, f32x4.sub(vector!, m));
      if (s) f.set(vector!, f32x4.mul(vector!, s));
      if (t) f.set(vector!, f32x4.add(vector!, t));
      apply?.(vector!);
    };
  });
  for (const each of entered) if (each) core.release(each);
  return result;
}
