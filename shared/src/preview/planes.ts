/** A tensor as planes: where the value that a picture shows lies in the file's own axis order, and what the values are like. */
import { stridesOf, type Values } from "../kernels/values.ts";
import { axisName, channelAxis, type Layout, spatialAxes, type Tensor } from "../shape/tensor.ts";
import type { Place, PlaneLayout, Statistics } from "./protocol.ts";

/** A picture shows three axes at most; further ones make more planes. */
const DRAWN_AXES = 3;

const KINDS = ["vector", "lines", "images", "volumes"] as const;

/** The first sample of a tensor, as planes. */
export class Planes {
  readonly layout: PlaneLayout;
  /** Names of the tensor's axes, as messages call them. */
  readonly axisNames: readonly string[];
  private readonly strides: readonly number[];

  /**
   * @param over axes whose product are the planes, outermost first.
   * @param drawn at most three axes: depth, height and width, or the last of them.
   */
  private constructor(
    readonly values: Values,
    private readonly over: readonly number[],
    private readonly drawn: readonly number[],
    names: readonly string[],
    group: number,
  ) {
    const { dims } = values;
    this.strides = stridesOf(dims);
    this.axisNames = names;
    const size = (axis: number | undefined) => (axis === undefined ? 1 : dims[axis]!);
    this.layout = {
      kind: KINDS[over.length === 0 && drawn.length === 1 ? 0 : drawn.length]!,
      planes: over.reduce((count, axis) => count * dims[axis]!, 1),
      depth: size(drawn.at(-3)),
      height: size(drawn.at(-2)),
      width: size(drawn.at(-1)),
      group,
    };
  }

  /** An activation: planes are channels. A tensor without space is one plane of one row. */
  static of(values: Values, layout: Layout): Planes {
    const tensor: Tensor = { dims: values.dims, layout };
    const names = values.dims.map((_, axis) => axisName(tensor, axis));
    const channel = channelAxis(tensor);
    const spatial = spatialAxes(tensor);
    if (spatial.length === 0) return new Planes(values, [], channel < 0 ? [] : [channel], names, 1);
    const drawn = spatial.slice(-DRAWN_AXES);
    const more = spatial.slice(0, spatial.length - drawn.length);
    return new Planes(values, [channel, ...more], drawn, names, 1);
  }

  /** A weight: [out, in, …kernel] has a plane for every pair; a matrix is one plane. */
  static ofWeight(values: Values): Planes {
    const axes = values.dims.map((_, axis) => axis);
    const names = weightAxes(values.dims.length);
    if (axes.length <= 2) return new Planes(values, [], axes, names, 1);
    const drawn = axes.slice(Math.max(2, axes.length - DRAWN_AXES));
    return new Planes(values, axes.slice(0, axes.length - drawn.length), drawn, names, values.dims[1]!);
  }

  /** Values of the sample that is shown. */
  get count(): number {
    const { planes, depth, height, width } = this.layout;
    return planes * depth * height * width;
  }

  /** The place in the data of a plane's first value. */
  offsetOf(plane: number): number {
    let offset = 0;
    for (const axis of this.over.toReversed()) {
      const size = this.values.dims[axis]!;
      offset += (plane % size) * this.strides[axis]!;
      plane = Math.floor(plane / size);
    }
    return offset;
  }

  /** Steps in the data from slice to slice, row to row and cell to cell. */
  get steps(): readonly [number, number, number] {
    const step = (axis: number | undefined) => (axis === undefined ? 0 : this.strides[axis]!);
    return [step(this.drawn.at(-3)), step(this.drawn.at(-2)), step(this.drawn.at(-1))];
  }

  has({ plane, z, y, x }: Place): boolean {
    const { planes, depth, height, width } = this.layout;
    const within = (at: number, size: number) => Number.isInteger(at) && at >= 0 && at < size;
    return within(plane, planes) && within(z, depth) && within(y, height) && within(x, width);
  }

  at({ plane, z, y, x }: Place): number {
    const [slice, row, cell] = this.steps;
    return this.values.data[this.offsetOf(plane) + z * slice + y * row + x * cell]!;
  }

  /** In the file's own axis order. */
  indexOf({ plane, z, y, x }: Place): readonly number[] {
    const index = new Array<number>(this.values.dims.length).fill(0);
    for (const axis of this.over.toReversed()) {
      index[axis] = plane % this.values.dims[axis]!;
      plane = Math.floor(plane / this.values.dims[axis]!);
    }
    for (const [from, at] of [z, y, x].toReversed().entries()) {
      const axis = this.drawn.at(-1 - from);
      if (axis !== undefined) index[axis] = at;
    }
    return index;
  }

  /** The drawn axes, outermost first: their index in the tensor, and how long they are. */
  get axes(): readonly { readonly axis: number; readonly size: number; readonly name: string }[] {
    return this.drawn.map((axis) => ({ axis, size: this.values.dims[axis]!, name: this.axisNames[axis]! }));
  }

  /** The least and greatest finite value of one plane, or of all; null where there is none. */
  bounds(plane: number | null): readonly [number, number] | null {
    let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    this.each(plane, (value) => {
      if (!Number.isFinite(value)) return;
      if (value < min) min = value;
      if (value > max) max = value;
    });
    return min <= max ? [min, max] : null;
  }

  private each(only: number | null, see: (value: number) => void): void {
    const { planes, depth, height, width } = this.layout;
    const [slice, row, cell] = this.steps;
    const { data } = this.values;
    for (let plane = only ?? 0; plane < (only === null ? planes : only + 1); plane++) {
      const start = this.offsetOf(plane);
      for (let z = 0; z < depth; z++) {
        for (let y = 0; y < height; y++) {
          const first = start + z * slice + y * row;
          for (let x = 0; x < width; x++) see(data[first + x * cell]!);
        }
      }
    }
  }

  statistics(bins = 64): Statistics {
    const found = { zeros: 0, nans: 0, infinities: 0, finite: 0, sum: 0, squares: 0 };
    const bounds = this.bounds(null);
    const [min, max] = bounds ?? [0, 0];
    const histogram = new Array<number>(bins).fill(0);
    const scale = max > min ? bins / (max - min) : 0;
    this.each(null, (value) => {
      if (Number.isNaN(value)) found.nans++;
      else if (!Number.isFinite(value)) found.infinities++;
      else {
        found.finite++;
        if (value === 0) found.zeros++;
        found.sum += value;
        found.squares += value * value;
        histogram[Math.min(Math.floor((value - min) * scale), bins - 1)]!++;
      }
    });
    const mean = found.sum / found.finite;
    return {
      count: this.count,
      min: bounds ? min : null,
      max: bounds ? max : null,
      mean: bounds ? mean : null,
      deviation: bounds ? Math.sqrt(Math.max(found.squares / found.finite - mean * mean, 0)) : null,
      zeros: found.zeros,
      nans: found.nans,
      infinities: found.infinities,
      constantPlanes: this.constantPlanes(),
      histogram: bounds ? histogram : [],
    };
  }

  /** Planes of several cells that all hold one value. */
  private constantPlanes(): number {
    const { planes, depth, height, width } = this.layout;
    if (depth * height * width < 2) return 0;
    let count = 0;
    for (let plane = 0; plane < planes; plane++) {
      const first = this.values.data[this.offsetOf(plane)]!;
      let same = true;
      this.each(plane, (value) => {
        same &&= value === first;
      });
      if (same) count++;
    }
    return count;
  }
}

function weightAxes(rank: number): readonly string[] {
  const kernel = ["depth", "height", "width"].slice(-Math.max(rank - 2, 0));
  return rank === 1 ? ["channel"] : ["output channel", "input channel", ...(rank > 2 ? kernel : [])];
}
