/**
 * What a chain of modules tells about its input where nobody says it: its channels or features, with symbols for the
 * sizes of the map. Nothing is told where the modules leave a doubt, so that no problem rests on a guess.
 */
import type { Operator } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { type Dim, symbol } from "#shared/shape/dim.ts";

/** A module of torch.nn in a chain, with the arguments that are known. */
export interface Chained {
  readonly name: string;
  readonly op: Operator;
  readonly written: ReadonlyMap<string, Plain>;
}

/** Modules that keep the number of axes, and the channels. */
const KEEPS = /Pool\dd$|Pad\dd$|^Upsampl|Dropout|^Identity$|Norm(?:\dd)?$|Softmax(?:2d)?$|^Softmin$/;

/** The input without its batch; null where it is not known. */
export function inputDims(chain: readonly (Chained | null)[]): readonly Dim[] | null {
  let axes: number | null = null;
  let channels: number | null = null;
  let flat = false;
  for (const [index, module] of chain.entries()) {
    if (!module) return null;
    const { name, op, written } = module;
    const told = ["in_channels", "in_features", "num_features", "num_channels"].flatMap((key) => {
      const value = written.get(key);
      return typeof value === "number" && Number.isSafeInteger(value) && value >= 1 ? [value] : [];
    })[0];
    const own = Number(/(\d)d$/.exec(name)?.[1] ?? 0);
    if (/^Conv/.test(name)) {
      const count = channels ?? told;
      return flat || count === undefined || (axes !== null && axes !== own) ? null : [count, ...mapSymbols(own)];
    }
    if (name === "Linear") {
      const fits = axes === null && told !== undefined && isFlat(chain.slice(index + 1));
      return fits ? [channels ?? told] : null;
    }
    if (name === "Flatten" && written.size === 0 && axes === null) flat = true;
    else if (!op.pointwise && !KEEPS.test(name)) return null;
    channels ??= told ?? null;
    // Normalisation and dropout over one axis also take vectors.
    if (own > 1 || (own === 1 && !/Norm1d$|Dropout1d$/.test(name))) axes ??= own;
  }
  return axes !== null && channels !== null && !flat ? [channels, ...mapSymbols(axes)] : null;
}

/** Whether nothing after a Linear asks for more axes than a vector has. */
function isFlat(rest: readonly (Chained | null)[]): boolean {
  for (const module of rest) {
    if (!module || module.name === "Unflatten") return true;
    if (/(?<!Norm|Dropout)\dd$|[23]d$/.test(module.name)) return false;
  }
  return true;
}

function mapSymbols(axes: number): readonly Dim[] {
  return axes === 1 ? [symbol("L")] : ["D", "H", "W"].slice(3 - axes).map(symbol);
}
