/**
 * One file from its text to plain data: what runs alike in the main thread and in workers.
 */
import { readFileSync } from "node:fs";
import { analyse } from "../analysis.ts";
import type { Config } from "../config/config.ts";
import { heard } from "../features/diagnostics.ts";
import { fixAll } from "../fixes/all.ts";
import { Prover } from "../fixes/prove.ts";
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
  /** Which problems are mended before the file is looked at. */
  readonly fix?: "safe" | "unsafe";
}

/** A text before and after it was mended, as the file has it. */
export interface FixedFile {
  readonly before: string;
  readonly after: string;
  /** How many problems were mended. */
  readonly count: number;
}

export type Outcome =
  | { readonly kind: "checked"; readonly checked: CheckedFile; readonly fixed?: FixedFile }
  | { readonly kind: "no-model" }
  | { readonly kind: "unreadable"; readonly why: string };

/** Checks tasks under one setup; never throws on what files hold. */
export class Checker {
  private readonly cache: Cache | null;

  constructor(private readonly setup: Setup) {
    this.cache = setup.cache && new Cache(setup.cache);
  }

  check(task: Task): Outcome {
    let whole: string;
    try {
      whole = task.text ?? readFileSync(task.file!, "utf8");
    } catch (error) {
      return { kind: "unreadable", why: (error as Error).message };
    }
    const text = whole.replace(/^\uFEFF/, "");
    const { input, scale, wants } = this.setup;
    const key = this.cache?.key(text, [task.path, task.config, input, scale, wants]);
    const before = key === undefined ? null : this.cache!.get(key);
    if (before) return { kind: "checked", checked: before };
    const analysed = this.analyse(task, text);
    if (!analysed) return { kind: "no-model" };
    const { checked, fixed } = analysed;
    if (key !== undefined) this.cache!.put(key, checked);
    if (!fixed) return { kind: "checked", checked };
    const mark = whole.slice(0, whole.length - text.length);
    return { kind: "checked", checked, fixed: { before: whole, after: mark + fixed.text, count: fixed.count } };
  }

  private analyse({ config, path }: Task, text: string) {
    const { input, scale, wants, fix } = this.setup;
    const defaults = { input: config.input, scale: config.scale };
    const { rules, targets } = config;
    const reanalyse = (now: string) => heard(analyse(now, path, { input, scale, defaults, rules, targets }), rules);
    let analysis = reanalyse(text);
    if (!analysis) return null;
    let fixed: { readonly text: string; readonly count: number } | null = null;
    if (fix) {
      const { after, applied } = fixAll(new Prover(analysis, reanalyse), fix === "unsafe");
      if (applied.length > 0) fixed = { text: after.text, count: applied.length };
      analysis = after;
    }
    const prover = wants.fixes ? new Prover(analysis, reanalyse) : null;
    return { checked: checkedFile(path, analysis, rules, wants, prover), fixed };
  }
}
