/** The backends that tests of numbers run on, each with what it may be off by. */
import type { Backend } from "#shared/kernels/backend.ts";
import { Reference } from "#shared/kernels/reference/reference.ts";
import { createWasmBackend } from "#shared/kernels/wasm/wasm.ts";
import { GuardedBackend } from "./guarded.ts";

export interface TestedBackend {
  readonly name: string;
  readonly backend: Backend<any>;
  /** Relative to the greatest value. */
  readonly tolerance: number;
}

export const BACKENDS: readonly TestedBackend[] = [
  { name: "reference", backend: new Reference(), tolerance: 1e-5 },
  { name: "wasm, exact", backend: new GuardedBackend({ exact: true }), tolerance: 1e-5 },
  // Winograd's larger tiles lose a little.
  { name: "wasm", backend: createWasmBackend(), tolerance: 3e-5 },
];
