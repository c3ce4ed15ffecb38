/** A backend whose memory notices what a kernel reads or writes outside of its tensors. */
import assert from "node:assert/strict";
import { Core } from "#shared/kernels/wasm/core.ts";
import { type Block, Memory } from "#shared/kernels/wasm/memory.ts";
import { WasmBackend } from "#shared/kernels/wasm/wasm.ts";

/** Bytes before and behind every part. */
const ZONE = 4096;

/**
 * Hands out parts between two zones. Everything is NaN before it is written, inside too: a number read from where none
 * was written makes the result NaN. A write into a zone is found when the part is checked.
 */
class GuardedMemory extends Memory {
  private readonly outer = new Map<Block, Block>();
  /** Parts with their zones that are reserved for a recorded run. */
  private readonly claimed = new Set<Block>();

  override allocate(bytes: number): Block {
    const outer = super.allocate(bytes + 2 * ZONE);
    this.part(outer.address, outer.bytes / 4).fill(Number.NaN);
    // The end is exact, so that the zone begins right behind the last number.
    const inner = { address: outer.address + ZONE, bytes, holders: 1 };
    this.outer.set(inner, outer);
    return inner;
  }

  override claim(address: number, bytes: number): Block | null {
    const block = super.claim(address, bytes);
    if (block) this.claimed.add(block);
    return block;
  }

  override release(block: Block): void {
    if (this.claimed.delete(block)) {
      super.release(block);
      return;
    }
    block.holders--;
    if (block.holders > 0) return;
    this.check(block);
    const outer = this.outer.get(block);
    assert.ok(outer, "a part is given back twice");
    this.outer.delete(block);
    super.release(outer);
  }

  private check(block: Block): void {
    const before = this.part(block.address - ZONE, ZONE / 4);
    const behind = this.part(block.address + block.bytes, ZONE / 4);
    assert.ok(before.every(Number.isNaN), "a kernel wrote before its tensor");
    assert.ok(behind.every(Number.isNaN), "a kernel wrote behind its tensor");
  }

  checkAll(): void {
    for (const block of this.outer.keys()) this.check(block);
  }
}

export class GuardedBackend extends WasmBackend {
  private readonly guarded: GuardedMemory;

  constructor({ exact = false } = {}) {
    const memory = new GuardedMemory(2 ** 30, false);
    super(new Core(memory, { exact, threads: null }));
    this.guarded = memory;
  }

  /** @throws AssertionError where something was written outside of its tensor. */
  checkAll(): void {
    this.guarded.checkAll();
  }
}
