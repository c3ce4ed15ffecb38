/** Poolings by their definition. Sources: torch.nn.MaxPool1d–3d, AvgPool1d–3d and their adaptive kin. */
import type { Placement } from "../../shape/window.ts";
import { type AdaptivePooling, checkpoint, type Pooled, type Pooling, type Signal } from "../backend.ts";
import { adaptiveDims, windowedDims } from "../check.ts";
import { type Values, zeros } from "../values.ts";

/** What one output position reads along one axis. */
interface Span {
  /** Input cells, in order. */
  readonly cells: readonly number[];
  /** Cells that count where padding counts: those before the end of the padding. */
  readonly padded: number;
}

function windowSpans(axis: Placement): Span[] {
  return Array.from({ length: axis.output }, (_, j) => {
    const taps = Array.from({ length: axis.kernel }, (_, k) => j * axis.stride - axis.padBefore + k * axis.dilation);
    return {
      cells: taps.filter((cell) => cell >= 0 && cell < axis.input),
      padded: taps.filter((cell) => cell < axis.input + axis.padAfter).length,
    };
  });
}

function adaptiveSpans(n: number, o: number): Span[] {
  return Array.from({ length: o }, (_, j) => {
    const start = Math.floor((j * n) / o);
    const cells = Array.from({ length: Math.ceil(((j + 1) * n) / o) - start }, (_, k) => start + k);
    return { cells, padded: cells.length };
  });
}

/** What is done with the cells of one window: `offsets` are places in the flattened channel that starts at `base`. */
type Combine = (data: Float32Array, base: number, offsets: readonly number[], padded: number) => number;

/**
 * One value for every combination of spans. Max also gives where it was.
 * @param spans one list for each of the last axes of x.
 */
function overSpans(
  x: Values,
  spans: readonly (readonly Span[])[],
  combine: Combine,
  limit: number,
  signal: Signal | null,
): Values {
  const lead = x.dims.slice(0, x.dims.length - spans.length);
  const sizes = x.dims.slice(lead.length);
  const result = zeros([...lead, ...spans.map((each) => each.length)], limit);
  let windows: { offsets: readonly number[]; padded: number }[] = [{ offsets: [0], padded: 1 }];
  for (const [axis, each] of spans.entries()) {
    windows = windows.flatMap(({ offsets, padded }) =>
      each.map((span) => ({
        offsets: offsets.flatMap((offset) => span.cells.map((cell) => offset * sizes[axis]! + cell)),
        padded: padded * span.padded,
      })),
    );
  }
  const channels = lead.reduce((count, size) => count * size, 1);
  const cells = sizes.reduce((count, size) => count * size, 1);
  for (let channel = 0; channel < channels; channel++) {
    checkpoint(signal);
    for (const [index, { offsets, padded }] of windows.entries()) {
      result.data[channel * windows.length + index] = combine(x.data, channel * cells, offsets, padded);
    }
  }
  return result;
}

/** The place of the first greatest cell; a NaN is greater than all. */
const greatestAt: Combine = (data, base, offsets) => {
  let best = offsets[0] ?? 0;
  for (const offset of offsets) {
    const value = data[base + offset]!;
    if (Number.isNaN(value)) return offset;
    if (value > data[base + best]!) best = offset;
  }
  return best;
};

/** −∞ where a window reads padding only. */
const greatest: Combine = (data, base, offsets, padded) =>
  offsets.length === 0 ? Number.NEGATIVE_INFINITY : data[base + greatestAt(data, base, offsets, padded)]!;

function total(data: Float32Array, base: number, offsets: readonly number[]): number {
  let sum = 0;
  for (const offset of offsets) sum += data[base + offset]!;
  return sum;
}

function pooled(
  x: Values,
  spans: readonly (readonly Span[])[],
  combine: Combine,
  indices: boolean,
  limit: number,
  signal: Signal | null,
): Pooled<Values> {
  return {
    values: overSpans(x, spans, combine, limit, signal),
    indices: indices ? overSpans(x, spans, greatestAt, limit, signal) : null,
  };
}

/** See `Backend.pool`. */
export function pool(x: Values, pooling: Pooling, limit: number, signal: Signal | null): Pooled<Values> {
  windowedDims(x.dims, pooling.axes);
  const spans = pooling.axes.map(windowSpans);
  if (pooling.kind === "max") return pooled(x, spans, greatest, pooling.indices, limit, signal);
  const { divisor, countPadding } = pooling;
  // A window that reads padding only has the mean 0, as in PyTorch.
  const mean: Combine = (data, base, offsets, padded) =>
    offsets.length === 0 ? 0 : total(data, base, offsets) / (divisor ?? (countPadding ? padded : offsets.length));
  return pooled(x, spans, mean, false, limit, signal);
}

/** See `Backend.adaptivePool`. */
export function adaptivePool(
  x: Values,
  { kind, sizes, indices }: AdaptivePooling,
  limit: number,
  signal: Signal | null,
): Pooled<Values> {
  adaptiveDims(x.dims, sizes);
  const spatial = x.dims.slice(x.dims.length - sizes.length);
  const spans = sizes.map((o, index) => adaptiveSpans(spatial[index]!, o));
  const mean: Combine = (data, base, offsets) => total(data, base, offsets) / offsets.length;
  return pooled(x, spans, kind === "max" ? greatest : mean, indices && kind === "max", limit, signal);
}
