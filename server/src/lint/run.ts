/**
 * One run over many files: from tasks to outputs, in order, on as many cores as it is worth.
 */
import { availableParallelism } from "node:os";
import type { Baseline } from "./baseline.ts";
import { cachePlace, clearOld } from "./cache.ts";
import type { Setup } from "./checker.ts";
import type { Outputs } from "./outputs.ts";
import { GROUP, inOrder } from "./pool.ts";
import { Progress } from "./progress.ts";
import { harmless } from "./style.ts";
import type { FoundTasks } from "./tasks.ts";

/** Fewer files are checked sooner than workers start, and than a cache is read. */
export const MANY = 64;

/** What a run is about besides its tasks. */
export interface Run {
  readonly setup: Omit<Setup, "cache">;
  readonly outputs: Outputs;
  readonly baseline: Baseline | null;
  /** Worker threads; null for as many as there are cores. */
  readonly jobs: number | null;
  /** null for none; without a folder of its own, only many files are worth the user's. */
  readonly cache: { readonly folder: string | null } | null;
}

/** Checks all tasks in their order. @returns whether something the user named could not be checked. */
export async function runAll({ tasks, problems }: FoundTasks, run: Run): Promise<boolean> {
  const { outputs, baseline } = run;
  const isWorth = run.cache && (run.cache.folder !== null || tasks.length >= MANY);
  const cache = isWorth ? cachePlace(run.cache.folder, process.env) : null;
  const jobs = run.jobs ?? Math.min(availableParallelism(), Math.ceil(tasks.length / MANY));
  const progress = new Progress(process.stderr, tasks.length >= MANY ? tasks.length : 0);
  const say = (text: string) => {
    progress.clear();
    note(text);
  };
  let misuse = problems.length > 0;
  let told = problems.length > 0;
  problems.forEach(note);
  await outputs.start();
  for await (const [task, outcome] of inOrder(grouped(tasks), (item) => item, { ...run.setup, cache }, jobs)) {
    if (outcome?.kind === "checked") {
      progress.clear();
      await outputs.file(baseline ? baseline.filter(outcome.checked) : outcome.checked);
    } else if (outcome?.kind === "unreadable") {
      say(`${task.path}: the file cannot be read (${outcome.why})`);
      misuse = told = true;
    } else if (task.named) {
      say(`${task.path}: not a model file, nothing to check`);
      told = true;
    }
    progress.step();
  }
  progress.clear();
  await outputs.finish();
  const done = baseline?.finish();
  if (done) note(done);
  if (outputs.tally.files === 0 && !told) note("no model files found");
  if (cache) clearOld(cache);
  return misuse;
}

function* grouped<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += GROUP) yield items.slice(start, start + GROUP);
}

/** Tells something beside the output. */
export function note(text: string): void {
  process.stderr.write(`convlint: ${harmless(text)}\n`);
}
