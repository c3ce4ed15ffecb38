/** What no editor should send, and texts that nobody should write: the server answers and lives on. */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { once } from "node:events";
import type { Writable } from "node:stream";
import fc from "fast-check";
import { CancellationTokenSource, LSPErrorCodes } from "vscode-languageserver/node";
import { ensureBuilt } from "../harness/build.ts";
import { Editor, LENET, LENET_SIZES, PLAIN } from "./editor.ts";

const URI = "file:///lenet.cnn.yaml";

describe("lsp: hostile input", () => {
  let editor: Editor;

  before(async function () {
    this.timeout(60_000);
    await ensureBuilt();
  });
  beforeEach(async () => {
    editor = await Editor.start({ capabilities: PLAIN });
  });
  afterEach(async () => {
    equal(await editor.end(), 0);
  });

  async function stillAnswers(): Promise<void> {
    await editor.open(URI, LENET);
    deepEqual(await editor.labels(URI), LENET_SIZES);
  }

  function raw(body: string): void {
    editor.process.stdin!.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  it("bodies that are no message are passed over", async () => {
    for (const body of ["{", "null", "[]", "42", '"text"', '{"jsonrpc":"2.0"}', '{"id":{}}', "\u0000\uFFFF", ""])
      raw(body);
    raw('{"jsonrpc":"2.0","id":7000,"method":null}');
    raw('{"jsonrpc":"2.0","id":7001,"result":{}}');
    await stillAnswers();
  });

  it("parameters of the wrong form are refused, and named in the log", async () => {
    for (const params of [null, {}, { textDocument: null }, { textDocument: { uri: 3 }, range: "all" }, [1, 2]]) {
      for (const method of [
        "textDocument/inlayHint",
        "textDocument/hover",
        "textDocument/diagnostic",
        "convlint/layerTable",
      ]) {
        await editor.request(method, params).catch((error: Error) => ok(error.message.length > 0));
      }
    }
    await editor.connection.sendNotification("workspace/didChangeConfiguration", { settings: "all" });
    await editor.connection.sendNotification("workspace/didChangeConfiguration", { settings: { convlint: [1] } });
    await editor.connection.sendNotification("textDocument/didClose", { textDocument: { uri: "file:///never.yaml" } });
    await stillAnswers();
    ok(editor.logs.some((line) => line.startsWith("inlayHint failed")));
  });

  it("positions outside the text are taken as its ends", async () => {
    await stillAnswers();
    for (const position of [
      { line: 1e9, character: 1e9 },
      { line: 0, character: 1e9 },
      { line: 4, character: 1e9 },
    ]) {
      await editor.request("textDocument/hover", { textDocument: { uri: URI }, position });
      await editor.request("textDocument/completion", { textDocument: { uri: URI }, position });
    }
    const backwards = { start: { line: 9, character: 0 }, end: { line: 0, character: 0 } };
    deepEqual(await editor.request("textDocument/inlayHint", { textDocument: { uri: URI }, range: backwards }), []);
  });

  it("large documents are answered", async function () {
    this.timeout(60_000);
    const layers = "  - {type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1}\n".repeat(5000);
    await editor.open("file:///deep.cnn.yaml", `cnn: 1\ninput: [8, 32, 32]\nlayers:\n${layers}`);
    equal((await editor.hints("file:///deep.cnn.yaml")).length, 5000);
    const keras = JSON.stringify({ data: Array.from({ length: 200_000 }, (_, index) => index) });
    await editor.open("file:///data.json", keras);
    deepEqual(await editor.hints("file:///data.json"), []);
    const nested = `{"cnn": 1, "layers": ${"[".repeat(100_000)}`;
    await editor.open("file:///nested.cnn.json", nested);
    ok((await editor.pushed("file:///nested.cnn.json", 1)).length >= 1);
    await stillAnswers();
  });

  it("alias bombs and a million repeats are problems, not waits", async function () {
    this.timeout(60_000);
    const bomb = `cnn: 1\ninput: [3, 8, 8]\na: &a [x]\n${Array.from("bcdefghijklmn", (name, index) => {
      const before = String.fromCharCode(97 + index);
      return `${name}: &${name} [${`*${before},`.repeat(9)}*${before}]\n`;
    }).join("")}layers: *n\n`;
    await editor.open("file:///bomb.cnn.yaml", bomb);
    ok((await editor.pushed("file:///bomb.cnn.yaml", 1)).length >= 1);
    const repeats = "cnn: 1\ninput: [3, 8, 8]\nlayers:\n  - {type: ReLU, repeat: 1000000}\n";
    await editor.open("file:///repeat.cnn.yaml", repeats);
    ok((await editor.pushed("file:///repeat.cnn.yaml", 1)).some(({ code }) => code === "too-large"));
    await stillAnswers();
  });

  it("random edits leave the text that both sides have", async function () {
    this.timeout(60_000);
    await editor.open(URI, LENET);
    const piece = fc.constantFrom(
      "\n",
      "\r\n",
      "  - ",
      "{",
      "}",
      "type",
      ": ",
      "Conv2d",
      "3",
      "😀",
      "&a",
      "*a",
      "#",
      '"',
      "\t",
    );
    const edit = fc.record({ from: fc.nat(), length: fc.nat(30), text: fc.array(piece, { maxLength: 4 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 20 }), async (edits) => {
        let text = LENET;
        await editor.edit(URI, text);
        for (const { from, length, text: pieces } of edits) {
          const inserted = pieces.join("");
          const start = clean(text, from % (text.length + 1));
          const end = clean(text, Math.min(text.length, start + length));
          await editor.edit(URI, inserted, position(text, start), position(text, end));
          text = text.slice(0, start) + inserted + text.slice(end);
        }
        const incremental = await editor.hints(URI);
        await editor.edit(URI, text);
        const whole = await editor.hints(URI);
        deepEqual(
          incremental.map(({ position: at }) => at),
          whole.map(({ position: at }) => at),
        );
        const lines = text.split(/\r\n|\r|\n/);
        for (const { position: at } of whole) ok(at.character <= lines[at.line]!.length);
      }),
      { numRuns: 40 },
    );
  });

  it("a cancelled request is answered as cancelled", async () => {
    await editor.open(URI, LENET);
    const source = new CancellationTokenSource();
    const range = { start: { line: 0, character: 0 }, end: { line: 9, character: 0 } };
    const params = { textDocument: { uri: URI }, range };
    // Both in one piece, or a quick server answers between them.
    const send = inOnePiece(editor.process.stdin!);
    const answer = editor.connection.sendRequest("textDocument/inlayHint", params, source.token);
    source.cancel();
    await send((bytes) => bytes.includes("$/cancelRequest"));
    await rejects(answer, { code: LSPErrorCodes.RequestCancelled });
    deepEqual(await editor.labels(URI), LENET_SIZES);
  });

  it("a header without a length ends the server, as nothing after it can be read", async () => {
    const broken = await Editor.start({ capabilities: PLAIN });
    const exit = once(broken.process, "exit");
    broken.process.stdin!.write("Content-Type: text\r\n\r\n{}");
    broken.process.stdin!.end();
    await exit;
  });
});

/** Keeps what is written to a stream back, until it is enough and goes out at once. */
function inOnePiece(stream: Writable): (isEnough: (bytes: Buffer) => boolean) => Promise<void> {
  const { write } = stream;
  const pieces: Buffer[] = [];
  // A writer waits for one piece to be gone before it writes the next.
  stream.write = (piece: unknown, encoding?: unknown, written?: unknown) => {
    pieces.push(Buffer.from(piece as string));
    const done = typeof encoding === "function" ? encoding : written;
    if (typeof done === "function") queueMicrotask(() => done());
    return true;
  };
  return async (isEnough) => {
    while (!isEnough(Buffer.concat(pieces))) await new Promise(setImmediate);
    stream.write = write;
    stream.write(Buffer.concat(pieces));
  };
}

/** Not between the halves of a surrogate pair or of CRLF, where no editor puts an edit. */
function clean(text: string, offset: number): number {
  const splits = /[\uD800-\uDBFF]$/.test(text.slice(0, offset)) || (text[offset - 1] === "\r" && text[offset] === "\n");
  return splits ? offset - 1 : offset;
}

function position(text: string, offset: number): { line: number; character: number } {
  const lines = text.slice(0, offset).split(/\r\n|\r|\n/);
  return { line: lines.length - 1, character: lines.at(-1)!.length };
}
