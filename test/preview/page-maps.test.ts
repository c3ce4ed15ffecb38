/** The page's maps: colours and numbers, many channels, values that are no numbers, and what can be kept of them. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { SaxesParser } from "saxes";
import { NAN_COLOUR } from "#shared/preview/palette.ts";
import { colourOf, LENET, native, pages, pixelAt, shots, until } from "./opened.ts";

type Any = any;

describe("preview: the page's maps", function () {
  this.timeout(60_000);
  const { preview } = pages();

  it("the pixels of a map are the palette's colours of the engine's numbers, and those are what plain loops give", async () => {
    const { page, ask, value, diagram, settle } = await preview(LENET);
    const [input, conv] = diagram.nodes;
    const tensor = { node: conv.id, output: 0, variant: "plain" };
    const [plane, y, x] = [2, 13, 15];
    // 5 × 5 taps with padding 2, in double precision.
    let expected = (await value(conv.id, { plane: 0, z: 0, y: 0, x: plane }, { weight: "bias" })).value;
    for (let dy = 0; dy < 5; dy++) {
      for (let dx = 0; dx < 5; dx++) {
        const weight = await value(conv.id, { plane, z: 0, y: dy, x: dx }, { weight: "weight" });
        const read = await value(input.id, { plane: 0, z: 0, y: y + dy - 2, x: x + dx - 2 });
        expected += weight.value * read.value;
      }
    }
    const there = (await ask({ kind: "value", tensor, place: { plane, z: 0, y, x } })) as Any;
    ok(Math.abs(there.value - expected) < 1e-5, `${there.value} is not ${expected}`);
    equal(there.text, `[0, ${plane}, ${y}, ${x}]`);

    // The map on its own: the pointer on a cell reads its number, and the cell has its colour.
    await page.focus(".keys");
    for (let step = 0; step < plane; step++) await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await settle();
    const box = await page.locator(".plane canvas").boundingBox();
    const cell = Math.min((box.width - 32) / 28, (box.height - 32) / 28, 64);
    const at = (index: number, size: number) => size / 2 + (index - 14 + 0.5) * cell;
    const { statistics } = (await page.evaluate("bridge.answers.findLast(({ kind }) => kind === 'maps')")) as Any;
    for (const [py, px] of [
      [y, x],
      [3, 9],
      [22, 20],
    ] as const) {
      const number = (await ask({ kind: "value", tensor, place: { plane, z: 0, y: py, x: px } })) as Any;
      await page.mouse.move(box.x + at(px, box.width), box.y + at(py, box.height));
      await page.waitForFunction(
        (text: string) => (globalThis as Any).document.querySelector(".readout").textContent.startsWith(text),
        `[0, ${plane}, ${py}, ${px}] = `,
      );
      const said = (await page.locator(".readout").textContent()).split(" = ")[1].replace("−", "-");
      equal(Math.fround(Number(said)), number.value);
      const colour = await pixelAt(page, ".plane canvas", at(px, box.width), at(py, box.height));
      deepEqual(colour, colourOf("diverging", number.value, statistics.min, statistics.max));
    }
  });

  it("a hundred thousand channels: only what is in sight is asked for", async () => {
    const text = native("  - {type: Conv2d, out_channels: 100000, kernel_size: 1}", "[1, 4, 4]");
    const { page, focusLayer, diagram, settle, bridge } = await preview(text);
    await focusLayer(diagram.nodes[1].id);
    await page.waitForSelector(".grid:not([hidden])");
    await settle();
    const planes = async () =>
      (await bridge((b) =>
        b.requests
          .filter(({ kind }: Any) => kind === "tiles")
          .reduce((sum: number, { from, to }: Any) => sum + to - from, 0),
      )) as number;
    ok((await planes()) < 500, `${await planes()} planes were asked for`);
    await page.focus(".keys");
    await page.keyboard.press("End");
    await settle();
    equal(await page.locator("#plane-option").getAttribute("aria-label"), "Channel 99999 of 100000");
    await until(page, "bridge.answers.some(({ kind, to }) => kind === 'tiles' && to === 100000)");
    ok((await planes()) < 1000);
  });

  it("shows what is no number: counted, in a colour of its own, in the window too", async () => {
    const text = native("  - {type: Conv2d, out_channels: 1, kernel_size: 3, padding: 1}");
    const { page, problems, value, diagram, focusLayer, ended, settle } = await preview(text);
    await page.evaluate(() => {
      const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 8), }".padEnd(117) + "\n";
      const bytes = new Uint8Array(10 + header.length + 4 * 64);
      bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0]);
      bytes.set(new TextEncoder().encode(header), 10);
      new DataView(bytes.buffer).setFloat32(10 + header.length + 4 * (4 * 8 + 4), Number.NaN, true);
      const file = { name: "nan.npy", bytes: bytes.buffer };
      (globalThis as Any).bridge.tell({ kind: "sampleFile", input: null, file });
    });
    await ended(2);
    await settle();
    const conv = diagram.nodes[1].id;
    ok(Number.isNaN((await value(conv, { plane: 0, z: 0, y: 3, x: 5 })).value));
    await until(page, "document.querySelector('.figures .alarming')?.textContent === 'NaN9'");
    await focusLayer(conv);
    await page.click("#tab-window");
    await until(page, "document.querySelector('.window .sum').textContent.includes('= NaN')");
    await settle();
    const output = await page.locator(".window .panel canvas").nth(1).boundingBox();
    const cell = output.width / 8;
    deepEqual(await pixelAt(page, ".window .panel:nth-child(2) canvas", 3.5 * cell, 3.5 * cell), [...NAN_COLOUR]);
    await page.screenshot({ path: `${shots}preview-nan.png` });
    deepEqual(problems, []);
  });

  it("keeps pictures and tables: the network as SVG and PNG, a tensor as .npy", async () => {
    const { page, bridge } = await preview(LENET.replace("name: logits", 'name: "<b>&amp"'));
    const saved = async (choice: string) => {
      await page.selectOption("[title='Export']", choice);
      await until(page, "bridge.asked.some(({ kind }) => kind === 'save')");
      const bytes = (await bridge((b) => {
        const at = b.asked.findIndex(({ kind }: Any) => kind === "save");
        const [{ name, bytes }] = b.asked.splice(at, 1);
        return { name, bytes: [...new Uint8Array(bytes)] };
      })) as Any;
      return { name: bytes.name, bytes: Buffer.from(bytes.bytes) };
    };
    const svg = await saved("diagram-svg");
    equal(svg.name, "LeNet.svg");
    const words: string[] = [];
    const parser = new SaxesParser();
    parser.on("text", (text) => words.push(text.trim()));
    parser.on("error", (error) => {
      throw error;
    });
    parser.write(svg.bytes.toString()).close();
    for (const word of ["Conv2d", "<b>&amp", "6×28×28"]) ok(words.includes(word), `${word} is not in the picture`);
    const png = await saved("diagram-png");
    equal(png.bytes.subarray(1, 4).toString(), "PNG");
    await page.selectOption("[title='Export']", "npy");
    await until(page, "bridge.answers.some(({ kind }) => kind === 'file')");
    match((await bridge((b) => b.answers.find(({ kind }: Any) => kind === "file").name)) as string, /\.npy$/);
  });
});
