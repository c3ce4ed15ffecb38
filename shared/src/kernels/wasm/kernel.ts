/**
 * What a kernel is, and the frame that all kernels share.
 *
 * A kernel is a function `run(block, first, end)` that does the units of work `first` … `end − 1`. `block` is the address
 * of a list of i32, the addresses of its tensors. Everything else about the geometry is a constant in its code. Units
 * are independent of each other: they may run in any order and on any thread, and no result depends on how many run in
 * one call. A unit takes some ten microseconds to half a millisecond: cheap enough to be cancelled between, and dear
 * enough to be handed to a thread.
 */
import { assemble, FunctionWriter, i32, type Local, type MemoryImport } from "./assembler.ts";

export interface Kernel<Name extends string = string> {
  /** Kernels of one key have the same code. */
  readonly key: string;
  /** The addresses that it takes, in the order of the block. */
  readonly addresses: readonly Name[];
  readonly units: number;
  /** Of one unit, about: operations on single numbers. */
  readonly work: number;
  /** Writes what one unit does. */
  write(f: FunctionWriter, addresses: Readonly<Record<Name, Local>>, unit: Local): void;
}

/** Most addresses that a kernel takes. */
export const MOST_ADDRESSES = 16;

/** The module of a kernel: it exports `run`. */
export function moduleOf(kernel: Kernel, memory: MemoryImport): Uint8Array<ArrayBuffer> {
  if (kernel.addresses.length > MOST_ADDRESSES) throw new RangeError(`${kernel.addresses.length} addresses`);
  const f = new FunctionWriter("run", ["i32", "i32", "i32"]);
  const [block, first, end] = f.parameters as [Local, Local, Local];
  const addresses: Record<string, Local> = {};
  for (const [index, name] of kernel.addresses.entries()) {
    addresses[name] = f.let("i32", i32.load(block, 4 * index));
  }
  const unit = f.local("i32");
  f.range(unit, first, end, 1, () => kernel.write(f, addresses, unit));
  return assemble(f, memory);
}
