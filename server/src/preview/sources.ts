/** Where a model's numbers come from: samples for its inputs, and weights. Both stay the same objects while the text is edited. */
import type { Network, Weights } from "#shared/graph/run.ts";
import { EngineError, type Values } from "#shared/kernels/values.ts";
import type { WeightSpec } from "#shared/ops/op.ts";
import { Planes } from "#shared/preview/planes.ts";
import type { GeneratedSample, KernelName } from "#shared/preview/protocol.ts";
import {
  arraySample,
  type Fitted,
  generatedSample,
  type Picture,
  pictureSample,
  type Shape,
} from "#shared/preview/samples.ts";
import { filled } from "#shared/weights/seeded.ts";

export type SampleSource =
  | { readonly kind: "generated"; readonly name: GeneratedSample; readonly seed: number }
  | { readonly kind: "picture"; readonly picture: Picture }
  | { readonly kind: "array"; readonly name: string; readonly values: Values };

/** A sample fitted to one input; where it does not fit, the usual one stands in and `problem` says why. */
export interface FittedSample extends Fitted {
  readonly source: SampleSource;
  readonly problem: string | null;
}

/** What is shown where nobody chose anything. */
function usual(shape: Shape): SampleSource {
  const { kind } = Planes.of({ dims: shape.dims.map(() => 1), data: new Float32Array(1) }, shape.layout).layout;
  const name = ({ vector: "noise", lines: "tone", images: "digit", volumes: "ball" } as const)[kind];
  return { kind: "generated", name, seed: 1 };
}

function fitted(source: SampleSource, shape: Shape): Fitted {
  if (source.kind === "picture") return pictureSample(source.picture, shape);
  if (source.kind === "array") return arraySample(source.name, source.values, shape);
  return generatedSample(source.name, source.seed, shape);
}

/** The samples of all inputs, by the inputs' names. */
export class Samples {
  private readonly chosen = new Map<string, SampleSource>();
  private readonly made = new Map<string, { readonly key: string; readonly sample: FittedSample }>();

  choose(input: string, source: SampleSource): void {
    this.chosen.set(input, source);
    this.made.delete(input);
  }

  /** @throws EngineError where the input itself is too large. */
  of(input: string, shape: Shape): FittedSample {
    const key = JSON.stringify(shape);
    const known = this.made.get(input);
    if (known?.key === key) return known.sample;
    const sample = this.make(this.chosen.get(input) ?? usual(shape), shape);
    this.made.set(input, { key, sample });
    return sample;
  }

  private make(source: SampleSource, shape: Shape): FittedSample {
    try {
      return { ...fitted(source, shape), source, problem: null };
    } catch (error) {
      if (!(error instanceof EngineError) || source.kind === "generated") throw error;
      const instead = usual(shape);
      return { ...fitted(instead, shape), source: instead, problem: error.message };
    }
  }
}

/** Kernels by name for a window of any size: one plane of height × width. */
const KERNELS: Readonly<Record<KernelName, (y: number, x: number) => number>> = {
  // Cells from the middle, outermost axis first.
  identity: (y, x) => (y === 0 && x === 0 ? 1 : 0),
  blur: () => 1,
  edge: (y, x) => (y === 0 && x === 0 ? 0 : -1),
  sharpen: (y, x) => (y === 0 && x === 0 ? 0 : Math.abs(y) + Math.abs(x) === 1 ? -1 : 0),
};

/**
 * A named kernel as the weight [out, in, …kernel] of a convolution: every output channel reads the mean of its inputs. What
 * must sum to a number (blur and sharpen to 1, edge to 0) does so by its middle.
 */
export function namedKernel(name: KernelName, dims: readonly number[]): Values {
  const [out, into, ...kernel] = dims as [number, number, ...number[]];
  const cells = kernel.reduce((count, size) => count * size, 1);
  const [height = 1, width = 1] = kernel.slice(-2).length === 1 ? [1, kernel[0]!] : kernel.slice(-2);
  const plane = new Float64Array(cells);
  const depth = cells / (height * width);
  const middle = (size: number) => Math.floor(size / 2);
  const flatAt = middle(depth) * height * width;
  let sum = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = KERNELS[name](y - middle(height), x - middle(width));
      plane[flatAt + y * width + x] = value;
      sum += value;
    }
  }
  const centre = flatAt + middle(height) * width + middle(width);
  if (name === "blur") for (let cell = 0; cell < cells; cell++) plane[cell]! /= sum;
  if (name === "edge") plane[centre] = -sum;
  if (name === "sharpen") plane[centre] = 1 - sum;
  const data = new Float32Array(out * into * cells);
  for (let at = 0; at < data.length; at++) data[at] = plane[at % cells]! / into;
  return { dims, data };
}

/** A model's weights from several sources: named kernels, then files, then seeded values. */
export class WeightSource implements Weights {
  private readonly made = new Map<string, { readonly key: string; readonly values: Values }>();
  private readonly kernels = new Map<string, KernelName>();
  private files: Weights | null = null;
  private seedNumber = 1;

  get seed(): number {
    return this.seedNumber;
  }

  set seed(seed: number) {
    this.seedNumber = seed;
    this.made.clear();
  }

  /** What comes from files, null for none; asked before the seeded values. */
  useFiles(files: Weights | null): void {
    this.files = files;
  }

  /** @param weight its full name. */
  useKernel(weight: string, name: KernelName | null): void {
    if (name) this.kernels.set(weight, name);
    else this.kernels.delete(weight);
  }

  get(name: string, spec: WeightSpec): Values {
    const kernel = this.kernels.get(name);
    const convolves = spec.dims.length > 2;
    if (!(kernel && convolves)) {
      const stored = this.files?.get(name, spec);
      if (stored) return stored;
    }
    const dims = spec.dims.map((size) => {
      if (typeof size === "number") return size;
      throw new EngineError("bad-size", `${name} cannot be made: ${size} is not a number`);
    });
    const key = `${kernel && convolves ? kernel : JSON.stringify(spec.initial)} ${dims.join("×")}`;
    const known = this.made.get(name);
    if (known?.key === key) return known.values;
    const values = kernel && convolves ? namedKernel(kernel, dims) : filled(spec.initial, dims, this.seedNumber, name);
    this.made.set(name, { key, values });
    return values;
  }

  /** Forgets the weights of layers that are no longer there. */
  keepOnly(network: Network): void {
    const { nodes } = network.sized.graph;
    const names = new Set(nodes.flatMap((node) => network.specsOf(node).map(({ name }) => `${node.scope}.${name}`)));
    for (const name of this.made.keys()) if (!names.has(name)) this.made.delete(name);
  }
}
