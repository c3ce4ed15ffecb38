/**
 * Many tasks on many cores, with answers in the order of the tasks and no more than a few groups of them in memory.
 */
import { Worker } from "node:worker_threads";
import { Checker, type Outcome, type Setup, type Task } from "./checker.ts";

/** Bundled, the worker is a file beside the command line; from the sources, a module beside this one. */
const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./lint-worker.js", import.meta.url);

/** Groups given to one worker beyond the one it works on, so that it never waits for the main thread. */
const AHEAD = 3;

/** What one message to a worker carries: more saves messages, fewer keeps the cores evenly busy. */
export const GROUP = 16;

/**
 * Checks what comes in groups. An item without a task keeps its place with a null outcome.
 *
 * @param jobs with 1 everything happens in this thread.
 */
export async function* inOrder<T>(
  groups: Iterable<readonly T[]> | AsyncIterable<readonly T[]>,
  taskOf: (item: T) => Task | null,
  setup: Setup,
  jobs: number,
): AsyncGenerator<readonly [T, Outcome | null]> {
  if (jobs > 1) {
    yield* pooled(groups, taskOf, setup, jobs);
    return;
  }
  const checker = new Checker(setup);
  for await (const group of groups) {
    for (const item of group) {
      const task = taskOf(item);
      yield [item, task && checker.check(task)];
    }
  }
}

interface Given<T> {
  readonly group: readonly T[];
  readonly outcomes: Promise<readonly Outcome[]>;
}

async function* pooled<T>(
  groups: Iterable<readonly T[]> | AsyncIterable<readonly T[]>,
  taskOf: (item: T) => Task | null,
  setup: Setup,
  jobs: number,
): AsyncGenerator<readonly [T, Outcome | null]> {
  const hands = Array.from({ length: jobs }, () => new Hand(setup));
  const queue: Given<T>[] = [];
  const source = asyncIterator(groups);
  try {
    let coming: Promise<IteratorResult<readonly T[]>> | null = source.next();
    while (coming || queue.length > 0) {
      const first = queue[0];
      const room = coming && queue.length < jobs * (1 + AHEAD) ? coming : null;
      const next: Given<T> | IteratorResult<readonly T[]> = await Promise.race([
        ...(room ? [room] : []),
        ...(first ? [first.outcomes.then(() => first)] : []),
      ]);
      if ("outcomes" in next) {
        queue.shift();
        yield* paired(next.group, taskOf, await next.outcomes);
      } else if (next.done) coming = null;
      else {
        const idlest = hands.reduce((best, hand) => (hand.load < best.load ? hand : best));
        const tasks = next.value.flatMap((item) => taskOf(item) ?? []);
        queue.push({ group: next.value, outcomes: idlest.check(tasks) });
        coming = source.next();
      }
    }
  } finally {
    await Promise.all(hands.map((hand) => hand.end()));
  }
}

async function* asyncIterator<T>(items: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T> {
  yield* items;
}

function* paired<T>(group: readonly T[], taskOf: (item: T) => Task | null, outcomes: readonly Outcome[]) {
  let index = 0;
  for (const item of group) yield [item, taskOf(item) ? outcomes[index++]! : null] as const;
}

/** One worker and what it was asked and has not answered. */
class Hand {
  private readonly worker: Worker;
  private readonly waiting: {
    readonly resolve: (outcomes: readonly Outcome[]) => void;
    readonly reject: (error: Error) => void;
  }[] = [];

  constructor(setup: Setup) {
    this.worker = new Worker(WORKER, { workerData: setup });
    this.worker.on("message", (outcomes: readonly Outcome[]) => this.waiting.shift()?.resolve(outcomes));
    this.worker.on("error", (error: Error) => {
      for (const { reject } of this.waiting.splice(0)) reject(error);
    });
  }

  get load(): number {
    return this.waiting.length;
  }

  check(tasks: readonly Task[]): Promise<readonly Outcome[]> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.worker.postMessage(tasks);
    });
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}
