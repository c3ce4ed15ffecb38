/** How the page looks and moves: accessible in every theme, in forced colours, narrow; frames, printed and not asserted. */
import { deepEqual, equal, ok } from "node:assert/strict";
import type { ThemeName } from "./browser.ts";
import { LENET, native, pages, shots, until } from "./opened.ts";

type Any = any;

describe("preview: the page's looks", function () {
  this.timeout(60_000);
  const { preview, axe } = pages();

  for (const theme of ["dark", "light", "contrast", "contrast-light"] as ThemeName[]) {
    it(`has no serious fault by axe-core: ${theme}`, async () => {
      const { page, settle, problems } = await preview(LENET, { theme });
      for (const tab of ["maps", "window", "shift", "layers"]) {
        await page.click(`#tab-${tab}`);
        await page.waitForTimeout(500);
        await settle();
        await page.screenshot({ path: `${shots}preview-${theme}-${tab}.png` });
        const found = (await page.evaluate(`${axe()}; axe.run(document, { resultTypes: ["violations"] })`)) as Any;
        const serious = found.violations
          .filter(({ impact }: Any) => impact === "serious" || impact === "critical")
          .map(
            ({ id, nodes }: Any) =>
              `${tab}: ${id}: ${nodes.map(({ html, failureSummary }: Any) => `${html} ${failureSummary}`).join("\n")}`,
          );
        deepEqual(serious, []);
      }
      deepEqual(problems, []);
    });
  }

  it("keeps its shape in forced colours and in a narrow panel", async () => {
    const { page, settle, problems } = await preview(LENET, {
      width: 420,
      height: 900,
      more: { forcedColors: "active" },
    });
    await settle();
    const box = await page.locator(".detail").boundingBox();
    ok(box.y > 200 && box.width > 400, "the layer is not below the network");
    equal(await page.evaluate("document.documentElement.scrollWidth > innerWidth"), false);
    await page.screenshot({ path: `${shots}preview-narrow-forced.png` });
    deepEqual(problems, []);
  });

  describe("figures, printed and not asserted", () => {
    /** Frames in a while, and the longest gap between two. */
    const FRAMES = `(async (act, times) => {
      const at = [];
      for (let turn = 0; turn < times; turn++) {
        act(turn);
        at.push(await new Promise(requestAnimationFrame));
      }
      const gaps = at.slice(1).map((time, index) => time - at[index]).sort((a, b) => a - b);
      const rate = 1000 * gaps.length / (at.at(-1) - at[0]);
      return { rate, median: gaps[gaps.length >> 1], worst: gaps.at(-1) };
    })`;
    const print = (what: string, { rate, median, worst }: Any) =>
      console.log(
        `      ${what}: ${rate.toFixed(0)} frames/s, median ${median.toFixed(1)} ms, worst ${worst.toFixed(0)} ms`,
      );

    it("a network of 500 layers: layout, pan, zoom", async () => {
      const rows = Array.from({ length: 166 }, (_, index) => [
        `  - {type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1, name: conv${index}}`,
        `  - {type: ReLU, name: relu${index}}`,
        index === 0
          ? "  - {type: Identity, name: add0}"
          : `  - {type: Add, from: [relu${index}, add${index - 1}], name: add${index}}`,
      ]);
      const { page, settle } = await preview(native(rows.flat().join("\n"), "[3, 16, 16]"));
      const took = (await page.evaluate(
        "performance.getEntriesByName('layout').map(({ duration }) => duration)",
      )) as number[];
      console.log(`      layout of 499 boxes in its worker: ${took.map((each) => `${each.toFixed(0)} ms`).join(", ")}`);
      const wheel = (init: string) =>
        `(turn) => document.querySelector('.tree').dispatchEvent(new WheelEvent('wheel', { bubbles: true, cancelable: true, clientX: 200, clientY: 300, ...${init} }))`;
      print("panning at natural size", await page.evaluate(`${FRAMES}(${wheel("{ deltaY: 120 }")}, 120)`));
      print(
        "zooming out and in",
        await page.evaluate(`${FRAMES}(${wheel("{ deltaY: turn < 60 ? 15 : -15, ctrlKey: true }")}, 120)`),
      );
      await page.click(".zoom button:nth-child(3)");
      await page.waitForTimeout(400);
      await settle();
      print(
        "panning with all 499 in sight",
        await page.evaluate(`${FRAMES}(${wheel("{ deltaX: turn % 2 ? 3 : -3 }")}, 120)`),
      );
      ok((await page.locator("[role=treeitem]").count()) <= 81, "a tree of 500 items is kept small");
    });

    it("stepping through the window", async () => {
      const { page } = await preview(LENET);
      await page.click("#tab-window");
      await until(page, "document.querySelector('.window .sum').textContent !== ''");
      const before = (await page.evaluate(
        "bridge.answers.filter(({ kind }) => kind === 'explanation').length",
      )) as number;
      const key = `(turn) => document.querySelector('.stage').dispatchEvent(new KeyboardEvent('keydown', { key: turn % 24 < 12 ? 'ArrowRight' : 'ArrowLeft' }))`;
      print("a key in each frame", await page.evaluate(`${FRAMES}(${key}, 180)`));
      const after = (await page.evaluate(
        "bridge.answers.filter(({ kind }) => kind === 'explanation').length",
      )) as number;
      console.log(`      explained values meanwhile: ${after - before} of 180`);
      ok(after > before);
    });
  });
});
