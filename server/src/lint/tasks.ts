/**
 * What a command line asks to be checked: its files, each with its configuration.
 */
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import type { Configs } from "../config/resolve.ts";
import type { Arguments, OptionSpec } from "./arguments.ts";
import type { Task } from "./checker.ts";
import { problemLine } from "./config.ts";
import { findFiles } from "./files.ts";
import { shownPath, slashed } from "./paths.ts";
import { isIgnored } from "./search.ts";

/** The options that `findTasks` reads. */
export const TASK_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  "force-exclude": { type: "boolean" },
  "stdin-filename": { type: "string" },
};

/**
 * A file to check, and whether the user named it: then it is worth a word that it holds no model. Who asks for
 * `--force-exclude` is a program that names every file.
 */
export interface NamedTask extends Task {
  readonly named: boolean;
}

export interface FoundTasks {
  /** By path. */
  readonly tasks: readonly NamedTask[];
  /** What leads nowhere, and what is wrong in configurations, as sentences. */
  readonly problems: readonly string[];
}

/** Finds what the paths of a command line mean; `-` is read to its end. */
export async function findTasks(args: Arguments, configs: Configs, cwd: string): Promise<FoundTasks> {
  const forced = args.has("force-exclude");
  const found = findFiles(
    args.paths.filter((path) => path !== "-"),
    cwd,
  );
  const tasks: NamedTask[] = found.candidates.flatMap(({ file, path, named }) => {
    const { config, ignored } = configs.of(slashed(file));
    const leftOut = (ignored && (forced || !named)) || (forced && named && isIgnored(file));
    return leftOut ? [] : [{ path, file, text: null, named: named && !forced, config }];
  });
  if (args.paths.includes("-")) {
    const path = shownPath(resolve(cwd, args.last("stdin-filename") ?? "stdin.yaml"), cwd);
    const { config } = configs.of(slashed(resolve(cwd, path)));
    tasks.push({ path, file: null, text: await text(process.stdin), named: true, config });
  }
  tasks.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { tasks, problems: [...configs.problems.map((problem) => problemLine(problem, cwd)), ...found.problems] };
}
