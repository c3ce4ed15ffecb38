/** Configuration and ignore files, from the project's folder to what is checked and how. On the built file. */
import { deepEqual, equal, match } from "node:assert/strict";
import { readFileSync } from "node:fs";
import Ajv from "ajv";
import { schemaText } from "#server/config/schema.ts";
import { matchesGolden } from "../harness/golden.ts";
import { BAD, Folder, GOOD, WARNED } from "./run.ts";

/** WARNED at whatever size it is asked for. */
const OPEN = WARNED.replace(/^input: .*\n/m, "");

describe("configuration", () => {
  const folders: Folder[] = [];
  const folder = (files: Readonly<Record<string, string>>) => {
    const made = new Folder(files);
    folders.push(made);
    return made;
  };
  afterEach(() => {
    for (const made of folders.splice(0)) made.remove();
  });
  /** The problems as `path code severity`, and what was told. */
  const check = async (made: Folder, ...args: string[]) => {
    const { out, err, code } = await made.convlint(["check", "--format", "json", ...(args.length > 0 ? args : ["."])]);
    const found = JSON.parse(out).files.flatMap(({ path, problems }: any) =>
      problems.map((problem: any) => `${path} ${problem.code} ${problem.severity}`),
    );
    return { found, err, code };
  };

  describe("where it stands", () => {
    const places: Readonly<Record<string, string>> = {
      "convlint.config.yaml": "rules:\n  non-integer-size: error\n",
      "convlint.config.yml": "rules: {non-integer-size: error}\n",
      "convlint.config.json": '{"rules": {"non-integer-size": "error"}} // with comments\n',
      "package.json": '{"name": "x", "convlint": {"rules": {"non-integer-size": "error"}}}',
      "pyproject.toml":
        '[project]\nname = "x"\n[tool.other]\na = [1, {b = 2}]\n[tool.convlint.rules]\nnon-integer-size = "error"\n',
    };
    for (const [name, text] of Object.entries(places)) {
      it(name, async () => {
        const { found, code, err } = await check(folder({ [name]: text, "deep/er/m.cnn.yaml": WARNED }));
        deepEqual([found, code, err], [["deep/er/m.cnn.yaml non-integer-size error"], 1, ""]);
      });
    }

    it("the nearest wins, alone", async () => {
      const made = folder({
        "convlint.config.yaml": "rules: {non-integer-size: error, groups-divide: off}\n",
        "a/convlint.config.json": '{"rules": {"non-integer-size": "hint"}}',
        "m.cnn.yaml": WARNED,
        "b.cnn.yaml": BAD,
        "a/m.cnn.yaml": WARNED,
        "a/b.cnn.yaml": BAD,
      });
      deepEqual((await check(made)).found, [
        "a/b.cnn.yaml groups-divide error",
        "a/m.cnn.yaml non-integer-size hint",
        "m.cnn.yaml non-integer-size error",
      ]);
    });

    it("a package.json without the key, or broken, is passed over", async () => {
      const made = folder({
        "convlint.config.yaml": "rules: {non-integer-size: off}\n",
        "a/package.json": '{"name": "a"}',
        "a/m.cnn.yaml": WARNED,
        "b/package.json": "{",
        "b/pyproject.toml": "= 1",
        "b/m.cnn.yaml": WARNED,
      });
      deepEqual(await check(made), { found: [], err: "", code: 0 });
    });

    it("--config names one for all, --no-config none", async () => {
      const made = folder({
        "convlint.config.yaml": "rules: {non-integer-size: off}\n",
        "ci/strict.yaml": "overrides: [{files: 'sub/**', rules: {non-integer-size: error}}]\n",
        "sub/m.cnn.yaml": WARNED,
        "m.cnn.yaml": WARNED,
      });
      deepEqual((await check(made, "--config", "ci/strict.yaml", ".")).found, [
        "m.cnn.yaml non-integer-size warning",
        "sub/m.cnn.yaml non-integer-size error",
      ]);
      deepEqual((await check(made, "--no-config", "m.cnn.yaml")).found, ["m.cnn.yaml non-integer-size warning"]);
    });
  });

  it("extends: later over earlier, the file itself over all, rule by rule", async () => {
    const made = folder({
      "base/a.yaml": "extends: ./b.json\nrules: {non-integer-size: error}\nscale: n\n",
      "base/b.json": '{"rules": {"non-integer-size": "off", "groups-divide": "warning"}, "scale": "s"}',
      "convlint.config.yaml": "extends: [base/a.yaml]\nrules: {dead-layer: off}\n",
      "m.cnn.yaml": WARNED,
      "b.cnn.yaml": BAD,
    });
    deepEqual((await check(made)).found, ["b.cnn.yaml groups-divide warning", "m.cnn.yaml non-integer-size error"]);
    const { out } = await made.convlint(["check", "--show-config", "m.cnn.yaml"]);
    deepEqual(JSON.parse(out), {
      file: "m.cnn.yaml",
      configuration: ["convlint.config.yaml", "base/a.yaml", "base/b.json"],
      ignored: false,
      input: null,
      scale: "n",
      rules: { "non-integer-size": "error", "groups-divide": "warning", "dead-layer": "off" },
      targets: [],
    });
  });

  it("rules that are off of themselves, with options; a later severity keeps them", async () => {
    const made = folder({
      "convlint.config.yaml": `rules: {parameter-budget: {model: 100}, alignment: off}
overrides:
  - {files: strict/, rules: {parameter-budget: error}}
  - {files: free/, rules: {parameter-budget: off}}
  - {files: both/, targets: [pytorch, keras], rules: {parameter-budget: {model: 1k}}}
`,
      "m.cnn.yaml": GOOD,
      "strict/m.cnn.yaml": GOOD,
      "free/m.cnn.yaml": GOOD,
      "both/m.cnn.yaml": "cnn: 1\ninput: [3, 32, 32]\nlayers:\n  - {type: MaxPool2d, kernel_size: 3, dilation: 2}\n",
    });
    deepEqual((await check(made)).found, [
      "both/m.cnn.yaml framework-disagreement warning",
      "m.cnn.yaml parameter-budget warning",
      "strict/m.cnn.yaml parameter-budget error",
    ]);
    equal(
      JSON.parse((await made.convlint(["check", "--show-config", "strict/m.cnn.yaml"])).out).rules["parameter-budget"]
        .model,
      100,
    );
  });

  it("overrides by glob: severity, input and scale, the last one that matches", async () => {
    const made = folder({
      "pyproject.toml": `[tool.convlint]
input = "1x30x30"
[[tool.convlint.overrides]]
files = ["legacy/**", "*.old.cnn.yaml"]
rules = { non-integer-size = "hint" }
[[tool.convlint.overrides]]
files = "legacy/{deep,deeper}/"
input = [1, 29, 29]
`,
      "legacy/a.cnn.yaml": OPEN,
      "legacy/deep/b.cnn.yaml": OPEN,
      "x/c.old.cnn.yaml": OPEN,
      "x/d.cnn.yaml": OPEN,
    });
    deepEqual((await check(made)).found, [
      "legacy/a.cnn.yaml non-integer-size hint",
      "x/c.old.cnn.yaml non-integer-size hint",
      "x/d.cnn.yaml non-integer-size warning",
    ]);
    const { out } = await made.convlint(["check", "--format", "json", "--input", "1x27x27", "."]);
    deepEqual(
      JSON.parse(out).files.map(({ layers }: any) => layers[0].outputs[0][2]),
      [12, 12, 12, 12],
    );
  });

  it("a comment in the file is heard over the configuration", async () => {
    const made = folder({
      "convlint.config.yaml": "input: 1x30x30\n",
      "m.cnn.yaml": `# convlint: input=1x29x29\n${OPEN}`,
    });
    deepEqual((await check(made)).found, []);
  });

  it("what is ignored: .convlintignore, `ignore`, and named files only where --force-exclude says so", async () => {
    const made = folder({
      ".git/HEAD": "",
      ".gitignore": "out/\nkept.cnn.yaml\n",
      ".convlintignore": "vendor/\n!kept.cnn.yaml\n",
      "convlint.config.yaml": "ignore: [old/, '*.draft.cnn.yaml']\n",
      "out/a.cnn.yaml": GOOD,
      "kept.cnn.yaml": GOOD,
      "vendor/a.cnn.yaml": GOOD,
      "old/x/a.cnn.yaml": GOOD,
      "b.draft.cnn.yaml": GOOD,
      "m.cnn.yaml": GOOD,
      "compose.yaml": "services: {}\n",
    });
    const shown = async (...args: string[]) =>
      (await made.convlint(["check", "--show-files", ...args])).out.trimEnd().split("\n");
    deepEqual(await shown("."), ["kept.cnn.yaml", "m.cnn.yaml"]);
    const named = ["vendor/a.cnn.yaml", "old/x/a.cnn.yaml", "m.cnn.yaml"];
    deepEqual(await shown(...named), ["m.cnn.yaml", "old/x/a.cnn.yaml", "vendor/a.cnn.yaml"]);
    deepEqual(await shown("--force-exclude", ...named), ["m.cnn.yaml"]);
  });

  describe("mistakes are told where they stand, and the rest holds", () => {
    const cases: readonly (readonly [name: string, text: string, said: string])[] = [
      [
        "convlint.config.yaml",
        "rulez: {}\nrules: {non-integer-size: off}\n",
        "1:1: the configuration has no rulez. Did you mean rules?",
      ],
      [
        "convlint.config.yaml",
        "rules:\n  non-integer-siz: off\n  non-integer-size: off\n",
        "2:3: rules has no non-integer-siz. Did you mean non-integer-size?",
      ],
      [
        "convlint.config.yaml",
        "rules:\n  dead-layer: of\n  non-integer-size: off\n",
        "2:15: dead-layer must be one of off, hint, information, warning, error, not of. Did you mean off?",
      ],
      [
        "convlint.config.yaml",
        "rules:\n  parameter-budget: {model: lots}\n  non-integer-size: off\n",
        "2:29: model must be a number such as 5000000, 5M or 64MiB, not lots",
      ],
      [
        "convlint.config.yaml",
        "rules:\n  dead-layer: {severity: of}\n  non-integer-size: off\n",
        "2:15: dead-layer must be one of off, hint, information, warning, error, not a map.",
      ],
      [
        "convlint.config.yaml",
        "targets: [jax]\nrules: {non-integer-size: off}\n",
        "1:11: targets[0] must be one of pytorch, tensorflow, onnx, keras, not jax.",
      ],
      [
        "convlint.config.yaml",
        "input: 3x0\nrules: {non-integer-size: off}\n",
        "1:8: input must be sizes such as 3x320x320 or [3, 320, 320], not 3x0",
      ],
      [
        "convlint.config.yaml",
        "overrides:\n  - rules: {}\nrules: {non-integer-size: off}\n",
        "2:5: overrides[0] lacks files",
      ],
      [
        "convlint.config.yaml",
        "extends: gone.yaml\nrules: {non-integer-size: off}\n",
        "1:10: there is no configuration gone.yaml to extend",
      ],
      [
        "convlint.config.yaml",
        "extends: convlint.config.yaml\nrules: {non-integer-size: off}\n",
        "1:10: convlint.config.yaml extends this file in turn",
      ],
      [
        "convlint.config.json",
        '{"scale": 3, "rules": {"non-integer-size": "off"}}',
        "1:11: scale must be a scale such as n",
      ],
      [
        "pyproject.toml",
        '[tool.convlint]\nscales = "n"\nrules.non-integer-size = "off"\n',
        "2:1: the configuration has no scales. Did you mean scale?",
      ],
    ];
    for (const [name, text, said] of cases) {
      it(said, async () => {
        const { found, err, code } = await check(folder({ [name]: text, "m.cnn.yaml": WARNED }));
        deepEqual([found, err, code], [[], `convlint: ${name}:${said}\n`, 2]);
      });
    }

    it("a configuration that is no YAML, JSON or TOML", async () => {
      for (const [name, text] of [
        ["convlint.config.yaml", "rules: [\n"],
        ["convlint.config.json", '{"rules": '],
        ["pyproject.toml", "[tool.convlint]\nscale = \n"],
      ]) {
        const { err, code } = await check(folder({ [name!]: text!, "m.cnn.yaml": GOOD }));
        equal(code, 2);
        match(err, new RegExp(`^convlint: ${name}:[12]:\\d+: `));
      }
    });

    it("--config that leads nowhere", async () => {
      const { err, code } = await folder({}).convlint(["check", "--config", "x.yaml", "."]);
      equal(code, 2);
      match(err, /^convlint: --config x\.yaml: .*x\.yaml holds no configuration\.\n$/);
    });
  });

  describe("the schema for editors", () => {
    const file = new URL("../../docs/convlint-config.schema.json", import.meta.url);

    it("is what the code checks (UPDATE=1 renews it)", () => matchesGolden(schemaText(), file));

    it("accepts what the command line accepts", () => {
      const validate = new Ajv.default({ strict: false }).compile(JSON.parse(readFileSync(file, "utf8")));
      for (const [config, valid] of [
        [{}, true],
        [
          { input: [3, 2, 2], scale: "n", ignore: "x/", extends: ["a"], overrides: [{ files: "a", input: "1x2x3" }] },
          true,
        ],
        [{ rules: { "non-integer-size": "off" } }, true],
        [{ rules: { "non-integer-size": "of" } }, false],
        [{ rulez: {} }, false],
        [{ input: "3x0" }, false],
        [{ input: [] }, false],
        [{ overrides: [{ rules: {} }] }, false],
      ] as const) {
        equal(validate(config), valid, JSON.stringify(config));
      }
    });
  });
});
