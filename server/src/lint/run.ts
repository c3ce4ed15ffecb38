/**
 * One run over many files: from tasks to outputs, in order, on as many cores as it is worth.
 */
import { availableParallelism } from "node:os";
import type { Baseline } from "./baseline.ts";
import { cachePlace, clearOld } from "./cache.ts";
import type { FixedFile, Setup, Task } from "./checker.ts";
import { type Fixing, patchOf, writeFixed } from "./fix.ts";
import { type Outputs, toStdout } from "./outputs.ts";
import { GROUP, inOrder } from "./pool.ts";
import { Progress } from "./progress.ts";
import { harmless, type Paint } from "./style.ts";
import type { FoundTasks } from "./tasks.ts";

/** Fewer files are checked sooner than workers start, and than a cache is read. */
export const MANY = 64;

/** What a run is about besides its tasks. */
export interface Run {
  readonly setup: Omit<Setup, "cache">;
  readonly outputs: Outputs;
  readonly baseline: Baseline | null;
  /** Where mended texts go; null where nothing is mended. */
  readonly fixing: Fixing | null;
  readonly paint: Paint;
  /** Worker threads; null for as many as there are cores. */
  readonly jobs: number | null;
  /** null for none; without a folder of its own, only many files are worth the user's. */
  readonly cache: { readonly folder: string | null } | null;
}

/** Checks all tasks in their order. @returns whether something the user named could not be checked. */
export async function runAll({ tasks, problems }: FoundTasks, run: Run): Promise<boolean> {
  const { outputs, baseline, fixing } = run;
  const isWorth = run.cache && !fixing && (run.cache.folder !== null || tasks.length >= MANY);
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
      const { checked, fixed } = outcome;
      const why = fixing ? await deliver(fixing, task, fixed, run.paint) : null;
      if (why !== null) say(`${task.path}: not fixed (${why})`);
      misuse ||= why !== null;
      await outputs.file(baseline ? baseline.filter(checked) : checked, why === null ? fixed?.count : 0);
    } else if (outcome?.kind === "unreadable") {
      say(`${task.path}: the file cannot be read (${outcome.why})`);
      misuse = told = true;
    } else if (task.named) {
      say(`${task.path}: not a model file, nothing to check`);
      told = true;
      if (fixing) await deliver(fixing, task, undefined, run.paint);
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

/** Brings a mended text where it belongs. @returns why that could not be done, or null. */
async function deliver(
  { to }: Fixing,
  { path, file, text }: Task,
  fixed: FixedFile | undefined,
  paint: Paint,
): Promise<string | null> {
  if (to === "stdout") await toStdout(fixed?.after ?? text ?? "");
  else if (to === "diff" && fixed) await toStdout(patchOf(path, fixed, paint));
  else if (fixed && file !== null && to === "files") return writeFixed(file, fixed);
  return null;
}

function* grouped<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += GROUP) yield items.slice(start, start + GROUP);
}

/** Tells something beside the output. */
export function note(text: string): void {
  process.stderr.write(`convlint: ${harmless(text)}\n`);
}
