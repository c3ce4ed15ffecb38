/** The baseline: problems that are known stay quiet, new ones are told. On the built file. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BAD, Folder, GOOD } from "./run.ts";

const PLAIN = `{
  "cnn": 1,
  "input": [3, 28, 28],
  "layers": [
    {"type": "Conv2d", "out_channels": 4, "kernel_size": 3, "groups": 2},
    {"type": "Conv2d", "out_channels": 4, "kernel_size": 3, "stride": 2}
  ]
}
`;

describe("baseline", () => {
  let folder: Folder;
  beforeEach(async () => {
    folder = new Folder({ "a.cnn.json": PLAIN, "b.cnn.yaml": BAD, "c.cnn.yaml": GOOD });
    const { code, err, out } = await folder.convlint(["check", "--baseline", "base.json", "--update-baseline", "."]);
    deepEqual([code, err], [0, "convlint: the baseline knows 3 problems now\n"]);
    match(out, /^3 model files checked, no problems/);
  });
  afterEach(() => folder.remove());
  const check = (...args: string[]) =>
    folder.convlint(["check", "--format", "concise", "--baseline", "base.json", ...(args.length ? args : ["."])]);
  const baseline = () => JSON.parse(readFileSync(join(folder.path, "base.json"), "utf8"));

  it("what it knows is quiet, in every count", async () => {
    deepEqual(await check(), { code: 0, out: "", err: "" });
    match(
      (await folder.convlint(["check", "--baseline", "base.json", "."])).out,
      /^3 model files checked, no problems\n$/,
    );
  });

  it("lines may move, be joined or end otherwise", async () => {
    for (const text of [PLAIN.replaceAll("\n", "\n\n"), PLAIN.replaceAll("\n", "\r\n"), PLAIN.replaceAll("\n", " ")]) {
      folder.write("a.cnn.json", text);
      deepEqual(await check(), { code: 0, out: "", err: "" }, text);
    }
  });

  it("a layer before does not make the others new", async () => {
    const layer = '{"type": "Conv2d", "out_channels": 3, "kernel_size": 1},';
    folder.write("a.cnn.json", PLAIN.replace('"layers": [', `"layers": [${layer}`));
    deepEqual((await check()).out, "");
  });

  it("other numbers, another layer and one more of the same are new", async () => {
    for (const [from, to, code] of [
      ['"groups": 2', '"groups": 4', "groups-divide"],
      ['"stride": 2', '"stride": 2, "groups": 3', "groups-divide"],
      [
        "layers:\n",
        "layers:\n  - {type: Conv2d, out_channels: 4, kernel_size: 3, groups: 2, from: input, name: z}\n",
        "groups-divide",
      ],
    ] as const) {
      const made = new Folder({ "a.cnn.json": PLAIN.replace(from, to), "b.cnn.yaml": BAD.replace(from, to) });
      made.write("base.json", JSON.stringify(baseline()));
      const { out, code: exit } = await made.convlint(["check", "--format", "concise", "--baseline", "base.json", "."]);
      made.remove();
      equal(exit, 1, to);
      ok(out.includes(`[${code}]`), out);
    }
  });

  it("updating forgets what is mended, and leaves alone what was not checked", async () => {
    folder.write("a.cnn.json", PLAIN.replace('"groups": 2', '"groups": 1'));
    await check("--update-baseline", "a.cnn.json");
    deepEqual(
      baseline().problems.map(({ path, code, count }: any) => [path, code, count]),
      [
        ["a.cnn.json", "non-integer-size", 1],
        ["b.cnn.yaml", "groups-divide", 1],
      ],
    );
  });

  it("a file that is not there, or none of ours, is misuse and stays", async () => {
    const missing = await folder.convlint(["check", "--baseline", "gone.json", "."]);
    equal(missing.code, 2);
    match(missing.err, /^convlint: the baseline gone\.json cannot be read .*--update-baseline makes it\.\n$/);
    const other = await folder.convlint(["check", "--baseline", "a.cnn.json", "--update-baseline", "."]);
    equal(other.code, 2);
    equal(readFileSync(join(folder.path, "a.cnn.json"), "utf8"), PLAIN);
    equal((await folder.convlint(["check", "--update-baseline", "."])).code, 2);
  });
});
