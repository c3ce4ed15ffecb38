/** Problems over the protocol: pushed, pulled for a document, and pulled for the workspace. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Diagnostic, WorkspaceDiagnosticReport } from "vscode-languageserver/node";
import { ensureBuilt } from "../harness/build.ts";
import { Editor, LENET, MODERN, PLAIN } from "./editor.ts";

const URI = "file:///net.cnn.yaml";

/** The kernel is larger than the padded input. */
const TOO_LARGE = `cnn: 1
input: [3, 8, 8]
layers:
  - {type: Conv2d, out_channels: 4, kernel_size: 9}
`;

const BAD_CONCAT = `cnn: 1
input: [3, 8, 8]
layers:
  - {type: Conv2d, out_channels: 4, kernel_size: 3, name: small}
  - {type: Conv2d, out_channels: 4, kernel_size: 1, from: input, name: large}
  - {type: Concat, from: [large, small]}
`;

/** The text that a problem points at. */
function pointed(text: string, { range }: Diagnostic): string {
  const { line, character } = range.start;
  return text.split("\n")[line]!.slice(character, line === range.end.line ? range.end.character : undefined);
}

describe("lsp: diagnostics", () => {
  before(async function () {
    this.timeout(60_000);
    await ensureBuilt();
  });

  describe("pushed", () => {
    let editor: Editor;
    beforeEach(async () => {
      editor = await Editor.start({ capabilities: PLAIN });
    });
    afterEach(async () => {
      equal(await editor.end(), 0);
    });

    it("come with the rule's code and page, on the parameter at fault", async () => {
      await editor.open(URI, TOO_LARGE);
      const [problem, ...others] = await editor.pushed(URI, 1);
      deepEqual(others, []);
      equal(problem!.code, "window-too-large");
      equal(problem!.severity, 1);
      equal(problem!.source, "convlint");
      match(problem!.codeDescription!.href, /^https:.*window-too-large/);
      match(String(problem!.message), /9/);
      match(pointed(TOO_LARGE, problem!), /9/);
    });

    it("go when the text is mended, and when the document is closed", async () => {
      await editor.open(URI, TOO_LARGE);
      equal((await editor.pushed(URI, 1)).length, 1);
      const character = TOO_LARGE.split("\n")[3]!.indexOf("9");
      const version = await editor.edit(URI, "3", { line: 3, character }, { line: 3, character: character + 1 });
      deepEqual(await editor.pushed(URI, version), []);
      const broken = await editor.edit(URI, TOO_LARGE);
      equal((await editor.pushed(URI, broken)).length, 1);
      await editor.close(URI);
      const last = await editor.until(() => {
        const sent = editor.all<{ uri: string; version?: number; diagnostics: [] }>("textDocument/publishDiagnostics");
        return sent.at(-1)!.version === undefined ? sent.at(-1) : undefined;
      });
      deepEqual(last.diagnostics, []);
    });

    it("are of the last text, however fast one types", async () => {
      await editor.open(URI, LENET);
      let version = 1;
      for (let round = 0; round < 50; round++) version = await editor.edit(URI, round % 2 ? LENET : TOO_LARGE);
      version = await editor.edit(URI, TOO_LARGE);
      equal((await editor.pushed(URI, version))[0]!.code, "window-too-large");
    });

    it("are never sent for files that are no model", async () => {
      await editor.open("file:///compose.yaml", "services: {web: {image: nginx}}\n");
      equal(await editor.status("file:///compose.yaml", 1), null);
      deepEqual(editor.all("textDocument/publishDiagnostics"), []);
    });

    it("point at both branches of a bad Concat", async () => {
      await editor.open(URI, BAD_CONCAT);
      const [problem] = await editor.pushed(URI, 1);
      equal(problem!.code, "concat-mismatch");
      const related = problem!.relatedInformation!;
      ok(related.length >= 1);
      for (const { location, message } of related) {
        equal(location.uri, URI);
        notEqual(message, "");
        const { start, end } = location.range;
        ok(end.line > start.line || end.character > start.character);
      }
    });

    it("stand right behind surrogate pairs and with CRLF", async () => {
      const line = '  - {type: Conv2d, name: "😀", out_channels: 4, kernel_size: 9}';
      const text = ["cnn: 1", "input: [3, 8, 8]", "layers:", line, ""].join("\r\n");
      await editor.open(URI, text);
      const [problem] = await editor.pushed(URI, 1);
      equal(problem!.range.start.line, 3);
      match(line.slice(problem!.range.start.character, problem!.range.end.character), /9/);
      ok(problem!.range.start.character >= line.indexOf("kernel_size"));
    });
  });

  describe("pulled", () => {
    it("are not pushed as well, and are unchanged until the text changes", async () => {
      const editor = await Editor.start();
      await editor.open(URI, TOO_LARGE);
      const first = await editor.pull(URI);
      ok(first.kind === "full");
      deepEqual(
        first.items.map(({ code }) => code),
        ["window-too-large"],
      );
      deepEqual(await editor.pull(URI, first.resultId), { kind: "unchanged", resultId: first.resultId });
      await editor.edit(URI, LENET);
      const second = await editor.pull(URI, first.resultId);
      ok(second.kind === "full");
      deepEqual(second.items, []);
      await editor.status(URI, 2);
      deepEqual(editor.all("textDocument/publishDiagnostics"), []);
      equal(await editor.end(), 0);
    });

    it("have the severities of the settings", async () => {
      const editor = await Editor.start();
      editor.settings = { rules: { "window-too-large": "hint" } };
      await editor.open(URI, TOO_LARGE);
      equal((await editor.problems(URI))[0]!.severity, 4);
      editor.settings = { rules: { "window-too-large": "off" } };
      await editor.connection.sendNotification("workspace/didChangeConfiguration", { settings: null });
      await editor.until(() => (editor.requests.includes("workspace/diagnostic/refresh") ? true : undefined));
      deepEqual(await editor.problems(URI), []);
      equal(await editor.end(), 0);
    });

    it("check with the input size of the settings", async () => {
      const editor = await Editor.start();
      editor.settings = { input: "3x16x16" };
      await editor.open(URI, TOO_LARGE);
      deepEqual(await editor.problems(URI), []);
      deepEqual(await editor.labels(URI), ["[N, 4, 8, 8]"]);
      equal(await editor.end(), 0);
    });

    it("are empty for a document that is not open", async () => {
      const editor = await Editor.start();
      deepEqual(await editor.problems("file:///nowhere.yaml"), []);
      deepEqual(await editor.hints("file:///nowhere.yaml"), []);
      equal(await editor.end(), 0);
    });
  });

  describe("of the workspace", () => {
    let folder: string;
    const uri = (name: string) => pathToFileURL(join(folder, name)).href;
    const pull = (editor: Editor, previousResultIds: { uri: string; value: string }[] = []) =>
      editor.request<WorkspaceDiagnosticReport>("workspace/diagnostic", { previousResultIds });
    const summary = (report: WorkspaceDiagnosticReport) =>
      Object.fromEntries(
        report.items.map((item) => [
          decodeURIComponent(item.uri.slice(item.uri.lastIndexOf("/") + 1)),
          item.kind === "full" ? item.items.map(({ code }) => code) : item.kind,
        ]),
      );

    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "convlint-lsp-"));
      writeFileSync(join(folder, "good.cnn.yaml"), LENET);
      writeFileSync(join(folder, "bad.cnn.yaml"), TOO_LARGE);
      writeFileSync(join(folder, "ünï cödé.cnn.yaml"), TOO_LARGE);
      writeFileSync(join(folder, "compose.yaml"), "services: {}\n");
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    it("are those of every model file, open or not, and unchanged until a file changes", async () => {
      const editor = await Editor.start({ folder: pathToFileURL(folder).href });
      const watching = () =>
        editor.requests.filter((name) => name === "client/registerCapability").length >= 2 ? true : undefined;
      await editor.until(watching);
      await editor.open(uri("good.cnn.yaml"), TOO_LARGE);
      const first = await pull(editor);
      deepEqual(summary(first), {
        "good.cnn.yaml": ["window-too-large"],
        "bad.cnn.yaml": ["window-too-large"],
        "ünï cödé.cnn.yaml": ["window-too-large"],
      });
      const ids = (report: WorkspaceDiagnosticReport) =>
        report.items.map((item) => ({ uri: item.uri, value: item.resultId! }));
      const second = await pull(editor, ids(first));
      deepEqual(new Set(Object.values(summary(second))), new Set(["unchanged"]));

      writeFileSync(join(folder, "bad.cnn.yaml"), LENET);
      rmSync(join(folder, "ünï cödé.cnn.yaml"));
      const changes = [
        { uri: uri("bad.cnn.yaml"), type: 2 },
        { uri: uri("ünï cödé.cnn.yaml"), type: 3 },
      ];
      await editor.connection.sendNotification("workspace/didChangeWatchedFiles", { changes });
      const third = await pull(editor, ids(first));
      deepEqual(summary(third), { "good.cnn.yaml": "unchanged", "bad.cnn.yaml": [], "ünï cödé.cnn.yaml": [] });
      equal(await editor.end(), 0);
    });

    it("are found again without being told, where the editor does not watch files", async () => {
      const capabilities = { ...MODERN, workspace: { ...MODERN.workspace, didChangeWatchedFiles: {} } };
      const editor = await Editor.start({ folder: pathToFileURL(folder).href, capabilities });
      deepEqual(summary(await pull(editor))["good.cnn.yaml"], []);
      writeFileSync(join(folder, "good.cnn.yaml"), `${TOO_LARGE}# changed\n`);
      writeFileSync(join(folder, "new.cnn.yaml"), TOO_LARGE);
      const report = summary(await pull(editor));
      deepEqual(report["good.cnn.yaml"], ["window-too-large"]);
      deepEqual(report["new.cnn.yaml"], ["window-too-large"]);
      equal(await editor.end(), 0);
    });

    it("follow the folders of the workspace", async () => {
      const editor = await Editor.start();
      deepEqual((await pull(editor)).items, []);
      const event = { added: [{ uri: pathToFileURL(folder).href, name: "added" }], removed: [] };
      await editor.connection.sendNotification("workspace/didChangeWorkspaceFolders", { event });
      equal((await pull(editor)).items.length, 3);
      equal(await editor.end(), 0);
    });
  });
});
