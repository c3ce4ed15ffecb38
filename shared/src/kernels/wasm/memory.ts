/**
 * The engine's memory: one WebAssembly memory that grows within bounds, and who has which part of it.
 *
 * Parts are handed out first fit, from a list of gaps in the order of addresses in which neighbours join again. The
 * numbers behind a part are whatever was there before.
 */
import { EngineError } from "../values.ts";
import { PAGE, type WasmMemory, webAssembly } from "./runtime.ts";

/** A part of memory that somebody holds. Tensors that share their numbers hold the same part. */
export interface Block {
  /** Of its first byte; a multiple of `ALIGNMENT`. */
  readonly address: number;
  readonly bytes: number;
  holders: number;
}

/** Whole cache lines, so that two threads never write to the same one. */
const ALIGNMENT = 64;

/** Never handed out: address 0, and the first bytes that threads talk through. */
export const RESERVED = 4096;

interface Gap {
  address: number;
  bytes: number;
}

export class Memory {
  readonly wasm: WasmMemory;
  /** Bytes that are handed out. */
  used = 0;
  /** Told of every part that is handed out. */
  onAllocate: ((block: Block) => void) | null = null;
  /** Gives back what can be done without, where memory ends; false: there is nothing left of that kind. */
  makeRoom: (() => boolean) | null = null;
  private readonly gaps: Gap[] = [];
  private end: number;
  private view: Float32Array = new Float32Array(0);
  private whole: Uint32Array = new Uint32Array(0);

  /** @param limit bytes, at most 4 GiB, that the memory may grow to. */
  constructor(
    readonly limit: number,
    readonly shared: boolean,
  ) {
    this.wasm = new webAssembly.Memory({ initial: 1, maximum: this.maximumPages, shared });
    this.end = RESERVED;
  }

  get maximumPages(): number {
    return Math.max(1, Math.min(2 ** 16, Math.floor(this.limit / PAGE)));
  }

  /** Bytes that the memory has grown to. */
  get size(): number {
    return this.wasm.buffer.byteLength;
  }

  /** All numbers; look it up again after every allocation, which may grow the memory. */
  get floats(): Float32Array {
    if (this.view.buffer !== this.wasm.buffer) this.view = new Float32Array(this.wasm.buffer);
    return this.view;
  }

  /** The same as whole numbers. */
  get integers(): Uint32Array {
    if (this.whole.buffer !== this.wasm.buffer) this.whole = new Uint32Array(this.wasm.buffer);
    return this.whole;
  }

  /** The numbers of a part. */
  part(address: number, count: number): Float32Array {
    return this.floats.subarray(address / 4, address / 4 + count);
  }

  /**
   * Where memory ends, whatever can be done without is given back first.
   * @throws EngineError `too-large`, with the bytes that the memory would have to have.
   */
  allocate(bytes: number): Block {
    const needed = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    for (;;) {
      const at = this.gaps.findIndex((gap) => gap.bytes >= needed);
      const gap = this.gaps[at];
      if (gap) {
        const { address } = gap;
        gap.address += needed;
        gap.bytes -= needed;
        if (gap.bytes === 0) this.gaps.splice(at, 1);
        return this.handOut(address, needed);
      }
      try {
        return this.handOut(this.extend(needed), needed);
      } catch (error) {
        if (needed > this.maximumPages * PAGE || !this.makeRoom?.()) throw error;
      }
    }
  }

  private handOut(address: number, bytes: number): Block {
    this.used += bytes;
    const block = { address, bytes, holders: 1 };
    this.onAllocate?.(block);
    return block;
  }

  /** Hands out a certain part; null where somebody holds some of it. */
  claim(address: number, bytes: number): Block | null {
    const at = this.gaps.findIndex((gap) => gap.address <= address && address + bytes <= gap.address + gap.bytes);
    const gap = this.gaps[at];
    if (!gap) return null;
    const rest = [
      { address: gap.address, bytes: address - gap.address },
      { address: address + bytes, bytes: gap.address + gap.bytes - address - bytes },
    ];
    this.gaps.splice(at, 1, ...rest.filter((each) => each.bytes > 0));
    return this.handOut(address, bytes);
  }

  /** The gap right before the end of what was ever handed out. */
  private get lastGap(): Gap | null {
    const last = this.gaps.at(-1);
    return last && last.address + last.bytes === this.end ? last : null;
  }

  /** Where the end would be with so many more bytes. */
  private endWith(needed: number): number {
    return (this.lastGap?.address ?? this.end) + needed;
  }

  /** Moves the end, over the gap right before it. */
  private extend(needed: number): number {
    const end = this.endWith(needed);
    this.ensure(end);
    if (this.lastGap) this.gaps.pop();
    this.end = end;
    return end - needed;
  }

  private ensure(bytes: number): void {
    if (bytes <= this.size) return;
    const pages = Math.ceil(bytes / PAGE);
    const why = `the engine would need ${pages * PAGE} bytes; at most ${this.maximumPages * PAGE} are allowed`;
    if (pages > this.maximumPages) throw new EngineError("too-large", why, pages * PAGE);
    // By a quarter more than asked for, so that a run grows the memory a few times only.
    const wanted = Math.min(this.maximumPages, Math.ceil(pages * 1.25));
    for (const target of [wanted, pages]) {
      try {
        this.wasm.grow(target - this.size / PAGE);
        return;
      } catch {
        // The system has no more to give: the next target asks for less.
      }
    }
    throw new EngineError("too-large", `the system does not give the engine ${pages * PAGE} bytes`, pages * PAGE);
  }

  hold(block: Block): Block {
    block.holders++;
    return block;
  }

  /** Gives a part back once nobody holds it. */
  release(block: Block): void {
    block.holders--;
    if (block.holders > 0) return;
    this.used -= block.bytes;
    const next = this.gaps.findIndex((gap) => gap.address > block.address);
    const at = next < 0 ? this.gaps.length : next;
    this.gaps.splice(at, 0, { address: block.address, bytes: block.bytes });
    this.join(at);
    this.join(at - 1);
  }

  /** Joins a gap with the one behind it where they touch. */
  private join(at: number): void {
    const [gap, next] = [this.gaps[at], this.gaps[at + 1]];
    if (!gap || !next || gap.address + gap.bytes !== next.address) return;
    gap.bytes += next.bytes;
    this.gaps.splice(at + 1, 1);
  }
}
