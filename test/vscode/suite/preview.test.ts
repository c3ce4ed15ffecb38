/** The preview, as a user opens and uses it. */
import assert from "node:assert/strict";
import { commands, window } from "vscode";
import { closeAll, open, until } from "./editor.ts";
import { inWebview, needsScreen, picture } from "./screen.ts";

describe("the preview", function () {
  this.timeout(60_000);
  afterEach(closeAll);

  it("opens beside the text", async function () {
    needsScreen(this);
    await open("lenet.cnn.yaml");
    await until(
      () => commands.getCommands(),
      (all) => all.includes("convlint.previewModel"),
    );
    await commands.executeCommand("convlint.previewModel");
    await new Promise((r) => setTimeout(r, 5000));
    console.log(await inWebview<string>("document.body.innerText"));
    await picture("preview-first");
    assert.ok(window.tabGroups.all.length > 1);
  });
});
