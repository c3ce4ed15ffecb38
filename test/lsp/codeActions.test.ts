/** Quick fixes, suppression and fix on save, over the protocol. */
import assert from "node:assert/strict";
import type { CodeAction, Range, TextEdit } from "vscode-languageserver";
import { TextDocument } from "vscode-languageserver-textdocument";
import { Editor, MODERN, PLAIN } from "./editor.ts";

const URI = "file:///m/model.cnn.yaml";

const BROKEN = `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1}  # stem
  - {type: Conv2D, out_channels: 8, kernel_size: 3, padding: 1}
  - {type: Conv2d, in_channels: 3, out_channels: 9, kernel_size: 3, groups: 2}
`;

const CAPABLE = {
  ...MODERN,
  workspace: { ...MODERN.workspace, workspaceEdit: { documentChanges: true } },
  textDocument: {
    ...MODERN.textDocument,
    codeAction: {
      codeActionLiteralSupport: { codeActionKind: { valueSet: ["quickfix", "source.fixAll"] } },
      isPreferredSupport: true,
      dataSupport: true,
      resolveSupport: { properties: ["edit"] },
    },
  },
};

/** Without resolving and without versions. */
const SIMPLE = {
  ...MODERN,
  textDocument: {
    ...MODERN.textDocument,
    codeAction: { codeActionLiteralSupport: { codeActionKind: { valueSet: ["quickfix"] } } },
  },
};

function lines(first: number, last = first): Range {
  return { start: { line: first, character: 0 }, end: { line: last, character: 1000 } };
}

function actionsAt(editor: Editor, range: Range, only?: string[], uri = URI): Promise<CodeAction[]> {
  return editor.request("textDocument/codeAction", {
    textDocument: { uri },
    range,
    context: { diagnostics: [], ...(only ? { only } : {}) },
  });
}

function editsOf(action: CodeAction, uri = URI): TextEdit[] {
  const [change] = action.edit?.documentChanges ?? [];
  if (change && "edits" in change) return change.edits as TextEdit[];
  return action.edit?.changes?.[uri] ?? [];
}

function applied(text: string, action: CodeAction, uri = URI): string {
  return TextDocument.applyEdits(TextDocument.create(uri, "yaml", 1, text), editsOf(action, uri));
}

describe("lsp: code actions", () => {
  it("are announced with their kinds, to clients that take them", async () => {
    const capable = await Editor.start({ capabilities: CAPABLE });
    assert.deepEqual(capable.result.capabilities.codeActionProvider, {
      codeActionKinds: ["quickfix", "source.fixAll.convlint"],
      resolveProvider: true,
    });
    await capable.end();
    const plain = await Editor.start({ capabilities: PLAIN });
    assert.equal(plain.result.capabilities.codeActionProvider, undefined);
    await plain.end();
  });

  it("mend what is under the cursor: titles with sizes, the problem, a versioned edit; the sure one is preferred", async () => {
    const editor = await Editor.start({ capabilities: CAPABLE });
    await editor.open(URI, BROKEN);
    const cursor = { line: 4, character: 14 };
    const actions = await actionsAt(editor, { start: cursor, end: cursor });
    assert.deepEqual(
      actions.map(({ title, kind, isPreferred }) => [title, kind, isPreferred]),
      [
        ["Change to Conv2d → output [N, 8, 32, 32]", "quickfix", true],
        ["Suppress unknown-layer on this line", "quickfix", undefined],
      ],
    );
    const [fix] = actions;
    assert.deepEqual(
      fix!.diagnostics!.map(({ code, range }) => [code, range.start]),
      [["unknown-layer", { line: 4, character: 11 }]],
    );
    const [change] = fix!.edit!.documentChanges!;
    assert.deepEqual((change as { textDocument: unknown }).textDocument, { uri: URI, version: 1 });
    assert.equal(applied(BROKEN, fix!), BROKEN.replace("Conv2D", "Conv2d"));
    await editor.end();
  });

  it("offer every way, of which none is preferred where it is a matter of taste", async () => {
    const editor = await Editor.start({ capabilities: CAPABLE });
    const text = BROKEN.replace("Conv2D", "Conv2d").replace("in_channels: 3, ", "");
    await editor.open(URI, text);
    const actions = await actionsAt(editor, lines(5));
    assert.deepEqual(
      actions.map(({ title }) => title),
      [
        "groups: 1 → output 30×30",
        "out_channels: 8 → output [N, 8, 30, 30]",
        "out_channels: 10 → output [N, 10, 30, 30]",
        "Suppress groups-divide on this line",
      ],
    );
    assert.ok(actions.every(({ isPreferred }) => isPreferred === undefined));
    await editor.end();
  });

  it("are none where nothing is wrong, in files that are no models, and for other kinds", async () => {
    const editor = await Editor.start({ capabilities: CAPABLE });
    await editor.open(URI, BROKEN);
    assert.deepEqual(await actionsAt(editor, lines(1)), []);
    assert.deepEqual(await actionsAt(editor, lines(0, 9), ["refactor"]), []);
    await editor.open("file:///m/other.yaml", "a: 1\n");
    assert.deepEqual(await actionsAt(editor, lines(0, 9), undefined, "file:///m/other.yaml"), []);
    assert.deepEqual(await actionsAt(editor, lines(0, 9), undefined, "file:///m/closed.cnn.yaml"), []);
    await editor.end();
  });

  it("suppress on the line, join a suppression that is there, and go above another comment", async () => {
    const editor = await Editor.start({ capabilities: CAPABLE });
    const line = "  - {type: Conv2d, out_channels: 9, kernel_size: 5, stride: 2, groups: 2}";
    const text = (comment: string) => `cnn: 1\ninput: [4, 28, 28]\nlayers:\n${line}${comment}\n`;
    const suppressed = async (comment: string, code: string) => {
      await editor.open(URI, text(comment));
      const actions = await actionsAt(editor, lines(3));
      await editor.close(URI);
      const action = actions.find(({ title }) => title === `Suppress ${code} on this line`);
      assert.ok(action, actions.map(({ title }) => title).join("\n"));
      return applied(text(comment), action);
    };
    assert.equal(await suppressed("", "groups-divide"), text("  # convlint: ignore[groups-divide]"));
    assert.equal(
      await suppressed("  # convlint: ignore[groups-divide]", "non-integer-size"),
      text("  # convlint: ignore[groups-divide, non-integer-size]"),
    );
    assert.equal(
      await suppressed("  # as published", "groups-divide"),
      `cnn: 1\ninput: [4, 28, 28]\nlayers:\n  # convlint: ignore-next-line[groups-divide]\n${line}  # as published\n`,
    );
    await editor.end();
  });

  it("suppress by // in JSON with comments, and not in plain JSON", async () => {
    const editor = await Editor.start({ capabilities: CAPABLE });
    const text =
      '{"cnn": 1, "input": [3, 8, 8], "layers": [\n  {"type": "Conv2d", "in_channels": 4, "out_channels": 8, "kernel_size": 3}\n]}\n';
    const titles = async (uri: string) => {
      await editor.open(uri, text, "json");
      return (await actionsAt(editor, lines(1), undefined, uri)).map(({ title }) => title);
    };
    assert.deepEqual(await titles("file:///m/model.json"), ["in_channels: 3 → output 6×6"]);
    const jsonc = "file:///m/model.jsonc";
    assert.deepEqual(await titles(jsonc), ["in_channels: 3 → output 6×6", "Suppress channels-mismatch on this line"]);
    const suppress = (await actionsAt(editor, lines(1), undefined, jsonc))[1]!;
    assert.equal(applied(text, suppress, jsonc), text.replace("3}\n", "3}  // convlint: ignore[channels-mismatch]\n"));
    await editor.end();
  });

  it("fix all that is sure on saving, computed when the client resolves it", async () => {
    const editor = await Editor.start({ capabilities: CAPABLE });
    await editor.open(URI, BROKEN);
    for (const kind of ["source.fixAll", "source.fixAll.convlint"]) {
      const [action, ...others] = await actionsAt(editor, lines(0), [kind]);
      assert.deepEqual([action!.kind, action!.edit, others], ["source.fixAll.convlint", undefined, []]);
      const resolved = await editor.request<CodeAction>("codeAction/resolve", action);
      // The groups are a matter of taste, so they stay.
      assert.equal(
        applied(BROKEN, resolved),
        BROKEN.replace("Conv2D", "Conv2d").replace("in_channels: 3", "in_channels: 8"),
      );
    }
    await editor.end();
  });

  it("are refused for a text that has changed since", async () => {
    const editor = await Editor.start({ capabilities: CAPABLE });
    await editor.open(URI, BROKEN);
    const [action] = await actionsAt(editor, lines(0), ["source.fixAll"]);
    await editor.edit(URI, BROKEN.replace("stem", "root"));
    await assert.rejects(editor.request("codeAction/resolve", action), { code: -32801 });
    await editor.end();
  });

  it("come whole to clients that cannot resolve, by plain changes to those without versions", async () => {
    const editor = await Editor.start({ capabilities: SIMPLE });
    await editor.open(URI, BROKEN);
    const [all] = await actionsAt(editor, lines(0), ["source.fixAll"]);
    assert.equal(all!.edit!.documentChanges, undefined);
    assert.match(applied(BROKEN, all!), /type: Conv2d, in_channels: 8/);
    await editor.end();
  });

  it("do not mend what the user has turned off, and are not hindered by it", async () => {
    const editor = await Editor.start({ capabilities: CAPABLE });
    editor.settings = { rules: { "groups-divide": "off", "unknown-layer": "off" } };
    await editor.open(URI, BROKEN);
    const titles = (await actionsAt(editor, lines(0, 9))).map(({ title }) => title);
    assert.deepEqual(titles, []);
    await editor.end();
  });

  it("keep CRLF and positions behind emoji", async () => {
    const editor = await Editor.start({ capabilities: CAPABLE });
    const text = BROKEN.replace("# stem", "# 🧠 stem")
      .replace("{type: Conv2D", '{name: "🧠", type: Conv2D')
      .replaceAll("\n", "\r\n");
    await editor.open(URI, text);
    const [fix] = await actionsAt(editor, lines(4));
    assert.equal(applied(text, fix!), text.replace("Conv2D", "Conv2d"));
    await editor.end();
  });
});
