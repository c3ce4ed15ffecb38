/** The preview in VS Code for the Web: the browser's bundles in a worker extension host, as a user meets them. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { figure } from "../../client/preview/format.ts";
import { ensureBuilt } from "../harness/build.ts";
import { missing, openEditor, type WebEditor } from "../vscode/web/host.ts";
import { byReference } from "./reference.ts";

type Any = any;

const workspace = fileURLToPath(new URL("../vscode/workspace/", import.meta.url));
const shots = fileURLToPath(new URL("../screenshots/", import.meta.url));

for (const isolated of [false, true]) {
  describe(`the preview in VS Code for the Web${isolated ? ", cross-origin isolated" : ""}`, function () {
    this.timeout(120_000);
    let editor: WebEditor;
    let view: Any;

    before(async function () {
      const why = missing();
      if (why !== null) {
        if (process.env.CI === "true") throw new Error(`VS Code for the Web cannot run: ${why}`);
        console.log(`      VS Code for the Web did not run: ${why}`);
        this.skip();
      }
      await ensureBuilt();
      mkdirSync(shots, { recursive: true });
      editor = await openEditor(workspace, { isolated });
      const { page } = editor;
      await page.dblclick(".explorer-folders-view .monaco-list-row[aria-label^=lenet]", { timeout: 60_000 });
      // Only the server knows that it is a model, and only then is there a link above it.
      await page.click(".codelens-decoration a:has-text('Preview Model')", { timeout: 60_000 });
      view = await editor.webview();
    });
    after(() => editor?.close());

    /** Resolves with an element's text once it is as expected. */
    async function shows(selector: string, expected: RegExp): Promise<string> {
      let text = "";
      for (const end = Date.now() + 30_000; Date.now() < end; await editor.page.waitForTimeout(25)) {
        text = await view.evaluate(
          (which: string) => (globalThis as Any).document.querySelector(which)?.innerText ?? "",
          selector,
        );
        if (expected.test(text)) return text;
      }
      throw new Error(`${selector} does not show ${expected} but ${JSON.stringify(text)}`);
    }

    async function showsGreatest(values: Float32Array): Promise<void> {
      const text = figure(Math.max(...values)).replaceAll(".", "\\.");
      await shows(".statistics", new RegExp(`max\\s*${text}(?!\\d)`));
    }

    const text = readFileSync(`${workspace}lenet.cnn.yaml`, "utf8");

    it("shows a LeNet's maps with the reference's numbers", async () => {
      const [maps] = await byReference(text, ["0"]);
      await showsGreatest(maps!.data);
      await editor.page.screenshot({ path: `${shots}preview-web${isolated ? "-isolated" : ""}.png` });
    });

    /** Writes another model over the text: on one line, which no editor's help can break. */
    async function write(model: string): Promise<void> {
      const { page } = editor;
      await page.click(".view-line >> nth=0");
      await page.keyboard.press("Control+A");
      await page.keyboard.insertText(model);
      await view.fill(".search input", "conv2d 0");
    }

    it("follows an edit with the reference's numbers", async () => {
      const edited = "{cnn: 1, input: [1, 28, 28], layers: [{type: Conv2d, out_channels: 3, kernel_size: 5}]}";
      await write(edited);
      await shows(".detail .facts", /\[N, 3, 24, 24\]/);
      const [maps] = await byReference(edited, ["0"]);
      await showsGreatest(maps!.data);
    });

    it(`ends a run ${isolated ? "in the middle of" : "after"} a layer`, async () => {
      const layer = "{type: Conv2d, out_channels: 480, kernel_size: 7, padding: 3}";
      await write(`{cnn: 1, input: [256, 56, 56], layers: [${layer}, ReLU]}`);
      await view.click(".status .secondary", { timeout: 30_000 });
      await shows(".status .text", /^Cancelled/);
      // Its time stands there if it came to its end.
      const facts = await shows(".detail .facts", /480, 56, 56/);
      assert.equal(/ ms$| s$/.test(facts.trim()), !isolated, facts);
    });
  });
}
