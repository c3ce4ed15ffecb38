/** The extension itself: installed from its .vsix, its commands, and its server after a restart or a crash. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { platform } from "node:os";
import { commands, env, extensions, type TextDocument, workspace } from "vscode";
import { closeAll, hintLines, open, until } from "./editor.ts";
import { click, hover, needsScreen, see, texts } from "./screen.ts";

/** Linux: the processes of this extension host that run ConvLint's server. */
function servers(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((id) => {
      try {
        const parent = /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1];
        return Number(parent) === process.pid && readFileSync(`/proc/${id}/cmdline`, "utf8").includes("dist/server");
      } catch {
        return false; // not a process, or one that just ended
      }
    });
}

/** Kills the server; resolves when the hints are back or a message says that they will not be. */
async function crash(document: TextDocument): Promise<"up" | "down"> {
  const before = await hintLines(document);
  const [crashed] = servers();
  process.kill(crashed!, "SIGKILL");
  const isBack = async () => {
    const [now] = servers();
    if (now === undefined) return (await messages()).includes("keeps crashing") ? "down" : undefined;
    return now !== crashed && (await hintLines(document)).length === before.length ? "up" : undefined;
  };
  const found = await until(isBack, (state) => state !== undefined);
  return found!;
}

/** The text of all notifications, where the screen can be read. */
async function messages(): Promise<string> {
  await commands.executeCommand("notifications.showList");
  return (await texts(".notifications-center")).join();
}

describe("the extension", () => {
  afterEach(closeAll);

  it("is the one from the .vsix, and starts by itself when a YAML file is opened", async () => {
    const extension = extensions.getExtension("convlint.convlint");
    assert.ok(extension);
    assert.match(extension.extensionPath, /extensions[\\/]convlint\.convlint-/);
    assert.ok(extension.isActive || (await open("lenet.cnn.yaml")));
  });

  it("copies the layer table", async () => {
    await open("lenet.cnn.yaml");
    await commands.executeCommand("convlint.copyLayerTable");
    const table = (await env.clipboard.readText()).replaceAll("\\", ""); // Markdown's escapes
    assert.match(table, /^\| .*Conv2d.*\[N, 16, 10, 10\].*2,416/m);
    assert.match(table, /total.*61,706/);
  });

  it("leaves the clipboard alone in a file that is no model", async () => {
    await env.clipboard.writeText("mine");
    await open("compose.yaml");
    await commands.executeCommand("convlint.copyLayerTable");
    assert.equal(await env.clipboard.readText(), "mine");
  });

  it("shows its output", async () => {
    await commands.executeCommand("convlint.showOutput");
    await until(
      async () => workspace.textDocuments,
      (documents) => documents.some(({ uri }) => uri.scheme === "output" && uri.path.includes("ConvLint")),
    );
  });

  it("answers again after the command Restart Server", async function () {
    const { document } = await open("lenet.cnn.yaml");
    const before = await hintLines(document);
    await commands.executeCommand("convlint.restartServer");
    assert.deepEqual(await hintLines(document), before);
    assert.equal(before.length, 12);
    if (platform() === "linux") assert.equal(servers().length, 1);
    else this.skip();
  });

  it("answers again after its server crashed", async function () {
    if (platform() !== "linux") this.skip();
    const { document } = await open("lenet.cnn.yaml");
    const before = await hintLines(document);
    assert.equal(await crash(document), "up");
    assert.deepEqual(await hintLines(document), before);
  });

  it("stays down when its server keeps crashing, until the message's button starts it again", async function () {
    if (platform() !== "linux") this.skip();
    needsScreen(this);
    const { document } = await open("lenet.cnn.yaml");
    const before = await hintLines(document);
    while ((await crash(document)) === "up");
    assert.deepEqual(await hintLines(document), []);
    await click('.notifications-center .monaco-button:text-is("Restart")');
    await until(
      () => hintLines(document),
      (lines) => lines.length > 0,
    );
    assert.deepEqual(await hintLines(document), before);
  });

  it("says in the status bar what the model is", async function () {
    needsScreen(this);
    await open("broken.cnn.yaml");
    await see(".view-line", "[N, 64, 32, 32]");
    await hover('[id="status.languageStatus"]');
    await see(".hover-language-status", "Broken · [N, 3, 32, 32]");
    await see(".hover-language-status", "2 errors");
  });
});
