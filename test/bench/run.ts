/**
 * `npm run bench`: how fast ConvLint is, as ratios where a ratio says more than milliseconds. Prints, never fails: times on
 * a shared machine are no test.
 */
import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import { parseTree } from "jsonc-parser";
import { parse as parseWithYaml } from "yaml";
import { analyse } from "#server/analysis.ts";
import { problems } from "#server/features/diagnostics.ts";
import { inlayHints } from "#server/features/inlayHints.ts";
import { parse } from "#server/syntax/parse.ts";
import { readSettings } from "#shared/settings.ts";
import { measureFiles, measureLines } from "./files.ts";
import { median, race } from "./measure.ts";
import { foreignJson, kerasModel, nativeModel, yoloModel } from "./models.ts";
import { keystrokeToMaps, textToMaps } from "./preview.ts";
import { startToHints } from "./server.ts";

/** The built server; this file is bundled into dist/ itself. */
const SERVER = fileURLToPath(new URL("./server.js", import.meta.url));

const CLI = fileURLToPath(new URL("./cli.js", import.meta.url));

const PREVIEW = fileURLToPath(new URL("./preview-worker.js", import.meta.url));

const options = process.argv.slice(2);

/** Whole processes over many files run once in place of three times. */
const QUICK = "--quick";
const ROUNDS = options.includes(QUICK) ? 1 : 3;

const example = (name: string) => readFileSync(new URL(`../examples/${name}.cnn.yaml`, import.meta.url), "utf8");

const PATH = "model.cnn.yaml";
const { settings } = readSettings({});

/** Everything an editor shows after a keystroke. */
function check(text: string, path = PATH): number {
  const analysis = analyse(text, path);
  if (!analysis) throw new Error("the text is no model");
  const hints = inlayHints(analysis, settings.hints, { start: 0, end: text.length });
  return hints.length + problems(analysis, settings.rules).length;
}

function row(what: string, value: string, goal = ""): void {
  console.log(`${what.padEnd(64)} ${value.padStart(14)}  ${goal}`);
}

const ms = (value: number) => `${value < 1 ? value.toFixed(3) : value.toFixed(2)} ms`;

/** What `npm run bench -- NAME…` runs; all of them in this order where none is named, in one process as in an editor's day. */
const PARTS: Readonly<Record<string, () => void | Promise<void>>> = {
  hints() {
    const text = nativeModel(100);
    const times = race({ hints: () => check(text), load: () => load(text) });
    const { yaml } = race({ yaml: () => parseWithYaml(text) });
    row("100 layers: text to hints", ms(times.hints));
    row("  against js-yaml's load of the same text", `${(times.hints / times.load).toFixed(2)} ×`, "≤ 1.5 ×");
    row("  against yaml's parse, for information", `${(times.hints / yaml).toFixed(2)} ×`);
  },

  foreign() {
    const text = foreignJson(1 << 20);
    const path = "data.json";
    if (analyse(text, path)) throw new Error("the document passes for a model");
    row("1 MB of JSON: decide that it is no model", ms(race({ decide: () => analyse(text, path) }).decide), "≤ 0.2 ms");
  },

  keras() {
    const text = kerasModel(2 << 20);
    const layers = analyse(text, "model.json")!.graph.layers.length;
    const times = race({
      hints: () => check(text, "model.json"),
      parse: () => JSON.parse(text),
      tree: () => parse(text, "model.json"),
    });
    const { located } = race({ located: () => parseTree(text) });
    row(`2 MB of Keras JSON, ${layers.toLocaleString("en")} layers: text to hints`, ms(times.hints));
    row(
      "  against JSON.parse and ConvLint's located tree",
      `${(times.hints / (times.parse + times.tree)).toFixed(2)} ×`,
      "≤ 3 ×",
    );
    row(
      "  against JSON.parse and jsonc-parser's parseTree",
      `${(times.hints / (times.parse + located)).toFixed(2)} ×`,
      "≤ 3 ×",
    );
    row("  JSON.parse alone; the tree alone", `${ms(times.parse)}; ${ms(times.tree)}`);
  },

  yolo() {
    const text = yoloModel();
    const rows = text.match(/^ {2}- \[/gm)!.length;
    row(
      `YOLO file of ${rows} rows: text to hints`,
      ms(race({ hints: () => check(text, "yolo11x.yaml") }).hints),
      "≤ 10 ms",
    );
  },

  keystroke() {
    const text = nativeModel(1000);
    const typed = (before: string) => {
      const at = text.indexOf(before) + before.length;
      let turn = 0;
      // Put together as an editor's document is.
      return () => check(`${text.slice(0, at)}${(turn++ % 9) + 1}${text.slice(at)}`);
    };
    const times = race({
      sound: typed("name: bench"),
      channels: typed("out_channels: "),
      sizes: typed("kernel_size: 1"),
      load: () => load(text),
    });
    row("1,000 layers: check again after a keystroke", ms(times.sound), "≤ 16 ms");
    row("  one after which an addition's channels differ", ms(times.channels), "≤ 16 ms");
    row("  one after which an addition's sizes differ", ms(times.sizes));
    row("  js-yaml's load of the same text, for information", ms(times.load));
  },

  linear() {
    const [small, middle, large] = [nativeModel(100), nativeModel(1000), nativeModel(10_000)];
    const times = race(
      { small: () => check(small), middle: () => check(middle), large: () => check(large) },
      { rounds: 30, seconds: 10 },
    );
    const each = (time: number, layers: number) => `${((time / layers) * 1000).toFixed(2)} µs`;
    row("per layer, of 100", each(times.small, 100));
    row("per layer, of 1,000", each(times.middle, 1000));
    row("per layer, of 10,000", each(times.large, 10_000), "the same: linear");
  },

  async start() {
    const text = nativeModel(100);
    const times: number[] = [];
    for (let round = 0; round < 9; round++) times.push(await startToHints(SERVER, text));
    row("server: process start to first hints", ms(median(times)), "≤ 300 ms");
    row("server: minified bundle", `${(statSync(SERVER).size / 1000).toFixed(0)} kB`, "≤ 600 kB");
  },

  files() {
    const { files, parsing, cold, warm } = measureFiles(CLI, ROUNDS);
    const times = (value: number) => `${(value / parsing).toFixed(2)} ×`;
    const count = files.toLocaleString("en");
    row(`${count} files: js-yaml's load alone, one thread`, ms(parsing));
    row(`${count} files: convlint check, one thread, no cache`, ms(cold[1]));
    row("  against parsing alone", times(cold[1]));
    row("  two threads, against parsing alone", times(cold[2]));
    row("  one thread, warm cache, against parsing alone", times(warm[1]));
    row("  two threads, warm cache, against parsing alone", times(warm[2]));
  },

  lines() {
    const { lines, parsing, checking } = measureLines(CLI, ROUNDS);
    row("models of ten layers as lines, checked per second and core", `${Math.round((lines / checking) * 1000)}`);
    row("  against JSON.parse of the same lines", `${(checking / parsing).toFixed(2)} ×`);
  },

  async preview() {
    row("preview, LeNet: keystroke to new maps", ms(await keystrokeToMaps(PREVIEW, example("lenet"))), "≤ 100 ms");
    const { last, drawing, engine } = await textToMaps(PREVIEW, example("resnet50"));
    row("preview, ResNet-50 at 224: text to all maps", ms(last));
    row("  of it: drawing 25 million weights", ms(drawing));
    row("  the engine alone, first run, without that", ms(engine));
    row("  the preview without that against the engine", `${((last - drawing) / engine).toFixed(2)} ×`, "≤ 2 ×");
  },
};

const asked = options.filter((option) => option !== QUICK);
const strange = asked.filter((name) => !Object.hasOwn(PARTS, name));
if (strange.length > 0) {
  console.error(`bench: no part is called ${strange.join(", ")}; there are ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}
row(`medians, contestants in turns; Node ${process.version}`, "measured", "goal");
for (const name of asked.length > 0 ? asked : Object.keys(PARTS)) await PARTS[name]!();
