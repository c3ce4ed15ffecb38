/**
 * `check --fix` and `--diff`: what was mended goes into its file, or out as a patch. A file is replaced whole or not at all,
 * keeps its byte order mark, line ends and mode, and stays untouched where it changed meanwhile.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";
import { type Arguments, Misuse, type OptionSpec } from "./arguments.ts";
import type { FixedFile } from "./checker.ts";
import { harmless, type Paint } from "./style.ts";

export const FIX_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  fix: { type: "boolean" },
  "unsafe-fixes": { type: "boolean" },
  diff: { type: "boolean" },
  "exit-non-zero-on-fix": { type: "boolean" },
  "no-fixes": { type: "boolean" },
};

/** Which problems are mended, and where that goes. */
export interface Fixing {
  readonly unsafe: boolean;
  /** `stdout`: standard input is mended, and problems go to standard error. */
  readonly to: "files" | "stdout" | "diff";
}

/** Null where nothing is to be mended. @throws Misuse */
export function readFixing(args: Arguments): Fixing | null {
  const unsafe = args.has("unsafe-fixes");
  const to = args.has("diff") ? "diff" : args.paths.includes("-") ? "stdout" : "files";
  if (!args.has("fix") && !args.has("diff")) {
    for (const name of ["unsafe-fixes", "exit-non-zero-on-fix"]) {
      if (args.has(name)) throw new Misuse(`--${name} needs --fix or --diff.`);
    }
    return null;
  }
  for (const name of ["watch", "update-baseline", "show-files", "stdin-jsonl"]) {
    if (args.has(name)) throw new Misuse(`--${name} and --${args.has("diff") ? "diff" : "fix"} exclude each other.`);
  }
  if (to === "diff" && (args.has("format") || args.has("output-file")))
    throw new Misuse("--diff writes a patch and takes no --format.");
  if (to === "stdout" && args.paths.length > 1) throw new Misuse("--fix mends standard input (-) or files, not both.");
  return { unsafe, to };
}

/** Puts a mended text into its file. @returns why not, or null. */
export function writeFixed(file: string, { before, after }: FixedFile): string | null {
  let own: string | null = null;
  try {
    // A link stays one: what it leads to is replaced.
    const target = realpathSync(file);
    const { mode } = statSync(target);
    own = `${target}.${randomBytes(6).toString("hex")}.tmp`;
    writeFileSync(own, after, { mode, flag: "wx" });
    if (!readFileSync(target).equals(Buffer.from(before, "utf8"))) {
      rmSync(own);
      return "it has changed since it was read, or is not UTF-8";
    }
    renameSync(own, target);
    return null;
  } catch (error) {
    if (own !== null) rmSync(own, { force: true });
    return (error as Error).message;
  }
}

/** A patch in the unified format, from which nothing is left out unless colours say that people read it. */
export function patchOf(path: string, { before, after }: FixedFile, paint: Paint): string {
  const patch = createTwoFilesPatch(path, path, before, after, "", "", { headerOptions: FILE_HEADERS_ONLY });
  if (paint("red", "") === "") return patch;
  return patch
    .split("\n")
    .map((line) => {
      const text = harmless(line.replace(/\r$/, ""));
      const colour = /^(?:---|\+\+\+)/.test(line) ? "bold" : line[0] === "-" ? "red" : line[0] === "+" ? "green" : null;
      return colour === null || text === "" ? text : paint(colour, text);
    })
    .join("\n");
}
