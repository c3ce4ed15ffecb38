/**
 * The preview's page alone in a real browser, with the real worker behind it. Figures are printed, never asserted; pictures
 * are left in test/screenshots for whoever wants to look.
 */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SaxesParser } from "saxes";
import { endsFor, NAN_COLOUR, type PaletteName, paletteNamed, stepOf } from "#shared/preview/palette.ts";
import { dist, ensureBuilt } from "../harness/build.ts";
import { missing, PreviewBrowser, type ThemeName } from "./browser.ts";

type Any = any;

const example = (name: string) => readFileSync(new URL(`../../examples/${name}`, import.meta.url), "utf8");
const shots = fileURLToPath(new URL("../screenshots/", import.meta.url));
const LENET = example("lenet.cnn.yaml");
const native = (layers: string, input = "[1, 8, 8]") => `cnn: 1\ninput: ${input}\nlayers:\n${layers}\n`;

describe("preview: the page", function () {
  this.timeout(60_000);
  let browser: PreviewBrowser;
  const open: (() => Promise<void>)[] = [];

  before(async function () {
    const why = missing();
    if (why !== null) {
      if (process.env.CI === "true") throw new Error(`the page cannot be tested: ${why}`);
      console.log(`      the tests of the preview's page did not run: ${why}`);
      this.skip();
    }
    await ensureBuilt();
    mkdirSync(shots, { recursive: true });
    browser = await PreviewBrowser.start();
  });
  afterEach(async () => {
    for (const close of open.splice(0)) await close();
  });
  after(async () => {
    await browser?.stop();
  });

  /** Opens a model and waits for its run to end. */
  async function preview(text: string, options: Any = {}, ends = 1) {
    const opened = await browser.open(text, options);
    open.push(opened.close);
    const { page } = opened;
    const ended = (count: number) =>
      page.waitForFunction(
        (least: number) =>
          (globalThis as Any).bridge.events.filter(({ kind }: Any) => kind === "ended").length >= least,
        count,
      );
    if (ends > 0) await ended(ends);
    const bridge = (body: (bridge: Any) => unknown) => page.evaluate(`(${body})(bridge)`);
    const ask = (question: Any) => page.evaluate((asked: Any) => (globalThis as Any).bridge.ask(asked), question);
    const value = async (node: string, place: Any, more: Any = {}) =>
      (await ask({ kind: "value", tensor: { node, output: 0, variant: "plain", ...more }, place })) as Any;
    const diagram = (await bridge((b) => b.events.findLast(({ kind }: Any) => kind === "diagram")?.diagram)) as Any;
    /** Waits until the page has drawn what it was told. */
    const settle = () =>
      page.evaluate(() => new Promise((r: Any) => (globalThis as Any).requestAnimationFrame(() => setTimeout(r, 60))));
    const focusLayer = async (id: string) => {
      await page.evaluate((node: string) => (globalThis as Any).bridge.say({ kind: "focus", node }), id);
      await settle();
    };
    return { ...opened, ended, bridge, ask, value, diagram, settle, focusLayer };
  }

  /** The colour on screen at a point of a canvas, in CSS pixels. */
  const pixelAt = (page: Any, selector: string, x: number, y: number): Promise<number[]> =>
    page.evaluate(
      ([which, left, top]: Any) => {
        const canvas = (globalThis as Any).document.querySelector(which);
        const ratio = canvas.width / canvas.clientWidth;
        return [
          ...canvas.getContext("2d").getImageData(Math.round(left * ratio), Math.round(top * ratio), 1, 1).data,
        ].slice(0, 3);
      },
      [selector, x, y],
    );

  function colourOf(palette: PaletteName, value: number, min: number, max: number): number[] {
    const at = 3 * stepOf(value, ...endsFor(palette, min, max));
    return [...paletteNamed(palette).subarray(at, at + 3)];
  }

  /** Waits until an expression is true in the page, whose policy forbids it to evaluate texts itself. */
  async function until(page: Any, expression: string): Promise<void> {
    for (const end = Date.now() + 15_000; Date.now() < end; await page.waitForTimeout(25)) {
      if (await page.evaluate(expression)) return;
    }
    throw new Error(`it never came true: ${expression}`);
  }

  const treeText = (page: Any) =>
    page.locator("[role=treeitem]").evaluateAll((items: Any[]) => items.map((item) => item.getAttribute("aria-label")));

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

  for (const theme of ["dark", "light", "contrast", "contrast-light"] as ThemeName[]) {
    it(`has no serious fault by axe-core: ${theme}`, async () => {
      const { page, settle, problems } = await preview(LENET, { theme });
      for (const tab of ["maps", "window", "shift", "layers"]) {
        await page.click(`#tab-${tab}`);
        await page.waitForTimeout(500);
        await settle();
        await page.screenshot({ path: `${shots}preview-${theme}-${tab}.png` });
        const found = (await page.evaluate(
          `${browser.axe}; axe.run(document, { resultTypes: ["violations"] })`,
        )) as Any;
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
