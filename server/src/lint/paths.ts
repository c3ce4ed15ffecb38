/** Paths as output and configurations write them, and files that may not be there. */
import { readFileSync } from "node:fs";
import system, { type PlatformPath } from "node:path";

/** A path as output shows it: relative to the working folder, with forward slashes on every system. */
export function shownPath(file: string, cwd: string, { relative, sep }: PlatformPath = system): string {
  return relative(cwd, file).split(sep).join("/");
}

/** An absolute path with forward slashes, as configurations are told of. */
export function slashed(path: string, { sep }: PlatformPath = system): string {
  return sep === "\\" ? path.replaceAll("\\", "/") : path;
}

/** The text of a file; null where there is none, or none that can be read. */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
