/** Hover, outline, completion, the layer table and the status over the protocol, in Node and in a web worker. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { CompletionItem, DocumentSymbol, Hover, SymbolInformation } from "vscode-languageserver/node";
import { LAYER_TABLE_METHOD } from "#shared/protocol.ts";
import { dist, ensureBuilt } from "../harness/build.ts";
import { Editor, LENET, LENET_SIZES, PLAIN } from "./editor.ts";

const URI = "file:///lenet.cnn.yaml";
const NO_MODEL = "file:///compose.yaml";

describe("lsp: answers", () => {
  let editor: Editor;

  before(async function () {
    this.timeout(60_000);
    await ensureBuilt();
  });
  beforeEach(async () => {
    editor = await Editor.start();
    await editor.open(URI, LENET);
    await editor.open(NO_MODEL, "services: {web: {image: nginx}}\n");
  });
  afterEach(async () => {
    equal(await editor.end(), 0);
  });

  it("hover tells the formula and the docs of the parameter under the cursor", async () => {
    const character = LENET.split("\n")[4]!.indexOf("padding");
    const position = { line: 4, character: character + 2 };
    const answer = await editor.request<Hover>("textDocument/hover", { textDocument: { uri: URI }, position });
    const { value } = answer.contents as { value: string };
    match(value, /^\*\*`padding`\*\*/);
    match(value, /⌊\(28 − 5 \+ 4 \+ 1\)\/1⌋ = 28/);
    deepEqual(answer.range, {
      start: { line: 4, character },
      end: { line: 4, character: character + "padding: 2".length },
    });
    equal(
      await editor.request("textDocument/hover", {
        textDocument: { uri: NO_MODEL },
        position: { line: 0, character: 3 },
      }),
      null,
    );
  });

  it("the outline has a symbol for each layer", async () => {
    const symbols = await editor.request<DocumentSymbol[]>("textDocument/documentSymbol", {
      textDocument: { uri: URI },
    });
    deepEqual(
      symbols.map(({ name, detail }) => [name, detail]),
      ["Conv2d", "Sigmoid", "AvgPool2d", "Flatten", "Linear"].map((type, index) => [
        index === 4 ? "logits" : `${type}_${index}`,
        `${type} ${LENET_SIZES[index]}`,
      ]),
    );
    for (const { range, selectionRange } of symbols) {
      equal(selectionRange.start.line, range.start.line);
      ok(selectionRange.end.character <= range.end.character);
    }
    deepEqual(await editor.request("textDocument/documentSymbol", { textDocument: { uri: NO_MODEL } }), []);
    const plain = await Editor.start({ capabilities: PLAIN });
    await plain.open(URI, LENET);
    const flat = await plain.request<SymbolInformation[]>("textDocument/documentSymbol", {
      textDocument: { uri: URI },
    });
    equal(flat[0]!.location.uri, URI);
    equal(await plain.end(), 0);
  });

  it("completion offers types and the parameters that are not written yet, and its edit is the word", async () => {
    await editor.edit(URI, "  - {type: Max\n", { line: 9, character: 0 });
    const types = await complete({ line: 9, character: "  - {type: Max".length });
    const pool = types.find(({ label }) => label === "MaxPool2d")!;
    deepEqual(pool.textEdit, {
      range: { start: { line: 9, character: 11 }, end: { line: 9, character: 14 } },
      newText: "MaxPool2d",
    });
    await editor.edit(URI, "Pool2d, kernel_size: 2, ", { line: 9, character: 14 });
    const keys = (await complete({ line: 9, character: 14 + "Pool2d, kernel_size: 2, ".length })).map(
      ({ label }) => label,
    );
    ok(keys.includes("stride"));
    ok(keys.includes("from"));
    ok(!keys.includes("kernel_size"));
    deepEqual(await complete({ line: 0, character: 9 }, NO_MODEL), []);
  });

  it("the layer table is Markdown", async () => {
    const table = await editor.request<string>(LAYER_TABLE_METHOD, { textDocument: { uri: URI } });
    match(table, /^\*\*LeNet\*\*\n/);
    match(table, /\| 0 \| Conv2d\\_0 \| Conv2d \| \\\[N, 6, 28, 28\\\] \| 156 \| 117,600 \| 5 × 5 \|/);
    match(table, /\| +\| total \| +\| +\| 11,926 \| 129,360 \| +\|/);
    equal(await editor.request(LAYER_TABLE_METHOD, { textDocument: { uri: NO_MODEL } }), null);
  });

  it("the status tells the dialect, the input, the parameters and the problems", async () => {
    deepEqual(await editor.status(URI, 1), {
      dialect: "native",
      name: "LeNet",
      inputs: ["[N, 1, 28, 28]"],
      params: "11926",
      layers: 5,
      problems: { error: 0, warning: 0, information: 0, hint: 0 },
    });
    equal(await editor.status(NO_MODEL, 1), null);
    const version = await editor.edit(URI, LENET.replace("kernel_size: 5", "kernel_size: 55"));
    equal((await editor.status(URI, version))!.problems.error, 1);
  });

  it("come from a web worker too", async () => {
    // What a browser gives a worker, on top of Node's kind of worker.
    const bridge = `
      const { parentPort } = require("node:worker_threads");
      globalThis.postMessage = (data) => parentPort.postMessage(data);
      globalThis.addEventListener = () => {};
      parentPort.on("message", (data) => globalThis.onmessage({ data }));
    `;
    const worker = new Worker(bridge + readFileSync(dist("server.browser.js"), "utf8"), { eval: true });
    const answer = (id: number, method: string, params: unknown): Promise<any> =>
      new Promise((resolve, reject) => {
        worker.on("error", reject);
        worker.on("message", (message) => {
          if (message.id === id && message.method === undefined) resolve(message);
        });
        worker.postMessage({ jsonrpc: "2.0", id, method, params });
      });
    const { result } = await answer(1, "initialize", {
      processId: null,
      rootUri: null,
      capabilities: { textDocument: { diagnostic: {} } },
    });
    equal(result.capabilities.diagnosticProvider.workspaceDiagnostics, false);
    const textDocument = { uri: URI, languageId: "yaml", version: 1, text: LENET };
    worker.postMessage({ jsonrpc: "2.0", method: "textDocument/didOpen", params: { textDocument } });
    const range = { start: { line: 0, character: 0 }, end: { line: 9, character: 0 } };
    const hints = await answer(2, "textDocument/inlayHint", { textDocument: { uri: URI }, range });
    deepEqual(
      hints.result.map(({ label }: { label: string }) => label),
      LENET_SIZES,
    );
    await worker.terminate();
  });

  function complete(position: { line: number; character: number }, uri = URI): Promise<CompletionItem[]> {
    return editor.request("textDocument/completion", { textDocument: { uri }, position });
  }
});
