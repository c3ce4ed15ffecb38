/** Whole networks, their normalisations folded into the convolutions, with random weights of the published shapes. */
import { countOf, type Layer, layerOf, numbers } from "./layers.ts";

export type Activation = "relu" | "relu6" | null;

/** One step; `in` and `out` name tensors. Weights are indices into `Network.weights`. */
export type Step = { readonly in: readonly string[]; readonly out: string; readonly act: Activation } & (
  | { readonly op: "conv"; readonly layer: Layer; readonly w: number; readonly b: number }
  | {
      readonly op: "linear";
      readonly features: number;
      readonly outputs: number;
      readonly w: number;
      readonly b: number;
    }
  | { readonly op: "max" | "average"; readonly kernel: number; readonly stride: number; readonly padding: number }
  | { readonly op: "add" | "global" }
);

export interface Network {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly steps: readonly Step[];
  readonly weights: readonly { readonly dims: readonly number[]; readonly scale: number }[];
  readonly gflop: number;
}

interface ConvOptions {
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  readonly act?: Activation;
  readonly from?: string;
}

class Builder {
  private readonly steps: Step[] = [];
  private readonly weights: { dims: readonly number[]; scale: number }[] = [];
  private readonly dims = new Map<string, readonly number[]>();
  /** What the next step reads. */
  last = "x";

  constructor(
    private readonly name: string,
    private readonly x: readonly number[],
  ) {
    this.dims.set("x", x);
  }

  private weight(dims: readonly number[], scale: number): number {
    return this.weights.push({ dims, scale }) - 1;
  }

  private step(step: Step, dims: readonly number[]): string {
    this.steps.push(step);
    this.dims.set(step.out, dims);
    this.last = step.out;
    return step.out;
  }

  private next(): string {
    return `t${this.steps.length}`;
  }

  conv(K: number, kernel: number, options: ConvOptions = {}): string {
    const { stride = 1, padding = kernel >> 1, groups = 1, act = "relu", from = this.last } = options;
    const out = this.next();
    const layer = layerOf({
      name: `${this.name} ${out}`,
      x: this.dims.get(from)!,
      K,
      k: [kernel, kernel],
      s: [stride, stride],
      p: [padding, padding, padding, padding],
      g: groups,
    });
    const scale = Math.sqrt(6 / countOf(layer.w.slice(1))) * (act ? 1 : 0.5);
    const [w, b] = [this.weight(layer.w, scale), this.weight([K], 0.05)];
    return this.step({ op: "conv", in: [from], out, layer, w, b, act }, layer.y);
  }

  pool(op: "max" | "average", kernel: number, stride: number, padding = 0): string {
    const [batch, channels, ...cells] = this.dims.get(this.last)! as [number, number, number, number];
    const size = cells.map((n) => Math.floor((n + 2 * padding - kernel) / stride) + 1);
    const step = { op, in: [this.last], out: this.next(), kernel, stride, padding, act: null };
    return this.step(step, [batch, channels, ...size]);
  }

  add(a: string, b: string, act: Activation = null): string {
    return this.step({ op: "add", in: [a, b], out: this.next(), act }, this.dims.get(a)!);
  }

  global(): string {
    const [batch, channels] = this.dims.get(this.last)! as [number, number];
    return this.step({ op: "global", in: [this.last], out: this.next(), act: null }, [batch, channels, 1, 1]);
  }

  linear(outputs: number, act: Activation = null): string {
    const features = countOf(this.dims.get(this.last)!.slice(1));
    const [w, b] = [this.weight([outputs, features], Math.sqrt(6 / features)), this.weight([outputs], 0.05)];
    const step = { op: "linear" as const, in: [this.last], out: this.next(), features, outputs, w, b, act };
    return this.step(step, [1, outputs]);
  }

  done(): Network {
    const work = (step: Step) =>
      step.op === "conv" ? step.layer.gflop : step.op === "linear" ? (2 * step.features * step.outputs) / 1e9 : 0;
    const gflop = this.steps.reduce((sum, step) => sum + work(step), 0);
    const y = this.dims.get(this.last)!;
    return { name: this.name, x: this.x, y, steps: this.steps, weights: this.weights, gflop };
  }
}

function resnet50(): Network {
  const b = new Builder("resnet50", [1, 3, 224, 224]);
  b.conv(64, 7, { stride: 2 });
  b.pool("max", 3, 2, 1);
  for (const [width, count, first] of [
    [64, 3, 1],
    [128, 4, 2],
    [256, 6, 2],
    [512, 3, 2],
  ] as const) {
    for (let index = 0; index < count; index++) {
      const x = b.last;
      const stride = index > 0 ? 1 : first;
      b.conv(width, 1);
      b.conv(width, 3, { stride });
      const y = b.conv(4 * width, 1, { act: null });
      const shortcut = index > 0 ? x : b.conv(4 * width, 1, { stride, act: null, from: x });
      b.add(y, shortcut, "relu");
    }
  }
  b.global();
  b.linear(1000);
  return b.done();
}

function mobilenetv2(): Network {
  const b = new Builder("mobilenetv2", [1, 3, 224, 224]);
  const act = "relu6";
  b.conv(32, 3, { stride: 2, act });
  let channels = 32;
  for (const [expansion, out, count, first] of [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ] as const) {
    for (let index = 0; index < count; index++) {
      const x = b.last;
      const stride = index > 0 ? 1 : first;
      const hidden = channels * expansion;
      if (expansion > 1) b.conv(hidden, 1, { act });
      b.conv(hidden, 3, { stride, groups: hidden, act });
      const y = b.conv(out, 1, { act: null });
      if (stride === 1 && channels === out) b.add(x, y);
      channels = out;
    }
  }
  b.conv(1280, 1, { act });
  b.global();
  b.linear(1000);
  return b.done();
}

function vgg16(): Network {
  const b = new Builder("vgg16", [1, 3, 224, 224]);
  for (const [channels, count] of [
    [64, 2],
    [128, 2],
    [256, 3],
    [512, 3],
    [512, 3],
  ] as const) {
    for (let index = 0; index < count; index++) b.conv(channels, 3);
    b.pool("max", 2, 2);
  }
  b.linear(4096, "relu");
  b.linear(4096, "relu");
  b.linear(1000);
  return b.done();
}

function lenet(): Network {
  const b = new Builder("lenet", [1, 1, 28, 28]);
  b.conv(6, 5);
  b.pool("average", 2, 2);
  b.conv(16, 5, { padding: 0 });
  b.pool("average", 2, 2);
  b.linear(120, "relu");
  b.linear(84, "relu");
  b.linear(10);
  return b.done();
}

export const NETWORKS: Readonly<Record<string, () => Network>> = { resnet50, mobilenetv2, vgg16, lenet };

/** The numbers of every weight. */
export function weightsOf({ weights }: Network): Float32Array[] {
  return weights.map(({ dims, scale }, index) => numbers(countOf(dims), 1000 + index * 7919, scale));
}
