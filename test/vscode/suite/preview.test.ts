/** The preview, as a user opens and uses it: what it shows is read back from the screen and held against the engine. */
import assert from "node:assert/strict";
import { type CodeLens, ConfigurationTarget, commands, Selection, type TextDocument, window, workspace } from "vscode";
import { byReference } from "../../preview/reference.ts";
import { closeAll, open, rangeOf, replace, until } from "./editor.ts";
import { choose, preview, shows, showsGreatest, showsPixels, useMapSize, webviewTabs } from "./preview.ts";
import { clickInWebview, dragInWebview, inWebview, needsScreen, picture, pressInWebview, resize } from "./screen.ts";

describe("the preview", function () {
  this.timeout(60_000);
  before(() => resize(1500, 900));
  after(() => resize(1100, 620));
  afterEach(closeAll);

  it("is offered above a model, and not elsewhere", async () => {
    const lenses = (document: TextDocument) =>
      commands.executeCommand<CodeLens[]>("vscode.executeCodeLensProvider", document.uri);
    const model = await open("lenet.cnn.yaml");
    const found = await until(
      () => lenses(model.document),
      (all) => all.length > 0,
    );
    assert.deepEqual(
      found.map(({ command }) => [command?.title, command?.command]),
      [["Preview Model", "convlint.previewModel"]],
    );
    const other = await open("compose.yaml");
    assert.deepEqual(await lenses(other.document), []);
    await commands.executeCommand("convlint.previewModel");
    assert.deepEqual(webviewTabs(), []);
  });

  it("shows a LeNet's feature maps, pixel by pixel what the reference computes", async function () {
    needsScreen(this);
    const document = await preview("lenet.cnn.yaml");
    await shows(".detail h2", /Conv2d 0/);
    await shows(".detail .facts", /\[N, 6, 28, 28\].*156 parameters/);
    const [maps] = await byReference(document.getText(), ["0"]);
    await picture("preview");
    await useMapSize();
    await showsPixels(maps!, [
      [14, 14],
      [3, 20],
      [9, 11],
      [27, 0],
      [20, 16],
    ]);
  });

  it("goes where the cursor is, and the cursor where the layer is", async function () {
    needsScreen(this);
    const document = await preview("lenet.cnn.yaml");
    const editor = window.visibleTextEditors.find((each) => each.document === document)!;
    const { start } = rangeOf(document, "kernel_size: 5}");
    editor.selection = new Selection(start, start);
    await shows(".detail h2", /Conv2d 3/);
    await choose("logits", /Linear logits/);
    const line = rangeOf(document, "logits").start.line;
    await until(
      async () => editor.selection.active.line,
      (at) => at === line,
    );
    await pressInWebview("[role=tree]", "ArrowUp");
    await shows(".detail h2", /Sigmoid 10/);
    await clickInWebview("[role=tree]", undefined);
    const title = await shows(".detail h2", /\w/);
    assert.match(title, /^(Sigmoid|Linear|Flatten|AvgPool2d|Conv2d)/);
  });

  it("follows an edit with new maps", async function () {
    needsScreen(this);
    const document = await preview("lenet.cnn.yaml");
    await choose("Conv2d_3", /Conv2d 3/);
    await shows(".detail .facts", /\[N, 16, 10, 10\]/);
    const editor = window.visibleTextEditors.find((each) => each.document === document)!;
    const before = await shows(".statistics", /max/);
    await replace(editor, "kernel_size: 5}", "kernel_size: 3}");
    await shows(".detail .facts", /\[N, 16, 12, 12\]/);
    await until(
      () => inWebview<string>("document.querySelector('.statistics').innerText"),
      (text) => text !== before,
    );
    const [maps] = await byReference(document.getText(), ["3"]);
    await showsGreatest(maps!.data);
  });

  it("says where a model stops, and shows all before", async function () {
    needsScreen(this);
    const document = await preview("lenet.cnn.yaml");
    const editor = window.visibleTextEditors.find((each) => each.document === document)!;
    await replace(editor, "kernel_size: 5}", "kernel_size: 50}");
    await shows("footer.status", /stop/i);
    await choose("Conv2d_3", /Conv2d 3/);
    await shows(".detail .problems", /larger than the input/);
    await choose("AvgPool2d_2", /AvgPool2d 2/);
    await shows(".detail .facts", /\[N, 6, 14, 14\]/);
    await picture("preview-stopped");
  });

  it("explains a value, and steps through the window by keys", async function () {
    needsScreen(this);
    const document = await preview("lenet.cnn.yaml");
    await clickInWebview("#tab-window");
    const first = await shows("#panel-window", /\[0, 0, \d+, \d+\] =/);
    const [, y, x] = /\[0, 0, (\d+), (\d+)\]/.exec(first)!.map(Number) as [number, number, number];
    await pressInWebview("#panel-window [tabindex='0']", "ArrowRight");
    await pressInWebview("#panel-window [tabindex='0']", "ArrowDown");
    await shows("#panel-window", new RegExp(`\\[0, 0, ${y + 1}, ${x + 1}\\] =`));
    const [maps] = await byReference(document.getText(), ["0"]);
    const value = maps!.data[(y + 1) * 28 + x + 1]!;
    const text = await shows("#panel-window .arithmetic", /=/);
    assert.ok(text.includes(String(Number(value.toPrecision(4))).replace("-", "−")), `${text} is not ${value}`);
    await picture("preview-window");
  });

  it("moves the sample and says which layers follow", async function () {
    needsScreen(this);
    await preview("lenet.cnn.yaml");
    await clickInWebview("#tab-shift");
    await dragInWebview(".draggable", { x: 27, y: 0 });
    const moved = await until(
      () => inWebview<number>("Number(document.querySelector('.shift input[type=number]').value)"),
      (dx) => dx > 0,
    );
    await until(
      () => inWebview<string>("document.querySelector('.shift tbody').innerText"),
      (rows) => rows.includes("Conv2d"),
    );
    const row = await until(
      () => inWebview<string[]>("[...document.querySelectorAll('.shift tbody tr')][0].innerText.split('\\t')"),
      (cells) => cells.some((cell) => cell.startsWith(`${moved},`) || cell.startsWith(`${moved} `)),
    );
    assert.match(row[0]!, /Conv2d/);
    await picture("preview-shift");
  });

  it("shows a detector with its blocks folded", async function () {
    needsScreen(this);
    const document = await preview("detector.yaml");
    await choose("SPPF", /SPPF/);
    await shows(".detail .facts", /\[N, 32, 16, 16\]/);
    const [maps] = await byReference(document.getText(), ["model.3/"], "detector.yaml");
    await showsGreatest(maps!.data);
    await picture("preview-detector");
  });

  it("stays with its file when pinned, and lets others open beside it", async function () {
    needsScreen(this);
    await preview("lenet.cnn.yaml");
    await clickInWebview("[aria-label='Stay with this file']");
    await until(
      async () => webviewTabs(),
      (tabs) => tabs.includes("Preview lenet.cnn.yaml (pinned)"),
    );
    await open("tiny.cnn.json");
    await commands.executeCommand("convlint.previewModel");
    await until(
      async () => webviewTabs(),
      (tabs) => tabs.includes("Preview tiny.cnn.json"),
    );
    await open("detector.yaml");
    await until(
      async () => [...webviewTabs()].sort(),
      (tabs) => tabs.join() === "Preview detector.yaml,Preview lenet.cnn.yaml (pinned)",
    );
  });

  it("keeps what was chosen when its page is loaded anew, with the run that was", async function () {
    needsScreen(this);
    await preview("lenet.cnn.yaml");
    await choose("Conv2d_3", /Conv2d 3/);
    await clickInWebview("#tab-layers");
    const before = await shows("footer.status", /12 layers/);
    await inWebview("void (document.body.dataset.old = 'yes')");
    await commands.executeCommand("workbench.action.webview.reloadWebviewAction");
    await until(
      () => inWebview<boolean>("document.body.dataset.old === undefined").catch(() => false),
      (isNew) => isNew,
    );
    await shows(".detail h2", /Conv2d 3/);
    await shows("#tab-layers[aria-selected=true]", /Layers/);
    assert.equal(await shows("footer.status", /12 layers/), before);
  });

  it("wears the editor's theme", async function () {
    needsScreen(this);
    const workbench = workspace.getConfiguration("workbench");
    try {
      for (const [name, theme] of [
        ["dark", "Default Dark Modern"],
        ["high-contrast", "Default High Contrast"],
        ["light", "Default Light Modern"],
      ] as const) {
        await workbench.update("colorTheme", theme, ConfigurationTarget.Global);
        await preview("lenet.cnn.yaml");
        await choose("Conv2d_3", /Conv2d 3/);
        const kind = { dark: "vscode-dark", "high-contrast": "vscode-high-contrast", light: "vscode-light" }[name];
        await until(
          () => inWebview<string>("document.body.className"),
          (classes) => classes.split(" ").includes(kind),
        );
        await picture(`preview-${name}`);
        await closeAll();
      }
    } finally {
      await workbench.update("colorTheme", undefined, ConfigurationTarget.Global);
    }
  });
});
