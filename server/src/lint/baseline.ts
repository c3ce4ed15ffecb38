/**
 * Problems that a project has and accepts for now, kept in a file of its own, for models that cannot hold comments. A
 * problem is known by what it says of which layer, so that it stays known when lines move; see identity.ts.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Misuse } from "./arguments.ts";
import { type CheckedFile, withProblems } from "./report.ts";

interface Entry {
  readonly path: string;
  readonly code: string;
  readonly key: string;
  /** How many problems of this file are equal in code and key. */
  readonly count: number;
}

export class Baseline {
  /** By path and key; what is left after `filter` is no longer there. */
  private readonly known: Map<string, Map<string, Entry>>;
  private readonly found = new Map<string, Entry[]>();

  private constructor(
    private readonly file: string,
    private readonly updates: boolean,
    entries: readonly Entry[],
  ) {
    this.known = new Map();
    for (const entry of entries) {
      const ofFile = this.known.get(entry.path) ?? new Map<string, Entry>();
      this.known.set(entry.path, ofFile.set(entry.key, entry));
    }
  }

  /** @param updates whether the run writes the file anew, which then need not be there. @throws Misuse */
  static open(name: string, cwd: string, updates: boolean): Baseline {
    const file = resolve(cwd, name);
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      if (updates) return new Baseline(file, updates, []);
      throw new Misuse(
        `the baseline ${name} cannot be read (${(error as Error).message}). --update-baseline makes it.`,
      );
    }
    const entries = readEntries(text);
    if (!entries)
      throw new Misuse(`${name} is no baseline of ConvLint. --update-baseline would overwrite it; remove it first.`);
    return new Baseline(file, updates, entries);
  }

  /** The file without the problems that are known; with all of its problems known, where the run updates. */
  filter(checked: CheckedFile): CheckedFile {
    const { path, problems } = checked.report;
    if (this.updates) {
      this.found.set(path, entriesOf(path, checked));
      return withProblems(checked, () => false);
    }
    const known = this.known.get(path);
    if (!known || problems.length === 0) return checked;
    const left = new Map([...known].map(([key, { count }]) => [key, count]));
    const filtered = withProblems(checked, (key) => {
      const count = left.get(key) ?? 0;
      if (count > 0) left.set(key, count - 1);
      return count === 0;
    });
    return filtered;
  }

  /** Writes the file where the run updates it: entries of files that were not checked stay. @returns what was done. */
  finish(): string | null {
    if (!this.updates) return null;
    for (const [path, entries] of this.found) {
      this.known.set(path, new Map(entries.map((entry) => [entry.key, entry])));
    }
    const all = [...this.known.values()].flatMap((entries) => [...entries.values()]);
    const order = ({ path, code, key }: Entry) => `${path}\u0000${code}\u0000${key}`;
    all.sort((a, b) => (order(a) < order(b) ? -1 : 1));
    const lines = all.map((entry) => `    ${JSON.stringify(entry)}`);
    const list = lines.length > 0 ? `[\n${lines.join(",\n")}\n  ]` : "[]";
    writeFileSync(this.file, `{\n  "version": 1,\n  "problems": ${list}\n}\n`);
    return `the baseline knows ${all.reduce((sum, { count }) => sum + count, 0)} problems now`;
  }
}

function entriesOf(path: string, { report, keys }: CheckedFile): Entry[] {
  const entries = new Map<string, Entry>();
  for (const [index, key] of keys.entries()) {
    const { code } = report.problems[index]!;
    entries.set(key, { path, code, key, count: (entries.get(key)?.count ?? 0) + 1 });
  }
  return [...entries.values()];
}

function readEntries(text: string): readonly Entry[] | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { version, problems } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  return version === 1 && Array.isArray(problems) && problems.every(isEntry) ? problems : null;
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  const { path, code, key, count } = value as Record<string, unknown>;
  return [path, code, key].every((word) => typeof word === "string") && Number.isSafeInteger(count);
}
