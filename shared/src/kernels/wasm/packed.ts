/**
 * Weights as kernels read them, packed once. What has been packed is remembered by the identity of the weight's object,
 * and given back when nobody has that object any more, or when memory ends.
 */
import type { Values } from "../values.ts";
import type { Block, Memory } from "./memory.ts";

/** Something packed: addresses by name. */
export interface Packed {
  readonly weight: number;
  readonly bias: number;
}

interface Known {
  readonly bias: Values | null;
  readonly packed: Packed;
  readonly block: Block;
}

export class PackedWeights {
  private readonly known = new WeakMap<Values, Map<string, Known>>();
  /** Of all that is packed, the least recently used first. */
  private readonly blocks = new Set<Block>();
  private readonly inUse = new Set<Block>();
  private readonly gone: FinalizationRegistry<Block>;
  /** How often something has been given back: addresses that were known before may be somebody else's. */
  releases = 0;

  /** @param onRelease told before packed weights are given back: whoever has their addresses must forget them. */
  constructor(
    private readonly memory: Memory,
    private readonly onRelease: () => void,
  ) {
    this.gone = new FinalizationRegistry((block) => this.release(block));
  }

  /** Bytes of all that is packed. */
  get bytes(): number {
    let sum = 0;
    for (const block of this.blocks) sum += block.bytes;
    return sum;
  }

  /** Does work whose packed weights must stay where they are until it is done. */
  during<T>(work: () => T): T {
    try {
      return work();
    } finally {
      this.inUse.clear();
    }
  }

  /**
   * @param key how it is packed: everything that `write` depends on besides the numbers.
   * @param counts floats of weight and bias.
   * @param write writes both; where it throws, nothing is kept.
   */
  get(
    weight: Values,
    bias: Values | null,
    key: string,
    counts: { readonly weight: number; readonly bias: number },
    write: (packed: Packed) => void,
  ): Packed {
    const forms = this.known.get(weight) ?? new Map<string, Known>();
    this.known.set(weight, forms);
    const found = forms.get(key);
    if (found && found.bias === bias && this.blocks.has(found.block)) return this.use(found);
    if (found) this.release(found.block);
    const start = 16 * Math.ceil(counts.weight / 16);
    const block = this.memory.allocate(4 * (start + counts.bias));
    const packed = { weight: block.address, bias: block.address + 4 * start };
    try {
      write(packed);
    } catch (error) {
      this.memory.release(block);
      throw error;
    }
    this.gone.register(weight, block);
    const made = { bias, packed, block };
    forms.set(key, made);
    return this.use(made);
  }

  /** Nobody has been waiting longer than what is used now. */
  private use({ block, packed }: Known): Packed {
    this.blocks.delete(block);
    this.blocks.add(block);
    this.inUse.add(block);
    return packed;
  }

  private release(block: Block): void {
    if (!this.blocks.delete(block)) return;
    this.releases++;
    this.onRelease();
    this.memory.release(block);
  }

  /** Gives back what was not used for the longest time, if not in use now; whether there was anything. */
  forgetOldest(): boolean {
    for (const block of this.blocks) {
      if (this.inUse.has(block)) continue;
      this.release(block);
      return true;
    }
    return false;
  }

  /** Gives everything back; it is packed again when it is needed. */
  clear(): void {
    for (const block of [...this.blocks]) this.release(block);
  }
}
