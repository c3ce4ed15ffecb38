/**
 * How one output value comes about: which cells the window reads, what they are multiplied with, and the arithmetic of the
 * definition in double precision.
 */
import type { Node, Ref } from "../graph/graph.ts";
import type { Network } from "../graph/run.ts";
import type { AdaptivePooling, Binary, Convolution, Linear, TransposedConvolution } from "../kernels/backend.ts";
import { EngineError, type Values } from "../kernels/values.ts";
import { spatialAxes, type Tensor } from "../shape/tensor.ts";
import type { Placement } from "../shape/window.ts";
import type { Noted, Primitive } from "./note.ts";
import { Planes } from "./planes.ts";
import type { Explanation, Place, Spread, WindowAxis } from "./protocol.ts";

/** Terms that are sent at most. */
const MOST_TERMS = 16_384;

/** Terms that a line of arithmetic shows. */
const SHOWN_TERMS = 12;

/** An explanation in the graph's terms. */
export type Explained = Omit<Explanation, "node" | "output" | "source" | "field"> & {
  readonly source: { readonly ref: Ref; readonly from: number; readonly count: number } | null;
};

export interface Question {
  readonly network: Network;
  readonly node: Node;
  readonly inputs: readonly Values[];
  readonly noted: Noted;
  /** The output, as planes. */
  readonly output: Planes;
  readonly place: Place;
}

type Reading = Pick<Explained, "kind" | "source" | "axes" | "bias" | "divisor" | "winner" | "exact" | "text"> & {
  readonly terms: Terms;
};

/** What is read, plane by plane. */
interface Terms {
  readonly count: number;
  readonly taps: number;
  readonly inside: Uint8Array;
  input(plane: number, tap: number): number;
  /** null where nothing is multiplied. */
  readonly weight: ((plane: number, tap: number) => number) | null;
}

/** Explains one value of a node's output. */
export function explain(question: Question): Explained {
  const { output, place } = question;
  const reading = readingOf(question);
  const { terms, ...rest } = reading;
  const { count, taps, inside, weight } = terms;
  const sums = new Float64Array(count);
  for (let plane = 0; plane < count; plane++) {
    for (let tap = 0; tap < taps; tap++) {
      sums[plane]! += terms.input(plane, tap) * (weight?.(plane, tap) ?? 1);
    }
  }
  const sent = Math.min(count, Math.max(Math.floor(MOST_TERMS / Math.max(taps, 1)), 1));
  const each = (of: (plane: number, tap: number) => number) =>
    Float32Array.from({ length: sent * taps }, (_, at) => of(Math.floor(at / taps), at % taps));
  return {
    ...rest,
    place,
    index: output.indexOf(place),
    inputs: each(terms.input),
    weights: weight ? each(weight) : null,
    inside,
    sums,
    cut: sent < count,
    value: output.at(place),
  };
}

function readingOf(question: Question): Reading {
  const { noted, node, inputs, output, place } = question;
  const { primitive } = noted;
  switch (primitive.kind) {
    case "convolution":
      return convolved(question, primitive.x, primitive.parts);
    case "transposed":
      return spreadBack(question, primitive.x, primitive.parts);
    case "linear":
      return multiplied(question, primitive.x, primitive.parts);
    case "pool": {
      const axes = windowAxes(question, primitive.x, primitive.parts.axes);
      const padded = primitive.parts.axes.reduce(
        (count, axis, index) => count * axes[index]!.cells.filter((cell) => cell < axis.input + axis.padAfter).length,
        1,
      );
      return pooled(question, primitive.x, axes, primitive.parts, padded);
    }
    case "adaptive": {
      const { x, parts } = primitive;
      const placements = parts.sizes.map((output, index): Placement => {
        const input = x.dims[x.dims.length - parts.sizes.length + index]!;
        return { input, output, kernel: Math.ceil(input / output), stride: 1, dilation: 1, padBefore: 0, padAfter: 0 };
      });
      const axes = windowAxes(question, x, placements).map((axis, index): WindowAxis => {
        const j = spatialPlace(place, placements.length)[index]!;
        const first = Math.floor((j * axis.input) / axis.output);
        const end = Math.ceil(((j + 1) * axis.input) / axis.output);
        const cells = Array.from({ length: end - first }, (_, cell) => first + cell);
        return { ...axis, kernel: cells.length, cells, taps: cells.map((_, tap) => tap), unread: [] };
      });
      return pooled(question, x, axes, { kind: parts.kind, countPadding: false, divisor: null }, 1);
    }
    default: {
      const value = output.at(place);
      const same = inputs.filter(({ dims }) => sameSizes(dims, output.values.dims));
      if (primitive.kind === "other" || same.length !== inputs.length || inputs.length === 0) {
        const kind = inputs.length === 0 ? "input" : "whole";
        const text = inputs.length === 0 ? `the input: ${num(value)}` : `${node.op.name}: ${num(value)}`;
        return {
          kind,
          source: null,
          axes: [],
          bias: null,
          divisor: null,
          winner: null,
          exact: value,
          text,
          terms: NONE,
        };
      }
      return elementwise(question, primitive);
    }
  }
}

const NONE: Terms = { count: 0, taps: 0, inside: new Uint8Array(0), input: () => 0, weight: null };

function sameSizes(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function spatialPlace({ z, y, x }: Place, axes: number): readonly number[] {
  return [z, y, x].slice(3 - axes);
}

/** The window of a value over an image [batch, channels, …spatial]. */
function windowAxes(
  { noted, node, network, place }: Question,
  x: Values,
  placements: readonly Placement[],
): WindowAxis[] {
  const tensor = network.sized.report.nodes[node.id]!.inputs[0]!;
  const names = Planes.of({ dims: tensor.dims as readonly number[], data: NO_DATA }, tensor.layout).axes.map(
    (axis) => axis.name,
  );
  const at = spatialPlace(place, placements.length);
  return placements.map((axis, index): WindowAxis => {
    const before = noted.border[index] ?? 0;
    const bordered = x.dims[x.dims.length - placements.length + index]!;
    const input = before > 0 || noted.border.length > 0 ? inputSize(tensor, index, placements.length) : bordered;
    const first = at[index]! * axis.stride - axis.padBefore - before;
    const taps = Array.from({ length: axis.kernel }, (_, tap) => tap);
    return {
      name: names[index] ?? `axis ${index}`,
      input,
      output: axis.output,
      kernel: axis.kernel,
      stride: axis.stride,
      dilation: axis.dilation,
      padBefore: axis.padBefore + before,
      padAfter: axis.padAfter + (bordered - before - input),
      cells: taps.map((tap) => first + tap * axis.dilation),
      taps,
      unread: unreadCells(axis, input, before),
    };
  });
}

const NO_DATA = new Float32Array(0);

function inputSize(tensor: Tensor, index: number, count: number): number {
  const spatial = spatialAxes(tensor);
  return tensor.dims[spatial[spatial.length - count + index]!] as number;
}

function unreadCells(
  { output, kernel, stride, dilation, padBefore }: Placement,
  input: number,
  before: number,
): number[] {
  const read = new Uint8Array(input);
  for (let j = 0; j < output; j++) {
    for (let tap = 0; tap < kernel; tap++) {
      const cell = j * stride - padBefore - before + tap * dilation;
      if (cell >= 0 && cell < input) read[cell] = 1;
    }
  }
  return Array.from(read.keys()).filter((cell) => read[cell] === 0);
}

/** All combinations of the axes' cells, last axis fastest; −1 where one lies outside of what is read. */
function combined(axes: readonly { readonly cells: readonly number[]; readonly input: number }[]): readonly number[] {
  let offsets: readonly number[] = [0];
  for (const { cells, input } of axes) {
    offsets = offsets.flatMap((offset) =>
      cells.map((cell) => (offset < 0 || cell < 0 || cell >= input ? -1 : offset * input + cell)),
    );
  }
  return offsets;
}

/** Which of the combinations read the input itself, not a border. */
function insideOf(axes: readonly WindowAxis[]): Uint8Array {
  return Uint8Array.from(combined(axes), (offset) => (offset < 0 ? 0 : 1));
}

/** The same cells in the bordered image, which is what the primitive reads. */
function inImage(x: Values, axes: readonly WindowAxis[], border: readonly number[]): readonly number[] {
  return combined(
    axes.map(({ cells }, index) => {
      const before = border[index] ?? 0;
      return { cells: cells.map((cell) => cell + before), input: x.dims[x.dims.length - axes.length + index]! };
    }),
  );
}

function convolved(question: Question, x: Values, parts: Convolution<Values>): Reading {
  const { noted, node, place } = question;
  const axes = windowAxes(question, x, parts.axes);
  const [out, perGroup, ...kernel] = parts.weight.dims as [number, number, ...number[]];
  const taps = kernel.reduce((count, size) => count * size, 1);
  const from = Math.floor(place.plane / (out / parts.groups)) * perGroup;
  const offsets = inImage(x, axes, noted.border);
  const cells = cellsOf(x, axes.length);
  const terms: Terms = {
    count: perGroup,
    taps,
    inside: insideOf(axes),
    input: (plane, tap) => (offsets[tap]! < 0 ? 0 : x.data[(from + plane) * cells + offsets[tap]!]!),
    weight: (plane, tap) =>
      parts.weight.data[(place.plane * perGroup + plane) * taps + (parts.flipped ? taps - 1 - tap : tap)]!,
  };
  const bias = parts.bias ? parts.bias.data[place.plane]! : null;
  const exact = total(terms, bias);
  const source = { ref: node.inputs[0]!, from, count: perGroup };
  const text = `${products(terms, bias)} = ${num(exact)}`;
  return { kind: "convolution", source, axes, bias, divisor: null, winner: null, exact, text, terms };
}

function cellsOf(x: Values, axes: number): number {
  return x.dims.slice(x.dims.length - axes).reduce((count, size) => count * size, 1);
}

/** The sum as the reference makes it: the bias, then plane by plane what lies inside. */
function total({ count, taps, input, weight }: Terms, bias: number | null): number {
  let sum = bias ?? 0;
  for (let plane = 0; plane < count; plane++) {
    for (let tap = 0; tap < taps; tap++) sum += input(plane, tap) * weight!(plane, tap);
  }
  return sum;
}

/** The contributions to a value of a transposed convolution. */
function spreadBack(question: Question, x: Values, parts: TransposedConvolution<Values>): Reading {
  const { node, place } = question;
  const at = spatialPlace(place, parts.axes.length);
  const axes = windowAxes(question, x, parts.axes).map((axis, index): WindowAxis => {
    const window = parts.axes[index]!;
    const pairs = Array.from({ length: window.kernel }, (_, tap) => ({
      tap,
      cell: (at[index]! + window.padBefore - tap * window.dilation) / window.stride,
    })).filter(({ cell }) => Number.isInteger(cell) && cell >= 0 && cell < window.input);
    return { ...axis, cells: pairs.map(({ cell }) => cell), taps: pairs.map(({ tap }) => tap), unread: [] };
  });
  const [into, perGroup, ...kernel] = parts.weight.dims as [number, number, ...number[]];
  const kernelCells = kernel.reduce((count, size) => count * size, 1);
  const inPerGroup = into / parts.groups;
  const from = Math.floor(place.plane / perGroup) * inPerGroup;
  const offsets = combined(axes);
  const taps = combined(axes.map((axis) => ({ cells: axis.taps, input: axis.kernel })));
  const cells = cellsOf(x, axes.length);
  const terms: Terms = {
    count: inPerGroup,
    taps: offsets.length,
    inside: new Uint8Array(offsets.length).fill(1),
    input: (plane, tap) => x.data[(from + plane) * cells + offsets[tap]!]!,
    weight: (plane, tap) =>
      parts.weight.data[((from + plane) * perGroup + (place.plane % perGroup)) * kernelCells + taps[tap]!]!,
  };
  const bias = parts.bias ? parts.bias.data[place.plane]! : null;
  const exact = total(terms, bias);
  const source = { ref: node.inputs[0]!, from, count: inPerGroup };
  const text = `${products(terms, bias)} = ${num(exact)}`;
  return { kind: "transposed", source, axes, bias, divisor: null, winner: null, exact, text, terms };
}

function multiplied({ node, output, place }: Question, x: Values, parts: Linear<Values>): Reading {
  const [, features] = parts.weight.dims as [number, number];
  const index = output.indexOf(place);
  const unit = index.at(-1)!;
  let row = 0;
  for (const [axis, at] of index.slice(0, -1).entries()) row = row * output.values.dims[axis]! + at;
  const terms: Terms = {
    count: 1,
    taps: features,
    inside: new Uint8Array(features).fill(1),
    input: (_, tap) => x.data[row * features + tap]!,
    weight: (_, tap) => parts.weight.data[unit * features + tap]!,
  };
  const bias = parts.bias ? parts.bias.data[unit]! : null;
  const exact = total(terms, bias);
  const source = { ref: node.inputs[0]!, from: 0, count: 1 };
  const text = `${products(terms, bias)} = ${num(exact)}`;
  return { kind: "linear", source, axes: [], bias, divisor: null, winner: null, exact, text, terms };
}

type PoolingParts =
  | { readonly kind: "max" }
  | { readonly kind: "average"; readonly countPadding: boolean; readonly divisor: number | null };

/** @param padded cells of the window that count where padding counts. */
function pooled(
  { noted, node, place }: Question,
  x: Values,
  axes: readonly WindowAxis[],
  parts: PoolingParts | AdaptivePooling | { kind: "max" | "average"; countPadding: boolean; divisor: number | null },
  padded: number,
): Reading {
  const offsets = inImage(x, axes, noted.border);
  const cells = cellsOf(x, axes.length);
  const inside = insideOf(axes);
  const terms: Terms = {
    count: 1,
    taps: offsets.length,
    inside,
    input: (_, tap) => (offsets[tap]! < 0 ? 0 : x.data[place.plane * cells + offsets[tap]!]!),
    weight: null,
  };
  const read = [...inside.keys()].filter((tap) => inside[tap] === 1);
  const values = read.map((tap) => terms.input(0, tap));
  const source = { ref: node.inputs[0]!, from: place.plane, count: 1 };
  const shared = { source, axes, bias: null, terms };
  const list = abridged(values.map(num), parts.kind === "max" ? ", " : " + ");
  if (parts.kind === "max") {
    let winner = read[0] ?? null;
    for (const tap of read) {
      const value = terms.input(0, tap);
      if (Number.isNaN(value)) {
        winner = tap;
        break;
      }
      if (value > terms.input(0, winner!)) winner = tap;
    }
    const exact = winner === null ? Number.NEGATIVE_INFINITY : terms.input(0, winner);
    return { ...shared, kind: "maximum", divisor: null, winner, exact, text: `max(${list}) = ${num(exact)}` };
  }
  const { countPadding = false, divisor: fixed = null } = parts as { countPadding?: boolean; divisor?: number | null };
  const divisor = fixed ?? (countPadding ? padded : read.length);
  const exact = read.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / divisor;
  return { ...shared, kind: "average", divisor, winner: null, exact, text: `(${list})/${divisor} = ${num(exact)}` };
}

function elementwise({ node, inputs, network, output, place }: Question, primitive: Primitive): Reading {
  const { layout } = network.sized.report.nodes[node.id]!.inputs[0]!;
  const values = inputs.map((input) => Planes.of(input, layout).at(place));
  const value = output.at(place);
  const terms: Terms = {
    count: 1,
    taps: values.length,
    inside: new Uint8Array(values.length).fill(1),
    input: (_, tap) => values[tap]!,
    weight: null,
  };
  const shared = { kind: "elementwise" as const, axes: [], bias: null, divisor: null, winner: null, terms };
  const source = node.inputs.length === 1 ? { ref: node.inputs[0]!, from: place.plane, count: 1 } : null;
  if (primitive.kind === "binary" && values.length === 2) {
    const [a, b] = values as [number, number];
    const exact = BINARY[primitive.f].of(a, b);
    return { ...shared, source, exact, text: `${BINARY[primitive.f].text(num(a), num(b))} = ${num(exact)}` };
  }
  if (primitive.kind === "scaleShift" && values.length === 1) {
    const { along } = primitive;
    const position = output.indexOf(place)[along.axis] ?? 0;
    const [mean, scale, shift] = [along.mean?.data[position], along.scale?.data[position], along.shift?.data[position]];
    const exact = (values[0]! - (mean ?? 0)) * (scale ?? 1) + (shift ?? 0);
    const text = `(${num(values[0]!)} − ${num(mean ?? 0)})·${num(scale ?? 1)} + ${num(shift ?? 0)} = ${num(exact)}`;
    return { ...shared, source, exact, text: text.replaceAll("− −", "+ ").replaceAll("+ −", "− ") };
  }
  return {
    ...shared,
    source,
    exact: value,
    text: `${node.op.name}(${abridged(values.map(num), ", ")}) = ${num(value)}`,
  };
}

const BINARY: Readonly<Record<Binary, { of(a: number, b: number): number; text(a: string, b: string): string }>> = {
  add: { of: (a, b) => a + b, text: (a, b) => `${a} + ${b}` },
  subtract: { of: (a, b) => a - b, text: (a, b) => `${a} − ${b}` },
  multiply: { of: (a, b) => a * b, text: (a, b) => `${a} · ${b}` },
  divide: { of: (a, b) => a / b, text: (a, b) => `${a} / ${b}` },
  maximum: { of: Math.max, text: (a, b) => `max(${a}, ${b})` },
  minimum: { of: Math.min, text: (a, b) => `min(${a}, ${b})` },
};

/** Four significant digits, with a true minus. */
export function num(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const text =
    Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-4)
      ? value.toExponential(3)
      : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}

function products({ count, taps, inside, input, weight }: Terms, bias: number | null): string {
  const texts: string[] = [];
  let hidden = 0;
  for (let plane = 0; plane < count; plane++) {
    for (let tap = 0; tap < taps; tap++) {
      if (inside[tap] === 0 && input(plane, tap) === 0) continue;
      if (texts.length < SHOWN_TERMS) texts.push(`${num(input(plane, tap))}·${num(weight!(plane, tap))}`);
      else hidden++;
    }
  }
  const more = hidden > 0 ? [`… (${hidden} more)`] : [];
  return [...(texts.length > 0 ? texts : ["0"]), ...more, ...(bias === null ? [] : [num(bias)])]
    .join(" + ")
    .replaceAll("+ −", "− ");
}

function abridged(texts: readonly string[], between: string): string {
  if (texts.length <= SHOWN_TERMS) return texts.join(between);
  return [...texts.slice(0, SHOWN_TERMS), `… (${texts.length - SHOWN_TERMS} more)`].join(between);
}

// ---- what one input value of a transposed convolution becomes ----

/** In the graph's terms. */
export type Spreading = Omit<Spread, "node" | "source">;

/** @param place in the layer's input. @throws EngineError `cannot-run` where the layer is no transposed convolution. */
export function spreadOf(question: Question, input: Planes, place: Place, plane: number): Spreading {
  const { noted, node } = question;
  if (noted.primitive.kind !== "transposed") {
    throw new EngineError("cannot-run", `${node.op.name} does not spread its input`, undefined, node.id);
  }
  const { x, parts } = noted.primitive;
  const at = spatialPlace(place, parts.axes.length);
  const axes = windowAxes(question, x, parts.axes).map((axis, index): WindowAxis => {
    const { stride, dilation, padBefore } = parts.axes[index]!;
    const cells = axis.taps.map((tap) => at[index]! * stride - padBefore + tap * dilation);
    return { ...axis, cells, unread: [] };
  });
  const [into, perGroup, ...kernel] = parts.weight.dims as [number, number, ...number[]];
  const kernelCells = kernel.reduce((count, size) => count * size, 1);
  const group = Math.floor(place.plane / (into / parts.groups));
  const out = group * perGroup + ((((plane - group * perGroup) % perGroup) + perGroup) % perGroup);
  const value = input.at(place);
  const start = (place.plane * perGroup + (out % perGroup)) * kernelCells;
  const products = Float32Array.from({ length: kernelCells }, (_, tap) => value * parts.weight.data[start + tap]!);
  return { place, value, axes, plane: out, products };
}
