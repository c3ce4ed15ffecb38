/** The fast backend as Node runs it: on all cores, and with the multiply-add that Node 20 keeps behind a flag. */
import { availableParallelism } from "node:os";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { hasFusedMultiplyAdd } from "#shared/kernels/wasm/core.ts";
import type { CrewStart } from "#shared/kernels/wasm/crew.ts";
import { createWasmBackend, type WasmBackend } from "#shared/kernels/wasm/wasm.ts";

/** What a thread of the engine is given. */
export interface CrewData {
  readonly crew: CrewStart;
}

/** More threads than this wait for memory, not for each other. */
const MOST_THREADS = 8;

/** The V8 of Node 20, the last one that has relaxed SIMD and does not offer it. */
const HIDES_RELAXED_SIMD = "11.3.";

/**
 * Makes the backend; `options` are those of `createWasmBackend`.
 * @param file a module that calls `serveCrew(workerData.crew)` where its `workerData` is a `CrewData`. A thread that cannot
 * be started is one that the others do not wait for.
 */
export function createNodeBackend(
  file: URL,
  { exact = false, threads = Math.min(MOST_THREADS, availableParallelism()) } = {},
): WasmBackend {
  if (!hasFusedMultiplyAdd() && process.versions.v8.startsWith(HIDES_RELAXED_SIMD)) {
    setFlagsFromString("--experimental-wasm-relaxed-simd");
  }
  const spawn = (crew: CrewStart) => {
    const data: CrewData = { crew };
    new Worker(file, { workerData: data }).on("error", () => {}).unref();
  };
  return createWasmBackend({ exact, threads: { count: threads, spawn } });
}
