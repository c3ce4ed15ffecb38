/** Problems and hover. */
import assert from "node:assert/strict";
import { commands, DiagnosticSeverity, Uri } from "vscode";
import { closeAll, codeOf, hoverAt, open, problems, replace } from "./editor.ts";
import { needsScreen, picture, see } from "./screen.ts";

describe("problems", () => {
  afterEach(closeAll);

  it("stand on the offending parameter, with the rule's page and severity", async () => {
    const { document } = await open("broken.cnn.yaml");
    const found = await problems(document, (all) => all.length >= 2);
    assert.deepEqual(
      found.map((problem) => [codeOf(problem), document.getText(problem.range), DiagnosticSeverity[problem.severity]]),
      [
        ["concat-mismatch", "full", "Error"],
        ["groups-divide", "7", "Error"],
      ],
    );
    for (const { code } of found) assert.ok((code as { target: Uri }).target instanceof Uri);
  });

  it("point at the other branch", async () => {
    const { document } = await open("broken.cnn.yaml");
    const [concat] = await problems(document, (all) => all.length >= 2);
    const related = concat?.relatedInformation ?? [];
    assert.ok(related.length >= 1);
    for (const { location } of related) assert.equal(location.uri.toString(), document.uri.toString());
  });

  it("are not there in a sound model, and come and go with an edit", async () => {
    const editor = await open("lenet.cnn.yaml");
    assert.deepEqual(await problems(editor.document, () => true), []);
    await replace(editor, "kernel_size: 5}", "kernel_size: 50}");
    const [problem] = await problems(editor.document);
    assert.equal(codeOf(problem), "window-too-large");
    assert.equal(editor.document.getText(problem?.range), "50");
    await replace(editor, "kernel_size: 50}", "kernel_size: 5}");
    await problems(editor.document, (all) => all.length === 0);
  });

  it("are listed in the Problems panel", async function () {
    needsScreen(this);
    await open("broken.cnn.yaml");
    await commands.executeCommand("workbench.actions.view.problems");
    await see(".markers-panel", "groups-divide");
    await see(".view-line", "[N, 64, 32, 32]");
    await picture("problems");
  });
});

describe("hover", () => {
  afterEach(closeAll);

  it("shows a layer's formula with its numbers, and its cost", async () => {
    const { document } = await open("lenet.cnn.yaml");
    const text = await hoverAt(document, "Conv2d, out_channels: 16");
    assert.match(text, /14/);
    assert.match(text, /10/);
    assert.match(text, /2,416/); // parameters: 16 · (6 · 5 · 5 + 1)
  });

  it("describes the parameter under the cursor", async () => {
    const { document } = await open("lenet.cnn.yaml");
    assert.match(await hoverAt(document, "kernel_size"), /kernel_size/);
  });
});
