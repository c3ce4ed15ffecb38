/** A model's weights: named kernels, files, seeded values. They stay the same objects while the text is edited. */
import type { Network, Weights } from "#shared/graph/run.ts";
import type { Sized } from "#shared/graph/sizes.ts";
import { EngineError, type Values } from "#shared/kernels/values.ts";
import type { WeightSpec } from "#shared/ops/op.ts";
import type { KernelName, NamedBytes, WeightsReport } from "#shared/preview/protocol.ts";
import { bindWeights, describeBinding } from "#shared/weights/bind.ts";
import { readWeights } from "#shared/weights/read.ts";
import { filled } from "#shared/weights/seeded.ts";
import type { StoredTensor } from "#shared/weights/stored.ts";

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

interface Bound {
  readonly weights: Weights;
  /** By weight: which tensor of the files it is. */
  readonly tensors: ReadonlyMap<string, string>;
}

/** A model's weights from several sources: named kernels, then files, then seeded values. */
export class WeightSource {
  private readonly made = new Map<string, { readonly key: string; readonly values: Values }>();
  private readonly kernels = new Map<string, KernelName>();
  private stored: { readonly name: string; readonly tensors: readonly StoredTensor[] } | null = null;
  private bound: Bound | null = null;
  private seed = 0;

  /** Chooses other seeded values; they take the place of what files gave. */
  useSeed(seed: number): void {
    this.seed = seed;
    this.stored = null;
    this.bound = null;
    this.made.clear();
  }

  /**
   * Takes the weights of files, as far as they fit the model; `bind` says how far.
   * @throws WeightFileError where they cannot be read: then everything stays as it was.
   */
  useFiles(files: readonly NamedBytes[]): void {
    const tensors = readWeights(files.map(({ name, bytes }) => ({ name, bytes: new Uint8Array(bytes) })));
    const name = files.length === 1 ? files[0]!.name : `${files.length} files`;
    this.stored = { name, tensors };
    this.made.clear();
  }

  /** @param weight its full name. @param name null takes the kernel out again. */
  useKernel(weight: string, name: KernelName | null): void {
    if (name) this.kernels.set(weight, name);
    else this.kernels.delete(weight);
  }

  /** Finds the files' tensors for a model. */
  bind(sized: Sized): WeightsReport {
    if (!this.stored) {
      this.bound = null;
      const text = [`Untrained: drawn as PyTorch and Keras would, with seed ${this.seed}.`];
      return { source: `seed ${this.seed}`, matched: 0, missing: [], unused: [], mismatched: [], text };
    }
    const { weights, report } = bindWeights(sized, this.stored.tensors);
    const tensors = new Map(report.matched.map(({ weight, tensor, order }) => [weight, `${tensor} ${order}`]));
    this.bound = { weights, tensors };
    const shown = (dims: readonly number[]) => `[${dims.join(", ")}]`;
    return {
      source: this.stored.name,
      matched: report.matched.length,
      missing: report.missing.map(({ weight }) => weight),
      unused: report.unused,
      mismatched: report.mismatched.map(({ weight, dims, found }) => ({
        name: weight,
        expected: shown(dims),
        found: shown(found),
      })),
      text: describeBinding(report),
    };
  }

  /**
   * The weights as they are now, for one network: what it was given once stays, whatever is chosen later.
   * @param without names of weights that cannot be made, and are not needed.
   */
  current(without: ReadonlySet<string>): Weights {
    const given = new Map<string, Values>();
    return {
      get: (name, spec) => {
        if (without.has(name)) return null;
        const values = given.get(name) ?? this.get(name, spec);
        given.set(name, values);
        return values;
      },
    };
  }

  private get(name: string, spec: WeightSpec): Values {
    const dims = spec.dims.map((size) => {
      if (typeof size === "number") return size;
      throw new EngineError("bad-size", `${name} cannot be made: ${size} is not a number`);
    });
    const kernel = dims.length > 2 ? this.kernels.get(name) : undefined;
    const tensor = kernel ? undefined : this.bound?.tensors.get(name);
    const key = `${kernel ?? tensor ?? JSON.stringify(spec.initial)} ${dims.join("×")}`;
    const known = this.made.get(name);
    if (known?.key === key) return known.values;
    const values = kernel ? namedKernel(kernel, dims) : this.storedOrSeeded(name, spec, dims);
    this.made.set(name, { key, values });
    return values;
  }

  private storedOrSeeded(name: string, spec: WeightSpec, dims: readonly number[]): Values {
    return this.bound?.weights.get(name, spec) ?? filled(spec.initial, dims, this.seed, name);
  }

  /** Forgets the weights of layers that are no longer there. */
  keepOnly(network: Network): void {
    const { nodes } = network.sized.graph;
    const names = new Set(nodes.flatMap((node) => network.specsOf(node).map(({ name }) => `${node.scope}.${name}`)));
    for (const name of this.made.keys()) if (!names.has(name)) this.made.delete(name);
  }
}
