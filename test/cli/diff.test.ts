/** `convlint diff` and `convlint snapshot`: what a change does to sizes. On the built file. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compareModels, type LayerSizes } from "#server/lint/compare.ts";
import { matchesGolden } from "../harness/golden.ts";
import { Folder } from "./run.ts";

const NET = `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 16, kernel_size: 3, padding: 1, name: stem}
  - ReLU
  - {type: MaxPool2d, kernel_size: 2}
  - {type: Conv2d, out_channels: 32, kernel_size: 3, padding: 1, name: body}
  - ReLU
  - Flatten
  - {type: Linear, out_features: 10, name: head}
`;
/** A larger kernel, a normalisation more, an activation less. */
const CHANGED = NET.replace("16, kernel_size: 3, padding: 1", "16, kernel_size: 5, padding: 2")
  .replace("name: body}\n  - ReLU", "name: body}")
  .replace("name: stem}\n", "name: stem}\n  - BatchNorm2d\n");

const layer = (name: string, type: string, params = 0): LayerSizes => ({
  name,
  type,
  outputs: [["N", 1]],
  params,
  macs: 0,
  activationBytes: 4,
  receptiveField: null,
});
const totals = { params: 0, macs: 0, activationBytes: 0 };

describe("comparing models", () => {
  const compared = (before: LayerSizes[], after: LayerSizes[]) =>
    compareModels({ layers: before, totals }, { layers: after, totals })?.layers.map(
      ({ before: old, after: now }) => `${old?.name ?? ""} > ${now?.name ?? ""}`,
    ) ?? [];
  const conv = (index: number, params: number) => layer(`Conv2d_${index}`, "Conv2d", params);

  it("a layer put in anywhere is that layer alone", () => {
    const before = [conv(0, 1), conv(1, 2), conv(2, 3)];
    for (const at of [0, 1, 2, 3]) {
      const after = [1, 2, 3].toSpliced(at, 0, 9).map((params, index) => conv(index, params));
      deepEqual(compared(before, after), [` > Conv2d_${at}`]);
      deepEqual(compared(after, before), [`Conv2d_${at} > `]);
    }
  });

  it("names pair layers whatever they have become", () => {
    const named = (name: string, type: string) => layer(name, type, 5);
    deepEqual(
      compared([named("a", "Conv2d"), named("b", "Conv2d")], [named("b", "Conv2d"), { ...named("c", "Linear") }]),
      ["a > ", " > c"],
    );
    deepEqual(compared([layer("a", "ReLU", 1)], [layer("a", "ReLU", 2)]), ["a > a"]);
  });

  it("nothing changed is nothing", () => {
    equal(compareModels({ layers: [conv(0, 1)], totals }, { layers: [conv(0, 1)], totals }), null);
  });

  it("thousands of layers are compared at once", () => {
    const many = (count: number, from: number) =>
      Array.from({ length: count }, (_, index) => conv(index, from + index));
    const start = performance.now();
    equal(compared(many(5000, 0), many(5000, 10_000)).length, 5000);
    ok(performance.now() - start < 5000);
  });
});

describe("convlint diff", () => {
  let folder: Folder;
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main", ...args], {
      cwd: folder.path,
      stdio: "pipe",
    });
  before(() => {
    folder = new Folder({
      "nets/net.cnn.yaml": NET,
      "nets/gone.cnn.yaml": NET.replace("cnn: 1", "cnn: 1\nname: gone"),
      "nets/moved.cnn.yaml": `${NET}  - ReLU\n`,
      "notes.yaml": "a: 1\n",
    });
    git("init", "-q");
    git("add", ".");
    git("commit", "-qm", "one");
    folder.write("nets/net.cnn.yaml", CHANGED);
    folder.write("nets/new é.cnn.yaml", NET.replace("Flatten", "{type: Flatten, start_dim: 2}"));
    folder.write("notes.yaml", "a: 2\n");
    git("mv", "nets/moved.cnn.yaml", "nets/other.cnn.yaml");
    git("rm", "-q", "nets/gone.cnn.yaml");
    git("add", ".");
    git("commit", "-qm", "two");
    folder.write("nets/net.cnn.yaml", `# only a comment\n${CHANGED}`);
    folder.write("nets/untracked.cnn.yaml", NET);
  });
  after(() => folder.remove());

  const said = async (...args: string[]) => {
    const { code, out, err } = await folder.convlint(["diff", ...args]);
    return `$ convlint diff ${args.join(" ")}\nexit code ${code}\n--- output\n${out}--- errors\n${err}`;
  };
  const golden = (name: string) => new URL(`golden/diff-${name}.txt`, import.meta.url);

  for (const format of ["text", "markdown", "json"]) {
    it(`between revisions, as ${format}`, async () => {
      matchesGolden(await said("HEAD~1", "HEAD", "--format", format, "--exit-code"), golden(format));
    });
  }

  it("a comment changes nothing; what git does not know yet is added", async () => {
    matchesGolden(await said("HEAD", "--exit-code"), golden("worktree"));
    equal((await folder.convlint(["diff", "HEAD", "nets/net.cnn.yaml", "--exit-code"])).code, 0);
  });

  it("a file at a revision, and any other file", async () => {
    const { out } = await folder.convlint(["diff", "HEAD~1:nets/net.cnn.yaml", "nets/net.cnn.yaml"]);
    match(out, /^nets\/net\.cnn\.yaml\n {2}~ stem Conv2d: parameters 448 → 1,216 \(\+768\)/);
    match(
      (await folder.convlint(["diff", "HEAD~1", "nets/net.cnn.yaml"])).out,
      /~ stem Conv2d: parameters 448 → 1,216/,
    );
    folder.write("a b.cnn.yaml", NET);
    const files = await folder.convlint(["diff", "a b.cnn.yaml", "nets/net.cnn.yaml", "--exit-code"]);
    equal(files.code, 1);
    match(files.out, /^a b\.cnn\.yaml → nets\/net\.cnn\.yaml\n/);
  });

  it("below a folder the paths are that folder's", async () => {
    const { out } = await folder.convlint(["diff", "HEAD~1", "HEAD", "nets/net.cnn.yaml", "--format", "json"]);
    deepEqual(
      JSON.parse(out).files.map(({ path }: any) => path),
      ["nets/net.cnn.yaml"],
    );
  });

  for (const [name, args] of Object.entries({
    nothing: [],
    "no-such-thing": ["gone"],
    "one-file": ["nets/net.cnn.yaml"],
    "file-and-nothing": ["nets/net.cnn.yaml", "gone"],
    "bad-format": ["HEAD", "--format", "sarif"],
    "not-at-that-revision": ["HEAD:gone.yaml", "nets/net.cnn.yaml"],
  })) {
    it(`misuse: ${name}`, async () => matchesGolden(await said(...args), golden(name)));
  }
});

describe("convlint snapshot", () => {
  let folder: Folder;
  beforeEach(() => {
    folder = new Folder({ "a.cnn.yaml": NET, "b.cnn.yaml": NET, "notes.yaml": "a: 1\n" });
  });
  afterEach(() => folder.remove());
  const snapshot = (...args: string[]) => folder.convlint(["snapshot", ...args]);

  it("is written, holds, and tells what differs", async () => {
    deepEqual(await snapshot(), {
      code: 0,
      out: "",
      err: "convlint: convlint.lock.json holds the sizes of 2 models\n",
    });
    const text = readFileSync(join(folder.path, "convlint.lock.json"), "utf8");
    deepEqual(Object.keys(JSON.parse(text).models), ["a.cnn.yaml", "b.cnn.yaml"]);
    deepEqual(await snapshot("--check"), { code: 0, out: "", err: "" });
    folder.write("a.cnn.yaml", `# a comment\n${NET}`);
    equal((await snapshot("--check")).code, 0);
    folder.write("a.cnn.yaml", CHANGED);
    folder.write("c.cnn.yaml", NET);
    const { code, out, err } = await snapshot("--check");
    equal(code, 1);
    match(
      out,
      /^a\.cnn\.yaml\n {2}~ stem Conv2d: parameters 448 → 1,216 \(\+768\)[\s\S]*\nc\.cnn\.yaml\n[\s\S]*model added/,
    );
    match(err, /If the change is meant: convlint snapshot\n$/);
    equal(readFileSync(join(folder.path, "convlint.lock.json"), "utf8"), text, "a check writes nothing");
    await snapshot();
    equal((await snapshot("--check")).code, 0);
  });

  it("one layer is one line", async () => {
    await snapshot();
    const lines = () => readFileSync(join(folder.path, "convlint.lock.json"), "utf8").split("\n");
    const before = lines();
    folder.write("a.cnn.yaml", NET.replace("out_features: 10", "out_features: 11"));
    await snapshot();
    const changed = lines().filter((line) => !before.includes(line));
    equal(changed.length, 2, "the layer and the totals");
  });

  it("a file that is not there, or none of ours, is misuse", async () => {
    const { code, err } = await snapshot("--check");
    equal(code, 2);
    match(err, /^convlint: convlint\.lock\.json cannot be read .*convlint snapshot writes it\.\n$/);
    folder.write("x.json", "[]");
    match((await snapshot("--check", "--file", "x.json")).err, /x\.json is no snapshot of ConvLint/);
  });
});
