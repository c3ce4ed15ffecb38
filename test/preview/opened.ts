/**
 * The page with a model in it, for tests: opened in a real browser with the real worker behind it. Pictures are left in
 * test/screenshots for whoever wants to look.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { endsFor, type PaletteName, paletteNamed, stepOf } from "#shared/preview/palette.ts";
import { ensureBuilt } from "../harness/build.ts";
import { missing, PreviewBrowser } from "./browser.ts";

/** Types of playwright-core and of the page's globals are not there where the packages are not installed. */
type Any = any;

export const example = (name: string) => readFileSync(new URL(`../../examples/${name}`, import.meta.url), "utf8");
export const shots = fileURLToPath(new URL("../screenshots/", import.meta.url));
export const LENET = example("lenet.cnn.yaml");
export const native = (layers: string, input = "[1, 8, 8]") => `cnn: 1\ninput: ${input}\nlayers:\n${layers}\n`;

/** Opens pages for the tests of the suite that this is called in; skips them where there is no browser. */
export function pages(): { readonly preview: typeof preview; readonly axe: () => string } {
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

  return { preview, axe: () => browser.axe };
}

/** The colour on screen at a point of a canvas, in CSS pixels. */
export const pixelAt = (page: Any, selector: string, x: number, y: number): Promise<number[]> =>
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

export function colourOf(palette: PaletteName, value: number, min: number, max: number): number[] {
  const at = 3 * stepOf(value, ...endsFor(palette, min, max));
  return [...paletteNamed(palette).subarray(at, at + 3)];
}

/** Waits until an expression is true in the page, whose policy forbids it to evaluate texts itself. */
export async function until(page: Any, expression: string): Promise<void> {
  for (const end = Date.now() + 15_000; Date.now() < end; await page.waitForTimeout(25)) {
    if (await page.evaluate(expression)) return;
  }
  throw new Error(`it never came true: ${expression}`);
}

export const treeText = (page: Any) =>
  page.locator("[role=treeitem]").evaluateAll((items: Any[]) => items.map((item) => item.getAttribute("aria-label")));
