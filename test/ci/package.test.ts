/** The npm package: the command line alone, which runs from it. */
import { deepEqual, equal } from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BAD, Folder } from "../cli/run.ts";
import { ensureBuilt } from "../harness/build.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

describe("npm package", function () {
  this.timeout(120_000);
  let folder: Folder;
  before(() => {
    folder = new Folder();
  });
  after(() => folder.remove());

  it("holds the command line, its worker, licences and nothing else, and runs", async () => {
    await ensureBuilt();
    const shell = process.platform === "win32";
    const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", folder.path], {
      cwd: root,
      encoding: "utf8",
      shell,
    });
    // npm 12 answers with a map of packages where npm 11 gives a list.
    const [{ files, filename }] = Object.values<{ files: { path: string }[]; filename: string }>(
      JSON.parse(packed),
    ) as [{ files: { path: string }[]; filename: string }];
    deepEqual(files.map(({ path }) => path).sort(), [
      "LICENSE",
      "README.md",
      "dist/THIRD-PARTY-LICENSES.txt",
      "dist/cli.js",
      "dist/lint-worker.js",
      "package.json",
    ]);
    execFileSync("tar", ["xzf", filename], { cwd: folder.path });
    for (let index = 0; index < 200; index++) folder.write(`models/${index}.cnn.yaml`, BAD);
    const cli = join(folder.path, "package", "dist", "cli.js");
    const args = [cli, "check", "--jobs", "2", "--no-cache", "--format", "concise", "models"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder.path, encoding: "utf8" });
    deepEqual([status, stdout.split("\n").length - 1, stderr], [1, 200, ""]);
    equal(readdirSync(join(folder.path, "package")).includes("node_modules"), false);
  });
});
