/** Threads share the work and change nothing about its result; what is cancelled leaves nothing behind. */
import assert from "node:assert/strict";
import { EngineError } from "#shared/kernels/values.ts";
import { createWasmBackend, type WasmBackend } from "#shared/kernels/wasm/wasm.ts";
import type { Placement } from "#shared/shape/window.ts";
import { randomOf, randomValues } from "./model.ts";
import { spawnThread } from "./thread.ts";

const SIZE = 28;
const side: Placement = {
  ...{ input: SIZE, output: SIZE, kernel: 3, stride: 1, dilation: 1 },
  ...{ padBefore: 1, padAfter: 1 },
};

/** Three layers by three kernels: Winograd, depthwise, direct. */
function layers() {
  const random = randomOf(5);
  const [dense, own, point] = [
    [64, 64, 3, 3],
    [64, 1, 3, 3],
    [96, 64, 1, 1],
  ].map((dims) => randomValues(dims, random));
  const still: Placement = { ...side, kernel: 1, padBefore: 0, padAfter: 0 };
  return {
    x: randomValues([1, 64, SIZE, SIZE], random),
    steps: [
      { weight: dense!, bias: null, axes: [side, side], groups: 1 },
      { weight: own!, bias: null, axes: [side, side], groups: 64 },
      { weight: point!, bias: null, axes: [still, still], groups: 1 },
    ],
  };
}

function computed(backend: WasmBackend, { x, steps }: ReturnType<typeof layers>): Float32Array {
  const [result] = backend.tidy(() => [steps.reduce((input, step) => backend.convolve(input, step), backend.enter(x))]);
  try {
    return backend.read(result!).data;
  } finally {
    backend.release(result!);
  }
}

describe("engine: threads", () => {
  const given = layers();

  it("give the same bits as one thread, run after run", () => {
    const alone = createWasmBackend();
    const together = createWasmBackend({ threads: { count: 2, spawn: spawnThread } });
    const expected = computed(alone, given);
    for (let run = 0; run < 200; run++) assert.deepEqual(computed(together, given), expected);
    together.dispose();
  }).timeout(60_000);

  it("do not matter where there are none: nobody waits for a thread that never starts", () => {
    const backend = createWasmBackend({ threads: { count: 2, spawn: () => {} } });
    assert.deepEqual(computed(backend, given), computed(createWasmBackend(), given));
  });

  for (const count of [1, 2]) {
    it(`leave nothing behind when cancelled: ${count}`, () => {
      const backend = createWasmBackend({ threads: { count, spawn: spawnThread } });
      computed(backend, given);
      const before = backend.residentBytes;
      // Cancelled at the first look, the second, and so on, until there is nothing left to cancel.
      for (let looks = 0; ; looks++) {
        let left = looks;
        backend.signal = {
          get aborted() {
            return left-- <= 0;
          },
        };
        try {
          computed(backend, given);
          assert.ok(looks > 5);
          break;
        } catch (error) {
          assert.ok(error instanceof EngineError && error.problem === "cancelled");
          assert.equal(backend.residentBytes, before);
        }
      }
      backend.signal = null;
      assert.deepEqual(computed(backend, given), computed(createWasmBackend(), given));
      backend.dispose();
    }).timeout(60_000);
  }
});
