/**
 * One file from its text to plain data: what runs alike in the main thread and in workers.
 */
import { readFileSync } from "node:fs";
import { analyse } from "../analysis.ts";
import type { Config } from "../config/config.ts";
import { Cache, type CachePlace } from "./cache.ts";
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
  readonly cache: CachePlace | null;
}

export type Outcome =
  | { readonly kind: "checked"; readonly checked: CheckedFile }
  | { readonly kind: "no-model" }
  | { readonly kind: "unreadable"; readonly why: string };

/** Checks tasks under one setup; never throws on what files hold. */
export class Checker {
  private readonly cache: Cache | null;

  constructor(private readonly setup: Setup) {
    this.cache = setup.cache && new Cache(setup.cache);
  }

  check(task: Task): Outcome {
    let text: string;
    try {
      text = (task.text ?? readFileSync(task.file!, "utf8")).replace(/^\uFEFF/, "");
    } catch (error) {
      return { kind: "unreadable", why: (error as Error).message };
    }
    const { input, scale, wants } = this.setup;
    const key = this.cache?.key(text, [task.path, task.config, input, scale, wants]);
    const before = key === undefined ? null : this.cache!.get(key);
    if (before) return { kind: "checked", checked: before };
    const checked = this.analyse(task, text);
    if (checked && key !== undefined) this.cache!.put(key, checked);
    return checked ? { kind: "checked", checked } : { kind: "no-model" };
  }

  private analyse({ config, path }: Task, text: string): CheckedFile | null {
    const { input, scale, wants } = this.setup;
    const defaults = { input: config.input, scale: config.scale };
    const { rules, targets } = config;
    const analysis = analyse(text, path, { input, scale, defaults, rules, targets });
    return analysis && checkedFile(path, analysis, rules, wants);
  }
}
