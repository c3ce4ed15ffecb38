/** `check --stdin-jsonl`: a model per line in, a report per line out. On the built file. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { dist, ensureBuilt } from "../harness/build.ts";
import { BAD, Folder, GOOD } from "./run.ts";

const model = (channels: number) =>
  JSON.stringify({ cnn: 1, input: [3, 8, 8], layers: [{ type: "Conv2d", out_channels: channels, kernel_size: 3 }] });

describe("convlint check --stdin-jsonl", () => {
  let folder: Folder;
  before(async () => {
    folder = new Folder({ "convlint.config.yaml": "overrides: [{files: odd/, rules: {groups-divide: warning}}]\n" });
    await ensureBuilt();
  });
  after(() => folder.remove());
  const answers = async (input: string, ...args: string[]) => {
    const { out, err, code } = await folder.convlint(["check", "--stdin-jsonl", ...args], { stdin: input });
    deepEqual([err, code], ["", 0]);
    return out
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  };

  it("answers bare models and wrapped ones, in order, bad lines too", async () => {
    const lines = [
      model(4),
      JSON.stringify({ id: 7, text: model(5) }),
      JSON.stringify({ id: { a: [1] }, path: "odd/x.cnn.yaml", text: BAD }),
      JSON.stringify({ id: null, text: GOOD }),
      "",
      "not JSON",
      '{"cnn": 1, "layers": [',
      JSON.stringify({ services: {} }),
      JSON.stringify({ id: 8, text: "a: 1\n" }),
      "[]",
      "\u0000\ufffd{",
      '{"text": 3, "cnn": 1, "input": [1, 8, 8], "layers": ["ReLU"]}',
    ];
    const found = await answers(`${lines.join("\n")}\n`);
    equal(found.length, lines.length);
    deepEqual(
      found.map(({ id, path, error, totals, problems }) => [
        id,
        path,
        error ?? totals.params,
        problems?.map(({ code, severity }: any) => `${code} ${severity}`).join(),
      ]),
      [
        [undefined, "stdin.json", 112, ""],
        [7, "stdin.json", 140, ""],
        [{ a: [1] }, "odd/x.cnn.yaml", null, "groups-divide warning"],
        [null, "stdin.yaml", 156, ""],
        [undefined, undefined, "the line is empty", undefined],
        [undefined, "stdin.json", "this is no model", undefined],
        [undefined, "stdin.json", 0, found[6].problems.map(({ code, severity }: any) => `${code} ${severity}`).join()],
        [undefined, "stdin.json", "this is no model", undefined],
        [8, "stdin.yaml", "this is no model", undefined],
        [undefined, "stdin.json", "this is no model", undefined],
        [undefined, "stdin.json", "this is no model", undefined],
        [undefined, "stdin.json", 0, "unknown-parameter error"],
      ],
    );
    ok(found[6].problems.length > 0, "half a model has its problems told");
  });

  it("lines end with LF or CR LF, the last with nothing, and only there", async () => {
    const named = model(4).replace('"cnn"', '"name": "a\u2028b", "cnn"');
    const found = await answers(`${model(4)}\r\n${named}\n${model(5)}`);
    deepEqual(
      found.map(({ totals }) => totals.params),
      [112, 112, 140],
    );
  });

  it("--no-layers, --input and --stdin-filename hold for every line", async () => {
    const text = JSON.stringify({ layers: [{ type: "Conv2d", out_channels: 2, kernel_size: 3 }] });
    const [lean] = await answers(text, "--no-layers", "--input", "5x9x9", "--stdin-filename", "x/s.cnn.json");
    deepEqual([lean.path, lean.layers, lean.totals.params], ["x/s.cnn.json", [], 92]);
  });

  it("several threads answer the same, in order", async () => {
    const lines = Array.from({ length: 500 }, (_, index) => (index % 50 === 7 ? "{" : model(index + 1))).join("\n");
    deepEqual(await answers(lines, "--jobs", "3"), await answers(lines));
  });

  it("answers each line before the next is there", async () => {
    for (const jobs of ["1", "2"]) {
      const child = spawn(process.execPath, [dist("cli.js"), "check", "--stdin-jsonl", "--jobs", jobs]);
      const answer = () => new Promise<string>((resolve) => child.stdout.setEncoding("utf8").once("data", resolve));
      for (let channels = 1; channels <= 3; channels++) {
        const answered = answer();
        // Cut inside the line: only its end counts.
        child.stdin.write(model(channels).slice(0, 9));
        child.stdin.write(`${model(channels).slice(9)}\n`);
        equal(JSON.parse(await answered).totals.params, 28 * channels);
      }
      child.stdin.end();
      equal(await new Promise((resolve) => child.on("close", resolve)), 0);
    }
  });

  it("holds no more than a few lines in memory, whatever comes", function () {
    this.timeout(60_000);
    const input = `${model(4)}\n`.repeat(40_000);
    const args = ["--max-old-space-size=40", dist("cli.js"), "check", "--stdin-jsonl"];
    const { status, stdout } = spawnSync(process.execPath, args, { input, maxBuffer: 1 << 28 });
    equal(status, 0);
    equal(stdout.toString().split("\n").length - 1, 40_000);
  });

  it("ends quietly when its reader leaves", async () => {
    const child = spawn(process.execPath, [dist("cli.js"), "check", "--stdin-jsonl"]);
    let err = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (err += chunk));
    child.stdin.on("error", () => {});
    child.stdout.once("data", () => child.stdout.destroy());
    child.stdin.write(`${model(4)}\n`.repeat(5000));
    child.stdin.end();
    await new Promise((resolve) => child.on("close", resolve));
    equal(err, "");
  });

  it("under GNU parallel: every line answered, in order", function () {
    const version = spawnSync("parallel", ["--version"], { encoding: "utf8" });
    if (version.status !== 0 || !version.stdout.includes("GNU parallel")) {
      console.log("        GNU parallel is not installed (Debian: parallel): not shown here");
      this.skip();
    }
    this.timeout(60_000);
    const lines = Array.from({ length: 3000 }, (_, id) => JSON.stringify({ id, text: model((id % 9) + 1) }));
    writeFileSync(join(folder.path, "models.jsonl"), `${lines.join("\n")}\n`);
    const command = `parallel --will-cite --pipepart -a models.jsonl --block 100k --keep-order -j 2 ${process.execPath} ${dist("cli.js")} check --stdin-jsonl --no-layers`;
    const { status, stdout, stderr } = spawnSync("bash", ["-c", command], {
      cwd: folder.path,
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    deepEqual([status, stderr], [0, ""]);
    deepEqual(
      stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line))
        .map(({ id, totals }) => [id, totals.params]),
      lines.map((_, id) => [id, 28 * ((id % 9) + 1)]),
    );
  });
});
