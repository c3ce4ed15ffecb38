/** A project's configuration in the editor: the same files that the command line hears. */
import { deepEqual, equal } from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Editor, MODERN } from "./editor.ts";

const MODEL = `cnn: 1
layers:
  - {type: Conv2d, out_channels: 6, kernel_size: 5, stride: 2}
`;

describe("lsp: configuration", () => {
  let folder: string;
  let editor: Editor;
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
    return pathToFileURL(join(folder, name)).href;
  };
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "convlint "));
    editor = await Editor.start({ capabilities: MODERN, folder: pathToFileURL(folder).href });
  });
  afterEach(async () => {
    equal(await editor.end(), 0);
    rmSync(folder, { recursive: true });
  });
  const found = async (uri: string) => (await editor.problems(uri)).map(({ code, severity }) => `${code} ${severity}`);

  it("is heard over the editor's settings, and anew when it changes", async () => {
    const config = write("convlint.config.yaml", "input: 1x28x28\nrules: {non-integer-size: error}\n");
    const uri = write("models/net é.cnn.yaml", MODEL);
    editor.settings = { input: "1x29x29", rules: { "non-integer-size": "hint" } };
    await editor.open(uri, MODEL);
    deepEqual(await found(uri), ["non-integer-size 1"]);
    for (const [text, problems] of [
      ["input: 1x29x29\n", []],
      ["rules: {non-integer-size: warning}\ninput: [1, 28, 28]\n", ["non-integer-size 2"]],
      ["input: 1x28x28\nignore: models/\n", []],
    ] as const) {
      write("convlint.config.yaml", text);
      await editor.connection.sendNotification("workspace/didChangeWatchedFiles", {
        changes: [{ uri: config, type: 2 }],
      });
      deepEqual(await found(uri), problems, text);
    }
  });

  it("rules with options, and targets, from the editor and from the project over it", async () => {
    const text =
      "cnn: 1\ninput: [3, 33, 33]\nlayers:\n  - {type: MaxPool2d, kernel_size: 3, stride: 1, dilation: 2}\n  - {type: Conv2d, out_channels: 8, kernel_size: 1}\n";
    const config = write("convlint.config.yaml", "{}\n");
    const uri = write("net.cnn.yaml", text);
    editor.settings = { targets: ["pytorch", "keras"], rules: { "parameter-budget": { model: 10 } } };
    await editor.open(uri, text);
    deepEqual(await found(uri), ["framework-disagreement 2", "parameter-budget 2"]);
    write("convlint.config.yaml", "targets: [pytorch]\nrules: {parameter-budget: error}\n");
    await editor.connection.sendNotification("workspace/didChangeWatchedFiles", {
      changes: [{ uri: config, type: 2 }],
    });
    deepEqual(await found(uri), ["parameter-budget 1"]);
  });

  it("is none of a document that is no file", async () => {
    write("convlint.config.yaml", "rules: {non-integer-size: off}\n");
    const text = MODEL.replace("cnn: 1", "cnn: 1\ninput: [1, 28, 28]");
    await editor.open("untitled:net.cnn.yaml", text);
    deepEqual(await found("untitled:net.cnn.yaml"), ["non-integer-size 2"]);
  });
});
