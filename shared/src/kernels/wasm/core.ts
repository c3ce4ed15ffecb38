/**
 * What every family of kernels works with: memory, tensors in it, and kernels that are written once and run in pieces.
 */
import { checkpoint, type Recording, type Signal } from "../backend.ts";
import { EngineError, elementCount, type Values } from "../values.ts";
import { assemble, FunctionWriter, f32x4 } from "./assembler.ts";
import { Crew, MOST_KERNELS, type SharedKernel, type Threads } from "./crew.ts";
import { type Kernel, moduleOf } from "./kernel.ts";
import { pixelsToPixels, pixelsToRows, rowsToPixels } from "./layout.ts";
import type { Block, Memory } from "./memory.ts";
import { PackedWeights } from "./packed.ts";
import { type Action, Diverged, MemoryRecorder, MemoryRecording } from "./recording.ts";
import { type Export, webAssembly } from "./runtime.ts";
import {
  clearMargin,
  covers,
  type Form,
  hasMargin,
  type Margin,
  NO_MARGIN,
  type Pixels,
  pixelsOf,
  WasmTensor,
} from "./tensor.ts";
import type { Tile } from "./tiling.ts";

/** Work that one call into a kernel does at most, in operations: well below a millisecond. */
const CALL = 2 ** 24;

/** Operations that are too few to be shared with other threads: these would have to wake up first. */
const ALONE = 2 ** 20;

/** Where the addresses of a call stand. */
const ADDRESSES = 64;

/** Whether the runtime multiplies and adds in one instruction. */
export function hasFusedMultiplyAdd(): boolean {
  const f = new FunctionWriter("probe", []);
  const one = f.local("v128");
  f.set(one, f32x4.fusedMultiplyAdd(one, one, one));
  return webAssembly.validate(assemble(f, { maximumPages: 1, shared: false }));
}

/**
 * Pixels × channels that stay in registers. V8 before 13.6 loads everything that a loop reads at its start and has no
 * registers left for 6 × 8; what came with 13.6 tells it apart here, because nothing states an engine's age everywhere.
 */
function tileOf(fused: boolean): Tile {
  const isNew = "escape" in RegExp;
  if (isNew) return { pixels: 6, vectors: 2, unroll: 4 };
  return fused ? { pixels: 3, vectors: 3, unroll: 1 } : { pixels: 4, vectors: 2, unroll: 1 };
}

/** Whether two plain objects hold the same. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const name in left) if (!isSame(left[name], right[name])) return false;
  for (const name in right) if (!(name in left)) return false;
  return true;
}

export interface CoreOptions {
  /** Never trades exactness for speed: no Winograd. */
  readonly exact: boolean;
  /** Null: the owner's alone. Others need a shared memory. */
  readonly threads: Threads | null;
}

/** The last kernel of a weight. */
interface Remembered {
  readonly geometry: object;
  readonly make: unknown;
  readonly kernel: Kernel;
}

/** A kernel that has been written and compiled. */
interface Compiled {
  readonly call: Export;
  /** Where other threads find it, if there are any. */
  readonly shared: SharedKernel | null;
}

export class Core {
  readonly exact: boolean;
  /** Multiply-add is one instruction. */
  readonly fused = hasFusedMultiplyAdd();
  signal: Signal | null = null;
  /** What of the sum of a convolution stays in registers. */
  readonly tile: Tile;
  readonly packed: PackedWeights;
  readonly threads: number;
  /** Told of every kernel that runs; for whoever measures. */
  trace: ((kernel: Kernel) => void) | null = null;
  private readonly crew: Crew | null;
  private recorder: MemoryRecorder | null = null;
  /** The last recorded run. One is enough for whoever runs a network over and over, and no more memory is tied up. */
  private recording: MemoryRecording | null = null;
  private readonly live = new Set<WasmTensor>();
  /** What has been made since the innermost `tidy` began. */
  private made: WasmTensor[] | null = null;
  /** By key, and by the kernel itself. */
  private readonly compiled = new Map<string, Compiled>();
  private ready = new WeakMap<Kernel, Compiled>();
  /** Where modules are for other threads to find, and how many ever were. */
  private readonly published: Block[] = [];
  private publications = 0;
  private readonly lastKernels = new WeakMap<object, Remembered>();

  constructor(
    readonly memory: Memory,
    { exact, threads }: CoreOptions,
  ) {
    this.exact = exact;
    this.crew = threads && new Crew(memory.wasm, threads);
    this.threads = threads?.count ?? 1;
    this.packed = new PackedWeights(this.memory, () => this.forgetRecording());
    this.tile = tileOf(this.fused);
    memory.makeRoom = () => this.forgetRecording() || this.packed.forgetOldest();
  }

  // Recording

  /** Starts to record a run. */
  record(): MemoryRecorder {
    const attach = (recorder: MemoryRecorder | null) => {
      this.recorder = recorder;
      this.memory.onAllocate = recorder && ((block) => recorder.allocated(block));
    };
    const { releases } = this.packed;
    return new MemoryRecorder(attach, (recorder) => {
      // Weights that were given back meanwhile are not where the run found them.
      return this.packed.releases === releases ? this.keepRecording(recorder) : null;
    });
  }

  private keepRecording(recorder: MemoryRecorder): Recording | null {
    this.forgetRecording();
    const reserved = recorder.reserve(this.memory);
    this.recording = reserved && new MemoryRecording(this.memory, recorder.steps, reserved);
    return this.recording;
  }

  /** Gives the memory of the recorded run back; whether there was one. */
  forgetRecording(): boolean {
    const known = this.recording;
    known?.release();
    this.recording = null;
    return known !== null;
  }

  /** Bytes of memory that hold modules. */
  get codeBytes(): number {
    return this.published.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Bytes that the recorded run holds. */
  get recordedBytes(): number {
    return this.recording?.bytes ?? 0;
  }

  /** Whatever is done to tensors in memory is done here: now, and again with the run that is being recorded. */
  private perform(action: Action): void {
    action();
    this.recorder?.did(action);
  }

  /** To be told by whoever changes memory in a way that is no action: packs weights, or computes outside. */
  unrecorded(): void {
    this.recorder?.spoil();
  }

  /** Writes numbers, floats or integers, that are the same in every run. */
  write(address: number, numbers: Float32Array | Int32Array): void {
    this.perform(() => {
      const view = numbers instanceof Float32Array ? this.memory.floats : this.memory.integers;
      view.set(numbers, address / 4);
    });
  }

  /** Writes one number over and over. */
  fill(address: number, count: number, value: number): void {
    this.perform(() => this.memory.part(address, count).fill(value));
  }

  /** Whether an integer in memory is 0. A recorded run is of no use where that comes out otherwise than it did. */
  isZero(address: number): boolean {
    const look = () => this.memory.integers[address / 4] === 0;
    const expected = look();
    this.recorder?.did(() => {
      if (look() !== expected) throw new Diverged();
    });
    return expected;
  }

  // Tensors

  private keep(dims: readonly number[], block: Block, form: Form): WasmTensor {
    const made = new WasmTensor(dims, { block, form });
    this.live.add(made);
    this.made?.push(made);
    return made;
  }

  /** A tensor in rows, whose numbers somebody still has to write. @throws EngineError where it does not fit. */
  rows(dims: readonly number[]): WasmTensor {
    const count = elementCount(dims, this.memory.limit);
    return this.keep(dims, this.memory.allocate(4 * count), { kind: "rows" });
  }

  /** An image as pixels with a margin of zeros, whose pixels somebody still has to write. @throws EngineError. */
  image(dims: readonly number[], margin: Margin = NO_MARGIN): WasmTensor {
    const form = pixelsOf(dims, margin);
    return this.keep(dims, this.allocatePixels(form), form);
  }

  private allocatePixels(form: Pixels): Block {
    const block = this.memory.allocate(4 * elementCount([form.count], this.memory.limit));
    this.clearMarginOf(block, form);
    return block;
  }

  private clearMarginOf({ address }: Block, form: Pixels): void {
    if (hasMargin(form)) this.perform(() => clearMargin(this.memory.floats, address / 4, form));
  }

  /** Writes the zeros around an image anew. */
  clearMargin({ storage: { block, form } }: WasmTensor): void {
    if (form.kind === "pixels") this.clearMarginOf(block, form);
  }

  /** A tensor of other dims over the same numbers, which are in rows. */
  share(x: WasmTensor, dims: readonly number[]): WasmTensor {
    return this.keep(dims, this.memory.hold(this.asRows(x).block), { kind: "rows" });
  }

  /** Numbers that are the same in every run of a network. */
  constant({ dims, data }: Values): WasmTensor {
    const made = this.rows(dims);
    this.write(made.storage.block.address, data);
    return made;
  }

  /** Numbers from outside. Outermost they are a network's inputs: a recorded run takes others in their place. */
  enter(values: Values): WasmTensor {
    if (this.made) return this.constant(values);
    const { dims, data } = values;
    const made = this.rows(dims);
    const { address } = made.storage.block;
    this.memory.part(address, data.length).set(data);
    this.recorder?.given({ address, dims, count: data.length });
    return made;
  }

  read(x: WasmTensor): Values {
    const { address } = this.asRows(x);
    const count = elementCount(x.dims);
    this.recorder?.read({ address, dims: x.dims, count });
    return { dims: x.dims, data: this.memory.part(address, count).slice() };
  }

  release(x: WasmTensor): void {
    if (!this.live.delete(x)) return;
    x.released = true;
    this.memory.release(x.storage.block);
  }

  tidy(work: () => readonly WasmTensor[]): readonly WasmTensor[] {
    const outer = this.made;
    const inner: WasmTensor[] = [];
    this.made = inner;
    let results: readonly WasmTensor[] = [];
    try {
      results = work();
      return results;
    } finally {
      this.made = outer;
      for (const x of inner) {
        if (results.includes(x)) outer?.push(x);
        else this.release(x);
      }
    }
  }

  /** The address of a tensor's numbers in rows; they are brought into that form once. */
  asRows(x: WasmTensor): { readonly block: Block; readonly address: number } {
    const { block, form } = this.storageOf(x);
    if (form.kind === "pixels") {
      const made = this.memory.allocate(4 * elementCount(x.dims, this.memory.limit));
      this.exchange(x, made, { kind: "rows" }, () => {
        this.run(pixelsToRows(form), { from: block.address + 4 * form.origin, to: made.address });
      });
    }
    return { block: x.storage.block, address: x.storage.block.address };
  }

  /**
   * A tensor's numbers as pixels with at least a margin; they are brought into that form once.
   * @param tight lets an image of fewer than four channels have pixels without gaps.
   * @returns the address of the first pixel, behind the margin.
   */
  asPixels(x: WasmTensor, margin = NO_MARGIN, tight = false): { readonly form: Pixels; readonly address: number } {
    const { block, form } = this.storageOf(x);
    const enough =
      form.kind === "pixels" && covers(form.margin, margin) && (tight || form.pixel % 4 === 0 || form.channels === 1);
    if (!enough) {
      const stride = tight && x.dims[1]! < 4 ? x.dims[1]! : undefined;
      const made = pixelsOf(x.dims, margin, stride);
      const to = this.allocatePixels(made);
      const addresses = { from: block.address, to: to.address + 4 * made.origin };
      this.exchange(x, to, made, () => {
        if (form.kind === "rows") this.run(rowsToPixels(made), addresses);
        else this.run(pixelsToPixels(form, made), { ...addresses, from: block.address + 4 * form.origin });
      });
    }
    const now = x.storage.form as Pixels;
    return { form: now, address: x.storage.block.address + 4 * now.origin };
  }

  private storageOf(x: WasmTensor) {
    if (x.released) throw new EngineError("mismatch", "a tensor that has been released");
    return x.storage;
  }

  /** Moves a tensor's numbers to another place; where that fails, they stay where they are. */
  private exchange(x: WasmTensor, block: Block, form: Form, move: () => void): void {
    try {
      move();
    } catch (error) {
      this.memory.release(block);
      throw error;
    }
    this.memory.release(x.storage.block);
    x.storage = { block, form };
  }

  /** Lends memory to some work. @param use gets its address. */
  withScratch<T>(bytes: number, use: (address: number) => T): T {
    const block = this.memory.allocate(bytes);
    try {
      return use(block.address);
    } finally {
      this.memory.release(block);
    }
  }

  // Kernels

  /** Runs all units of a kernel. @throws EngineError `cancelled`. */
  run<Name extends string>(kernel: Kernel<Name>, addresses: Readonly<Record<Name, number>>): void {
    const compiled = this.compiledOf(kernel);
    const places = kernel.addresses.map((name) => addresses[name]);
    this.perform(() => this.launch(kernel, compiled, places));
  }

  private launch(kernel: Kernel, { call, shared }: Compiled, places: readonly number[]): void {
    this.trace?.(kernel);
    const block = this.memory.integers;
    for (let index = 0; index < places.length; index++) block[ADDRESSES / 4 + index] = places[index]!;
    const { units, work } = kernel;
    const step = Math.max(1, Math.floor(CALL / work));
    checkpoint(this.signal);
    if (this.crew && shared && units > 1 && units * work > ALONE) {
      const chunk = Math.min(step, Math.ceil(units / (4 * this.threads)));
      this.crew.run({ kernel: shared, block: ADDRESSES, units, chunk }, call, this.signal);
      checkpoint(this.signal);
      return;
    }
    for (let unit = 0; unit < units; unit += step) {
      checkpoint(this.signal);
      call(ADDRESSES, unit, Math.min(units, unit + step));
    }
  }

  /** Has integers in memory while something runs: tables that kernels read. `work` gets their address. */
  withIntegers<T>(numbers: ArrayLike<number>, work: (address: number) => T): T {
    return this.withScratch(4 * numbers.length, (address) => {
      this.write(address, Int32Array.from(numbers));
      return work(address);
    });
  }

  /**
   * The kernel of a geometry. For each weight the last one is remembered, because the same layer mostly comes again with
   * the same geometry, and telling that is quicker than cutting it into units anew.
   */
  kernelFor<G extends object, K extends Kernel<any>>(owner: object, geometry: G, make: (geometry: G) => K): K {
    const last = this.lastKernels.get(owner);
    if (last && last.make === make && isSame(last.geometry, geometry)) return last.kernel as K;
    const kernel = make(geometry);
    this.lastKernels.set(owner, { geometry, make, kernel });
    return kernel;
  }

  private compiledOf(kernel: Kernel): Compiled {
    const ready = this.ready.get(kernel);
    if (ready) return ready;
    const made = this.compiled.get(kernel.key) ?? this.compile(kernel);
    this.ready.set(kernel, made);
    return made;
  }

  private compile(kernel: Kernel): Compiled {
    this.unrecorded();
    if (this.compiled.size === MOST_KERNELS) this.forgetKernels();
    const { wasm, maximumPages, shared } = this.memory;
    const bytes = moduleOf(kernel, { maximumPages, shared });
    const module = new webAssembly.Module(bytes);
    const call = new webAssembly.Instance(module, { engine: { memory: wasm } }).exports.run!;
    const made = { call, shared: this.crew && this.publish(bytes) };
    this.compiled.set(kernel.key, made);
    return made;
  }

  /** Puts a module where other threads find it. */
  private publish(bytes: Uint8Array): SharedKernel {
    const block = this.memory.allocate(bytes.length);
    this.published.push(block);
    new Uint8Array(this.memory.wasm.buffer, block.address, bytes.length).set(bytes);
    return { id: this.publications++, address: block.address, length: bytes.length };
  }

  /** Gives all kernels back; they are written again when they are needed. */
  private forgetKernels(): void {
    this.forgetRecording();
    this.compiled.clear();
    this.ready = new WeakMap();
    for (const block of this.published.splice(0)) this.memory.release(block);
  }

  /** Sends the other threads home. The core must not be used any more. */
  dispose(): void {
    this.crew?.dismiss();
  }
}
