/**
 * Which files a `check` reads: files as named, folders searched, globs expanded; each once.
 */
import { type Stats, statSync } from "node:fs";
import { resolve, sep } from "node:path";
import { globSync, isDynamicPattern } from "tinyglobby";
import { isIgnoredBelow } from "./gitignore.ts";
import { shownPath } from "./paths.ts";
import { modelFiles, NEVER_SEARCHED } from "./search.ts";

/** A file to check. */
export interface Candidate {
  /** Absolute. */
  readonly file: string;
  /** Relative to the working folder, with forward slashes: what every output shows. */
  readonly path: string;
  /** Named by the user: worth a word when it is no model. Files found in folders and globs are not. */
  readonly named: boolean;
}

export interface Found {
  readonly candidates: readonly Candidate[];
  /** What of the arguments leads nowhere, as sentences. */
  readonly problems: readonly string[];
}

/** The files that command-line arguments mean, from the working folder `cwd` (absolute). */
export function findFiles(args: readonly string[], cwd: string): Found {
  const named = new Map<string, boolean>();
  const problems: string[] = [];
  for (const arg of args) {
    const target = resolve(cwd, arg);
    let stats: Stats | undefined;
    try {
      stats = statSync(target, { throwIfNoEntry: false });
    } catch (error) {
      problems.push(`${arg}: cannot be read (${(error as Error).message})`);
      continue;
    }
    if (stats?.isDirectory()) {
      for (const file of modelFiles(target, problems)) named.set(file, named.get(file) ?? false);
    } else if (stats) named.set(target, true);
    else if (isDynamicPattern(arg)) {
      const matched = expand(arg, cwd);
      if (matched.length === 0) problems.push(`${arg}: no file matches this pattern`);
      for (const file of matched) named.set(file, named.get(file) ?? false);
    } else problems.push(`${arg}: no such file or folder`);
  }
  const candidates = [...named].map(([file, isNamed]) => ({ file, path: shownPath(file, cwd), named: isNamed }));
  return { candidates, problems };
}

function expand(pattern: string, cwd: string): string[] {
  const ignore = [...NEVER_SEARCHED].map((name) => `**/${name}/**`);
  const slashed = sep === "\\" ? pattern.replaceAll("\\", "/") : pattern;
  const files = globSync(slashed, { cwd, ignore, absolute: true, expandDirectories: false, dot: true });
  return files.map((file) => resolve(file)).filter((file) => !isIgnoredBelow(cwd, file));
}
