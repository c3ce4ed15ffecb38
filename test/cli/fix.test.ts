/** `check --fix`, `--unsafe-fixes` and `--diff`: what is written, what is said, and the exit codes. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeFixed } from "#server/lint/fix.ts";
import { Folder, GOOD, WARNED } from "./run.ts";

const SLIP = `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 3}  # the stem
  - {type: Linaer, out_features: 10}
`;
const MENDED = SLIP.replace("Linaer", "Linear");

/** A slip, and groups that are a matter of taste. */
const BOTH = `${SLIP.replace("out_channels: 8,", "out_channels: 8, groups: 2,")}`;

const made: Folder[] = [];
function folder(files: Readonly<Record<string, string | Uint8Array>>): Folder {
  const one = new Folder(files);
  made.push(one);
  return one;
}

function read(of: Folder, name: string): string {
  return readFileSync(join(of.path, name), "utf8");
}

describe("convlint check --fix", () => {
  after(() => {
    for (const one of made) one.remove();
  });

  it("mends what is surely meant, counts it, and tells what is left", async () => {
    const at = folder({ "a.cnn.yaml": BOTH, "b.cnn.yaml": SLIP, "c.cnn.yaml": GOOD });
    const { code, out } = await at.convlint(["check", "--fix", "."]);
    equal(code, 1);
    equal(read(at, "a.cnn.yaml"), BOTH.replace("Linaer", "Linear"));
    equal(read(at, "b.cnn.yaml"), MENDED);
    equal(read(at, "c.cnn.yaml"), GOOD);
    match(out, /^error\[groups-divide\]/);
    match(out, /\n3 model files checked, 2 problems fixed: 1 error \(fixable: 1 with --fix --unsafe-fixes\)\n$/);
    equal((await at.convlint(["check", "--fix", "b.cnn.yaml"])).out, "1 model file checked, no problems\n");
  });

  it("changes the architecture where it is asked to, to a fixed point", async () => {
    const at = folder({ "a.cnn.yaml": BOTH });
    const { code, out } = await at.convlint(["check", "--fix", "--unsafe-fixes", "."]);
    deepEqual([code, out], [0, "1 model file checked, 2 problems fixed, none left\n"]);
    equal(read(at, "a.cnn.yaml"), MENDED.replace("out_channels: 8,", "out_channels: 8, groups: 1,"));
  });

  it("leaves notes alone even then: nobody asked for another model", async () => {
    const text = GOOD.replace("padding: 2}", "padding: 1, stride: 2}");
    const at = folder({ "a.cnn.yaml": text });
    const { code, out } = await at.convlint(["check", "--fix", "--unsafe-fixes", "."]);
    equal(code, 0);
    match(out, /information\[non-integer-size\]/);
    equal(read(at, "a.cnn.yaml"), text);
  });

  it("keeps the byte order mark, CRLF and the file's mode, and what a link leads to", async () => {
    const text = `\uFEFF${SLIP.replaceAll("\n", "\r\n")}`;
    const at = folder({ "real/a.cnn.yaml": text });
    const file = join(at.path, "real/a.cnn.yaml");
    chmodSync(file, 0o640);
    symlinkSync("real/a.cnn.yaml", join(at.path, "link.cnn.yaml"));
    equal((await at.convlint(["check", "--fix", "link.cnn.yaml"])).code, 0);
    equal(readFileSync(file, "utf8"), text.replace("Linaer", "Linear"));
    equal(statSync(file).mode & 0o777, 0o640);
    ok(lstatSync(join(at.path, "link.cnn.yaml")).isSymbolicLink());
    deepEqual(readdirSync(join(at.path, "real")), ["a.cnn.yaml"]);
  });

  it("does not touch a file that changed meanwhile", () => {
    const at = folder({ "a.cnn.yaml": `${SLIP}# changed\n` });
    const why = writeFixed(join(at.path, "a.cnn.yaml"), { before: SLIP, after: MENDED, count: 1 });
    match(why!, /has changed/);
    equal(read(at, "a.cnn.yaml"), `${SLIP}# changed\n`);
    deepEqual(readdirSync(at.path), ["a.cnn.yaml"]);
  });

  it("does not touch a file that is not UTF-8, and says so", async () => {
    const bytes = Buffer.concat([Buffer.from(SLIP), Buffer.from([0x23, 0x20, 0xe9, 0x0a])]);
    const at = folder({ "a.cnn.yaml": bytes });
    const { code, err } = await at.convlint(["check", "--fix", "a.cnn.yaml"]);
    equal(code, 2);
    match(err, /a\.cnn\.yaml: not fixed \(.*not UTF-8\)/);
    ok(readFileSync(join(at.path, "a.cnn.yaml")).equals(bytes));
  });

  it("mends standard input on standard output, whole, and tells problems beside it", async () => {
    const at = folder({});
    const slip = await at.convlint(["check", "--fix", "-"], { stdin: BOTH });
    equal(slip.out, BOTH.replace("Linaer", "Linear"));
    match(slip.err, /error\[groups-divide\]/);
    equal(slip.code, 1);
    const good = await at.convlint(["check", "--fix", "-"], { stdin: GOOD });
    deepEqual([good.code, good.out], [0, GOOD]);
    equal((await at.convlint(["check", "--fix", "-"], { stdin: "a: 1\n" })).out, "a: 1\n");
  });

  it("many files on many threads", async () => {
    const files = Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`m${index}.cnn.yaml`, SLIP]));
    const at = folder(files);
    const { code, out } = await at.convlint(["check", "--fix", "--jobs", "2", "."]);
    deepEqual([code, out], [0, "70 model files checked, 70 problems fixed, none left\n"]);
    for (const name of Object.keys(files)) equal(read(at, name), MENDED);
  });

  it("never answers from a cache that knows the file as it was", async () => {
    const at = folder({ "a.cnn.yaml": SLIP });
    const args = ["check", "--cache-dir", "cache", "a.cnn.yaml"];
    equal((await at.convlint(args)).code, 1);
    equal((await at.convlint([...args, "--fix"])).code, 0);
    equal((await at.convlint(args)).code, 0);
  });

  describe("exit code", () => {
    it("1 where something was fixed, if asked to", async () => {
      const at = folder({ "a.cnn.yaml": SLIP });
      equal((await at.convlint(["check", "--fix", "--exit-non-zero-on-fix", "."])).code, 1);
      equal((await at.convlint(["check", "--fix", "--exit-non-zero-on-fix", "."])).code, 0);
    });
    it("0 for whatever is left, if asked to", async () => {
      equal((await folder({ "a.cnn.yaml": BOTH }).convlint(["check", "--fix", "--exit-zero", "."])).code, 0);
    });
    it("2 for what makes no sense", async () => {
      const at = folder({ "a.cnn.yaml": GOOD });
      for (const [args, why] of [
        [["--unsafe-fixes"], /--unsafe-fixes needs --fix or --diff/],
        [["--exit-non-zero-on-fix"], /needs --fix/],
        [["--fix", "--watch"], /exclude each other/],
        [["--diff", "--format", "json"], /--diff writes a patch/],
        [["--fix", "-"], /standard input \(-\) or files, not both/],
      ] as const) {
        const { code, err } = await at.convlint(["check", "a.cnn.yaml", ...args]);
        equal(code, 2, args.join(" "));
        match(err, why);
      }
    });
  });
});

describe("convlint check --diff", () => {
  it("prints a patch that does what --fix would, and writes nothing", async () => {
    const files = {
      "a.cnn.yaml": SLIP,
      "b.cnn.yaml": `\uFEFF${BOTH.replaceAll("\n", "\r\n").trimEnd()}`,
      "c.cnn.yaml": GOOD,
    };
    const at = folder(files);
    const { code, out, err } = await at.convlint(["check", "--diff", "."]);
    equal(code, 1);
    equal(err, "convlint: --fix would fix 2 problems\n");
    for (const [name, text] of Object.entries(files)) equal(read(at, name), text);
    const fixed = folder(files);
    await fixed.convlint(["check", "--fix", "."]);
    writeFileSync(join(at.path, "fix.patch"), out);
    execFileSync("git", ["apply", "-p0", "--whitespace=nowarn", "fix.patch"], { cwd: at.path });
    for (const name of Object.keys(files)) equal(read(at, name), read(fixed, name));
    equal(
      out.split("--- b.cnn.yaml")[0],
      `--- a.cnn.yaml
+++ a.cnn.yaml
@@ -1,5 +1,5 @@
 cnn: 1
 input: [3, 32, 32]
 layers:
   - {type: Conv2d, out_channels: 8, kernel_size: 3}  # the stem
-  - {type: Linaer, out_features: 10}
+  - {type: Linear, out_features: 10}
`,
    );
  });

  it("takes the unsafe along where it is asked to", async () => {
    const { out } = await folder({ "a.cnn.yaml": BOTH }).convlint(["check", "--diff", "--unsafe-fixes", "."]);
    match(out, /^\+.*groups: 1/m);
  });

  it("is empty, with exit code 0, where nothing can be mended", async () => {
    const { code, out, err } = await folder({ "a.cnn.yaml": WARNED }).convlint(["check", "--diff", "."]);
    deepEqual([code, out, err], [0, "", "convlint: nothing to fix\n"]);
  });
});

describe("convlint check: fixes in formats", () => {
  it("json: title, whether it is safe, edits that make the text without the problem", async () => {
    const { out } = await folder({ "a.cnn.yaml": SLIP }).convlint(["check", "--format", "json", "."]);
    const [file] = JSON.parse(out).files;
    deepEqual(
      file.problems.map(({ code, fixes }: { code: string; fixes: unknown }) => [code, fixes]),
      [
        [
          "unknown-layer",
          [
            {
              title: "change to Linear → output [N, 8, 30, 10]",
              safe: true,
              edits: [
                {
                  range: {
                    start: { line: 5, column: 12, offset: SLIP.indexOf("Linaer") },
                    end: { line: 5, column: 18, offset: SLIP.indexOf("Linaer") + 6 },
                  },
                  newText: "Linear",
                },
              ],
            },
          ],
        ],
      ],
    );
    const without = await folder({ "a.cnn.yaml": SLIP }).convlint(["check", "--no-fixes", "--format", "json", "."]);
    deepEqual(JSON.parse(without.out).files[0].problems[0].fixes, []);
  });

  it("sarif: replacements; rdjson: suggestions", async () => {
    const at = folder({ "a.cnn.yaml": SLIP });
    const { out } = await at.convlint(["check", "--format", "sarif", "--format", "rdjson=r.json", "."]);
    const [result] = JSON.parse(out).runs[0].results;
    deepEqual(result.fixes[0].artifactChanges[0].replacements, [
      {
        deletedRegion: { startLine: 5, startColumn: 12, endLine: 5, endColumn: 18 },
        insertedContent: { text: "Linear" },
      },
    ]);
    const [diagnostic] = JSON.parse(read(at, "r.json")).diagnostics;
    deepEqual(diagnostic.suggestions, [
      { range: { start: { line: 5, column: 12 }, end: { line: 5, column: 18 } }, text: "Linear" },
    ]);
  });
});
