/** The command line over many files, and over models as lines, against nothing but parsing the same. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "js-yaml";
import { median } from "./measure.ts";
import { nativeModel } from "./models.ts";

export interface FilesTimes {
  readonly files: number;
  /** Milliseconds to read and parse every file in one thread, without starting a process. */
  readonly parsing: number;
  /** Milliseconds of whole processes, by threads and by whether the cache knows the files. */
  readonly cold: Readonly<Record<1 | 2, number>>;
  readonly warm: Readonly<Record<1 | 2, number>>;
}

/** Medians over `rounds`. @param cli the built command line. */
export function measureFiles(cli: string, rounds: number, files = 10_000): FilesTimes {
  const folder = mkdtempSync(join(tmpdir(), "convlint-bench-"));
  const models = join(folder, "models");
  for (let index = 0; index < files; index++) {
    const place = join(models, String(index % 100));
    mkdirSync(place, { recursive: true });
    // No two files are alike, or the cache would know the second from the first.
    writeFileSync(join(place, `${index}.cnn.yaml`), nativeModel(20 + (index % 40)).replace("bench", `bench${index}`));
  }
  const run = (...args: string[]) => {
    const start = performance.now();
    const { status } = spawnSync(process.execPath, [cli, "check", "--format", "concise", ...args, models]);
    if (status !== 0) throw new Error(`convlint check ended with ${status}`);
    return performance.now() - start;
  };
  const times: Record<string, number[]> = { parsing: [], cold1: [], cold2: [], warm1: [], warm2: [] };
  for (let round = 0; round < rounds; round++) {
    times.parsing!.push(parseAll(models));
    for (const jobs of ["1", "2"]) {
      const cache = join(folder, `cache${round}${jobs}`);
      times[`cold${jobs}`]!.push(run("--jobs", jobs, "--no-cache"));
      run("--jobs", jobs, "--cache-dir", cache);
      times[`warm${jobs}`]!.push(run("--jobs", jobs, "--cache-dir", cache));
      rmSync(cache, { recursive: true });
    }
  }
  rmSync(folder, { recursive: true });
  const of = (name: string) => median(times[name]!);
  return {
    files,
    parsing: of("parsing"),
    cold: { 1: of("cold1"), 2: of("cold2") },
    warm: { 1: of("warm1"), 2: of("warm2") },
  };
}

function parseAll(folder: string): number {
  const start = performance.now();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) load(readFileSync(join(entry.parentPath, entry.name), "utf8"));
  }
  return performance.now() - start;
}

export interface LinesTimes {
  readonly lines: number;
  /** Milliseconds of JSON.parse over all lines. */
  readonly parsing: number;
  /** Milliseconds of one whole process on one core. */
  readonly checking: number;
}

/** Models of ten layers, as an architecture search writes them; medians over `rounds`. */
export function measureLines(cli: string, rounds: number, lines = 50_000): LinesTimes {
  const input = Array.from({ length: lines }, (_, index) => searchedModel(index)).join("\n");
  const parsing: number[] = [];
  const checking: number[] = [];
  for (let round = 0; round < rounds; round++) {
    let start = performance.now();
    for (const line of input.split("\n")) JSON.parse(line);
    parsing.push(performance.now() - start);
    start = performance.now();
    const args = [cli, "check", "--stdin-jsonl", "--no-layers"];
    const { status } = spawnSync(process.execPath, args, { input, maxBuffer: 1 << 30 });
    if (status !== 0) throw new Error(`convlint check ended with ${status}`);
    checking.push(performance.now() - start);
  }
  return { lines, parsing: median(parsing), checking: median(checking) };
}

function searchedModel(seed: number): string {
  const layers: object[] = [];
  for (let depth = 0; depth < 5; depth++) {
    const kernel = 1 + 2 * ((seed >> depth) % 3);
    const channels = 8 << ((seed + depth) % 4);
    layers.push(
      { type: "Conv2d", out_channels: channels, kernel_size: kernel, padding: kernel >> 1 },
      { type: "ReLU" },
    );
  }
  return JSON.stringify({ cnn: 1, input: [3, 32, 32], layers });
}
