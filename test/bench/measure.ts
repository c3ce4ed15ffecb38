/** Times of functions that take turns, so that whatever else the machine does falls on all of them alike. */
import { performance } from "node:perf_hooks";

/** Milliseconds each contestant takes, as the median over its rounds. */
export function race<Name extends string>(
  contestants: Readonly<Record<Name, () => unknown>>,
  { rounds = 200, seconds = 4 }: { readonly rounds?: number; readonly seconds?: number } = {},
): Record<Name, number> {
  const names = Object.keys(contestants) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  // Until the compiler has seen all of it; a long-running server is past that point, too.
  for (const name of names) for (const end = performance.now() + 1000; performance.now() < end; ) contestants[name]();
  const end = performance.now() + seconds * 1000;
  for (let round = 0; round < rounds && (round < 5 || performance.now() < end); round++) {
    for (const name of names) {
      const start = performance.now();
      contestants[name]();
      times[name].push(performance.now() - start);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(times[name])])) as Record<Name, number>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
