/** A thread of the engine, as tests start it. */
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { type CrewStart, type Spawn, serveCrew } from "#shared/kernels/wasm/crew.ts";

/** A thread does not inherit the loader that reads TypeScript. */
const START = (url: string) =>
  `import("tsx/esm/api").then(({ register }) => { register(); return import(${JSON.stringify(url)}); });`;

/** Starts a thread that ends by itself when its crew is dismissed. */
export const spawnThread: Spawn = (start) => {
  new Worker(START(import.meta.url), { eval: true, workerData: { crew: start } }).unref();
};

if (!isMainThread && workerData?.crew) serveCrew(workerData.crew as CrewStart);
