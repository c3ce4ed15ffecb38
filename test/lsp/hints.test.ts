/** Inlay hints over the protocol: where they stand, what they say, and that they keep still while one types. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { InlayHint } from "vscode-languageserver/node";
import { ensureBuilt } from "../harness/build.ts";
import { Editor, LENET, LENET_SIZES, MODERN, PLAIN } from "./editor.ts";

const URI = "file:///lenet.cnn.yaml";

function value(hint: InlayHint): string {
  return (hint.tooltip as { value: string }).value;
}

describe("lsp: inlay hints", () => {
  let editor: Editor;

  before(async function () {
    this.timeout(60_000);
    await ensureBuilt();
  });
  beforeEach(async () => {
    editor = await Editor.start();
  });
  afterEach(async () => {
    equal(await editor.end(), 0);
    deepEqual(
      editor.logs.filter((line) => line.includes("failed")),
      [],
    );
  });

  it("show the size after each layer, at the end of its line", async () => {
    await editor.open(URI, LENET);
    const hints = await editor.hints(URI);
    deepEqual(
      hints.map(({ label }) => label),
      LENET_SIZES,
    );
    const lines = LENET.split("\n");
    for (const [index, { position }] of hints.entries()) {
      deepEqual(position, { line: index + 4, character: lines[index + 4]!.length });
    }
  });

  it("stand where layers of several lines end", async () => {
    const text =
      "cnn: 1\ninput: [3, 8, 8]\nlayers:\n  - type: Conv2d\n    out_channels: 4\n    kernel_size: 3 # taps\n  - ReLU\n";
    await editor.open(URI, text);
    const hints = await editor.hints(URI);
    deepEqual(
      hints.map(({ label, position }) => [label, position.line, position.character]),
      [
        ["[N, 4, 6, 6]", 5, "    kernel_size: 3".length],
        ["[N, 4, 6, 6]", 6, "  - ReLU".length],
      ],
    );
  });

  it("are those of the lines asked for", async () => {
    await editor.open(URI, LENET);
    const hints = await editor.hints(URI, [6, 7]);
    deepEqual(
      hints.map(({ label }) => label),
      ["[N, 6, 14, 14]"],
    );
  });

  it("are the same with CRLF, with a byte order mark, and behind surrogate pairs", async () => {
    await editor.open("file:///crlf.cnn.yaml", LENET.replaceAll("\n", "\r\n"));
    deepEqual(await editor.labels("file:///crlf.cnn.yaml"), LENET_SIZES);
    await editor.open("file:///bom.cnn.yaml", `\uFEFF${LENET}`);
    deepEqual(await editor.labels("file:///bom.cnn.yaml"), LENET_SIZES);
    const line = '  - {type: ReLU, name: "😀😀"}';
    await editor.open("file:///pairs.cnn.yaml", `cnn: 1\ninput: [3, 8, 8]\nlayers:\n${line}\n`);
    const hints = await editor.hints("file:///pairs.cnn.yaml");
    deepEqual(
      hints.map(({ position }) => position),
      [{ line: 3, character: line.length }],
    );
  });

  it("follow edits of single characters", async () => {
    await editor.open(URI, LENET);
    const at = LENET.split("\n")[4]!.indexOf("6,");
    await editor.edit(URI, "16", { line: 4, character: at }, { line: 4, character: at + 1 });
    deepEqual(await editor.labels(URI), [
      "[N, 16, 28, 28]",
      "[N, 16, 28, 28]",
      "[N, 16, 14, 14]",
      "[N, 3136]",
      "[N, 10]",
    ]);
  });

  it("stay on the other layers at every keystroke of a new line", async () => {
    await editor.open(URI, LENET);
    deepEqual(await editor.labels(URI), LENET_SIZES);
    const typed = "  - {type: Conv2d, out_channels: 6, kernel_size: 3, padding: 1}";
    await editor.edit(URI, "\n", { line: 6, character: 0 });
    for (let length = 1; length <= typed.length; length++) {
      await editor.edit(URI, typed[length - 1]!, { line: 6, character: length - 1 });
      const others = (await editor.hints(URI)).filter(({ position }) => position.line !== 6);
      deepEqual(
        others.map(({ label }) => label),
        LENET_SIZES,
        `after ${JSON.stringify(typed.slice(0, length))}`,
      );
    }
    deepEqual(await editor.labels(URI), LENET_SIZES.toSpliced(2, 0, "[N, 6, 28, 28]"));
  });

  it("say so where a hint is from before the edit, and give it up when the file is saved", async () => {
    await editor.open(URI, LENET);
    deepEqual(await editor.labels(URI), LENET_SIZES);
    const at = LENET.split("\n")[4]!.indexOf("kernel_size");
    await editor.edit(URI, "kernel", { line: 4, character: at }, { line: 4, character: at + "kernel_size".length });
    const hints = await editor.hints(URI);
    deepEqual(hints.map(({ label }) => label).slice(1), LENET_SIZES.slice(1));
    match(value(await editor.request<InlayHint>("inlayHint/resolve", hints.at(-2)!)), /before the edit/);
    await editor.connection.sendNotification("textDocument/didSave", { textDocument: { uri: URI } });
    ok(!(await editor.labels(URI)).includes("[N, 6, 14, 14]"));
  });

  it("explain themselves when asked", async () => {
    await editor.open(URI, LENET);
    const [convolution] = await editor.hints(URI);
    equal(convolution!.tooltip, undefined);
    const tooltip = value(await editor.request<InlayHint>("inlayHint/resolve", convolution!));
    match(tooltip, /`\[N, 1, 28, 28\]` → `\[N, 6, 28, 28\]`/);
    match(tooltip, /⌊\(28 \+ 2·2 − 5\)\/1⌋ \+ 1 = 28/);
  });

  it("are silent in files that are no model", async () => {
    const texts = {
      "file:///compose.yaml": "services:\n  web:\n    image: nginx\n",
      "file:///empty.json": "",
      "file:///a.json": "[1]",
    };
    for (const [uri, text] of Object.entries(texts)) {
      await editor.open(uri, text);
      deepEqual(await editor.hints(uri), []);
      deepEqual(await editor.problems(uri), []);
      equal(await editor.status(uri, 1), null);
    }
  });

  it("follow the settings, and are asked for again when these change", async () => {
    await editor.until(() =>
      editor.requests.filter((name) => name === "client/registerCapability").length >= 2 ? true : undefined,
    );
    await editor.open(URI, LENET);
    deepEqual(await editor.labels(URI), LENET_SIZES);
    editor.settings = { hints: { size: false, parameters: true, receptiveField: true } };
    await editor.connection.sendNotification("workspace/didChangeConfiguration", { settings: null });
    await editor.until(() => (editor.requests.includes("workspace/inlayHint/refresh") ? true : undefined));
    const labels = await editor.labels(URI);
    deepEqual(labels.slice(0, 2), ["156 params", "sees 5 × 5"]);
    equal(labels.filter((label) => label.startsWith("[")).length, 0);
    editor.settings = { hints: { maximumLength: 9 } };
    await editor.connection.sendNotification("workspace/didChangeConfiguration", { settings: null });
    await editor.until(() =>
      editor.requests.filter((name) => name === "workspace/inlayHint/refresh").length === 2 ? true : undefined,
    );
    deepEqual((await editor.labels(URI))[0], "[N, 6, 2…");
    editor.settings = { enable: false };
    await editor.connection.sendNotification("workspace/didChangeConfiguration", { settings: null });
    await editor.until(() =>
      editor.requests.filter((name) => name === "workspace/inlayHint/refresh").length === 3 ? true : undefined,
    );
    deepEqual(await editor.labels(URI), []);
  });

  it("name a setting that is not usable, and use its default", async () => {
    editor.settings = { hints: { maximumLength: "long" } };
    await editor.open(URI, LENET);
    deepEqual(await editor.labels(URI), LENET_SIZES);
    const said = await editor.until(() => editor.logs.find((line) => line.includes("maximumLength")));
    match(said, /"long" is not usable; 40 is used/);
  });

  it("carry their tooltip for editors that cannot ask for it, with settings that were only sent", async () => {
    const plain = await Editor.start({ capabilities: PLAIN, initializationOptions: { hints: { parameters: true } } });
    await plain.open(URI, LENET);
    const hints = await plain.hints(URI);
    deepEqual(
      hints.slice(0, 2).map(({ label }) => label),
      ["[N, 6, 28, 28]", "156 params"],
    );
    match(value(hints[0]!), /⌊/);
    await plain.connection.sendNotification("workspace/didChangeConfiguration", {
      settings: { convlint: { enable: false } },
    });
    deepEqual(await plain.hints(URI), []);
    equal(await plain.end(), 0);
    ok(MODERN.textDocument?.inlayHint?.resolveSupport);
  });
});
