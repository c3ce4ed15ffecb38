/**
 * Which files are left out: what git ignores, read from the .gitignore files themselves (exact for the patterns people
 * write, no git needed), and what a .convlintignore beside them names, which is heard last.
 *
 * The pattern language is that of gitignore(5): see config/glob.ts; a leading or inner slash ties a pattern to its folder,
 * a trailing one to folders, `!` takes back, and the last pattern that matches decides.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { globSource } from "../config/glob.ts";

const IGNORE_FILES = [".gitignore", ".convlintignore"];

interface Pattern {
  readonly matches: RegExp;
  readonly negated: boolean;
  readonly foldersOnly: boolean;
}

/** The patterns that hold inside one folder: its own ignore files after those of the folders above, up to the repository. */
export class Ignore {
  private constructor(
    private readonly folder: string,
    private readonly patterns: readonly Pattern[],
    private readonly above: Ignore | null,
  ) {}

  /** The patterns for the content of `folder` (absolute), starting at the repository that holds it. */
  static for(folder: string): Ignore {
    const chain = [folder];
    for (let at = folder; !existsSync(join(at, ".git")); ) {
      const parent = dirname(at);
      if (parent === at) {
        chain.length = 1; // Not in a repository: only what stands in the folder itself counts.
        break;
      }
      chain.push(parent);
      at = parent;
    }
    let ignore: Ignore | null = null;
    for (const at of chain.reverse()) ignore = new Ignore(at, readPatterns(at), ignore);
    return ignore!;
  }

  /** The patterns for the content of a folder directly inside this one. */
  inside(folder: string): Ignore {
    return new Ignore(folder, readPatterns(folder), this);
  }

  /** Whether the path itself is ignored; its parents are the caller's to check. */
  ignores(path: string, isFolder: boolean): boolean {
    const local = relative(this.folder, path).split(sep).join("/");
    for (const pattern of [...this.patterns].reverse()) {
      if ((isFolder || !pattern.foldersOnly) && pattern.matches.test(local)) return !pattern.negated;
    }
    return this.above?.ignores(path, isFolder) ?? false;
  }
}

/** Whether a file is ignored below `base`, by its own path or a folder on the way. Both absolute. */
export function isIgnoredBelow(base: string, file: string): boolean {
  const steps = relative(base, file).split(sep);
  if (steps[0] === "..") return false;
  let ignore = Ignore.for(base);
  let at = base;
  for (const [index, step] of steps.entries()) {
    at = resolve(at, step);
    const isFolder = index < steps.length - 1;
    if (ignore.ignores(at, isFolder)) return true;
    if (isFolder) ignore = ignore.inside(at);
  }
  return false;
}

function readPatterns(folder: string): Pattern[] {
  return IGNORE_FILES.flatMap((name) => {
    let text: string;
    try {
      text = readFileSync(join(folder, name), "utf8");
    } catch {
      return []; // None there, or not readable: git ignores nothing then either.
    }
    return text.split(/\r?\n/).flatMap((line) => pattern(line) ?? []);
  });
}

function pattern(line: string): Pattern | null {
  let glob = line.replace(/(?<!\\) +$/, "");
  if (glob === "" || glob.startsWith("#")) return null;
  const negated = glob.startsWith("!");
  if (negated) glob = glob.slice(1);
  const foldersOnly = glob.endsWith("/");
  if (foldersOnly) glob = glob.slice(0, -1);
  const anchored = glob.includes("/");
  const body = globSource(glob.replace(/^\//, ""));
  try {
    return { matches: new RegExp(`^${anchored ? "" : "(?:.*/)?"}${body}$`), negated, foldersOnly };
  } catch {
    return null; // A bracket expression that closes nothing matches nothing in git.
  }
}
