/** What the command line says to people: help and error texts, word for word. On the built file. */
import { readFileSync } from "node:fs";
import { matchesGolden } from "../harness/golden.ts";
import { BAD, Folder, GOOD, WARNED } from "./run.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

const RUNS: Readonly<Record<string, readonly string[]>> = {
  help: ["--help"],
  "help-check": ["check", "--help"],
  "help-diff": ["diff", "--help"],
  "help-snapshot": ["snapshot", "--help"],
  "help-rule": ["rule", "--help"],
  "help-server": ["server", "--help"],
  "no-command": [],
  "no-paths": ["check"],
  "unknown-command": ["chekc", "."],
  "unknown-option": ["check", "--statistic", "."],
  "unknown-format": ["check", "--format", "sarfi", "."],
  "two-formats-on-the-output": ["check", "--format", "json", "--format", "sarif", "."],
  "two-formats-in-one-file": ["check", "--format", "json=o.json", "--format", "sarif=o.json", "."],
  "format-without-file": ["check", "--format", "json=", "."],
  "output-file-without-format": ["check", "--format", "json=a.json", "--output-file", "b.json", "."],
  "max-warnings-word": ["check", "--max-warnings", "few", "."],
  "statistics-in-json": ["check", "--format", "json", "--statistics", "."],
  "nothing-there": ["check", "gone.yaml"],
  full: ["check", "--statistics", "."],
  concise: ["check", "--format", "concise", "--statistics", "."],
  github: ["check", "--format", "github", "."],
  markdown: ["check", "--format", "markdown", "--statistics", "--table", "."],
};

describe("convlint says", () => {
  for (const [name, args] of Object.entries(RUNS)) {
    it(name, async () => {
      const folder = new Folder({ "a.cnn.yaml": GOOD, "b|c,d.cnn.yaml": BAD, "sub/w.cnn.yaml": WARNED });
      const { code, out, err } = await folder.convlint(args);
      folder.remove();
      const said = `$ convlint ${args.join(" ")}\nexit code ${code}\n--- output\n${out}--- errors\n${err}`;
      matchesGolden(said.replaceAll(version, "<version>"), new URL(`golden/${name}.txt`, import.meta.url));
    });
  }
});
