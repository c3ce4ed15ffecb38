/**
 * What was found before, by content: the key is a digest of the text, its path, everything that was assumed and this very
 * program, so an answer can never be stale. Every entry is a file of its own; any number of runs may share the folder.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CheckedFile } from "./report.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Entries are forgotten so long after they were made. */
const KEPT_MS = 30 * DAY_MS;
/** Its time says when the folder was last cleared of old entries. */
const STAMP = "cleared";

/** Where a cache is and which program's answers it holds. Plain data. */
export interface CachePlace {
  readonly folder: string;
  readonly program: string;
}

/** @param folder null for the user's own. @returns null where this program cannot be told from another. */
export function cachePlace(folder: string | null, env: NodeJS.ProcessEnv): CachePlace | null {
  const file = fileURLToPath(import.meta.url);
  // Run from its sources, the program is many files, and changes under the hands of who writes it.
  if (file.endsWith(".ts")) return null;
  const program = createHash("sha256").update(readFileSync(file)).digest("hex");
  return { folder: folder ?? userFolder(env), program };
}

function userFolder(env: NodeJS.ProcessEnv): string {
  const home = homedir();
  const base =
    env.XDG_CACHE_HOME ||
    (process.platform === "win32" && env.LOCALAPPDATA) ||
    (process.platform === "darwin" ? join(home, "Library", "Caches") : join(home, ".cache"));
  return join(base, "convlint");
}

export class Cache {
  private writes = true;

  constructor(private readonly place: CachePlace) {}

  /** @param assumed everything besides the text that the answer depends on. */
  key(text: string, assumed: unknown): string {
    const { program } = this.place;
    return createHash("sha256")
      .update(`${program}\u0000${JSON.stringify(assumed)}\u0000`)
      .update(text)
      .digest("hex");
  }

  get(key: string): CheckedFile | null {
    try {
      return JSON.parse(readFileSync(this.file(key), "utf8"));
    } catch {
      return null; // Not there, or not whole: it is made anew.
    }
  }

  /** A folder that cannot be written to makes the run slower, not wrong. */
  put(key: string, checked: CheckedFile): void {
    if (!this.writes) return;
    const file = this.file(key);
    const own = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    try {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(own, JSON.stringify(checked)); // Whole before it has its name: others may read at any time.
      renameSync(own, file);
    } catch {
      this.writes = false;
    }
  }

  private file(key: string): string {
    return join(this.place.folder, key.slice(0, 2), key.slice(2));
  }
}

/** Removes what nobody has made anew for a month; looks once a day. */
export function clearOld({ folder }: CachePlace, now = Date.now()): void {
  const stamp = join(folder, STAMP);
  try {
    if (now - (statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0) < DAY_MS) return;
    writeFileSync(stamp, "");
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory() || !/^[0-9a-f]{2}$/.test(entry.name)) continue;
      for (const name of readdirSync(join(folder, entry.name))) {
        const file = join(folder, entry.name, name);
        if (now - statSync(file).mtimeMs > KEPT_MS) rmSync(file, { force: true });
      }
    }
  } catch {
    // Another run clears at the same time, or the folder cannot be written to: the next day will do.
  }
}
