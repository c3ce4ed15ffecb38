/**
 * One variant of a model (as it is, on the moved sample, with turned kernels) and the activations that have been computed
 * for it. What did not change is carried over from the model before an edit.
 */
import type { Ref } from "#shared/graph/graph.ts";
import { keyOf } from "#shared/graph/plan.ts";
import { type Finished, leftBehind, type Network, type Run } from "#shared/graph/run.ts";
import type { Backend, Signal } from "#shared/kernels/backend.ts";
import type { Values } from "#shared/kernels/values.ts";

/** Bytes of activations beyond those of the file's own layers that are kept for having been looked at. */
const LOOKED_AT_BYTES = 2 ** 28;

export class Variant implements Finished {
  private readonly kept = new Map<string, Values>();
  /** Keys of activations that may go when there are too many, oldest first. */
  private readonly lookedAt = new Set<string>();

  /** @param before the same variant of the model before an edit. */
  constructor(
    readonly network: Network,
    readonly inputs: ReadonlyMap<number, Values>,
    before: Variant | null,
    /** Outputs of the file's own layers. */
    private readonly own: ReadonlySet<string>,
  ) {
    if (!before) return;
    for (const [node, then] of leftBehind(network, inputs, before)) {
      const outputs = network.sized.report.nodes[node]!.outputs;
      for (const output of outputs.keys()) {
        const values = before.kept.get(keyOf({ node: then, output }));
        if (values) this.keep({ node, output }, values);
      }
    }
  }

  get activations(): ReadonlyMap<string, Values> {
    return this.kept;
  }

  keep(ref: Ref, values: Values): void {
    const key = keyOf(ref);
    this.kept.set(key, values);
    if (this.own.has(key)) return;
    this.lookedAt.delete(key);
    this.lookedAt.add(key);
    let bytes = 0;
    for (const each of this.lookedAt) bytes += this.kept.get(each)!.data.byteLength;
    for (const each of this.lookedAt) {
      if (bytes <= LOOKED_AT_BYTES || each === key) break;
      bytes -= this.kept.get(each)!.data.byteLength;
      this.lookedAt.delete(each);
      this.kept.delete(each);
    }
  }

  /** null where it has not been computed. */
  valuesOf(ref: Ref): Values | null {
    return this.inputs.get(ref.node) ?? this.kept.get(keyOf(ref)) ?? null;
  }

  /** Nodes whose outputs are there without a run. */
  get nodes(): readonly number[] {
    return [...new Set([...this.kept.keys()].map((key) => Number(key.split(".")[0])))];
  }

  missing(refs: readonly Ref[]): readonly Ref[] {
    return refs.filter((ref) => this.valuesOf(ref) === null);
  }

  /**
   * Starts a run for what is missing of `refs`.
   * @throws EngineError as `Network.run` does.
   */
  run(backend: Backend, refs: readonly Ref[], signal: Signal, limit: number): Run {
    const { network, inputs } = this;
    return network.run({ backend, inputs, wanted: this.missing(refs), previous: this, signal, limit });
  }
}

/** The backend with true convolutions in place of cross-correlations. */
export function convolving(backend: Backend): Backend {
  const convolve: Backend["convolve"] = (x, convolution) =>
    backend.convolve(x, { ...convolution, flipped: !convolution.flipped });
  return new Proxy(backend, {
    get(target, name) {
      if (name === "convolve") return convolve;
      const member = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}
