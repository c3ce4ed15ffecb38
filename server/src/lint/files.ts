/**
 * Which files a `check` reads: files as named, folders searched, globs expanded; each once.
 */
import { type Dirent, existsSync, readdirSync, type Stats, statSync } from "node:fs";
import { dirname, extname, join, relative, resolve, sep } from "node:path";
import { globSync, isDynamicPattern } from "tinyglobby";
import { Ignore, isIgnoredBelow } from "./gitignore.ts";

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

/** What may hold a model in a folder. A file named directly is checked whatever its name. */
const MODEL_EXTENSIONS = new Set([".yaml", ".yml", ".json", ".jsonc"]);
const NEVER_SEARCHED = new Set(["node_modules", ".git"]);

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

/** Whether ignore files name a file (absolute), by its own path or a folder's on the way from its repository. */
export function isIgnored(file: string): boolean {
  return isIgnoredBelow(repositoryOf(file), file);
}

/** The folder of the repository that holds a file, or the file's own folder where there is none. */
function repositoryOf(file: string): string {
  for (let at = dirname(file); ; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return at;
    if (dirname(at) === at) return dirname(file);
  }
}

/** A path as output shows it: relative to the working folder, with forward slashes on every system. */
export function shownPath(file: string, cwd: string): string {
  return relative(cwd, file).split(sep).join("/");
}

/**
 * Every file below a folder (absolute) that may hold a model, by its ending. Folders that cannot be read are told in
 * `problems` and passed over.
 */
export function modelFiles(folder: string, problems: string[] = []): Generator<string> {
  return search(folder, Ignore.for(folder), problems);
}

function* search(folder: string, ignore: Ignore, problems: string[]): Generator<string> {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    problems.push(`${folder}: the folder cannot be read (${(error as Error).message})`);
    return;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!NEVER_SEARCHED.has(entry.name) && !ignore.ignores(path, true))
        yield* search(path, ignore.inside(path), problems);
    } else if (MODEL_EXTENSIONS.has(extname(entry.name).toLowerCase())) {
      // Links to files are followed, links to folders are not: they may lead in a circle.
      const isFile = entry.isFile() || (entry.isSymbolicLink() && leadsToFile(path));
      if (isFile && !ignore.ignores(path, false)) yield path;
    }
  }
}

/** A link that leads nowhere, or to itself, is no file. */
function leadsToFile(link: string): boolean {
  try {
    return statSync(link).isFile();
  } catch {
    return false;
  }
}

function expand(pattern: string, cwd: string): string[] {
  const ignore = [...NEVER_SEARCHED].map((name) => `**/${name}/**`);
  const slashed = sep === "\\" ? pattern.replaceAll("\\", "/") : pattern;
  const files = globSync(slashed, { cwd, ignore, absolute: true, expandDirectories: false, dot: true });
  return files.map((file) => resolve(file)).filter((file) => !isIgnoredBelow(cwd, file));
}
