/**
 * Times of peers that take turns: A B C A B C … What another process does to the machine falls on all of them alike, and
 * batches in which somebody else had the cores are left out.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { median } from "../measure.ts";
import type { Peer } from "./peer.ts";

export type Mode = "resident" | "whole";

export interface Effort {
  /** Rounds at least, and at most where too few batches were clean. */
  readonly rounds: number;
  readonly mostRounds: number;
  /** Milliseconds of one batch. */
  readonly batch: number;
  /** Milliseconds that each runs before it is measured, so that V8 has compiled what runs often. */
  readonly warm: number;
}

export const FULL: Effort = { rounds: 11, mostRounds: 40, batch: 25, warm: 600 };
export const QUICK: Effort = { rounds: 5, mostRounds: 12, batch: 12, warm: 250 };

export interface Timing {
  /** Milliseconds of one run. */
  readonly ms: number;
  /** How often as fast as the base: the median of the rounds' ratios. Absent where the base did not run. */
  readonly ratio?: number;
}

interface Batch {
  readonly ms: number;
  /** The share of time that its threads waited for a core. */
  readonly delay: number;
}

/** More waiting than that, and a batch says more of the machine than of the engine. */
const CLEAN = 0.02;

async function batchOf(peer: Peer, mode: Mode, count: number): Promise<Batch | null> {
  const reply = await peer.ask({ command: "run", mode, count });
  if (!reply.ok) return null;
  // With one thread, waiting can be taken off the clock; with more, threads wait for each other too.
  return { ms: (peer.threads > 1 ? reply.wall : reply.busy) as number, delay: reply.delay as number };
}

/** Runs a peer until it gets no faster; gives how many runs make a batch. */
async function warmUp(peer: Peer, mode: Mode, { batch, warm }: Effort): Promise<number | null> {
  let [count, least, spent] = [1, Number.POSITIVE_INFINITY, 0];
  for (let round = 0; round < 40; round++) {
    const ran = await batchOf(peer, mode, count);
    if (!ran) return null;
    spent += ran.ms * count;
    const settled = ran.ms > least * 0.95;
    least = Math.min(least, ran.ms);
    count = Math.max(1, Math.min(20_000, Math.ceil(batch / ran.ms)));
    if (spent > 5 * warm || (spent >= warm && settled)) break;
    // Compilers work in other threads.
    await sleep(round < 6 ? 25 : 5);
  }
  return count;
}

/** The cleanest batches: all clean ones, and at least half of a full number of rounds. */
function cleanest<T extends { readonly delay: number }>(batches: readonly T[], { rounds }: Effort): readonly T[] {
  const least = Math.max(3, Math.ceil(rounds / 2));
  const sorted = [...batches].sort((a, b) => a.delay - b.delay);
  return sorted.slice(0, Math.max(least, sorted.filter(({ delay }) => delay < CLEAN).length));
}

/** Peers that fail are left out. */
export async function race(peers: readonly Peer[], mode: Mode, base: Peer | undefined, effort: Effort) {
  const counts = new Map<Peer, number>();
  for (const peer of peers) {
    const count = await warmUp(peer, mode, effort);
    if (count !== null) counts.set(peer, count);
  }
  const batches = new Map([...counts.keys()].map((peer): [Peer, Batch[]] => [peer, []]));
  for (let round = 0; round < effort.mostRounds; round++) {
    const order = [...batches.keys()];
    const enough = (all: readonly Batch[]) => all.filter(({ delay }) => delay < CLEAN).length >= effort.rounds / 2;
    if (round >= effort.rounds && [...batches.values()].every(enough)) break;
    for (let turn = 0; turn < order.length; turn++) {
      const peer = order[(turn + round) % order.length]!;
      await sleep(4);
      const ran = await batchOf(peer, mode, counts.get(peer)!);
      if (ran) batches.get(peer)!.push(ran);
      else batches.delete(peer);
    }
  }
  const against = base && batches.get(base);
  return new Map(
    [...batches].map(([peer, all]): [Peer, Timing] => {
      const ratios = all.flatMap((batch, round) => {
        const other = against?.[round];
        return other ? [{ ratio: other.ms / batch.ms, delay: other.delay + batch.delay }] : [];
      });
      const ms = median(cleanest(all, effort).map((batch) => batch.ms));
      if (ratios.length === 0) return [peer, { ms }];
      return [peer, { ms, ratio: median(cleanest(ratios, effort).map(({ ratio }) => ratio)) }];
    }),
  );
}
