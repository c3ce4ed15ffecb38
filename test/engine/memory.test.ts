/** The engine's memory stays in bounds: what can be made again goes before a run is refused. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Network } from "#shared/graph/run.ts";
import { EngineError } from "#shared/kernels/values.ts";
import { createWasmBackend, type WasmBackend } from "#shared/kernels/wasm/wasm.ts";
import { EngineModel, RandomWeights, randomOf, randomValues } from "./model.ts";
import { spawnThread } from "./thread.ts";

/** Bytes: enough for the weights of some layers, but not of all. */
const LIMIT = 2 ** 21;
const LAYERS = 8;
const x = randomValues([1, 96, 6, 6], randomOf(3));

/** Layers of 147 or 332 kB of weights each, in several packed forms. */
function network(seed: number): Network {
  const model = new EngineModel();
  let last = model.input(x);
  for (let layer = 0; layer < LAYERS; layer++) {
    const args = { out_channels: 96, kernel_size: 2, stride: 2 };
    const deep = model.add("Conv2d", args, [last]);
    const wide = model.add("ConvTranspose2d", args, [deep]);
    last = model.add("Conv2d", { out_channels: 96, kernel_size: 3, padding: 1 }, [wide]);
  }
  return model.network(new RandomWeights(randomOf(seed)));
}

function run(of: Network, backend: WasmBackend): Float32Array {
  const wanted = [{ node: 3 * LAYERS, output: 0 }];
  const [values] = of
    .run({ backend, inputs: new Map([[0, x]]), wanted })
    .finish()
    .values();
  return values!.data;
}

describe("engine: memory in bounds", () => {
  const networks = [network(1), network(2)] as const;
  const expected = networks.map((each) => run(each, createWasmBackend()));

  for (const threads of [1, 2]) {
    it(`takes the place of weights that were not used for longest, with ${threads} threads`, () => {
      const unbounded = createWasmBackend();
      run(networks[0], unbounded);
      assert.ok(unbounded.packedBytes > 1.5 * LIMIT);
      const backend = createWasmBackend({ limit: LIMIT, threads: { count: threads, spawn: spawnThread } });
      for (const which of [0, 0, 0, 1, 1, 1, 0, 1, 0]) {
        assert.deepEqual(run(networks[which]!, backend), expected[which]);
        assert.equal(backend.residentBytes, 0);
        assert.ok(backend.packedBytes > 0 && backend.core.memory.size <= LIMIT);
      }
      backend.dispose();
    });
  }

  it("repeats no recorded run whose weights have gone", () => {
    const small = new EngineModel();
    small.add("Conv2d", { out_channels: 16, kernel_size: 3, padding: 1 }, [small.input(x)]);
    const of = small.network(new RandomWeights(randomOf(5)));
    const once = (backend: WasmBackend) => {
      const wanted = [{ node: 1, output: 0 }];
      return [...of.run({ backend, inputs: small.inputs, wanted }).finish().values()][0]!.data;
    };
    const backend = createWasmBackend({ limit: LIMIT });
    const first = once(backend);
    for (let round = 0; round < 3; round++) assert.deepEqual(once(backend), first);
    run(networks[0], backend);
    for (let round = 0; round < 3; round++) assert.deepEqual(once(backend), first);
  });

  it("refuses what does not fit at all, and keeps the weights it has", () => {
    const backend = createWasmBackend({ limit: LIMIT });
    run(networks[0], backend);
    const before = backend.packedBytes;
    assert.throws(
      () => backend.enter({ dims: [LIMIT], data: new Float32Array(0) }),
      (error) => error instanceof EngineError && error.problem === "too-large" && error.bytes! >= 4 * LIMIT,
    );
    assert.equal(backend.packedBytes, before);
  });

  it("forgets kernels, also those that threads find in memory, before there are too many", () => {
    const backend = createWasmBackend({ threads: { count: 2, spawn: spawnThread } });
    let most = 0;
    let now = 0;
    // Every size is another kernel.
    for (let size = 1; size <= 1200 && now >= most; size++) {
      const from = randomValues([1, size], randomOf(size));
      const entered = backend.enter(from);
      const y = backend.unary(entered, { kind: "relu" });
      assert.deepEqual(
        backend.read(y).data,
        from.data.map((value) => Math.max(0, value)),
      );
      for (const tensor of [entered, y]) backend.release(tensor);
      most = now;
      now = backend.core.codeBytes;
    }
    assert.ok(now < most, `${now} bytes of kernels`);
    assert.deepEqual(run(networks[0], backend), expected[0]);
    backend.dispose();
  }).timeout(60_000);

  it("gives all of it back with the backend", async () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const used = (): WeakRef<object> => {
      const backend = createWasmBackend();
      for (let time = 0; time < 3; time++) assert.deepEqual(run(networks[0], backend), expected[0]);
      return new WeakRef(backend.core.memory.wasm);
    };
    const memories = [used(), used(), used()];
    // A network remembers who ran it last.
    run(networks[0], createWasmBackend());
    const left = () => memories.filter((memory) => memory.deref()).length;
    for (let look = 0; left() > 0 && look < 100; look++) {
      await sleep(10);
      collect();
    }
    assert.equal(left(), 0);
  });
});
