/**
 * How tensors lie in the engine's memory.
 *
 * `rows`: row-major by the dims, as at the border. `pixels`: an image [batch, channels, …spatial] with the channels of a
 * pixel next to each other (NHWC) and zeros around it, the margin, so that windows that reach over its edge read zeros
 * without asking. Kernels write pixels `stride` floats apart, a multiple of 4; what lies behind the last channel of a
 * pixel is no number that anybody may use.
 */
import type { Resident } from "../backend.ts";
import type { Block } from "./memory.ts";

/** Cells before and behind, for depth, height and width. */
export interface Margin {
  readonly before: readonly [number, number, number];
  readonly after: readonly [number, number, number];
}

export const NO_MARGIN: Margin = { before: [0, 0, 0], after: [0, 0, 0] };

export type Size3 = readonly [number, number, number];

/** Distances in floats between neighbours. */
export interface Strides {
  readonly pixel: number;
  readonly row: number;
  readonly plane: number;
  readonly image: number;
  /** Between groups, where they are not next to each other in a pixel. */
  readonly group?: number;
}

/** An image as pixels. Fewer spatial axes than three: the first ones have one cell. */
export interface Pixels extends Strides {
  readonly kind: "pixels";
  readonly batch: number;
  readonly channels: number;
  readonly size: Size3;
  readonly margin: Margin;
  /** Floats from the start of the block to the first pixel that is not margin. */
  readonly origin: number;
  /** Floats of the whole block. */
  readonly count: number;
}

export type Form = { readonly kind: "rows" } | Pixels;

/** Numbers in a part of memory, in a form. */
export interface Storage {
  readonly block: Block;
  readonly form: Form;
}

/** A tensor of the fast backend. Its storage may be exchanged for one in another form; its numbers never change. */
export class WasmTensor implements Resident {
  /** The storage is given back. */
  released = false;
  constructor(
    readonly dims: readonly number[],
    public storage: Storage,
  ) {}
}

/** Depth, height and width of the spatial dims, whatever of them there is. */
export function size3(spatial: readonly number[]): Size3 {
  return [...new Array<number>(3 - spatial.length).fill(1), ...spatial] as unknown as Size3;
}

/** Rounded up to whole vectors. */
export function padded(channels: number): number {
  return 4 * Math.ceil(channels / 4);
}

/** The layout of an image as pixels. */
export function pixelsOf(dims: readonly number[], margin: Margin = NO_MARGIN, stride = padded(dims[1]!)): Pixels {
  const size = size3(dims.slice(2));
  const [planes, rows, columns] = size.map((cells, axis) => margin.before[axis]! + cells + margin.after[axis]!) as [
    number,
    number,
    number,
  ];
  const [row, plane] = [columns * stride, rows * columns * stride];
  const image = planes * plane;
  const [front, top, left] = margin.before;
  return {
    kind: "pixels",
    batch: dims[0]!,
    channels: dims[1]!,
    size,
    margin,
    pixel: stride,
    row,
    plane,
    image,
    origin: front * plane + top * row + left * stride,
    count: dims[0]! * image,
  };
}

/** Whether an image has at least as many zeros around it as `needed`. */
export function covers({ before, after }: Margin, needed: Margin): boolean {
  return [0, 1, 2].every((axis) => before[axis]! >= needed.before[axis]! && after[axis]! >= needed.after[axis]!);
}

export function hasMargin({ margin: { before, after } }: Pixels): boolean {
  return [...before, ...after].some((cells) => cells > 0);
}

/** Writes the zeros of the margin; the pixels stay. */
export function clearMargin(floats: Float32Array, start: number, form: Pixels): void {
  const { batch, size, pixel, row, plane, image, origin } = form;
  const [planes, rows, columns] = size;
  // Everything between the end of one row of pixels and the start of the next one is margin.
  let end = start;
  for (let n = 0; n < batch; n++) {
    for (let z = 0; z < planes; z++) {
      for (let y = 0; y < rows; y++) {
        const first = start + n * image + origin + z * plane + y * row;
        floats.fill(0, end, first);
        end = first + columns * pixel;
      }
    }
  }
  floats.fill(0, end, start + form.count);
}
