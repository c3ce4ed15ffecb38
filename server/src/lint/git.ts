/** What git knows of files: their text at a revision, and which differ between two. Nothing is run but git itself. */
import { execFileSync } from "node:child_process";
import { Misuse } from "./arguments.ts";

/** One file on both sides of a comparison; null where it is not. Paths relative to the working folder. */
export interface Pair {
  readonly before: string | null;
  readonly after: string | null;
}

const MAX_BYTES = 1 << 30;

function git(args: readonly string[], cwd: string): string {
  try {
    return execFileSync("git", args, {
      cwd,
      encoding: "utf8",
      maxBuffer: MAX_BYTES,
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { readonly stderr?: string };
    if (code === "ENOENT") throw new Misuse("git is not installed, so revisions cannot be read.");
    throw new Misuse(`git ${args[0]}: ${(stderr || message).trim().split("\n")[0]}`);
  }
}

/** Whether git knows the word as a revision. */
export function isRevision(word: string, cwd: string): boolean {
  try {
    git(["rev-parse", "--verify", "--quiet", "--end-of-options", `${word}^{commit}`], cwd);
    return true;
  } catch {
    return false;
  }
}

/** A file as it was. @throws Misuse where it was not there. */
export function textAt(revision: string, path: string, cwd: string): string {
  return git(["show", `${revision}:${path.startsWith("/") || path.startsWith("./") ? path : `./${path}`}`], cwd);
}

/** The files that differ from one revision to another, or to the working tree where that is null, untracked ones too. */
export function changedFiles(
  before: string,
  after: string | null,
  paths: readonly string[],
  cwd: string,
): readonly Pair[] {
  const where = ["--", ...paths];
  const revisions = after === null ? [before] : [before, after];
  const listed = git(["diff", "--name-status", "-z", "-M", "--relative", ...revisions, ...where], cwd).split("\0");
  const pairs: Pair[] = [];
  while (listed.length > 1) {
    const status = listed.shift()!;
    const path = listed.shift()!;
    if (/^[RC]/.test(status)) pairs.push({ before: path, after: listed.shift()! });
    else pairs.push({ before: status === "A" ? null : path, after: status === "D" ? null : path });
  }
  if (after === null) {
    const untracked = git(["ls-files", "--others", "--exclude-standard", "-z", ...where], cwd)
      .split("\0")
      .filter(Boolean);
    pairs.push(...untracked.map((path) => ({ before: null, after: path })));
  }
  return pairs;
}
