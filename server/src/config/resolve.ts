/**
 * Which configuration holds for a file: the nearest one above it, what that extends, and its overrides. Pure but for the
 * reading, which the host brings along; paths are absolute, with forward slashes.
 */
import { CONFIG_NAMES, type Config, type ConfigEntry, isConfigName, merged, NO_CONFIG, readConfig } from "./config.ts";
import { globMatcher } from "./glob.ts";
import type { Misfit } from "./validate.ts";

/** A file's text; null where there is none. */
export type ReadFile = (path: string) => string | null;

export interface Resolved {
  readonly config: Config;
  /** Whether the configuration's `ignore` names the file. */
  readonly ignored: boolean;
  /** The configuration files that were heard, the one whose word counts most first. */
  readonly sources: readonly string[];
}

/** What is wrong in a configuration file. */
export interface ConfigProblem extends Misfit {
  readonly path: string;
  readonly text: string;
}

/** One configuration with what it extends. */
interface Loaded {
  /** What its globs are relative to, with a slash at the end. */
  readonly base: string;
  readonly ignore: readonly ((path: string) => boolean)[];
  readonly entries: readonly ConfigEntry[];
  readonly sources: readonly string[];
  /** By which entries match, so that files under the same entries share one object. */
  readonly made: Map<string, Config>;
}

/** Of a file that belongs to no project. */
export const UNSPOKEN: Resolved = { config: NO_CONFIG, ignored: false, sources: [] };

/** Finds and keeps the configurations of one host. */
export class Configs {
  private readonly folders = new Map<string, Loaded | null>();
  private readonly complaints = new Map<string, ConfigProblem>();
  private readonly heard = new Set<string>();
  private readonly explicit: Loaded | null;

  /**
   * @param only a configuration file that holds for every file instead of the nearest one, with the folder that its globs
   * are relative to.
   * @throws when `only` cannot be read.
   */
  constructor(
    private readonly read: ReadFile,
    only: { readonly path: string; readonly base: string } | null = null,
  ) {
    this.explicit = only && this.load(only.path, `${only.base}/`);
    if (only && !this.explicit) throw new Error(`${only.path} holds no configuration`);
  }

  /** Reads everything anew when it is asked for next. */
  forget(): void {
    this.folders.clear();
    this.complaints.clear();
    this.heard.clear();
  }

  /** Whether what a file says may change the answers: it may hold a configuration, or is one that another extends. */
  concerns(path: string): boolean {
    return isConfigName(path) || this.heard.has(path);
  }

  /** Every problem met so far, once each. */
  get problems(): readonly ConfigProblem[] {
    return [...this.complaints.values()];
  }

  of(file: string): Resolved {
    const loaded = this.explicit ?? this.nearest(folderOf(file));
    if (!loaded) return UNSPOKEN;
    const local = file.startsWith(loaded.base) ? file.slice(loaded.base.length) : file;
    const matching = loaded.entries.filter(({ matches }) => matches(local));
    const key = matching.map((entry) => loaded.entries.indexOf(entry)).join();
    let config = loaded.made.get(key);
    if (!config) {
      config = matching.reduce((base, { says }) => merged(base, says), NO_CONFIG);
      loaded.made.set(key, config);
    }
    return { config, ignored: isIgnored(local, loaded), sources: loaded.sources };
  }

  private nearest(folder: string): Loaded | null {
    const known = this.folders.get(folder);
    if (known !== undefined) return known;
    let found: Loaded | null = null;
    for (const name of CONFIG_NAMES) {
      found = this.load(`${folder}/${name}`, `${folder}/`);
      if (found) break;
    }
    const parent = folderOf(folder);
    if (!found && parent !== folder) found = this.nearest(parent);
    this.folders.set(folder, found);
    return found;
  }

  /** @param chain the files whose `extends` led here. @returns null where there is no configuration. */
  private load(path: string, base: string, chain: readonly string[] = []): Loaded | null {
    const text = this.read(path);
    const own = text === null ? null : readConfig(text.replace(/^\uFEFF/, ""), path);
    if (text === null || own === null) return null;
    this.heard.add(path);
    const complain = ({ range, message }: Misfit) =>
      this.complaints.set(`${path} ${range.start} ${message}`, { path, text, range, message });
    own.problems.forEach(complain);
    const inherited: Loaded[] = [];
    for (const { path: written, range } of own.extends) {
      const target = joined(folderOf(path), written);
      if (target === path || chain.includes(target)) {
        complain({ range, message: `${written} extends this file in turn` });
        continue;
      }
      const loaded = this.load(target, base, [...chain, path]);
      if (loaded) inherited.push(loaded);
      else complain({ range, message: `there is no configuration ${written} to extend` });
    }
    return {
      base,
      ignore: [...inherited.flatMap(({ ignore }) => ignore), ...own.ignore.map(globMatcher)],
      entries: [...inherited.flatMap(({ entries }) => entries), ...own.entries],
      sources: [path, ...inherited.reverse().flatMap(({ sources }) => sources)],
      made: new Map(),
    };
  }
}

/** A file is ignored by its own path or by a folder's on the way. */
function isIgnored(path: string, { ignore }: Loaded): boolean {
  const steps = path.split("/");
  return ignore.some((matches) => steps.some((_, index) => matches(steps.slice(0, index + 1).join("/"))));
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** `../base.yaml` seen from a folder. */
function joined(folder: string, path: string): string {
  const slashed = path.replaceAll("\\", "/");
  const steps = /^(\/|[A-Za-z]:\/)/.test(slashed) ? [] : folder.split("/");
  for (const step of slashed.split("/")) {
    if (step === "..") steps.pop();
    else if (step !== ".") steps.push(step);
  }
  return steps.join("/");
}
