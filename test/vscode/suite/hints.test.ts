/** Hints, as the editor gets and shows them. */
import assert from "node:assert/strict";
import { closeAll, hintLines, hoverAt, open, problems, replace, until } from "./editor.ts";
import { hover, needsScreen, picture, see } from "./screen.ts";

/** By hand from (n − k + p)/s + 1, with the course note's LeNet. */
const LENET = [
  "5: [N, 6, 28, 28]",
  "6: [N, 6, 28, 28]",
  "7: [N, 6, 14, 14]",
  "8: [N, 16, 10, 10]",
  "9: [N, 16, 10, 10]",
  "12: [N, 16, 5, 5]",
  "13: [N, 400]",
  "14: [N, 120]",
  "15: [N, 120]",
  "16: [N, 84]",
  "17: [N, 84]",
  "18: [N, 10]",
];

describe("hints", () => {
  afterEach(closeAll);

  it("show each layer's output size", async () => {
    const { document } = await open("lenet.cnn.yaml");
    assert.deepEqual(await hintLines(document), LENET);
  });

  it("stand in JSON with comments too", async () => {
    const { document } = await open("tiny.cnn.json");
    assert.deepEqual(await hintLines(document), ["5: [N, 4, 6, 6]", "6: [N, 144]"]);
  });

  it("stand at the end of their lines on the screen", async function () {
    needsScreen(this);
    await open("lenet.cnn.yaml");
    const lines = await see(".view-line", "[N, 10]");
    const conv = lines.find((line) => line.includes("out_channels: 16"));
    assert.match(conv ?? "", /out_channels: 16, kernel_size: 5\}\s*\[N, 16, 10, 10\]$/);
    await picture("hints");
  });

  it("explain the size in a tooltip", async function () {
    needsScreen(this); // VS Code asks for the tooltip when the pointer is there
    await open("lenet.cnn.yaml");
    await see(".view-line", "[N, 10]");
    await hover('.view-line span:text("[N, 16, 10, 10]")');
    await see(".monaco-hover", "(14 + 2·0 − 5)/1⌋ + 1 = 10");
    await picture("tooltip");
  });

  it("follow an edit", async () => {
    const editor = await open("lenet.cnn.yaml");
    await replace(editor, "padding: 2", "padding: 0");
    const lines = await until(
      () => hintLines(editor.document),
      (found) => found[0] === "5: [N, 6, 24, 24]",
    );
    assert.deepEqual(lines.slice(2, 4), ["7: [N, 6, 12, 12]", "8: [N, 16, 8, 8]"]);
  });

  it("stay around a half-typed line", async () => {
    const editor = await open("lenet.cnn.yaml");
    assert.deepEqual(await hintLines(editor.document), LENET);
    await replace(editor, "  - {type: Conv2d, out_channels: 16, kernel_size: 5}", "  - {type: Con");
    await problems(editor.document);
    const lines = await hintLines(editor.document);
    assert.deepEqual(lines.slice(0, 3), LENET.slice(0, 3));
    assert.equal(lines.at(-1), LENET.at(-1));
  });

  it("are none in files that are no model, nor are problems", async () => {
    for (const name of ["compose.yaml", "data.json"]) {
      const { document } = await open(name);
      assert.deepEqual(await hintLines(document), [], name);
      assert.equal(await hoverAt(document, "name"), "", name);
      assert.deepEqual(await problems(document, () => true), [], name);
    }
  });
});
