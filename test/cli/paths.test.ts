/** Paths as Windows writes them, wherever the tests run. */
import { deepEqual, equal } from "node:assert/strict";
import { posix, win32 } from "node:path";
import { Configs } from "#server/config/resolve.ts";
import { uriOf } from "#server/lint/formats/sarif.ts";
import { shownPath, slashed } from "#server/lint/paths.ts";

describe("paths", () => {
  it("are shown relative and with forward slashes", () => {
    equal(shownPath("C:\\proj\\models\\a b.cnn.yaml", "C:\\proj", win32), "models/a b.cnn.yaml");
    equal(shownPath("c:\\PROJ\\x.yaml", "C:\\proj\\sub", win32), "../x.yaml");
    equal(shownPath("/proj/with\\backslash.yaml", "/proj", posix), "with\\backslash.yaml");
    equal(uriOf("models/a b.cnn.yaml"), "models/a%20b.cnn.yaml");
  });

  it("have forward slashes for configurations; a backslash is a letter elsewhere", () => {
    equal(slashed("C:\\proj\\a.yaml", win32), "C:/proj/a.yaml");
    equal(slashed("/proj/a\\b.yaml", posix), "/proj/a\\b.yaml");
  });

  it("on a drive find their configuration, what it extends, and its globs", () => {
    const files: Readonly<Record<string, string>> = {
      "C:/proj/convlint.config.yaml":
        "extends: ['..\\shared\\base.yaml', 'D:\\far.yaml']\r\nignore: old/\r\noverrides:\r\n  - {files: models/**, scale: s}\r\n",
      "C:/shared/base.yaml": "rules: {dead-layer: off}\r\n",
      "D:/far.yaml": "input: 3x8x8\r\n",
    };
    const configs = new Configs((path) => files[path] ?? null);
    const { config, ignored, sources } = configs.of("C:/proj/models/deep/a.cnn.yaml");
    deepEqual([config.scale, config.input, config.rules, ignored], ["s", [3, 8, 8], { "dead-layer": "off" }, false]);
    deepEqual(sources, ["C:/proj/convlint.config.yaml", "D:/far.yaml", "C:/shared/base.yaml"]);
    equal(configs.of("C:/proj/old/a.cnn.yaml").ignored, true);
    deepEqual(configs.of("E:/else/a.cnn.yaml").sources, []);
    deepEqual(configs.problems, []);
  });
});
