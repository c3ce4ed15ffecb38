/** What the page shows of runs, and what it chooses for them: samples, weights, sizes, budgets. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { example, LENET, native, pages, shots, until } from "./opened.ts";

type Any = any;

describe("preview: the page's runs", function () {
  this.timeout(60_000);
  const { preview } = pages();

  it("says where a run stops and why; what comes before still runs", async () => {
    const { page, settle } = await preview(example("broken/channels-mismatch.cnn.yaml"));
    await settle();
    match(await page.locator(".status .text").textContent(), /^Stopped at Conv2d 1: /);
    ok(await page.locator(".grid").isVisible(), "the layer before has its maps");
    await page.click(".status .link");
    await settle();
    match(await page.locator("h2").first().textContent(), /Conv2d 1/);
    ok((await page.locator(".problems li").count()) > 0);
    ok((await page.locator(".maps .empty").textContent()) !== "");
  });

  it("asks before work beyond the budget, and runs when allowed", async () => {
    const { page, settle, bridge, ended } = await preview(LENET);
    await bridge((b) => b.tell({ kind: "budget", macs: 1000, bytes: 2 ** 31 }));
    await bridge((b) =>
      b.tell({
        kind: "text",
        text: "cnn: 1\ninput: [1, 28, 28]\nlayers:\n  - {type: Conv2d, out_channels: 4, kernel_size: 5}\n",
        path: "file:///model.cnn.yaml",
        version: 2,
        options: { input: null, scale: null, rules: {}, targets: [] },
      }),
    );
    await page.waitForSelector(".banner:not([hidden])");
    match(await page.locator(".banner p").textContent(), /multiply-accumulates/);
    const before = (await bridge((b) => b.events.filter(({ kind }: Any) => kind === "ended").length)) as number;
    await page.click(".banner .primary");
    await ended(before + 1);
    await settle();
    ok(await page.locator(".banner").isHidden());
    ok(await page.locator(".grid").isVisible());
  });

  it("shows the progress of long work, which can be cancelled and run again", async () => {
    const { page, settle } = await preview(example("vgg16.cnn.yaml"), {}, 0);
    await page.waitForSelector("progress:not([hidden])");
    await page.screenshot({ path: `${shots}preview-progress.png` });
    match(await page.locator(".status .text").textContent(), /^\d+ of \d+ · /);
    await page.click(".status .secondary");
    await page.waitForSelector(".banner:not([hidden])");
    match(await page.locator(".status .text").textContent(), /^Cancelled after/);
    await page.click(".banner .primary");
    await page.waitForSelector("progress:not([hidden])");
    await settle();
  });

  it("is cancelled in the middle of a layer", async () => {
    const { page, bridge, ended } = await preview(
      native("  - {type: Conv2d, out_channels: 480, kernel_size: 7, padding: 3}", "[256, 56, 56]"),
      {},
      0,
    );
    await page.waitForSelector(".status .secondary:not([hidden])");
    const asked = (await page.evaluate(
      "(document.querySelector('.status .secondary').click(), performance.now())",
    )) as number;
    await ended(1);
    const took = ((await page.evaluate("performance.now()")) as number) - asked;
    const { how } = (await bridge((b) => b.events.find(({ kind }: Any) => kind === "ended"))) as Any;
    equal(how, "cancelled");
    ok(!(await bridge((b) => b.events.some(({ kind, macs }: Any) => kind === "progress" && macs > 0))));
    console.log(`      from Cancel to the end of a layer of 19 GMAC: ${took.toFixed(0)} ms`);
  });

  it("takes a picked picture as the sample, and says what it cannot read", async () => {
    const { page, bridge, settle, value, diagram } = await preview(LENET);
    const white = await page.evaluate(async () => {
      const { OffscreenCanvas } = globalThis as Any;
      const canvas = new OffscreenCanvas(40, 28);
      const context = canvas.getContext("2d");
      context.fillStyle = "white";
      context.fillRect(0, 0, 40, 28);
      const bytes = await (await canvas.convertToBlob()).arrayBuffer();
      (globalThis as Any).bridge.say({ kind: "picked", file: { name: "white.png", bytes }, input: null });
      return bytes.byteLength;
    });
    ok(white > 0);
    await until(page, "document.querySelector('[title=Sample]').selectedOptions[0].textContent === 'white.png'");
    equal((await value(diagram.nodes[0].id, { plane: 0, z: 0, y: 14, x: 14 })).value, 1);
    await page.click(".toolbar .link");
    match(await page.locator("dialog").textContent(), /white\.png.*28/);
    await page.screenshot({ path: `${shots}preview-report.png` });
    await page.keyboard.press("Escape");
    await bridge((b) => b.say({ kind: "picked", file: { name: "torn.png", bytes: new ArrayBuffer(9) }, input: null }));
    await page.waitForSelector(".banner:not([hidden])");
    match(await page.locator(".banner p").textContent(), /torn\.png: it is no picture/);
    await page.click(".banner button");
    await settle();
    ok(await page.locator(".banner").isHidden());
  });

  it("asks the panel for files and the pin, and the worker for seeds, sizes and named kernels", async () => {
    const text = native("  - {type: Conv2d, out_channels: 2, kernel_size: 3, name: conv}", "[1, H, 12]");
    const { page, bridge, diagram, ended, value, settle } = await preview(text);
    await page.selectOption("[title='Weights']", "weights");
    await page.selectOption("[title='Sample']", "image");
    await page.click("[aria-label='Stay with this file']");
    const asked = (await bridge((b) => b.asked.map(({ kind, what, pinned }: Any) => what ?? pinned ?? kind))) as Any[];
    deepEqual(asked, ["ready", "weights", "image", true]);
    await bridge((b) => b.say({ kind: "panel", title: "x", pinned: true }));
    await until(page, "document.querySelector('[aria-label=\"Stay with this file\"]').ariaPressed === 'true'");
    await page.fill("[aria-label='Size of H']", "20");
    await page.keyboard.press("Enter");
    await until(page, "bridge.events.findLast(({ kind }) => kind === 'diagram').diagram.sizes[0].value === 20");
    const conv = diagram.nodes[1].id;
    const before = (await value(conv, { plane: 1, z: 0, y: 0, x: 0 }, { weight: "weight" })).value;
    await page.fill("[aria-label='Seed of the weights']", "7");
    await page.keyboard.press("Enter");
    await until(page, "bridge.events.findLast(({ kind }) => kind === 'weights')?.report.source === 'seed 7'");
    notEqual((await value(conv, { plane: 1, z: 0, y: 0, x: 0 }, { weight: "weight" })).value, before);
    await page.selectOption("[title='What is shown']", "weight:weight");
    await settle();
    const kernels = '[title="Put a named kernel in place of the layer\'s own"]';
    await page.selectOption(kernels, "identity");
    await settle();
    await ended(2);
    equal((await value(conv, { plane: 0, z: 0, y: 1, x: 1 }, { weight: "weight" })).value, 1);
    equal((await value(conv, { plane: 0, z: 0, y: 0, x: 1 }, { weight: "weight" })).value, 0);
  });
});
