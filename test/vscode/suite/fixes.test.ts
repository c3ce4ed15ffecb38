/** Quick fixes and fix on save. */
import assert from "node:assert/strict";
import { type CodeAction, commands, type Range, Selection, type TextDocument, workspace } from "vscode";
import { closeAll, codeOf, open, problems, rangeOf, replace, until } from "./editor.ts";
import { needsScreen, picture, see } from "./screen.ts";

/** All of them resolved. */
function actionsAt({ uri }: TextDocument, range: Range, kind?: string): Thenable<CodeAction[]> {
  return commands.executeCommand<CodeAction[]>("vscode.executeCodeActionProvider", uri, range, kind, 20);
}

describe("quick fixes", () => {
  afterEach(closeAll);

  it("say the sizes they lead to, and mend the problem", async () => {
    const { document } = await open("broken.cnn.yaml");
    await problems(document, (all) => all.length >= 2);
    const actions = await actionsAt(document, rangeOf(document, "[half, full]"), "quickfix");
    const titles = actions.map(({ title }) => title);
    assert.deepEqual(titles, ["stride: 2 in full → output 16×16", "Suppress concat-mismatch on this line"]);
    assert.ok(await workspace.applyEdit(actions[0]!.edit!));
    await problems(document, (all) => all.length > 0 && all.every((one) => codeOf(one) !== "concat-mismatch"));
    assert.match(document.getText(), /from: stem, name: full, stride: 2}/);
  });

  it("prefer what is surely meant, which Auto Fix takes", async () => {
    const editor = await open("lenet.cnn.yaml");
    await replace(editor, "type: Conv2d", "type: Conv2D");
    await problems(editor.document);
    const start = rangeOf(editor.document, "Conv2D").start;
    editor.selection = new Selection(start, start);
    await until(
      async () => {
        await commands.executeCommand("editor.action.autoFix");
        return editor.document.getText();
      },
      (text) => !text.includes("Conv2D"),
    );
    await problems(editor.document, (all) => all.length === 0);
  });

  it("suppress on the line", async () => {
    const { document } = await open("broken.cnn.yaml");
    await problems(document, (all) => all.length >= 2);
    const actions = await actionsAt(document, rangeOf(document, "groups: 7"), "quickfix");
    const suppress = actions.find(({ title }) => title === "Suppress groups-divide on this line");
    assert.ok(suppress?.edit);
    assert.ok(await workspace.applyEdit(suppress.edit));
    await problems(document, (all) => all.length === 1);
    assert.match(document.getText(), / {2}# convlint: ignore\[groups-divide\]/);
  });

  it("fix all that is sure as a source action", async () => {
    const editor = await open("lenet.cnn.yaml");
    await replace(editor, "type: Conv2d", "type: Conv2D");
    await replace(editor, "type: AvgPool2d", "type: AvgPol2d");
    await problems(editor.document, (all) => all.length >= 2);
    await commands.executeCommand("editor.action.fixAll");
    await problems(editor.document, (all) => all.length === 0);
    assert.doesNotMatch(editor.document.getText(), /Conv2D|AvgPol2d/);
  });

  it("are shown in the editor's menu", async function () {
    needsScreen(this);
    const editor = await open("broken.cnn.yaml");
    await problems(editor.document, (all) => all.length >= 2);
    const { start } = rangeOf(editor.document, "7}");
    editor.selection = new Selection(start, start);
    await commands.executeCommand("editor.action.quickFix");
    await see(".action-widget", "groups: 8");
    await picture("quick-fixes");
  });
});
