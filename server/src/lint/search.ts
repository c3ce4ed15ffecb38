/**
 * The files below a folder that may hold a model, and what ignore files leave out: for the command line and the server.
 */
import { type Dirent, existsSync, readdirSync, statSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { Ignore, isIgnoredBelow } from "./gitignore.ts";

/** What may hold a model in a folder. A file named directly is checked whatever its name. */
const MODEL_EXTENSIONS = new Set([".yaml", ".yml", ".json", ".jsonc"]);
/** Whether a file of this name is looked into when its folder is searched. */
export function mayBeModel(path: string): boolean {
  return MODEL_EXTENSIONS.has(extname(path).toLowerCase());
}

export const NEVER_SEARCHED: ReadonlySet<string> = new Set(["node_modules", ".git"]);

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
    } else if (mayBeModel(entry.name)) {
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
