/** docs/ci.md and docs/configuration.md show what works: the GitLab job runs here but for its installation. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { readConfig } from "#server/config/config.ts";
import { checkCommand } from "#server/lint/check.ts";
import { formats } from "#server/lint/formats/index.ts";
import { rules } from "#server/rules/index.ts";
import type { Rule } from "#server/rules/rule.ts";
import { BAD, Folder, GOOD } from "../cli/run.ts";
import { ensureBuilt } from "../harness/build.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(join(root, "docs/ci.md"), "utf8");

describe("docs/ci.md", function () {
  this.timeout(60_000);

  it("the GitLab job writes the reports that it declares", async () => {
    await ensureBuilt();
    const [, text] = /```yaml gitlab\n([\s\S]*?)```/.exec(page)!;
    const { script, before_script: setup, artifacts } = parse(text!).convlint;
    const [clone, build] = setup as string[];
    match(clone!, /^git clone .* \/opt\/convlint$/);
    // The scripts that are called there are ours.
    const scripts = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).scripts;
    for (const [, name] of build!.matchAll(/npm run ([\w:]+)/g)) ok(scripts[name!], name);
    const folder = new Folder({ "a.cnn.yaml": BAD, "b/c.cnn.yaml": GOOD });
    const command = (script as string[]).join("\n").replaceAll("/opt/convlint", root.replace(/\/$/, ""));
    const { status, stdout } = spawnSync("bash", ["-e", "-c", command], { cwd: folder.path, encoding: "utf8" });
    equal(status, 1);
    match(stdout, /error\[groups-divide\]/);
    const { codequality, junit } = artifacts.reports;
    const issues = JSON.parse(readFileSync(join(folder.path, codequality), "utf8"));
    deepEqual(
      issues.map(({ check_name, location }: any) => [check_name, location.path, location.lines.begin]),
      [["groups-divide", "a.cnn.yaml", 4]],
    );
    for (const { description, fingerprint, severity } of issues) ok(description && fingerprint && severity === "major");
    match(readFileSync(join(folder.path, junit), "utf8"), /<testsuite name="a\.cnn\.yaml"/);
    folder.remove();
  });

  it("names only options and formats that there are", () => {
    const known = new Set([...Object.keys(checkCommand.options), "depth", "prefix", "pipepart", "block", "keep-order"]);
    const named = [...page.matchAll(/--([a-z][a-z-]+)/g)].map(([, name]) => name!);
    deepEqual(
      named.filter((name) => !known.has(name)),
      [],
    );
    const names = new Set(formats.map(({ name }) => name));
    for (const [, name] of page.matchAll(/--format ([\w-]+)/g)) ok(names.has(name!), name);
  });
});

describe("docs/configuration.md", () => {
  const text = readFileSync(join(root, "docs/configuration.md"), "utf8");
  const fence = (language: string) => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text)![1]!;

  it("its examples are sound", () => {
    for (const [language, path] of [
      ["yaml", "convlint.config.yaml"],
      ["toml", "pyproject.toml"],
    ] as const) {
      const config = readConfig(fence(language), path);
      deepEqual(config?.problems, [], language);
      equal(config?.entries.length, 2);
      deepEqual(Object.keys(config!.entries[0]!.says.rules!).includes("parameter-budget"), true);
    }
  });

  it("lists the rules that are off of themselves, with all of their options", () => {
    for (const { code, optional, options } of Object.values(rules) as readonly Rule<any>[]) {
      if (!optional) continue;
      const row = text.split("\n").find((line) => line.startsWith("|") && line.includes(`[${code}]`));
      ok(row, code);
      for (const name of Object.keys(options ?? {})) ok(row.includes(`\`${name}\``), `${code}: ${name}`);
    }
  });
});
