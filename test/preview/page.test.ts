/** The preview's page: what it shows of a model, chosen by pointer, by keyboard and by the text's cursor. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { statSync } from "node:fs";
import { dist } from "../harness/build.ts";
import { example, LENET, native, pages, shots, treeText, until } from "./opened.ts";

type Any = any;

describe("preview: the page", function () {
  this.timeout(60_000);
  const { preview } = pages();

  it("stays within 250 KB, and draws a network with its layers and sizes", async () => {
    const bytes = statSync(dist("preview.js")).size + statSync(dist("preview.css")).size;
    console.log(`      preview.js and preview.css: ${(bytes / 1000).toFixed(0)} kB`);
    ok(bytes <= 250_000);
    const { page, problems, diagram } = await preview(LENET, { height: 1100 });
    equal(await page.locator("h1").textContent(), "LeNet");
    deepEqual(await treeText(page), [
      "input, [N, 1, 28, 28]",
      "Conv2d 0, [N, 6, 28, 28]",
      "Sigmoid 1, [N, 6, 28, 28]",
      "AvgPool2d 2, [N, 6, 14, 14]",
      "Conv2d 3, [N, 16, 10, 10]",
      "Sigmoid 4, [N, 16, 10, 10]",
      "AvgPool2d 5, [N, 16, 5, 5]",
      "Flatten 6, [N, 400]",
      "Linear 7, [N, 120]",
      "Sigmoid 8, [N, 120]",
      "Linear 9, [N, 84]",
      "Sigmoid 10, [N, 84]",
      "Linear logits, [N, 10]",
    ]);
    equal(diagram.nodes.length, 13);
    deepEqual(problems, []);
  });

  it("a click on a card chooses its layer and tells the text; the text's cursor chooses it here", async () => {
    const { page, diagram, bridge, focusLayer, settle } = await preview(LENET);
    const card = page.locator('[role=treeitem][aria-label^="AvgPool2d 2"]');
    const box = await card.boundingBox();
    await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    await until(page, "bridge.asked.some(({ kind }) => kind === 'reveal')");
    const pool = diagram.nodes.find(({ name }: Any) => name === "AvgPool2d_2");
    deepEqual(await bridge((b) => b.asked.find(({ kind }: Any) => kind === "reveal").range), pool.range);
    match(await page.locator("h2").first().textContent(), /AvgPool2d/);
    const conv = diagram.nodes.find(({ name }: Any) => name === "Conv2d_3");
    await focusLayer(conv.id);
    match(await page.locator("h2").first().textContent(), /Conv2d 3/);
    await settle();
    equal(
      await bridge((b) => b.asked.filter(({ kind }: Any) => kind === "reveal").length),
      1,
      "the cursor is not moved again",
    );
  });

  it("blocks fold and open; what a folded one holds is not drawn, and its problems stay in sight", async () => {
    const { page, settle } = await preview(example("resnet18.cnn.yaml"), { height: 1400 });
    const count = async () => (await treeText(page)).length;
    const before = await count();
    await page.focus("[role=tree]");
    for (let step = 0; step < 4; step++) await page.keyboard.press("ArrowDown");
    await settle();
    const block = page.locator("[role=treeitem][aria-selected=true]");
    equal(await block.getAttribute("aria-expanded"), "false");
    await page.keyboard.press("ArrowRight");
    await until(page, "document.querySelector('[role=treeitem][aria-selected=true]').ariaExpanded === 'true'");
    await settle();
    ok((await count()) > before);
    await page.keyboard.press("ArrowRight");
    await settle();
    equal(await page.locator("[role=treeitem][aria-selected=true]").getAttribute("aria-level"), "2");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await settle();
    equal(await count(), before);
    await page.screenshot({ path: `${shots}preview-blocks.png` });
  });

  it("finds layers by name and type", async () => {
    const { page, settle } = await preview(LENET);
    await page.focus("[role=tree]");
    await page.keyboard.press("/");
    await page.keyboard.type("linear");
    await settle();
    equal(await page.locator(".found").textContent(), "3 found");
    match(await page.locator("h2").first().textContent(), /Linear 7/);
    await page.keyboard.press("Enter");
    await settle();
    match(await page.locator("h2").first().textContent(), /Linear 9/);
    await page.keyboard.press("Escape");
    equal(await page.locator(".found").textContent(), "");
  });

  it("finds a layer by its title as it is shown, and by its name in the file", async () => {
    const { page, settle } = await preview(LENET);
    for (const words of ["conv2d 3", "Conv2d_3"]) {
      await page.fill(".search input", words);
      await settle();
      equal(await page.locator(".found").textContent(), "1 found", words);
      match(await page.locator("h2").first().textContent(), /^Conv2d 3$/);
    }
  });

  it("everything is reached and used by the keyboard alone, with a focus that is seen", async () => {
    const { page, settle } = await preview(LENET);
    const names: string[] = [];
    for (let step = 0; step < 40; step++) {
      await page.keyboard.press("Tab");
      const stop = (await page.evaluate(`(() => {
        const element = document.activeElement;
        const style = getComputedStyle(element);
        return {
          name: element.getAttribute("aria-label") ?? element.textContent.slice(0, 30),
          body: element === document.body,
          seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
        };
      })()`)) as Any;
      if (stop.body) break;
      ok(stop.seen, `the focus on “${stop.name}” is not seen`);
      names.push(stop.name);
    }
    for (const name of [
      "Sample",
      "Weights",
      "Export",
      "Stay with this file",
      "Layers of the network",
      "Size of the network",
    ]) {
      ok(names.includes(name), `${name} is not reached: ${names.join(" | ")}`);
    }
    ok(names.includes("Maps") && !names.includes("Window"), "tabs are one stop");
    ok(names.includes("Feature maps"));
    // Tabs by arrows; the window by arrows.
    await page.focus("#tab-maps");
    await page.keyboard.press("ArrowRight");
    equal(await page.evaluate("document.activeElement.id"), "tab-window");
    await until(page, "document.querySelector('.window .sum').textContent !== ''");
    await page.focus(".stage");
    await page.keyboard.press("ArrowRight");
    await until(page, "document.querySelector('.window .sum').textContent.startsWith('[0, 0, 14, 15]')");
    await page.keyboard.press("PageDown");
    await until(page, "document.querySelector('.window .sum').textContent.startsWith('[0, 1, 14, 15]')");
    // The line between the halves.
    await page.focus(".splitter");
    const before = Number(await page.locator(".splitter").getAttribute("aria-valuenow"));
    await page.keyboard.press("ArrowRight");
    await settle();
    equal(Number(await page.locator(".splitter").getAttribute("aria-valuenow")), before + 2);
  });

  it("follows the text as it is edited, and a layer that is gone is let go", async () => {
    const { page, bridge, focusLayer, diagram } = await preview(LENET);
    await focusLayer(diagram.nodes[1].id);
    const edit = (text: string, version: number) => {
      const options = { input: null, scale: null, rules: {}, targets: [] };
      const message = { kind: "text", text, path: "file:///model.cnn.yaml", version, options };
      return page.evaluate(async (told: Any) => {
        const { bridge, performance, setTimeout } = globalThis as Any;
        const before = bridge.answers.length;
        const began = performance.now();
        bridge.tell(told);
        while (!bridge.answers.slice(before).some(({ kind }: Any) => kind === "maps")) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        return performance.now() - began;
      }, message);
    };
    const times: number[] = [];
    for (let version = 2; version < 9; version++) {
      times.push(await edit(LENET.replace("out_channels: 6", `out_channels: ${version + 5}`), version));
    }
    console.log(
      `      from a text to the maps of LeNet's first layer: ${times.map((each) => `${each.toFixed(0)} ms`).join(", ")}`,
    );
    await until(page, "document.querySelector('#plane-option').ariaLabel === 'Channel 0 of 13'");
    const text = "cnn: 1\ninput: [1, 4, 4]\nlayers:\n  - {type: ReLU, name: other}\n";
    await edit(text, 20);
    await until(page, "document.querySelector('h2').textContent === 'ReLU other'");
    equal(await bridge((b) => b.events.filter(({ kind }: Any) => kind === "crashed").length), 0);
  });

  it("shows the model's strings as text, whatever they hold", async () => {
    const evil = "<img src=x onerror=document.body.dataset.evil=1>";
    const text = native(`  - {type: Conv2d, out_channels: 2, kernel_size: 3, name: "${evil}"}\n  - {type: "${evil}"}`);
    const { page, focusLayer, diagram } = await preview(`name: "${evil}"\n${text}`);
    for (const { id } of diagram.nodes) await focusLayer(id);
    for (const tab of ["window", "shift", "layers"]) await page.click(`#tab-${tab}`);
    equal(await page.locator("img").count(), 0);
    equal(await page.evaluate("document.body.dataset.evil ?? null"), null);
    equal(await page.locator("h1").textContent(), evil);
  });

  it("an empty or foreign text is told, and a model that comes later is shown", async () => {
    const { page, bridge } = await preview("just: text\n", { path: "file:///notes.yaml" }, 0);
    await until(page, "document.querySelector('.network > .empty').textContent.includes('no model')");
    await bridge((b) =>
      b.tell({
        kind: "text",
        text: "cnn: 1\ninput: [1, 8, 8]\nlayers: [ReLU]\n",
        path: "file:///notes.yaml",
        version: 2,
        options: { input: null, scale: null, rules: {}, targets: [] },
      }),
    );
    await page.waitForSelector("[role=treeitem]");
    ok(await page.locator(".network > .empty").isHidden());
  });

  it("keeps what was chosen when the window is loaded anew", async () => {
    const { page, focusLayer, diagram, ended } = await preview(LENET);
    await focusLayer(diagram.nodes[4].id);
    await page.selectOption("[title='Colours']", "cividis");
    await page.selectOption("[title='Sample']", "checkerboard");
    await page.click("#tab-window");
    await page.waitForTimeout(200);
    await page.reload();
    const first = [
      {
        kind: "text",
        text: LENET,
        path: "file:///model.cnn.yaml",
        version: 1,
        options: { input: null, scale: null, rules: {}, targets: [] },
      },
      { kind: "hello" },
    ];
    await page.evaluate((messages: Any) => (globalThis as Any).bridge.begin(messages), first);
    await ended(1);
    await until(page, "document.querySelector('h2').textContent === 'Conv2d 3'");
    await until(page, "document.querySelector('[title=Sample]').value === 'checkerboard'");
    equal(await page.locator("#tab-window").getAttribute("aria-selected"), "true");
    equal(await page.locator("[title='Colours']").inputValue(), "cividis");
  });
});
