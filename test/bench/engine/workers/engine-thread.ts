/** A thread of ConvLint's own engine. */
import { workerData } from "node:worker_threads";
import type { CrewData } from "#server/preview/engine.ts";
import { serveCrew } from "#shared/kernels/wasm/crew.ts";

serveCrew((workerData as CrewData).crew);
