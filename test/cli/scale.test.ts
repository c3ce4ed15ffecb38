/** Many files: threads, cache, watching, progress. The same answers, in the same order, always. On the built file. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { clearOld } from "#server/lint/cache.ts";
import { Progress } from "#server/lint/progress.ts";
import { dist } from "../harness/build.ts";
import { BAD, Folder, GOOD, WARNED } from "./run.ts";

/** Enough for workers and the cache to be used. */
const FILES = 150;

function manyModels(): Folder {
  const folder = new Folder({ "notes.yaml": "a: 1\n" });
  for (let index = 0; index < FILES; index++) {
    const text = [GOOD, BAD, WARNED][index % 3]!.replace("Conv2d, ", `Conv2d, name: c${index}, `);
    folder.write(`d${index % 7}/m${index}.cnn.yaml`, text);
  }
  return folder;
}

/** The files of a cache. */
function entries(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "cleared")
    .map((entry) => join(entry.parentPath, entry.name));
}

describe("many files", () => {
  let folder: Folder;
  before(() => {
    folder = manyModels();
  });
  after(() => folder.remove());

  for (const format of ["json", "full", "sarif"]) {
    it(`${format}: one thread, two, four, cold and warm cache write the same`, async () => {
      const run = async (...args: string[]) => {
        const { out, err, code } = await folder.convlint(["check", "--format", format, ...args, "."]);
        deepEqual([err, code], ["", 1]);
        return out;
      };
      const alone = await run("--jobs", "1", "--no-cache");
      ok(alone.length > 1000);
      equal(await run("--jobs", "2", "--no-cache"), alone);
      equal(await run("--jobs", "4", "--cache-dir", `.cache-${format}`), alone);
      equal(await run("--jobs", "2", "--cache-dir", `.cache-${format}`), alone);
      equal(await run("--cache-dir", `.cache-${format}`), alone);
      equal(entries(join(folder.path, `.cache-${format}`)).length, FILES);
    });
  }

  it("a file that cannot be read is told in its place, by workers too", async () => {
    const { err, code, out } = await folder.convlint(["check", "--jobs", "2", "--format", "concise", "gone.yaml", "."]);
    deepEqual([err, code], ["convlint: gone.yaml: no such file or folder\n", 2]);
    equal(out, (await folder.convlint(["check", "--format", "concise", "."])).out);
  });

  it("the user's own folder is used for many files, and not for few", async () => {
    const env = { XDG_CACHE_HOME: join(folder.path, ".xdg"), LOCALAPPDATA: join(folder.path, ".xdg") };
    if (process.platform === "darwin") return;
    await folder.convlint(["check", "d0"], { env });
    ok(!existsSync(env.XDG_CACHE_HOME));
    await folder.convlint(["check", "--no-cache", "."], { env });
    ok(!existsSync(env.XDG_CACHE_HOME));
    await folder.convlint(["check", "."], { env });
    equal(entries(env.XDG_CACHE_HOME).length, FILES);
  });
});

describe("cache", () => {
  let folder: Folder;
  beforeEach(() => {
    folder = new Folder({ "m.cnn.yaml": WARNED });
  });
  afterEach(() => folder.remove());
  const check = async (...args: string[]) => {
    const { out, code } = await folder.convlint(["check", "--format", "concise", "--cache-dir", "cache", ...args, "."]);
    return `${code} ${out}`;
  };
  /** Makes every kept answer tell that it was kept. */
  const mark = () => {
    for (const file of entries(join(folder.path, "cache"))) {
      writeFileSync(file, readFileSync(file, "utf8").replaceAll("output height", "KEPT height"));
    }
  };

  it("is heard while nothing changes", async () => {
    await check();
    mark();
    match(await check(), /KEPT/);
  });

  it("is not heard once the text, the name, the configuration or an option differs", async () => {
    await check();
    mark();
    folder.write("m.cnn.yaml", `${WARNED}# more\n`);
    match(await check(), /output height/);
    folder.write("m.cnn.yaml", WARNED);
    match(await check(), /KEPT/);
    folder.write("n.cnn.yaml", WARNED);
    match(await check(), /n\.cnn\.yaml.*output height/);
    folder.write("convlint.config.yaml", "rules: {non-integer-size: error}\n");
    match(await check(), /^1 .*error.*output height/);
    folder.write("convlint.config.yaml", "scale: n\n");
    match(await check(), /m\.cnn\.yaml.*output height/);
    folder.write("convlint.config.yaml", "{}\n");
    match(await check(), /m\.cnn\.yaml.*KEPT/);
    match(await check("--scale", "s"), /m\.cnn\.yaml.*output height/);
    equal(await check("--input", "1x29x29"), "0 ".concat(await bare("--input", "1x29x29")));
  });
  const bare = async (...args: string[]) =>
    (await folder.convlint(["check", "--format", "concise", "--no-cache", ...args, "."])).out;

  it("is not heard by another version of the program", async () => {
    await check();
    mark();
    const other = join(folder.path, "other");
    mkdirSync(other);
    for (const name of ["cli.js", "lint-worker.js"]) cpSync(dist(name), join(other, name));
    cpSync(join(dirname(dist("")), "package.json"), join(folder.path, "package.json"));
    appendFileSync(join(other, "cli.js"), "\n// another version\n");
    const run = (program: string) =>
      new Promise<string>((resolve) => {
        const child = spawn(process.execPath, [program, "check", "--format", "concise", "--cache-dir", "cache", "."], {
          cwd: folder.path,
        });
        let out = "";
        child.stdout.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
        child.on("close", () => resolve(out));
      });
    match(await run(join(other, "cli.js")), /output height/);
    match(await run(dist("cli.js")), /KEPT/);
  });

  it("a damaged entry, and a folder that cannot be written to, only cost time", async () => {
    const first = await check();
    for (const file of entries(join(folder.path, "cache"))) writeFileSync(file, '{"report":');
    equal(await check(), first);
    folder.write("plain", "");
    const { out, err, code } = await folder.convlint(["check", "--format", "concise", "--cache-dir", "plain", "."]);
    deepEqual([`${code} ${out}`, err], [first, ""]);
  });

  it("forgets what is older than a month, once a day", async () => {
    await check();
    const cache = join(folder.path, "cache");
    const [entry] = entries(cache);
    const day = 24 * 60 * 60 * 1000;
    utimesSync(entry!, new Date(), new Date(Date.now() - 31 * day));
    clearOld({ folder: cache, program: "" });
    ok(existsSync(entry!), "the run itself has looked today");
    clearOld({ folder: cache, program: "" }, Date.now() + 2 * day);
    ok(!existsSync(entry!));
  });
});

describe("--watch", () => {
  it("checks again after each change of a file, a configuration or the list of files", async () => {
    const folder = new Folder({ "m.cnn.yaml": GOOD });
    const child = spawn(
      process.execPath,
      [dist("cli.js"), "check", "--watch", "--format", "concise", "--statistics", "."],
      {
        cwd: folder.path,
      },
    );
    let out = "";
    let wake = () => {};
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      out += chunk;
      wake();
    });
    const said = async (pattern: RegExp) => {
      while (!pattern.test(out)) await new Promise<void>((resolve) => (wake = resolve));
      out = "";
    };
    folder.write("m.cnn.yaml", BAD);
    await said(/m\.cnn\.yaml:4.*groups-divide/);
    folder.write("n.cnn.yaml", BAD);
    await said(/n\.cnn\.yaml:4.*groups-divide/);
    folder.write("convlint.config.yaml", "rules: {groups-divide: warning}\n");
    await said(/warning\[groups-divide/);
    folder.write(".gitignore", "m.cnn.yaml\n");
    await said(/^n\.cnn\.yaml/);
    child.kill();
    await new Promise((resolve) => child.on("close", resolve));
    folder.remove();
  });

  it("does not watch standard input", async () => {
    const folder = new Folder();
    const { code, err } = await folder.convlint(["check", "--watch", "-"]);
    folder.remove();
    deepEqual([code, err], [2, "convlint: --watch looks at files, not at standard input.\n"]);
  });
});

describe("progress", () => {
  const run = (isTTY: boolean, total: number) => {
    let text = "";
    let time = 1000;
    const progress = new Progress({ isTTY, write: (part) => (text += part) }, total, () => (time += 60));
    for (let step = 0; step < 8; step++) progress.step();
    progress.clear();
    return text;
  };

  it("is one line on a terminal, drawn no more than ten times a second, and taken away", () => {
    const text = run(true, 8);
    match(text, /█░.* \d of 8 files/);
    ok(!text.includes("\n"));
    ok(text.endsWith("\r\u001b[K"));
    notEqual(text.split(" of 8").length - 1, 8);
  });

  it("is nothing where there is no terminal, or little to do", () => {
    equal(run(false, 8), "");
    equal(run(true, 0), "");
  });
});
