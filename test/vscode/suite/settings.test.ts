/** Settings take effect as they change, without a restart. */
import assert from "node:assert/strict";
import { ConfigurationTarget, workspace } from "vscode";
import { closeAll, codeOf, hintLines, open, problems, until } from "./editor.ts";

const change = (key: string, value: unknown) =>
  workspace.getConfiguration("convlint").update(key, value, ConfigurationTarget.Global);

describe("settings", () => {
  afterEach(async () => {
    for (const key of ["enable", "hints.size", "hints.parameters", "hints.receptiveField", "rules"]) {
      await change(key, undefined);
    }
    await closeAll();
  });

  it("show parameters and receptive field where asked for", async () => {
    const { document } = await open("lenet.cnn.yaml");
    await change("hints.size", false);
    await change("hints.parameters", true);
    const parameters = await until(
      () => hintLines(document),
      (lines) => lines.length === 5,
    );
    assert.match(parameters[0]!, /^5: 156\b/); // 6 · (1 · 5 · 5 + 1)
    await change("hints.parameters", false);
    await change("hints.receptiveField", true);
    const fields = await until(
      () => hintLines(document),
      (lines) => lines.length > 0 && !lines[0]!.includes("156"),
    );
    assert.match(fields[0]!, /5 × 5/);
  });

  it("switch everything off, and on again", async () => {
    const { document } = await open("broken.cnn.yaml");
    const before = await hintLines(document);
    assert.ok(before.length > 0);
    await problems(document);
    await change("enable", false);
    await problems(document, (all) => all.length === 0);
    await until(
      () => hintLines(document),
      (lines) => lines.length === 0,
    );
    await change("enable", true);
    await problems(document);
    assert.deepEqual(await hintLines(document), before);
  });

  it("change the severity of a rule", async () => {
    const { document } = await open("broken.cnn.yaml");
    await problems(document, (all) => all.length === 2);
    await change("rules", { "groups-divide": "off" });
    const [left] = await problems(document, (all) => all.length === 1);
    assert.equal(codeOf(left), "concat-mismatch");
  });
});
