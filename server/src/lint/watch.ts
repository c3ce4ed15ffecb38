/**
 * `check --watch`: looks for changes by looking, which works on every file system and notices configurations and ignore
 * files too; how often depends on how long a look takes.
 */
import { statSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { FoundTasks } from "./tasks.ts";

const LEAST_MS = 200;
/** A look may take one part in so many of the time. */
const SHARE = 10;

/** Calls `check` at once and after every change, for ever. */
export async function watch(
  find: () => Promise<FoundTasks>,
  check: (found: FoundTasks) => Promise<void>,
): Promise<never> {
  for (let last: string | null = null; ; ) {
    const start = performance.now();
    const found = await find();
    const seen = signature(found);
    const took = performance.now() - start;
    if (seen !== last) {
      last = seen;
      await check(found);
    }
    await setTimeout(Math.max(LEAST_MS, took * SHARE));
  }
}

/** Changes whenever a file, what holds for it, or the list of files changes. */
function signature({ tasks, problems }: FoundTasks): string {
  const files = tasks.map(({ path, file, config }) => {
    const stats = file === null ? undefined : statSync(file, { throwIfNoEntry: false });
    return [path, config, stats?.mtimeMs, stats?.size];
  });
  return JSON.stringify([files, problems]);
}
