/**
 * One file from its text to plain data: what runs alike in the main thread and in workers.
 */
import { readFileSync } from "node:fs";
import { analyse } from "../analysis.ts";
import type { Config } from "../config/config.ts";
import { type CheckedFile, checkedFile, type Wants } from "./report.ts";

/** A file to check: its text, or where to read it. Plain data. */
export interface Task {
  /** As shown; its ending decides between YAML and JSON. */
  readonly path: string;
  /** Absolute; null where `text` is given. */
  readonly file: string | null;
  readonly text: string | null;
  readonly config: Config;
}

/** What holds for every file of a run. Plain data. */
export interface Setup {
  /** From the command line: wins over what files and configuration say. */
  readonly input: readonly number[] | null;
  readonly scale: string | null;
  readonly wants: Wants;
}

export type Outcome =
  | { readonly kind: "checked"; readonly checked: CheckedFile }
  | { readonly kind: "no-model" }
  | { readonly kind: "unreadable"; readonly why: string };

/** Never throws on what files hold. */
export function checkTask(task: Task, setup: Setup): Outcome {
  let text: string;
  try {
    text = (task.text ?? readFileSync(task.file!, "utf8")).replace(/^\uFEFF/, "");
  } catch (error) {
    return { kind: "unreadable", why: (error as Error).message };
  }
  const { config, path } = task;
  const analysis = analyse(text, path, {
    input: setup.input,
    scale: setup.scale,
    defaults: { input: config.input, scale: config.scale },
  });
  if (!analysis) return { kind: "no-model" };
  return { kind: "checked", checked: checkedFile(path, analysis, config.rules, setup.wants) };
}
