/** What `leave` of reload.ts left open, in the window that was loaded anew. */
import assert from "node:assert/strict";
import { workspace } from "vscode";
import { byReference } from "../../preview/reference.ts";
import { until } from "./editor.ts";
import { shows, showsGreatest, showsPixels, webviewTabs } from "./preview.ts";
import { chosenArray, chosenSeeds, chosenWeights, RELOADED } from "./reload.ts";
import { click, inWebview, picture, resize } from "./screen.ts";

async function textOf(name: string): Promise<string> {
  const [found] = await workspace.findFiles(name);
  return (await workspace.openTextDocument(found!)).getText();
}

describe(RELOADED, function () {
  this.timeout(60_000);
  before(() => resize(1500, 900));

  it("is there again, with its layer, its view and its seeds", async () => {
    await until(
      async () => [...webviewTabs()].sort(),
      (tabs) => tabs.join() === "Preview lenet.cnn.yaml (pinned),Preview tiny.cnn.json",
    );
    await shows(".detail h2", /Conv2d 0/);
    await shows("#tab-maps[aria-selected=true]", /Maps/);
    await shows("[aria-label=Sample] option:checked", /Noise/);
    assert.deepEqual(
      await inWebview(
        "[...document.querySelectorAll(\"[aria-label='Seed of the noise'], [aria-label='Seed of the weights']\")].map(({ value }) => value)",
      ),
      ["5", "7"],
    );
    const [maps] = await byReference(await textOf("tiny.cnn.json"), ["0"], "tiny.cnn.json", chosenSeeds());
    await showsGreatest(maps!.data);
    await showsPixels(maps!, [
      [0, 0],
      [2, 3],
      [5, 5],
      [1, 4],
    ]);
    await picture("preview-reloaded");
  });

  it("has read its sample and its weights again, pinned to its file", async () => {
    await click(".tab[aria-label^='Preview lenet.cnn.yaml']");
    await shows(".detail h2", /Conv2d 3/);
    await shows("[aria-label='Stay with this file'][aria-pressed=true]", /^$/);
    await shows("[aria-label=Sample] option:checked", /array\.npy/);
    await shows("[aria-label=Weights] option:checked", /model\.safetensors/);
    const given = { samples: chosenArray(), weights: chosenWeights() };
    const [maps] = await byReference(await textOf("lenet.cnn.yaml"), ["3"], undefined, given);
    await showsGreatest(maps!.data);
    await showsPixels(maps!, [
      [0, 0],
      [4, 7],
      [9, 9],
      [6, 2],
    ]);
  });
});
