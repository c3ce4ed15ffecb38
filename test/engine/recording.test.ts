/** Networks that run over and over: from the third time on, the fast backend repeats what it did and asks no operator. */
import assert from "node:assert/strict";
import type { Ref } from "#shared/graph/graph.ts";
import { keyOf } from "#shared/graph/plan.ts";
import type { Network, Run } from "#shared/graph/run.ts";
import { EngineError, type Values } from "#shared/kernels/values.ts";
import { createWasmBackend, type WasmBackend } from "#shared/kernels/wasm/wasm.ts";
import { EngineModel, RandomWeights, randomOf, randomValues } from "./model.ts";

const DIMS = [1, 16, 16, 16];
const LAYERS = 10;
const WANTED: readonly Ref[] = [2, LAYERS].map((node) => ({ node, output: 0 }));

/** Convolutions of several kinds, one of them large enough for Winograd's filtering, and what else makes actions. */
function network(): Network {
  const model = new EngineModel();
  const x = model.input(randomValues(DIMS, randomOf(1)));
  const stem = model.add("Conv2d", { out_channels: 16, kernel_size: 3, padding: 1 }, [x]);
  const tiled = model.add("Conv2d", { out_channels: 32, kernel_size: 3, padding: 1 }, [stem]);
  const norm = model.add("GroupNorm", { num_groups: 4 }, [tiled]);
  const deep = model.add("Conv2d", { out_channels: 32, kernel_size: 5, padding: 2, groups: 32, stride: 2 }, [norm]);
  const wide = model.add("Upsample", { scale_factor: 2 }, [deep]);
  const both = model.add("Concat", { dim: 1 }, [wide, stem]);
  const shifted = model.add("BatchNorm2d", {}, [both]);
  const pool = model.add("AdaptiveAvgPool2d", { output_size: 3 }, [shifted]);
  const flat = model.add("Flatten", {}, [pool]);
  assert.equal(model.add("Linear", { out_features: 5 }, [flat]), LAYERS);
  return model.network(new RandomWeights(randomOf(2)));
}

function start(of: Network, backend: WasmBackend, values: Values, signal?: { aborted: boolean }): Run {
  return of.run({ backend, inputs: new Map([[0, values]]), wanted: WANTED, ...(signal && { signal }) });
}

function results(run: Run): Float32Array[] {
  const values = run.finish();
  return WANTED.map((ref) => values.get(keyOf(ref))!.data);
}

const inputs = Array.from({ length: 8 }, (_, seed) => randomValues(DIMS, randomOf(100 + seed)));
/** What comes out where nothing is ever repeated. */
const expected: Float32Array[][] = inputs.map((values) => results(start(network(), createWasmBackend(), values)));

describe("engine: repeated runs", () => {
  /** A network, a backend on which it has been recorded, and how often a convolution was asked for since. */
  function recorded(options: { limit?: number } = {}) {
    const [of, backend] = [network(), createWasmBackend(options)];
    let asked = 0;
    const { convolve } = backend;
    backend.convolve = (x, parts) => {
      asked++;
      return convolve.call(backend, x, parts);
    };
    for (let run = 0; run < 2; run++) {
      assert.deepEqual(results(start(of, backend, inputs[run]!)), expected[run]);
      assert.equal(backend.residentBytes, 0);
    }
    assert.equal(asked, 6);
    return { of, backend, asked: () => asked - 6 };
  }

  it("give every bit that a first run gives, without asking any operator", () => {
    const { of, backend, asked } = recorded();
    for (const [at, values] of inputs.entries()) assert.deepEqual(results(start(of, backend, values)), expected[at]);
    assert.equal(asked(), 0);
    assert.ok(backend.core.recordedBytes > 0);
    assert.equal(backend.residentBytes, 0);
  });

  it("report the same steps", () => {
    const { of, backend } = recorded();
    const steps = (run: Run) => [...run].map(({ index, values }) => [index, values.map(({ ref }) => ref.node)]);
    assert.deepEqual(steps(start(of, backend, inputs[3]!)), steps(start(network(), createWasmBackend(), inputs[3]!)));
  });

  it("are computed after all where a number is not finite and filtering in tiles would spread it", () => {
    const { of, backend, asked } = recorded();
    const odd = randomValues(DIMS, randomOf(7));
    odd.data[777] = Number.NaN;
    odd.data[1234] = Number.POSITIVE_INFINITY;
    assert.deepEqual(results(start(of, backend, odd)), results(start(network(), createWasmBackend(), odd)));
    assert.ok(asked() > 0);
    assert.equal(backend.residentBytes, 0);
    for (let run = 0; run < 4; run++) assert.deepEqual(results(start(of, backend, inputs[run]!)), expected[run]);
  });

  it("may take turns", () => {
    const { of, backend } = recorded();
    const runs = [inputs[2]!, inputs[3]!, inputs[4]!].map((values) => start(of, backend, values));
    const iterators = runs.map((run) => run[Symbol.iterator]());
    for (let going = true; going; ) going = iterators.map((each) => !each.next().done).includes(true);
    for (const [at, run] of runs.entries()) {
      assert.deepEqual(
        WANTED.map((ref) => run.activations.get(keyOf(ref))!.data),
        expected[2 + at],
      );
    }
    assert.equal(backend.residentBytes, 0);
  });

  it("outlive other networks on the same backend, and forgotten weights", () => {
    const { of, backend } = recorded();
    const other = network();
    for (let round = 0; round < 4; round++) {
      assert.deepEqual(results(start(other, backend, inputs[round]!)), expected[round]);
      assert.deepEqual(results(start(of, backend, inputs[round + 1]!)), expected[round + 1]);
    }
    backend.forgetWeights();
    assert.equal(backend.core.memory.used, 0);
    assert.deepEqual(results(start(of, backend, inputs[5]!)), expected[5]);
  });

  it("are cancelled between pieces of work, and go on working afterwards", () => {
    const { of, backend, asked } = recorded();
    for (let looks = 0; looks < 12; looks++) {
      let left = looks;
      const signal = {
        get aborted() {
          return left-- <= 0;
        },
      };
      assert.throws(
        () => start(of, backend, inputs[0]!, signal).finish(),
        (error) => error instanceof EngineError && error.problem === "cancelled",
      );
      assert.equal(backend.residentBytes, 0);
    }
    assert.deepEqual(results(start(of, backend, inputs[6]!)), expected[6]);
    assert.equal(asked(), 0);
  });

  it("give their memory back where it is needed", () => {
    const { of, backend } = recorded({ limit: 2 ** 22 });
    assert.ok(backend.core.recordedBytes > 0);
    const rest = 2 ** 22 - backend.core.memory.used;
    const large = backend.enter(randomValues([rest / 4 + 2 ** 14], randomOf(1)));
    assert.equal(backend.core.recordedBytes, 0);
    backend.release(large);
    assert.deepEqual(results(start(of, backend, inputs[7]!)), expected[7]);
  });
});
