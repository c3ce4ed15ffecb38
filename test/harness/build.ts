/** The bundles that protocol and command-line tests run: built once in a test run, however many files ask. */
import { fileURLToPath } from "node:url";
// @ts-expect-error the build script is plain JavaScript
import { build } from "../../scripts/build.mjs";

let built: Promise<void> | undefined;

/** Resolves when dist/ holds what the sources say now. */
export function ensureBuilt(): Promise<void> {
  built ??= build({ log: () => {} }) as Promise<void>;
  return built;
}

/** The path of a file in dist/. */
export function dist(file: string): string {
  return fileURLToPath(new URL(`../../dist/${file}`, import.meta.url));
}
