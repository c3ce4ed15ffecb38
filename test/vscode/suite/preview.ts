/** What the tests do in a preview: how they open it, and read what it shows. */
import { commands, TabInputWebview, type TextDocument, window } from "vscode";
import type { Values } from "#shared/kernels/values.ts";
import { paletteNamed, stepOf } from "#shared/preview/palette.ts";
import { figure } from "../../../client/preview/format.ts";
import { open, until } from "./editor.ts";
import { inWebview, pressInWebview } from "./screen.ts";

/** The grid's places, as client/preview/maps/grid.ts has them: space before the first map, and a map's size. */
const EDGE = 12;
const MAP = 112;

/** Opens the preview of a file; resolves when the maps of its first layer are there. */
export async function preview(name: string): Promise<TextDocument> {
  const { document } = await open(name);
  await until(
    () => commands.getCommands(),
    (all) => all.includes("convlint.previewModel"),
  );
  await commands.executeCommand("convlint.previewModel");
  await shows(".statistics", /max/);
  return document;
}

/** The text of an element, once it is as expected. */
export async function shows(selector: string, expected: RegExp): Promise<string> {
  const started = Date.now();
  return until(
    async () => {
      const text = await inWebview<string>(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`);
      if (Date.now() - started > 15_000)
        throw new Error(`${selector} does not show ${expected} but ${JSON.stringify(text)}`);
      return text;
    },
    (text) => expected.test(text),
  );
}

/** Chooses a layer by the search. */
export async function choose(name: string, title: RegExp): Promise<void> {
  const search = ".search input";
  await inWebview(
    `{ const input = document.querySelector(${JSON.stringify(search)}); input.value = ${JSON.stringify(name)}; input.dispatchEvent(new Event("input", { bubbles: true })); }`,
  );
  await pressInWebview(search, "Enter");
  await shows(".detail h2", title);
}

/** The colour of one pixel of the first canvas in an element, in CSS pixels. */
export function pixel(selector: string, x: number, y: number): Promise<number[]> {
  return inWebview(
    `(() => { const canvas = document.querySelector(${JSON.stringify(`${selector} canvas`)});
      const ratio = canvas.width / canvas.clientWidth;
      return [...canvas.getContext("2d").getImageData(Math.round(${x} * ratio), Math.round(${y} * ratio), 1, 1).data]; })()`,
  );
}

export function webviewTabs(): readonly string[] {
  return window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .filter(({ input }) => input instanceof TabInputWebview)
    .map(({ label }) => label);
}

/** Resolves when the statistics say that this is the greatest of the values that are shown. */
export async function showsGreatest(values: ArrayLike<number>): Promise<void> {
  let greatest = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < values.length; at++) greatest = Math.max(greatest, values[at]!);
  const text = figure(greatest).replaceAll(".", "\\.");
  await shows(".statistics", new RegExp(`max\\s*${text}(?!\\d)`));
}

/** Chooses how large a map is drawn: what `showsPixels` expects. */
export async function useMapSize(): Promise<void> {
  await inWebview(
    `{ const size = document.querySelector("[aria-label='Size of a map']"); size.value = "${MAP}"; size.dispatchEvent(new Event("input", { bubbles: true })); }`,
  );
}

/** Holds cells of the first map, as it is painted, against the values' colours: around zero, on one scale for all maps. */
export async function showsPixels(
  { dims, data }: Values,
  cells: readonly (readonly [number, number])[],
): Promise<void> {
  const [height, width] = dims.slice(-2) as [number, number];
  const most = data.reduce((greatest, value) => Math.max(greatest, Math.abs(value)), 0);
  const palette = paletteNamed("diverging");
  const deadline = Date.now() + 10_000; // maps get their new size some frames later
  const scale = MAP / Math.max(height, width);
  for (const [y, x] of cells) {
    const step = 3 * stepOf(data[y * width + x]!, -most, most);
    const expected = palette.subarray(step, step + 3);
    const seen = () => pixel(".grid", EDGE + (x + 0.5) * scale, EDGE + (y + 0.5) * scale);
    await until(
      async () => {
        const colour = await seen();
        if (Date.now() > deadline) throw new Error(`(${y}, ${x}) is ${colour}, not ${expected}`);
        return colour;
      },
      (colour) => expected.every((level, part) => Math.abs(level - colour[part]!) <= 2),
    );
  }
}
