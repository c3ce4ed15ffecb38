/** `convlint check`: what it reads, what it writes, how it ends. On the built file. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { BAD, Folder, GOOD, WARNED } from "./run.ts";

describe("convlint check", () => {
  const folders: Folder[] = [];
  const folder = (files: Readonly<Record<string, string | Uint8Array>>) => {
    const made = new Folder(files);
    folders.push(made);
    return made;
  };
  afterEach(() => {
    for (const made of folders.splice(0)) made.remove();
  });

  describe("exit code", () => {
    it("0 for a clean model", async () => {
      const { code, out, err } = await folder({ "a.cnn.yaml": GOOD }).convlint(["check", "a.cnn.yaml"]);
      deepEqual([code, out, err], [0, "1 model file checked, no problems\n", ""]);
    });

    it("0 for warnings alone", async () => {
      const { code, out } = await folder({ "a.cnn.yaml": WARNED }).convlint(["check", "a.cnn.yaml"]);
      equal(code, 0);
      match(out, /1 model file checked: 1 warning \(fixable: 1 with --fix --unsafe-fixes\)\n$/);
    });

    it("1 for an error, whatever else is clean", async () => {
      const { code } = await folder({ "a.cnn.yaml": GOOD, "b.cnn.yaml": BAD }).convlint(["check", "."]);
      equal(code, 1);
    });

    it("2 and the usage without paths", async () => {
      const { code, out, err } = await folder({}).convlint(["check"]);
      deepEqual([code, out], [2, ""]);
      match(err, /no paths given[\s\S]*Usage: convlint check/);
    });

    it("2 for a path that leads nowhere, and the others are checked", async () => {
      const { code, out, err } = await folder({ "a.cnn.yaml": GOOD }).convlint(["check", "gone.yaml", "a.cnn.yaml"]);
      equal(code, 2);
      equal(err, "convlint: gone.yaml: no such file or folder\n");
      match(out, /1 model file checked/);
    });

    it("2 for a file that cannot be read", async () => {
      const made = folder({});
      symlinkSync(join(made.path, "loop.cnn.yaml"), join(made.path, "loop.cnn.yaml"));
      const { code, err } = await made.convlint(["check", "loop.cnn.yaml"]);
      equal(code, 2);
      match(err, /loop\.cnn\.yaml/);
    });

    it("2 for a glob that matches nothing", async () => {
      const { code, err } = await folder({}).convlint(["check", "*.cnn.yaml"]);
      deepEqual([code, err], [2, "convlint: *.cnn.yaml: no file matches this pattern\n"]);
    });

    for (const [args, message] of [
      [["check", "--tabel", "."], "unknown option --tabel. Did you mean --table? See convlint check --help."],
      [["check", "-x", "."], "unknown option -x. See convlint check --help."],
      [
        ["check", "--format", "jsn", "."],
        "--format must be full, concise, json, json-lines, markdown, github, gitlab, sarif, junit, checkstyle or rdjson, not jsn. Did you mean json?",
      ],
      [["check", ".", "--format"], "--format needs a value. See convlint check --help."],
      [["check", "--scale", "--table", "."], "--scale needs a value. See convlint check --help."],
      [["check", "--table=yes", "."], "--table takes no value."],
      [["check", "--input", "3x-1", "."], "--input must be sizes such as 3x320x320, not 3x-1."],
      [["chek", "."], "unknown command chek. Did you mean check? See convlint --help."],
      [["--versoin"], "unknown option --versoin. Did you mean --version? See convlint --help."],
      [["server"], "the server speaks over standard input and output: convlint server --stdio"],
      [
        ["rule", "non-integer-siz"],
        "unknown rule non-integer-siz. Did you mean non-integer-size? See convlint rule for the list.",
      ],
    ] as const) {
      it(`2 for convlint ${args.join(" ")}`, async () => {
        const { code, out, err } = await folder({}).convlint(args);
        deepEqual([code, out, err], [2, "", `convlint: ${message}\n`]);
      });
    }
  });

  describe("files", () => {
    const paths = async (made: Folder, ...args: string[]) => {
      const { out } = await made.convlint(["check", "--format", "json", ...args]);
      return (JSON.parse(out).files as { path: string }[]).map(({ path }) => path);
    };

    it("a folder is searched, sorted, with forward slashes, without what is no model", async () => {
      const made = folder({
        "z.cnn.yaml": GOOD,
        "models/b.yml": GOOD,
        "models/a.cnn.json": '{"input": [1, 8, 8], "layers": ["ReLU"]}',
        "models/deep/c.cnn.yml": GOOD,
        "docker-compose.yaml": "services: {}\n",
        "package.json": "{}",
        "notes.txt": GOOD,
        "node_modules/x/n.cnn.yaml": GOOD,
        "models/node_modules/n.cnn.yaml": GOOD,
        ".git/g.cnn.yaml": GOOD,
      });
      deepEqual(await paths(made, "."), ["models/a.cnn.json", "models/b.yml", "models/deep/c.cnn.yml", "z.cnn.yaml"]);
      deepEqual(await paths(made, "models/deep", "z.cnn.yaml", "z.cnn.yaml", "."), await paths(made, "."));
      deepEqual(await paths(made, join(made.path, "models", "deep")), ["models/deep/c.cnn.yml"]);
    });

    it("globs", async () => {
      const made = folder({
        "a/x.cnn.yaml": GOOD,
        "a/b/y.cnn.yaml": GOOD,
        "a/node_modules/n.cnn.yaml": GOOD,
        "a/t.yaml": "a: 1",
      });
      deepEqual(await paths(made, "a/**/*.yaml"), ["a/b/y.cnn.yaml", "a/x.cnn.yaml"]);
      deepEqual(await paths(made, "a/*.cnn.yaml"), ["a/x.cnn.yaml"]);
    });

    it("what .gitignore names is left out of folders and globs, but not where it is named", async () => {
      const made = folder({
        ".gitignore": "# made by training\nout/\n*.tmp.yaml\n!keep.tmp.yaml\n/top.yaml\nruns/**/old\n",
        ".git/HEAD": "",
        "out/a.cnn.yaml": GOOD,
        "x/out/a.cnn.yaml": GOOD,
        "a.tmp.yaml": GOOD,
        "keep.tmp.yaml": GOOD,
        "top.yaml": GOOD,
        "x/top.yaml": GOOD,
        "runs/1/2/old/a.cnn.yaml": GOOD,
        "runs/1/new/a.cnn.yaml": GOOD,
        "x/.gitignore": "!a.tmp.yaml\nhidden.cnn.yaml\n",
        "x/a.tmp.yaml": GOOD,
        "x/hidden.cnn.yaml": GOOD,
      });
      const kept = ["keep.tmp.yaml", "runs/1/new/a.cnn.yaml", "x/a.tmp.yaml", "x/top.yaml"];
      deepEqual(await paths(made, "."), kept);
      deepEqual(await paths(made, "**/*.yaml"), kept);
      deepEqual(await paths(made, "x"), ["x/a.tmp.yaml", "x/top.yaml"]);
      deepEqual(await paths(made, "top.yaml", "out"), ["out/a.cnn.yaml", "top.yaml"]);
    });

    it("a named file that holds no model is told, and is no failure", async () => {
      const { code, err } = await folder({ "a.yaml": "services: {}\n" }).convlint(["check", "a.yaml"]);
      deepEqual([code, err], [0, "convlint: a.yaml: not a model file, nothing to check\n"]);
    });

    it("a folder without models is told", async () => {
      const { code, err } = await folder({ "a.yaml": "a: 1\n" }).convlint(["check", "."]);
      deepEqual([code, err], [0, "convlint: no model files found\n"]);
    });

    it("standard input, under the name it is given", async () => {
      const made = folder({});
      const { code, out } = await made.convlint(
        ["check", "-", "--stdin-filename", "new/m.cnn.json", "--format", "concise"],
        {
          stdin: '{"input": [3, 8, 8],\n "layers": [{"type": "Linaer", "out_features": 3}]}',
        },
      );
      equal(code, 1);
      match(out, /^new\/m\.cnn\.json:2:\d+: error\[unknown-layer\]: .*Linear/);
    });

    it("standard input without a name is YAML that says itself that it is a model", async () => {
      const { code, out } = await folder({}).convlint(["check", "-"], { stdin: BAD });
      equal(code, 1);
      match(out, /stdin\.yaml:4:\d+/);
    });
  });

  describe("full", () => {
    it("shows the place, the line and what is related", async () => {
      const text = `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 16, kernel_size: 1, name: a}
  - {type: Conv2d, out_channels: 16, kernel_size: 3, from: input, name: b}
  - {type: Concat, from: [a, b]}
`;
      const { out } = await folder({ "m.cnn.yaml": text }).convlint(["check", "."]);
      const [message, ...frame] = out.split("\n");
      match(message!, /^error\[concat-mismatch\]: .*32 ≠ 30/);
      deepEqual(frame, [
        "  ╭─ m.cnn.yaml:6:30",
        "6 │   - {type: Concat, from: [a, b]}",
        "  │                              ^",
        "  = a gives [N, 16, 32, 32] (m.cnn.yaml:4:12)",
        "  = b gives [N, 16, 30, 30] (m.cnn.yaml:5:12)",
        "  = fix (unsafe): padding: 1 in b → output 32×32",
        "",
        "1 model file checked: 1 error (fixable: 1 with --fix --unsafe-fixes)",
        "",
      ]);
    });

    it("keeps the caret below its text after wide letters and on lines that are too long", async () => {
      const text = `cnn: 1\nname: x\ninput: [3, 8, 8]\nlayers:\n  - {name: 畳み込み, type: Cov2d, out_channels: 4, kernel_size: 3} # ${"long ".repeat(60)}\n`;
      const { out } = await folder({ "m.cnn.yaml": text }).convlint(["check", "."]);
      const lines = out.split("\n");
      equal(
        lines[2],
        `5 │   - {name: 畳み込み, type: Cov2d, out_channels: 4, kernel_size: 3} # ${"long ".repeat(60)}`.slice(
          0,
          4 + 120,
        ) + "…",
      );
      equal(lines[3], `  │ ${" ".repeat(27)}^^^^^`);
    });

    it("shows control characters of the file instead of sending them to the terminal", async () => {
      const text = 'cnn: 1\ninput: [3, 8, 8]\nlayers:\n  - "\\e]0;owned\\a\u0085"\n  - "x\u009b31m"\n';
      const made = folder({ "m.cnn.yaml": text });
      for (const format of ["full", "concise"]) {
        const { out } = await made.convlint(["check", "--table", "--format", format, "."]);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
        ok(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(out), JSON.stringify(out));
        match(out, /error\[/);
      }
    });

    it("says that a model is in UTF-16, with and without a byte-order mark, and nothing of other such files", async () => {
      const little = (text: string) => Buffer.from(text, "utf16le");
      const big = (text: string) => little(text).swap16();
      const keras = JSON.stringify({ class_name: "Sequential", config: { name: "größe", layers: [] } });
      const made = folder({
        "a.cnn.yaml": little(GOOD),
        "b.cnn.yaml": little(`\uFEFF${GOOD}`),
        "c.yaml": big(GOOD),
        "d.yaml": big(`\uFEFF${GOOD}`),
        "e.json": little(`\uFEFF${keras}`),
        "other.yaml": little("apiVersion: v1\nkind: Pod\n"),
      });
      const { code, out } = await made.convlint(["check", "--format", "concise", "."]);
      const told =
        "error[syntax]: this file is in UTF-16, and model files are read as UTF-8; save it with the encoding UTF-8.";
      const files = ["a.cnn.yaml", "b.cnn.yaml", "c.yaml", "d.yaml", "e.json"];
      deepEqual([code, out.trimEnd().split("\n")], [1, files.map((file) => `${file}:1:1: ${told}`)]);
    });

    it("has colours only where they are asked for, as there is no terminal", async () => {
      const made = folder({ "m.cnn.yaml": BAD });
      const coloured = async (env: NodeJS.ProcessEnv) =>
        (await made.convlint(["check", "."], { env })).out.includes("\u001b[");
      equal(await coloured({}), false);
      equal(await coloured({ FORCE_COLOR: "1" }), true);
      equal(await coloured({ FORCE_COLOR: "0" }), false);
      equal(await coloured({ NO_COLOR: "1" }), false);
    });
  });

  it("--table prints a row per layer", async () => {
    const { out } = await folder({ "m.cnn.yaml": GOOD }).convlint(["check", "--table", "."]);
    const cells = out.split("\n").map((line) => line.trim().split(/ {2,}/));
    deepEqual(cells.slice(2, 3), [["#", "name", "type", "output", "parameters", "MACs", "receptive field"]]);
    deepEqual(cells.slice(4, 7), [
      ["input", "[N, 1, 28, 28]"],
      ["0", "Conv2d_0", "Conv2d", "[N, 6, 28, 28]", "156", "117,600", "5 × 5"],
      ["1", "ReLU_1", "ReLU", "[N, 6, 28, 28]", "5 × 5"],
    ]);
    deepEqual(cells[8], ["total", "156", "117,600"]);
  });

  it("--input takes the place of the file's input", async () => {
    const made = folder({ "m.cnn.yaml": GOOD });
    for (const input of ["1x14x20", "1,14,20", "1X14X20"]) {
      const { out } = await made.convlint(["check", "--format", "json", "--input", input, "."]);
      deepEqual(JSON.parse(out).files[0].layers[1].outputs, [["N", 6, 14, 20]]);
    }
  });

  it("writes the same twice", async () => {
    const made = folder({ "b.cnn.yaml": BAD, "a.cnn.yaml": WARNED, "c/d.cnn.yaml": GOOD });
    for (const format of ["full", "concise", "json"]) {
      equal(
        (await made.convlint(["check", ".", "--format", format])).out,
        (await made.convlint(["check", ".", "--format", format])).out,
      );
    }
  });
});
