/** Texts that a test compares with a file: `UPDATE=1` writes the file anew, and the diff is there to be read. */
import { equal } from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** @param file a URL beside the test. */
export function matchesGolden(actual: string, file: URL): void {
  if (process.env.UPDATE === "1") {
    mkdirSync(dirname(file.pathname), { recursive: true });
    writeFileSync(file, actual);
  }
  equal(actual, existsSync(file) ? readFileSync(file, "utf8").replaceAll("\r\n", "\n") : "", "UPDATE=1 renews it");
}
