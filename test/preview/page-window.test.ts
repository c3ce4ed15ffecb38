/** The page's window and shift: how one value comes about, and what moves with the sample. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { LENET, native, pages, pixelAt, shots, until } from "./opened.ts";

type Any = any;

describe("preview: the page", function () {
  this.timeout(60_000);
  const { preview } = pages();

  describe("the window", () => {
    async function windowOn(text: string, layer: string, options: Any = {}) {
      const opened = await preview(text, options);
      const node = opened.diagram.nodes.find(({ name, type }: Any) => name === layer || type === layer);
      await opened.focusLayer(node.id);
      await opened.page.click("#tab-window");
      await until(opened.page, "document.querySelector('.window .sum').textContent !== ''");
      const notes = () => opened.page.locator(".window .notes li").allTextContents();
      const explanation = () =>
        opened.page.evaluate(
          "bridge.answers.findLast(({ kind }) => kind === 'explanation').explanation",
        ) as Promise<Any>;
      return { ...opened, node, notes, explanation };
    }

    it("shows the arithmetic, and turning the kernel changes it", async () => {
      const { page, explanation, notes, ended, settle } = await windowOn(LENET, "Conv2d_0");
      const first = await explanation();
      match(await page.locator(".arithmetic").textContent(), /·.+\+.+=/);
      match((await notes())[0]!, /^height 12, 13, 14, 15, 16: 14·1 − 2 = 12, then 4 more$/);
      await page.focus(".stage");
      await page.keyboard.press("f");
      await ended(2);
      await until(
        page,
        `!document.querySelector('.window .sum').textContent.includes('${first.value.toPrecision(5).replace("-", "−")}')`,
      );
      await settle();
      const turned = await explanation();
      const weights = Object.values(first.weights) as number[];
      deepEqual(Object.values(turned.weights), weights.toReversed(), "one operation with the kernel turned");
    });

    it("marks what padding is, what a dilated window leaves out, and rows that no window reads", async () => {
      const text = native(
        "  - {type: Conv2d, out_channels: 1, kernel_size: 3, dilation: 2, stride: 2, padding: 1}",
        "[1, 9, 9]",
      );
      const { page, explanation, notes, settle } = await windowOn(text, "Conv2d");
      await page.focus(".stage");
      await page.keyboard.press("Home");
      for (let step = 0; step < 4; step++) await page.keyboard.press("ArrowUp");
      await settle();
      const { axes, inside } = await explanation();
      deepEqual(axes[0].cells, [-1, 1, 3]);
      deepEqual(Object.values(inside), [0, 0, 0, 0, 1, 1, 0, 1, 1]);
      match((await notes())[0]!, /−1, 1, 3/);
      await page.screenshot({ path: `${shots}preview-dilated.png` });
    });

    it("hatches rows and columns that are never read", async () => {
      const text = native("  - {type: MaxPool2d, kernel_size: 2, stride: 2}", "[1, 9, 9]");
      const { page, notes, explanation } = await windowOn(text, "MaxPool2d");
      deepEqual((await explanation()).axes[0].unread, [8]);
      ok((await notes()).includes("height 8: no window reads it"));
      const canvas = ".window .panel canvas";
      const { width, height } = await page.locator(canvas).first().boundingBox();
      const cell = width / 9;
      // Along a hatched cell there is more than one colour; along a read one there is only one.
      const coloursIn = async (x: number) => {
        const seen = new Set<string>();
        for (let part = 2; part < cell - 2; part++)
          seen.add(String(await pixelAt(page, canvas, x + part, height - cell / 2)));
        return seen.size;
      };
      ok((await coloursIn(width - cell)) > 1, "the last column is not hatched");
    });

    it("marks the winner of a maximum and tells the divisor of an average", async () => {
      const { explanation } = await windowOn(native("  - {type: MaxPool2d, kernel_size: 2}"), "MaxPool2d");
      const { winner, inputs, value } = await explanation();
      equal((Object.values(inputs) as number[])[winner], value);
      const average = await windowOn(
        native("  - {type: AvgPool2d, kernel_size: 3, padding: 1, stride: 1}"),
        "AvgPool2d",
      );
      equal((await average.explanation()).divisor, 9);
      match(await average.page.locator(".window .sum").textContent(), /divided by 9/);
    });

    it("shows what one input value of a transposed convolution spreads to", async () => {
      const text = native("  - {type: ConvTranspose2d, out_channels: 2, kernel_size: 3, stride: 2}");
      const { page, settle } = await windowOn(text, "ConvTranspose2d");
      await page.selectOption("[title='Seen from']", "spread");
      await until(page, "bridge.answers.some(({ kind }) => kind === 'spread')");
      await settle();
      match(await page.locator(".window .sum").textContent(), /times each of 9 kernel values/);
      const before = (await page.evaluate("bridge.answers.findLast(({ kind }) => kind === 'spread').spread")) as Any;
      await page.focus(".stage");
      await page.keyboard.press("ArrowRight");
      await settle();
      const after = (await page.evaluate("bridge.answers.findLast(({ kind }) => kind === 'spread').spread")) as Any;
      equal(after.place.x, before.place.x + 1);
      deepEqual(
        after.axes[1].cells,
        before.axes[1].cells.map((cell: number) => cell + 2),
        "two cells on for each one",
      );
      await page.screenshot({ path: `${shots}preview-spread.png` });
    });

    it("shows the slice of a window in depth that is chosen, with its own numbers", async () => {
      const text = native("  - {type: Conv3d, out_channels: 1, kernel_size: 3, padding: 1}", "[1, 4, 6, 6]");
      const { page, explanation, settle } = await windowOn(text, "Conv3d");
      const input = "[aria-label='Slice of the window']";
      equal(await page.locator(input).inputValue(), "1");
      const canvas = ".window .still canvas";
      const picture = () => page.evaluate(`document.querySelector("${canvas}").toDataURL()`);
      const title = () => page.locator(".window .panel h3").first().textContent();
      const { axes } = await explanation();
      const seen = new Set([await picture()]);
      match(await title(), new RegExp(`slice ${axes[0].cells[1]}$`));
      await page.focus(".stage");
      await page.keyboard.press("}");
      await settle();
      equal(await page.locator(input).inputValue(), "2");
      match(await title(), new RegExp(`slice ${axes[0].cells[2]}$`));
      seen.add(await picture());
      await page.fill(input, "0");
      await page.keyboard.press("Enter");
      await settle();
      match(await title(), new RegExp(`slice ${axes[0].cells[0]}$`));
      seen.add(await picture());
      equal(seen.size, 3, "each slice has its own numbers");
    });

    it("marks the winner of a maximum in the slice where it is", async () => {
      const text = native("  - {type: MaxPool3d, kernel_size: 2}", "[1, 4, 6, 6]");
      const { page, explanation, settle } = await windowOn(text, "MaxPool3d");
      await settle();
      const { winner } = await explanation();
      equal(await page.locator("[aria-label='Slice of the window']").inputValue(), String(winner >> 2));
    });

    it("plays by space, step by step where less motion is asked for", async () => {
      const { page, settle } = await windowOn(LENET, "Conv2d_0");
      const sum = () => page.locator(".window .sum").textContent();
      await page.focus(".stage");
      await page.selectOption("[title='Values in a second']", "60");
      await page.focus(".stage");
      const asked = () =>
        page.evaluate("bridge.requests.filter(({ kind }) => kind === 'explain').length") as Promise<number>;
      const before = await asked();
      await page.keyboard.press("Space");
      await page.waitForTimeout(700);
      await page.keyboard.press("Space");
      ok((await asked()) > before + 5, "it does not play");
      const calm = await windowOn(LENET, "Conv2d_0", { more: { reducedMotion: "reduce" } });
      const place = await calm.page.locator(".window .sum").textContent();
      match(place, /^\[0, 0, 14, 14\]/);
      await calm.page.focus(".stage");
      await calm.page.keyboard.press("Space");
      await calm.settle();
      await calm.page.waitForTimeout(400);
      match(await calm.page.locator(".window .sum").textContent(), /^\[0, 0, 14, 15\]/);
      await settle();
      ok(await sum());
    });
  });

  it("moves the sample by keys and by dragging, and says how far each output moved", async () => {
    const { page, settle, diagram } = await preview(LENET);
    await page.click("#tab-shift");
    await page.focus(".draggable");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await until(page, "bridge.answers.findLast(({ kind }) => kind === 'shift')?.dx === 2");
    await settle();
    const answer = (await page.evaluate("bridge.answers.findLast(({ kind }) => kind === 'shift')")) as Any;
    const conv = answer.layers.find(({ node }: Any) => node === diagram.nodes[1].id);
    deepEqual(conv.moved, [0, 2]);
    ok(conv.equivariance < 1e-5);
    match(await page.locator(".shift .sum").textContent(), /follows the sample exactly/);
    equal(await page.locator(".shift tbody tr").count(), answer.layers.length);
    const box = await page.locator(".draggable canvas").boundingBox();
    const pixel = box.width / 28;
    await page.mouse.move(box.x + 60, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + 60 + 3 * pixel, box.y + 60 + 4 * pixel, { steps: 4 });
    await page.mouse.up();
    await until(page, "bridge.answers.findLast(({ kind }) => kind === 'shift')?.dy === 4");
    equal(await page.locator("[aria-label='Pixels to the right']").inputValue(), "5");
    await page.screenshot({ path: `${shots}preview-shift.png` });
  });
});
