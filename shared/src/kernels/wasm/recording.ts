/**
 * Runs that are done again without asking any operator.
 *
 * Of a small layer's time most goes into finding out what to do: sizes are checked, layouts chosen, kernels looked up. All
 * of it comes out the same when the same network runs once more. So a recorder keeps what a run did to the memory, action
 * by action with all addresses, and the parts of memory that it used stay reserved: doing the actions again on other
 * inputs is the same run.
 */
import type { Recorder, Recording } from "../backend.ts";
import type { Values } from "../values.ts";
import type { Block, Memory } from "./memory.ts";

/** Something that is done to the memory. It knows all addresses, and may be done again. */
export type Action = () => void;

/** Where a tensor's numbers are in rows. */
interface Place {
  readonly address: number;
  readonly dims: readonly number[];
  readonly count: number;
}

interface Step {
  readonly actions: Action[];
  /** Numbers that came from outside, and those that went there, in order. */
  readonly given: Place[];
  readonly read: Place[];
}

/** Thrown by an action that cannot be done again as it was. */
export class Diverged extends Error {}

/** Keeps what is done while it is attached to a core. */
export class MemoryRecorder implements Recorder {
  readonly steps: Step[] = [];
  private readonly blocks: Block[] = [];
  private isSpoilt = false;

  /** @param attach makes a core tell this recorder what it does, or nobody. */
  constructor(
    private readonly attach: (recorder: MemoryRecorder | null) => void,
    private readonly keep: (recorder: MemoryRecorder) => Recording | null,
  ) {}

  step<T>(work: () => T): T {
    this.steps.push({ actions: [], given: [], read: [] });
    this.attach(this);
    try {
      return work();
    } finally {
      this.attach(null);
    }
  }

  private get current(): Step {
    return this.steps.at(-1)!;
  }

  did(action: Action): void {
    this.current.actions.push(action);
  }

  given(place: Place): void {
    this.current.given.push(place);
  }

  read(place: Place): void {
    this.current.read.push(place);
  }

  allocated(block: Block): void {
    this.blocks.push(block);
  }

  /** Something happened that is no action: it will not happen again, or depends on the numbers. */
  spoil(): void {
    this.isSpoilt = true;
  }

  finish(): Recording | null {
    return this.isSpoilt ? null : this.keep(this);
  }

  /** Reserves all memory that the run used; null where somebody has a part of it now. */
  reserve(memory: Memory): Block[] | null {
    const reserved: Block[] = [];
    for (const { address, bytes } of joined(this.blocks)) {
      const block = memory.claim(address, bytes);
      if (!block) {
        for (const each of reserved) memory.release(each);
        return null;
      }
      reserved.push(block);
    }
    return reserved;
  }
}

/** The memory under blocks that may overlap, as few parts that do not. */
function joined(blocks: readonly Block[]): { address: number; bytes: number }[] {
  const parts: { address: number; bytes: number }[] = [];
  for (const { address, bytes } of [...blocks].sort((a, b) => a.address - b.address)) {
    const last = parts.at(-1);
    if (last && address <= last.address + last.bytes) {
      last.bytes = Math.max(last.bytes, address + bytes - last.address);
    } else parts.push({ address, bytes });
  }
  return parts;
}

/** A recorded run. It holds the memory that the run used until it is released. */
export class MemoryRecording implements Recording {
  /** The run that replays it; whoever begins at the first step takes it over. */
  private owner: object | null = null;
  private isReleased = false;
  readonly bytes: number;

  constructor(
    private readonly memory: Memory,
    private readonly steps: readonly Step[],
    private readonly reserved: readonly Block[],
  ) {
    this.bytes = reserved.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  replay(owner: object, index: number, given: readonly Values[]): readonly Values[] | null {
    if (index === 0) this.owner = owner;
    if (this.isReleased || this.owner !== owner) return null;
    const step = this.steps[index]!;
    for (const [at, { address, count }] of step.given.entries()) {
      this.memory.part(address, count).set(given[at]!.data);
    }
    try {
      for (const action of step.actions) action();
    } catch (error) {
      if (error instanceof Diverged) return null;
      throw error;
    }
    return step.read.map(({ address, dims, count }) => ({ dims, data: this.memory.part(address, count).slice() }));
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    for (const block of this.reserved) this.memory.release(block);
  }
}
