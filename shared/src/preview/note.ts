/**
 * What an operator asks of its backend: the primitive, with the weights, the placements and the image it gives to it. It runs
 * on a backend that notes this and computes nothing, so that no operator is described a second time for being explained.
 */
import type { Node } from "../graph/graph.ts";
import type { Network } from "../graph/run.ts";
import type {
  AdaptivePooling,
  Backend,
  Binary,
  Convolution,
  Linear,
  Padding,
  Pointwise,
  Pooling,
  ScaleShift,
  TransposedConvolution,
} from "../kernels/backend.ts";
import { adaptiveDims, convolutionDims, transposedDims, windowedDims } from "../kernels/check.ts";
import { Reference } from "../kernels/reference/reference.ts";
import { EngineError, type Values, zeros } from "../kernels/values.ts";
import type { Execution } from "../ops/op.ts";
import type { Tensor } from "../shape/tensor.ts";

/** What an operator asked of the backend. */
export type Primitive =
  | { readonly kind: "convolution"; readonly x: Values; readonly parts: Convolution<Values> }
  | { readonly kind: "transposed"; readonly x: Values; readonly parts: TransposedConvolution<Values> }
  | { readonly kind: "linear"; readonly x: Values; readonly parts: Linear<Values> }
  | { readonly kind: "pool"; readonly x: Values; readonly parts: Pooling }
  | { readonly kind: "adaptive"; readonly x: Values; readonly parts: AdaptivePooling }
  | { readonly kind: "unary"; readonly f: Pointwise }
  | { readonly kind: "binary"; readonly f: Binary }
  | { readonly kind: "scaleShift"; readonly along: ScaleShift }
  | { readonly kind: "other" };

/** One application of an operator, as noted. */
export interface Noted {
  readonly primitive: Primitive;
  /** Cells put around the image before it: their number before the first cell of each spatial axis. */
  readonly border: readonly number[];
}

const WINDOWED: readonly string[] = ["convolution", "transposed", "linear", "pool", "adaptive"];
const MOVING: ReadonlySet<PropertyKey> = new Set([
  "enter",
  "read",
  "release",
  "tidy",
  "reshape",
  "permute",
  "slice",
  "concat",
  "signal",
  "name",
]);

/**
 * Notes what an operator asks of its backend.
 * @param flipped its convolutions are true convolutions.
 * @throws EngineError where it cannot run.
 */
export function note(network: Network, node: Node, inputs: readonly Values[], flipped: boolean): Noted {
  const first = notes(network, node, inputs, flipped, 0);
  const windowed = first.filter(({ primitive }) => WINDOWED.includes(primitive.kind));
  // Of several, the last is explained, which needs what the ones before it compute.
  if (windowed.length > 1) {
    const again = notes(network, node, inputs, flipped, windowed.length - 1);
    return again.findLast(({ primitive }) => WINDOWED.includes(primitive.kind))!;
  }
  if (windowed.length === 1) return windowed[0]!;
  return first.length === 1 ? first[0]! : { primitive: { kind: "other" }, border: [] };
}

/** @param computed windowed primitives that are really computed, before the rest give zeros. */
function notes(
  network: Network,
  node: Node,
  inputs: readonly Values[],
  flipped: boolean,
  computed: number,
): readonly Noted[] {
  const reference = new Reference();
  const found: Noted[] = [];
  let border: readonly number[] = [];
  let left = computed;
  const windowed = <T>(primitive: Primitive, real: () => T, empty: () => T): T => {
    found.push({ primitive, border });
    border = [];
    return left-- > 0 ? real() : empty();
  };
  const pooledDims = (x: Values, dims: readonly number[], indices: boolean) => ({
    values: zeros(dims),
    indices: indices ? zeros(dims) : null,
    x,
  });
  const noting: Partial<Backend<Values>> = {
    convolve(x, written) {
      const parts = flipped ? { ...written, flipped: !written.flipped } : written;
      const dims = convolutionDims(x.dims, parts);
      return windowed(
        { kind: "convolution", x, parts },
        () => reference.convolve(x, parts),
        () => zeros(dims),
      );
    },
    convolveTransposed(x, parts) {
      const dims = transposedDims(x.dims, parts);
      return windowed(
        { kind: "transposed", x, parts },
        () => reference.convolveTransposed(x, parts),
        () => zeros(dims),
      );
    },
    linear(x, parts) {
      const dims = [...x.dims.slice(0, -1), parts.weight.dims[0]!];
      return windowed(
        { kind: "linear", x, parts },
        () => reference.linear(x, parts),
        () => zeros(dims),
      );
    },
    pool(x, parts) {
      const indices = parts.kind === "max" && parts.indices;
      const dims = windowedDims(x.dims, parts.axes);
      return windowed(
        { kind: "pool", x, parts },
        () => reference.pool(x, parts),
        () => pooledDims(x, dims, indices),
      );
    },
    adaptivePool(x, parts) {
      const dims = adaptiveDims(x.dims, parts.sizes);
      return windowed(
        { kind: "adaptive", x, parts },
        () => reference.adaptivePool(x, parts),
        () => pooledDims(x, dims, parts.indices),
      );
    },
    pad(x: Values, padding: Padding) {
      border = padding.before.slice(2);
      return reference.pad(x, padding);
    },
    unary(x, f) {
      found.push({ primitive: { kind: "unary", f }, border: [] });
      return reference.unary(x, f);
    },
    binary(f, a, b) {
      found.push({ primitive: { kind: "binary", f }, border: [] });
      return reference.binary(f, a, b);
    },
    scaleShift(x, along) {
      found.push({ primitive: { kind: "scaleShift", along }, border: [] });
      return reference.scaleShift(x, along);
    },
  };
  const backend = new Proxy(reference, {
    get(target, name) {
      if (Object.hasOwn(noting, name)) return noting[name as keyof typeof noting];
      const member = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (!MOVING.has(name)) found.push({ primitive: { kind: "other" }, border: [] });
      return member.bind(target);
    },
  });
  node.op.run(backend, executionOf(network, node, inputs));
  return found;
}

/** A node by itself: nothing folded into it, nothing after it. */
function executionOf(network: Network, node: Node, inputs: readonly Values[]): Execution<any> {
  const { inputs: shapes, inference } = network.sized.report.nodes[node.id]!;
  return {
    attrs: node.attrs,
    shapes: shapes as readonly Tensor[],
    inference: inference!,
    inputs,
    weight: (name) => network.weight(node, name),
    derived: (name, make) => network.derived(node, name, make),
    epilogue: {},
    folded: null,
    cannot(why) {
      throw new EngineError("cannot-run", `${node.op.name} cannot be run: ${why}`, undefined, node.id);
    },
  };
}
