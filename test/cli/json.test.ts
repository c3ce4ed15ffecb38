/** The JSON contract: its exact content, and its schema in docs/. On the built file. */
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dist, ensureBuilt } from "../harness/build.ts";
import { BAD, Folder, GOOD, WARNED } from "./run.ts";
import { type Schema, violations } from "./schema.ts";

const schema: Schema = JSON.parse(
  readFileSync(new URL("../../docs/convlint-json.schema.json", import.meta.url), "utf8"),
);
const examples = fileURLToPath(new URL("../../examples/", import.meta.url));

/** The parsed output of `check --format json` over one file. */
async function check(text: string, name = "m.cnn.yaml", ...args: string[]): Promise<any> {
  const folder = new Folder({ [name]: text });
  try {
    return JSON.parse((await folder.convlint(["check", "--format", "json", ...args, name])).out);
  } finally {
    folder.remove();
  }
}

describe("convlint check --format json", () => {
  before(ensureBuilt);

  it("says exactly what docs/json-format.md says", async () => {
    deepEqual(await check(GOOD), {
      version: 1,
      files: [
        {
          path: "m.cnn.yaml",
          dialect: "native",
          layers: [
            {
              index: 0,
              name: "Conv2d_0",
              type: "Conv2d",
              range: { start: { line: 4, column: 5, offset: 38 }, end: { line: 4, column: 64, offset: 97 } },
              outputs: [["N", 6, 28, 28]],
              params: 156,
              macs: 117600,
              activationBytes: 18816,
              receptiveField: [5, 5],
            },
            {
              index: 1,
              name: "ReLU_1",
              type: "ReLU",
              range: { start: { line: 5, column: 5, offset: 102 }, end: { line: 5, column: 9, offset: 106 } },
              outputs: [["N", 6, 28, 28]],
              params: 0,
              macs: 0,
              activationBytes: 18816,
              receptiveField: [5, 5],
            },
          ],
          problems: [],
          totals: {
            layers: 2,
            params: 156,
            buffers: 0,
            macs: 117600,
            activationBytes: 40768,
            errors: 0,
            warnings: 0,
            information: 0,
            hints: 0,
          },
        },
      ],
    });
  });

  it("puts a problem on its text and its layer", async () => {
    const { files } = await check(BAD);
    const [problem] = files[0].problems;
    deepEqual([problem.code, problem.severity, problem.layer], ["groups-divide", "error", 0]);
    deepEqual(problem.range, { start: { line: 4, column: 61, offset: 92 }, end: { line: 4, column: 62, offset: 93 } });
    equal(BAD.slice(problem.range.start.offset, problem.range.end.offset), "2");
    deepEqual(files[0].totals.errors, 1);
  });

  it("says null where a size is not known, and symbols as strings", async () => {
    const { files } = await check(`cnn: 1
input: [3, H, 64]
layers:
  - {type: MaxPool2d, kernel_size: 2}
  - {type: Frobnicate}
  - {type: ReLU, from: nowhere}
  - {type: Split, split_size: [1, 2], from: input}
`);
    deepEqual(
      files[0].layers.map((layer: { outputs: unknown }) => layer.outputs),
      [
        [["N", 3, "H//2", 32]],
        [["N", null, null, null]],
        [null],
        [
          ["N", 1, "H", 64],
          ["N", 2, "H", 64],
        ],
      ],
    );
  });

  it("counts lines and columns alike with LF, CR LF, a byte order mark and letters outside the basic plane", async () => {
    const start = async (text: string) => (await check(text)).files[0].problems[0].range.start;
    deepEqual(await start(BAD), { line: 4, column: 61, offset: 92 });
    deepEqual(await start(`\uFEFF${BAD}`), { line: 4, column: 61, offset: 92 });
    deepEqual(await start(BAD.replaceAll("\n", "\r\n")), { line: 4, column: 61, offset: 95 });
    deepEqual(await start(BAD.replace("{type", "{name: 𝕏, type")), { line: 4, column: 71, offset: 102 });
  });

  it("counts nodes of blocks and repeats in the layer that uses them", async () => {
    const { files } = await check(`cnn: 1
input: [4, 8, 8]
blocks:
  b: [{type: Conv2d, out_channels: 4, kernel_size: 1}, ReLU]
layers:
  - {type: b, repeat: 3, name: thrice}
`);
    deepEqual(
      files[0].layers.map(({ index, name, type, params, macs }: any) => [index, name, type, params, macs]),
      [[0, "thrice", "b", 60, 3072]],
    );
  });

  it("leaves out files that are no model, and is one object whatever happens", async () => {
    deepEqual(await check("services: {}\n", "compose.yaml"), { version: 1, files: [] });
    deepEqual((await check(WARNED, "m.cnn.yaml", "gone.yaml")).files.length, 1);
  });

  it("is what the schema says, for every example", async () => {
    const folder = new Folder();
    const { out } = await folder.convlint(["check", "--format", "json", examples]);
    folder.remove();
    const report = JSON.parse(out);
    ok(report.files.length > 30);
    deepEqual(violations(report, schema, schema), []);
  });

  it("the schema refuses what is something else", async () => {
    const report = await check(BAD);
    const changed = (change: (copy: any) => void) => {
      const copy = structuredClone(report);
      change(copy);
      return violations(copy, schema, schema);
    };
    deepEqual(
      changed((copy) => (copy.version = 2)),
      ["$.version: not 1"],
    );
    deepEqual(
      changed((copy) => delete copy.files[0].totals),
      ["$.files[0]: without totals"],
    );
    deepEqual(
      changed((copy) => (copy.files[0].more = 1)),
      ["$.files[0]: unexpected more"],
    );
    deepEqual(
      changed((copy) => (copy.files[0].layers[0].outputs = [[1.5]])),
      ["$.files[0].layers[0].outputs[0]: none of the forms"],
    );
    deepEqual(
      changed((copy) => (copy.files[0].problems[0].severity = "fatal")),
      ["$.files[0].problems[0].severity: not one of error,warning,information,hint"],
    );
    throws(() => violations(1, { maximum: 2 }, schema), /not checked/);
  });

  it("ends quietly when its reader leaves", async () => {
    const { spawn } = await import("node:child_process");
    const many = Array.from({ length: 40 }, () => examples);
    const child = spawn(process.execPath, [dist("cli.js"), "check", "--table", ...many], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    let err = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (err += chunk));
    await new Promise((resolve) => child.on("close", resolve));
    equal(err, "");
  });
});
