/** Weights before training: every layer's own initialisation by PyTorch's formulas, or one that the caller chooses. */
import type { Weights } from "../graph/run.ts";
import { EngineError, type Values, zeros } from "../kernels/values.ts";
import type { Initial } from "../ops/initial.ts";
import type { WeightSpec } from "../ops/op.ts";
import { normalFrom, uniformFrom } from "./random.ts";

/**
 * The fans of a weight [out, in, …kernel]. Source: torch.nn.init._calculate_fan_in_and_fan_out.
 * @throws EngineError `bad-size` for a weight of fewer than two axes.
 */
export function fansOf(dims: readonly number[]): { readonly fanIn: number; readonly fanOut: number } {
  const [out, into, ...kernel] = dims;
  if (out === undefined || into === undefined) {
    throw new EngineError("bad-size", `[${dims.join(", ")}] has no fans: that takes two axes`);
  }
  const cells = kernel.reduce((count, size) => count * size, 1);
  return { fanIn: into * cells, fanOut: out * cells };
}

/** A distribution: uniform in ±spread, or normal with that deviation. */
interface Distribution {
  readonly kind: "uniform" | "normal" | "constant";
  readonly spread: number;
}

/**
 * What a weight of these dims is drawn from.
 * @throws EngineError `bad-size` where the formula needs fans that the weight does not have.
 */
export function distributionOf(initial: Initial, dims: readonly number[]): Distribution {
  switch (initial.kind) {
    case "constant":
      return { kind: "constant", spread: initial.value };
    case "uniform":
      return { kind: "uniform", spread: initial.bound };
    case "normal":
      return { kind: "normal", spread: initial.deviation };
    case "by-fan": {
      if (typeof initial.fan !== "number") throw new EngineError("bad-size", `the fan ${initial.fan} is not a number`);
      return { kind: "uniform", spread: initial.fan > 0 ? 1 / Math.sqrt(initial.fan) : 0 };
    }
    case "kaiming-uniform":
    case "kaiming-normal": {
      const { fanIn, fanOut } = fansOf(dims);
      const gain = Math.sqrt(2 / (1 + initial.slope ** 2));
      const deviation = gain / Math.sqrt(initial.mode === "fan_in" ? fanIn : fanOut);
      return spreadBy(initial.kind === "kaiming-normal", deviation);
    }
    case "xavier-uniform":
    case "xavier-normal": {
      const { fanIn, fanOut } = fansOf(dims);
      return spreadBy(initial.kind === "xavier-normal", initial.gain * Math.sqrt(2 / (fanIn + fanOut)));
    }
  }
}

/** A uniform distribution in ±√3·d has the deviation d. */
function spreadBy(normal: boolean, deviation: number): Distribution {
  return normal ? { kind: "normal", spread: deviation } : { kind: "uniform", spread: Math.sqrt(3) * deviation };
}

/** A weight filled by its distribution. @param name and `seed` choose the numbers. */
export function filled(initial: Initial, dims: readonly number[], seed: number, name: string): Values {
  const values = zeros(dims);
  if (values.data.length === 0) return values;
  const { kind, spread } = distributionOf(initial, dims);
  if (kind === "constant") values.data.fill(spread);
  else if (kind === "uniform") {
    const uniform = uniformFrom(seed, name);
    for (let at = 0; at < values.data.length; at++) values.data[at] = (2 * uniform() - 1) * spread;
  } else {
    const normal = normalFrom(seed, name);
    for (let at = 0; at < values.data.length; at++) values.data[at] = normal() * spread;
  }
  return values;
}

/** Weights of a network that nobody has trained. The same seed gives the same weights. */
export class SeededWeights implements Weights {
  private readonly made = new Map<string, Values>();

  /** @param choose another initialisation than the layer's own; null keeps that. */
  constructor(
    private readonly seed: number,
    private readonly choose: (name: string, spec: WeightSpec) => Initial | null = () => null,
  ) {}

  get(name: string, spec: WeightSpec): Values {
    const dims = spec.dims.map((size) => {
      if (typeof size === "number") return size;
      throw new EngineError("bad-size", `${name} cannot be made: ${size} is not a number`);
    });
    const key = `${name} ${dims.join("×")}`;
    const known = this.made.get(key) ?? filled(this.choose(name, spec) ?? spec.initial, dims, this.seed, name);
    this.made.set(key, known);
    return known;
  }
}
