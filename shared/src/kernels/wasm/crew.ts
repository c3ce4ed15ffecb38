/**
 * The threads that share a kernel's units, over shared memory.
 *
 * The owner opens a job and works on it like everybody else: whoever is free claims the next chunk of units by one
 * compare-and-swap, and what counts is chunks done, never threads that have shown up. A thread that the system does not
 * run costs nothing, and one that comes late finds the job's number changed and claims nothing.
 *
 * Threads are made outside, because this code knows neither Node nor browsers: `spawn` starts one that calls `serveCrew`
 * with what it was given.
 */
import type { Signal } from "../backend.ts";
import { EngineError } from "../values.ts";
import { type Export, type WasmMemory, webAssembly } from "./runtime.ts";

/** What a thread needs; it survives `postMessage` to a worker. */
export interface CrewStart {
  /** A shared WebAssembly memory. */
  readonly memory: unknown;
}

/** Starts a thread that calls `serveCrew(start)`. */
export type Spawn = (start: CrewStart) => void;

/** How many threads work, the owner's among them, and how the others are started. */
export interface Threads {
  readonly count: number;
  readonly spawn: Spawn;
}

/** A kernel as threads get it: where its module's bytes are in shared memory. */
export interface SharedKernel {
  readonly id: number;
  readonly address: number;
  readonly length: number;
}

export interface Job {
  readonly kernel: SharedKernel;
  /** Address of the kernel's block. */
  readonly block: number;
  readonly units: number;
  /** Units of one call. */
  readonly chunk: number;
}

/** Places of the numbers that threads talk through, counted in i32; those that change apart are lines apart. */
const AT = {
  ...{ job: 64, claim: 80, done: 96, failed: 97 },
  ...{ kernel: 112, address: 113, length: 114, block: 115, units: 116, chunk: 117 },
};

/** The claim holds the job's number, and in its lowest bits the next chunk's; all ones: nothing may be claimed. */
const CHUNK_BITS = 12;
const CLOSED = 2 ** CHUNK_BITS - 1;

/** What the job's number is when everybody may go home. */
const DISMISSED = -1;

/** Kernels that are remembered; a network has some fifty, but whoever edits one goes through many. */
export const MOST_KERNELS = 500;

/** How often a thread looks for the next job before it goes to sleep: for some fifty microseconds. */
const LOOKS = 1500;

function controlOf(memory: WasmMemory): Int32Array {
  return new Int32Array(memory.buffer, 0, 128);
}

function jobIn(control: Int32Array): Job {
  const at = (place: number) => Atomics.load(control, place);
  return {
    kernel: { id: at(AT.kernel), address: at(AT.address), length: at(AT.length) },
    ...{ block: at(AT.block), units: at(AT.units), chunk: at(AT.chunk) },
  };
}

/** Does chunks of the open job until there are none left. `callOf` finds the kernel, once it is needed. */
function work(control: Int32Array, signal: Signal | null, callOf: (kernel: SharedKernel) => Export): void {
  for (;;) {
    const seen = Atomics.load(control, AT.claim);
    const index = seen & CLOSED;
    const { kernel, block, units, chunk: size } = jobIn(control);
    if (index === CLOSED || index * size >= units || signal?.aborted) return;
    // A job is written while nothing may be claimed: what was read is of one job if the claim is still the same.
    if (Atomics.load(control, AT.claim) !== seen) continue;
    let call: Export;
    try {
      call = callOf(kernel);
    } catch (error) {
      // The owner may have done the job meanwhile, and written something else over its kernel.
      if (Atomics.load(control, AT.claim) !== seen) continue;
      throw error;
    }
    if (Atomics.compareExchange(control, AT.claim, seen, seen + 1) !== seen) continue;
    try {
      call(block, index * size, Math.min(units, (index + 1) * size));
    } catch (error) {
      Atomics.store(control, AT.failed, 1);
      throw error;
    } finally {
      Atomics.add(control, AT.done, 1);
    }
  }
}

/** The owner's side. */
export class Crew {
  private readonly control: Int32Array;
  private job = 0;

  constructor(memory: WasmMemory, { count, spawn }: Threads) {
    this.control = controlOf(memory);
    Atomics.store(this.control, AT.claim, CLOSED);
    for (let thread = 1; thread < count; thread++) spawn({ memory });
  }

  /**
   * Does a job together with the other threads. Where the signal is aborted, no more chunks are begun, and those that
   * were are done before it returns.
   * @throws EngineError where a thread failed.
   */
  run({ kernel, block, units, chunk }: Job, call: Export, signal: Signal | null): void {
    const { control } = this;
    const size = Math.max(chunk, Math.ceil(units / (CLOSED - 1)));
    // Nobody claims anything while the job is being written.
    this.job = (this.job + 1) % 2 ** (31 - CHUNK_BITS);
    const open = this.job << CHUNK_BITS;
    Atomics.store(control, AT.claim, open | CLOSED);
    Atomics.store(control, AT.kernel, kernel.id);
    Atomics.store(control, AT.address, kernel.address);
    Atomics.store(control, AT.length, kernel.length);
    Atomics.store(control, AT.block, block);
    Atomics.store(control, AT.units, units);
    Atomics.store(control, AT.chunk, size);
    Atomics.store(control, AT.done, 0);
    Atomics.store(control, AT.claim, open);
    Atomics.store(control, AT.job, this.job);
    Atomics.notify(control, AT.job);
    work(control, signal, () => call);
    const claimed = Atomics.exchange(control, AT.claim, open | CLOSED) & CLOSED;
    while (Atomics.load(control, AT.done) < claimed);
    if (Atomics.load(control, AT.failed) !== 0) throw new EngineError("cannot-run", "a thread of the engine failed");
  }

  /** Sends the other threads home. */
  dismiss(): void {
    Atomics.store(this.control, AT.job, DISMISSED);
    Atomics.notify(this.control, AT.job);
  }
}

/** The other threads' side: works until it is dismissed. It blocks its thread, which must not be the page's. */
export function serveCrew(start: CrewStart): void {
  const memory = start.memory as WasmMemory;
  const control = controlOf(memory);
  const known = new Map<number, Export>();
  const callOf = (kernel: SharedKernel): Export => {
    const found = known.get(kernel.id);
    if (found) return found;
    if (known.size === MOST_KERNELS) known.clear();
    const call = compiled(memory, kernel);
    known.set(kernel.id, call);
    return call;
  };
  let last = 0;
  for (;;) {
    let job = Atomics.load(control, AT.job);
    for (let look = 0; job === last && look < LOOKS; look++) job = Atomics.load(control, AT.job);
    if (job === last) {
      Atomics.wait(control, AT.job, last);
      continue;
    }
    if (job === DISMISSED) return;
    last = job;
    work(control, null, callOf);
  }
}

/** The kernel whose module's bytes are in shared memory. */
function compiled(memory: WasmMemory, { address, length }: SharedKernel): Export {
  // Another thread may just have grown the memory; this one hears of it soon.
  while (memory.buffer.byteLength < address + length);
  const bytes = new Uint8Array(length);
  bytes.set(new Uint8Array(memory.buffer, address, length));
  return new webAssembly.Instance(new webAssembly.Module(bytes), { engine: { memory } }).exports.run!;
}
