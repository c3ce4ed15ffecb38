/** The life of the server process: how it starts, what it says it can do, and how it ends. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { createProtocolConnection, IPCMessageReader, IPCMessageWriter } from "vscode-languageserver/node";
import { dist, ensureBuilt } from "../harness/build.ts";
import { Editor, LENET, LENET_SIZES, PLAIN } from "./editor.ts";

const URI = "file:///lenet.cnn.yaml";

describe("lsp: life of the server", () => {
  before(async function () {
    this.timeout(60_000);
    await ensureBuilt();
  });

  it("is at most 600 kB", () => {
    ok(statSync(dist("server.js")).size <= 600_000);
    ok(statSync(dist("server.browser.js")).size <= 600_000);
  });

  it("leaves the engine to the preview's worker", () => {
    const runs = (name: string) => readFileSync(dist(name), "utf8").includes(".convolve(");
    deepEqual(["server.js", "server.browser.js", "lint-worker.js", "preview-worker.js"].map(runs), [
      false,
      false,
      false,
      true,
    ]);
  });

  it("says what it can do, by what the editor can do", async () => {
    const modern = await Editor.start();
    const { capabilities } = modern.result;
    equal(capabilities.positionEncoding, "utf-16");
    deepEqual(capabilities.textDocumentSync, { openClose: true, change: 2, save: true });
    deepEqual(capabilities.inlayHintProvider, { resolveProvider: true });
    deepEqual(capabilities.diagnosticProvider, {
      identifier: "convlint",
      interFileDependencies: false,
      workspaceDiagnostics: true,
    });
    equal(await modern.end(), 0);
    const plain = await Editor.start({ capabilities: PLAIN });
    equal(plain.result.capabilities.diagnosticProvider, undefined);
    deepEqual(plain.result.capabilities.inlayHintProvider, { resolveProvider: false });
    equal(await plain.end(), 0);
  });

  it("is also `convlint server --stdio`", async () => {
    const editor = await Editor.start({ command: [dist("cli.js"), "server", "--stdio"] });
    await editor.open(URI, LENET);
    deepEqual(await editor.labels(URI), LENET_SIZES);
    equal(await editor.end(), 0);
  });

  it("speaks over Node's IPC, as VS Code starts it", async () => {
    const child = fork(dist("server.js"), ["--node-ipc"], { execArgv: [] });
    const connection = createProtocolConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
    connection.listen();
    await connection.sendRequest("initialize", { processId: process.pid, rootUri: null, capabilities: {} });
    await connection.sendRequest("shutdown");
    const exit = once(child, "exit");
    await connection.sendNotification("exit");
    deepEqual(await exit, [0, null]);
    connection.dispose();
  });

  it("exits with 1 on exit without shutdown, and when the editor goes away", async () => {
    const rude = await Editor.start();
    const exit = once(rude.process, "exit");
    await rude.connection.sendNotification("exit");
    deepEqual(await exit, [1, null]);
    const gone = await Editor.start();
    const end = once(gone.process, "exit");
    gone.process.stdin!.end();
    deepEqual(await end, [1, null]);
  });

  it("says how it wants to be called", async () => {
    const child = spawn(process.execPath, [dist("server.js")], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr!.on("data", (chunk) => {
      said += chunk;
    });
    const [code] = await once(child, "close");
    ok(code !== 0);
    match(said, /--stdio/);
  });

  it("refuses a request it does not know and lives on", async () => {
    const editor = await Editor.start();
    await rejects(editor.request("convlint/nothing", {}), { code: -32601 });
    await editor.open(URI, LENET);
    deepEqual(await editor.labels(URI), LENET_SIZES);
    equal(await editor.end(), 0);
  });
});
