/** The preview's worker over its message port: what it says of models is what the engine and its reference compute. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "fast-png";
import { valuesOf } from "#shared/kernels/values.ts";
import { paletteNamed, stepOf } from "#shared/preview/palette.ts";
import type { Place, WorkerEvent } from "#shared/preview/protocol.ts";
import { readNpy, writeNpy } from "#shared/weights/npy.ts";
import { output, Page } from "./page.ts";
import { byReference } from "./reference.ts";

const LENET = readFileSync(join(import.meta.dirname, "../../examples/lenet.cnn.yaml"), "utf8");

const at = (plane: number, y: number, x: number): Place => ({ plane, z: 0, y, x });

describe("the preview's worker", function () {
  this.timeout(20_000);
  let page: Page;
  beforeEach(() => {
    page = new Page();
  });
  afterEach(() => page.close());

  /** Events since a moment that hold for a change to have been worked off. */
  async function afterwards(change: () => void): Promise<readonly WorkerEvent[]> {
    const from = page.events.length;
    change();
    await page.next("ended", ({ variant }) => variant === "plain", from);
    return page.events.slice(from);
  }

  /** All numbers of a tensor. */
  async function numbers(node: string): Promise<Float32Array> {
    const { bytes } = await page.ask(
      { kind: "export", what: "npy", tensor: output(node), palette: "auto", scale: 1 },
      "file",
    );
    return readNpy({ name: node, bytes: new Uint8Array(bytes) }, node).read().data;
  }

  it("draws the model before it runs it, and says every step", async () => {
    const events = await afterwards(() => page.text(LENET));
    const kinds = events.map(({ kind }) => kind).filter((kind) => kind !== "progress");
    assert.deepEqual(kinds, ["diagram", "weights", "sample", "started", "ended"]);
    const steps = events.filter((event) => event.kind === "progress");
    assert.deepEqual(
      steps.flatMap(({ nodes }) => nodes),
      ["input", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "logits"],
    );
    assert.equal(
      steps.reduce((sum, { macs }) => sum + macs, 0),
      416_520,
    );
  });

  it("gives the reference evaluator's numbers", async () => {
    await afterwards(() => page.text(LENET));
    const layers = ["0", "2", "3", "5", "7", "logits"];
    const expected = await byReference(LENET, layers);
    for (const [index, layer] of layers.entries()) {
      const actual = await numbers(layer);
      const { data } = expected[index]!;
      const most = data.reduce((greatest, value) => Math.max(greatest, Math.abs(value)), 0);
      assert.equal(actual.length, data.length);
      for (const [place, value] of data.entries()) {
        assert.ok(
          Math.abs(actual[place]! - value) <= 1e-5 * most,
          `${layer}[${place}]: ${actual[place]}, not ${value}`,
        );
      }
    }
  });

  it("shows values as the palette's colours", async () => {
    await afterwards(() => page.text(LENET));
    const request = { kind: "tiles" as const, tensor: output("0"), from: 1, to: 3, slice: 0, width: 28, height: 28 };
    const { rgba, ranges, width, height } = await page.ask({ ...request, palette: "viridis", range: "plane" }, "tiles");
    assert.deepEqual([width, height, ranges.length], [28, 28, 4]);
    const values = (await numbers("0")).subarray(28 * 28, 3 * 28 * 28);
    const pixels = new Uint8Array(rgba);
    const palette = paletteNamed("viridis");
    for (const [place, value] of values.entries()) {
      const plane = Math.floor(place / (28 * 28));
      const step = stepOf(value, ranges[2 * plane]!, ranges[2 * plane + 1]!);
      assert.deepEqual([...pixels.subarray(4 * place, 4 * place + 3)], [...palette.subarray(3 * step, 3 * step + 3)]);
    }
    assert.equal(ranges[0], Math.min(...values.subarray(0, 28 * 28)));
  });

  it("tells a value with its index", async () => {
    await afterwards(() => page.text(LENET));
    const answer = await page.ask({ kind: "value", tensor: output("3"), place: at(7, 2, 9) }, "value");
    assert.deepEqual(answer.index, [0, 7, 2, 9]);
    assert.equal(answer.value, (await numbers("3"))[7 * 100 + 2 * 10 + 9]);
  });

  it("tells indices of channels-last models in their own order", async () => {
    const layers = [
      { class_name: "InputLayer", config: { name: "in", batch_input_shape: [null, 9, 8, 3] } },
      {
        class_name: "Conv2D",
        config: { name: "conv", filters: 4, kernel_size: [3, 3], strides: [2, 2], padding: "same" },
      },
    ];
    const model = { class_name: "Sequential", config: { name: "m", layers } };
    await afterwards(() => page.text(JSON.stringify(model), "model.json"));
    const place = at(3, 4, 1);
    const answer = await page.ask({ kind: "value", tensor: output("conv"), place }, "value");
    assert.deepEqual(answer.index, [0, 4, 1, 3]);
    const { explanation } = await page.ask({ kind: "explain", tensor: output("conv"), place }, "explanation");
    assert.equal(explanation.kind, "convolution");
    assert.ok(Math.abs(explanation.exact - answer.value) < 1e-5);
  });

  it("computes from the first layer that changed", async () => {
    await afterwards(() => page.text(LENET));
    await page.ask({ kind: "show", tensor: output("4") }, "maps");
    const events = await afterwards(() => page.text(LENET.replace("16, kernel_size: 5", "16, kernel_size: 3")));
    const steps = events.filter((event) => event.kind === "progress");
    assert.deepEqual(
      steps.filter(({ reused }) => !reused).flatMap(({ nodes }) => nodes),
      ["3", "4", "5", "6", "7", "8", "9", "10", "logits"],
    );
    const maps = events.filter((event) => event.kind === "maps");
    assert.deepEqual(
      maps.map(({ size }) => size.dims),
      [[1, 16, 12, 12]],
    );
    assert.deepEqual([...(await numbers("0"))], [...(await byReferenceFirst())]);
  });

  async function byReferenceFirst(): Promise<Float32Array> {
    const other = new Page();
    other.text(LENET);
    await other.next("ended");
    const { bytes } = await other.ask(
      { kind: "export", what: "npy", tensor: output("0"), palette: "auto", scale: 1 },
      "file",
    );
    other.close();
    return readNpy({ name: "0", bytes: new Uint8Array(bytes) }, "0").read().data;
  }

  it("computes nothing anew where only a comment changes", async () => {
    await afterwards(() => page.text(LENET));
    const events = await afterwards(() => page.text(`# a comment\n${LENET}`));
    assert.equal(events.filter(({ kind }) => kind === "started").length, 0);
  });

  it("runs all that comes before a layer in error, and says why it stops there", async () => {
    const worse = LENET.replace("16, kernel_size: 5", "16, kernel_size: 50");
    const stopped = (await afterwards(() => page.text(worse))).find((event) => event.kind === "ended")!;
    assert.deepEqual([stopped.how, stopped.node], ["stopped", "3"]);
    assert.match(stopped.message ?? "", /no size/);
    assert.equal((await page.ask({ kind: "show", tensor: output("2") }, "maps")).layout.planes, 6);
    await assert.rejects(page.ask({ kind: "explain", tensor: output("3"), place: at(0, 0, 0) }, "explanation"));
    const diagram = page.events.findLast((event) => event.kind === "diagram")!.diagram;
    assert.match(diagram.nodes.find(({ id }) => id === "logits")?.blocked ?? "", /^3 does not run/);
  });

  it("asks before work beyond the budget, and does it when allowed", async () => {
    page.tell({ kind: "budget", macs: 1000, bytes: 2 ** 30 });
    page.text(LENET);
    const asking = await page.next("asking");
    assert.equal(asking.amount.macs, 416_520);
    assert.match(asking.message, /0\.0 billion multiply-accumulates and \d+ KiB of memory/);
    await assert.rejects(page.ask({ kind: "value", tensor: output("3"), place: at(0, 0, 0) }, "value"), /budget/);
    const events = await afterwards(() => void page.send({ kind: "proceed" }));
    assert.equal(events.find((event) => event.kind === "ended")?.how, "done");
  });

  it("ends a run that is cancelled, and begins anew at the next change", async () => {
    const slow = LENET.replace("[1, 28, 28]", "[1, 512, 512]").replace("6, kernel_size: 5", "96, kernel_size: 5");
    page.text(slow);
    await page.next("started");
    page.send({ kind: "cancel" });
    const ended = await page.next("ended");
    assert.equal(ended.how, "cancelled");
    const again = await afterwards(() => page.text(LENET));
    assert.equal(again.find((event) => event.kind === "ended")?.how, "done");
  });

  it("takes the last of many texts", async () => {
    for (let size = 20; size < 60; size++) page.text(LENET.replace("[1, 28, 28]", `[1, ${size}, ${size}]`));
    const ended = await page.next("ended", ({ how }) => how === "done");
    assert.ok(ended);
    const { layout } = await page.ask({ kind: "show", tensor: output("0") }, "maps");
    assert.equal(layout.width, 59);
  });

  it("says that a text is no model", async () => {
    page.text("services:\n  web: {image: nginx}\n", "compose.yaml");
    assert.match((await page.next("noModel")).message, /no model/);
    await assert.rejects(page.ask({ kind: "show", tensor: output("0") }, "maps"), /no such layer/);
  });

  it("gives symbols numbers, and takes the user's", async () => {
    page.text(LENET.replace("[1, 28, 28]", "[1, H, W]"));
    await page.next("ended");
    const { diagram } = await page.next("diagram");
    assert.deepEqual(
      diagram.sizes.map(({ name, from }) => [name, from]),
      [
        ["H", "default"],
        ["W", "default"],
      ],
    );
    await page.ask({ kind: "sizes", sizes: { H: 28, W: 32 } }, "done");
    const shown = await page.ask({ kind: "show", tensor: output("0") }, "maps");
    assert.deepEqual(shown.size.dims, [1, 6, 28, 32]);
    await assert.rejects(page.ask({ kind: "sizes", sizes: { H: -1 } }, "done"), /no size/);
  });

  it("shows inner tensors of composite blocks, which are not kept", async () => {
    const text = readFileSync(join(import.meta.dirname, "../../examples/resnet18.cnn.yaml"), "utf8");
    page.text(text.replace("[3, 224, 224]", "[3, 64, 64]"));
    await page.next("ended");
    const inner = await page.ask({ kind: "show", tensor: output("4.0.0.1") }, "maps");
    assert.deepEqual(inner.size.dims, [1, 64, 16, 16]);
    const block = await page.ask({ kind: "show", tensor: output("4/") }, "maps");
    assert.deepEqual(block.statistics.min, 0); // behind its ReLU
  });

  it("shows kernels, and puts named ones into a layer", async () => {
    await afterwards(() => page.text(LENET));
    const tensor = output("0", { weight: "weight" });
    const { layout } = await page.ask({ kind: "show", tensor }, "maps");
    assert.deepEqual({ ...layout }, { kind: "images", planes: 6, depth: 1, height: 5, width: 5, group: 1 });
    await page.ask({ kind: "kernel", node: "0", name: "identity" }, "done");
    await page.until((event) => event.kind === "ended", page.events.length - 1);
    const [value] = [await page.ask({ kind: "value", tensor, place: at(3, 2, 2) }, "value")];
    assert.equal(value.value, 1);
    const bias = await page.ask(
      { kind: "value", tensor: output("0", { weight: "bias" }), place: at(0, 0, 3) },
      "value",
    );
    const seen = await page.ask({ kind: "value", tensor: output("input"), place: at(0, 9, 11) }, "value");
    const shown = await page.ask({ kind: "value", tensor: output("0"), place: at(3, 9, 11) }, "value");
    assert.ok(Math.abs(shown.value - seen.value - bias.value) < 1e-6);
    await assert.rejects(page.ask({ kind: "kernel", node: "1", name: "blur" }, "done"), /no kernels/);
  });

  it("moves the sample and says how far every output followed", async () => {
    await afterwards(() => page.text(LENET));
    const { layers } = await page.ask({ kind: "shift", dx: 2, dy: 0 }, "shift");
    const of = (node: string) => layers.find((layer) => layer.node === node)!;
    assert.deepEqual([of("0").moved, of("0").expected, of("0").equivariance], [[0, 2], [0, 2], 0]);
    assert.deepEqual([of("2").moved, of("2").expected, of("2").equivariance], [[0, 1], [0, 1], 0]);
    const odd = (await page.ask({ kind: "shift", dx: 1, dy: 0 }, "shift")).layers;
    const pooled = odd.find(({ node }) => node === "2")!;
    assert.deepEqual(pooled.expected, [0, 0.5]);
    assert.ok(pooled.equivariance! > 0.001, "a stride breaks equivariance");
    assert.equal(odd.find(({ node }) => node === "0")!.equivariance, 0);
    const before = await page.ask({ kind: "value", tensor: output("0"), place: at(0, 9, 9) }, "value");
    const after = await page.ask(
      { kind: "value", tensor: output("0", { variant: "shifted" }), place: at(0, 9, 10) },
      "value",
    );
    assert.equal(after.value, before.value);
    assert.deepEqual((await page.ask({ kind: "shift", dx: 0, dy: 0 }, "shift")).layers, []);
  });

  it("computes true convolutions: cross-correlations with the kernel turned", async () => {
    await afterwards(() => page.text(LENET));
    await page.ask({ kind: "flip", on: true }, "done");
    await page.next("ended", ({ variant }) => variant === "flipped");
    const place = at(2, 10, 10);
    const plain = (await page.ask({ kind: "explain", tensor: output("0"), place }, "explanation")).explanation;
    const tensor = output("0", { variant: "flipped" });
    const turned = (await page.ask({ kind: "explain", tensor, place }, "explanation")).explanation;
    assert.deepEqual([...turned.weights!], [...plain.weights!].reverse());
    assert.notEqual(turned.value, plain.value);
    assert.ok(Math.abs(turned.exact - turned.value) < 1e-5);
  });

  it("exports maps as a picture, the table as text", async () => {
    await afterwards(() => page.text(LENET));
    const more = { tensor: output("0"), palette: "grey" as const, scale: 2 };
    const png = await page.ask({ kind: "export", what: "png", ...more }, "file");
    assert.equal(png.name, "LeNet-0.png");
    const { width, height, channels } = decode(new Uint8Array(png.bytes));
    assert.deepEqual([width, height, channels], [2 * 58 + 2, 3 * 58 + 2, 4]);
    const svg = await page.ask({ kind: "export", what: "svg", ...more }, "file");
    assert.equal(svg.name, "LeNet-0.svg");
    const drawing = new TextDecoder().decode(svg.bytes);
    assert.equal(drawing.match(/<g /g)?.length, 6);
    assert.equal(drawing.match(/h1v1h-1z/g)?.length, 6 * 28 * 28);
    // A cell of the drawing has the colour of the picture's pixels: the first map's (14, 14).
    const pixels = decode(new Uint8Array(png.bytes)).data;
    const at = 4 * ((2 + 2 * 14) * width + 2 + 2 * 14);
    const colour = [...pixels.slice(at, at + 3)].map((part) => part.toString(16).padStart(2, "0")).join("");
    const path = drawing
      .split("</g>")[0]!
      .split("\n")
      .find((line) => line.includes("M14 14h"));
    assert.match(path!, new RegExp(`fill="#${colour}"`));
    const csv = await page.ask({ kind: "export", what: "csv", ...more }, "file");
    const lines = new TextDecoder().decode(csv.bytes).trimEnd().split("\r\n");
    assert.equal(lines.length, 14);
    assert.equal(lines[1], '0,Conv2d_0,Conv2d,"[N, 6, 28, 28]",156,"117,600",5 × 5');
    const markdown = await page.ask({ kind: "export", what: "markdown", ...more }, "file");
    assert.match(new TextDecoder().decode(markdown.bytes), /\| total \|/);
  });

  it("finds the layer under the cursor", async () => {
    await afterwards(() => page.text(LENET));
    page.tell({ kind: "cursor", offset: LENET.indexOf("kernel_size: 5}") });
    assert.equal((await page.next("focus")).node, "3");
  });

  it("takes weights from files and says what matched", async () => {
    await afterwards(() => page.text(LENET));
    const npy = (dims: readonly number[], fill: (place: number) => number) =>
      writeNpy(
        valuesOf(
          dims,
          Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => fill(i)),
        ),
      ).slice().buffer;
    const files = [
      { name: "0.weight.npy", bytes: npy([6, 1, 5, 5], () => 0.5) },
      { name: "0.bias.npy", bytes: npy([6], () => 0) },
      { name: "3.weight.npy", bytes: npy([16, 6, 3, 3], () => 1) },
      { name: "what.npy", bytes: npy([2], () => 1) },
    ];
    const from = page.events.length;
    page.tell({ kind: "weightFiles", files });
    const { report } = await page.next("weights", () => true, from);
    assert.deepEqual([report.matched, report.unused], [2, ["what"]]);
    assert.deepEqual(report.mismatched, [{ name: "3.weight", expected: "[16, 6, 5, 5]", found: "[16, 6, 3, 3]" }]);
    assert.match(report.text[0]!, /^2 of 10 weights/);
    await page.next("ended", () => true, from);
    const tensor = output("0", { weight: "weight" });
    assert.equal((await page.ask({ kind: "value", tensor, place: at(5, 4, 4) }, "value")).value, 0.5);
  });

  it("keeps its weights where a file lies or is cut off", async () => {
    await afterwards(() => page.text(LENET));
    const before = await numbers("logits");
    const header = new TextEncoder().encode('{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}}');
    const lying = new Uint8Array(8 + header.length + 4);
    new DataView(lying.buffer).setBigUint64(0, BigInt(header.length), true);
    lying.set(header, 8);
    const huge = new Uint8Array(16);
    new DataView(huge.buffer).setBigUint64(0, 2n ** 60n, true);
    const cut = writeNpy(valuesOf([6, 1, 5, 5], new Float32Array(150))).slice(0, 300);
    for (const [name, bytes] of [
      ["lying.safetensors", lying],
      ["huge.safetensors", huge],
      ["0.weight.npy", cut],
    ] as const) {
      const from = page.events.length;
      page.tell({ kind: "weightFiles", files: [{ name, bytes: bytes.slice().buffer }] });
      const { message } = await page.next("unreadable", () => true, from);
      assert.match(message, new RegExp(`${name}, byte.*The weights stay`), name);
    }
    const from = page.events.length;
    page.tell({ kind: "sampleFile", input: null, file: { name: "cut.npy", bytes: cut.slice().buffer } });
    assert.match((await page.next("unreadable", () => true, from)).message, /cut\.npy, byte.*The sample stays/);
    assert.deepEqual(await numbers("logits"), before);
  });

  it("counts what is not a number, and paints it in no palette's colour", async () => {
    await afterwards(() => page.text(LENET));
    const values = new Float32Array(150).fill(Number.NaN, 0, 25).fill(Number.POSITIVE_INFINITY, 25, 50);
    page.tell({
      kind: "weightFiles",
      files: [{ name: "0.weight.npy", bytes: writeNpy(valuesOf([6, 1, 5, 5], values)).slice().buffer }],
    });
    const from = page.events.length;
    await page.next("ended", () => true, from);
    const tensor = output("0", { weight: "weight" });
    const { statistics } = await page.ask({ kind: "show", tensor }, "maps");
    assert.deepEqual([statistics.nans, statistics.infinities, statistics.zeros], [25, 25, 100]);
    const more = { from: 0, to: 2, slice: 0, width: 5, height: 5, palette: "auto" as const, range: "tensor" as const };
    const { rgba } = await page.ask({ kind: "tiles", tensor, ...more }, "tiles");
    assert.deepEqual([...new Uint8Array(rgba).subarray(0, 4)], [255, 0, 200, 255]);
    assert.deepEqual([...new Uint8Array(rgba).subarray(100, 104)], [255, 40, 40, 255]);
  });

  it("stays bounded before a layer of 100,000 channels", async () => {
    page.text("cnn: 1\ninput: [1, 8, 8]\nlayers:\n  - {type: Conv2d, out_channels: 100000, kernel_size: 3}\n");
    await page.next("ended");
    const tensor = output("0");
    const { layout } = await page.ask({ kind: "show", tensor }, "maps");
    assert.equal(layout.planes, 100_000);
    const more = { slice: 0, width: 512, height: 512, palette: "auto" as const, range: "tensor" as const };
    const tiles = await page.ask({ kind: "tiles", tensor, from: 0, to: 1e9, ...more }, "tiles");
    assert.ok(tiles.rgba.byteLength <= 2 ** 24 && tiles.to > tiles.from);
    const last = await page.ask({ kind: "tiles", tensor, from: 99_999, to: 100_000, ...more }, "tiles");
    assert.deepEqual([last.from, last.to], [99_999, 100_000]);
    const wide = { tensor, palette: "auto" as const, scale: 32 };
    await assert.rejects(page.ask({ kind: "export", what: "png", ...wide }, "file"), /too large/);
    await assert.rejects(page.ask({ kind: "export", what: "svg", ...wide }, "file"), /too large.*save a PNG/);
  });

  it("says where a run stops in the words of the rule that told it", async () => {
    const layers =
      "  - {type: Conv2d, out_channels: 32, kernel_size: 3}\n  - {type: Conv2d, in_channels: 16, out_channels: 64, kernel_size: 3}\n";
    page.text(`cnn: 1\ninput: [3, 32, 32]\nlayers:\n${layers}`);
    const ended = await page.next("ended");
    assert.deepEqual([ended.how, ended.node], ["stopped", "1"]);
    assert.match(ended.message ?? "", /^Conv2d takes 16 channels but gets 32/);
  });

  it("refuses what no machine computes, and runs the rest", async () => {
    const layers =
      "  - {type: Conv2d, out_channels: 4, kernel_size: 3}\n  - {type: Conv2d, out_channels: 90000000, kernel_size: 9}\n";
    page.text(`cnn: 1\ninput: [1, 64, 64]\nlayers:\n${layers}`);
    const ended = await page.next("ended");
    assert.deepEqual([ended.how, ended.node], ["stopped", "1"]);
    assert.match(ended.message ?? "", /at most 2\.0 GiB/);
    assert.equal((await page.ask({ kind: "show", tensor: output("0") }, "maps")).layout.planes, 4);
  });

  it("answers requests that make no sense with a sentence", async () => {
    await afterwards(() => page.text(LENET));
    await assert.rejects(
      page.ask({ kind: "value", tensor: output("3"), place: at(99, 0, 0) }, "value"),
      /no such place/,
    );
    await assert.rejects(
      page.ask({ kind: "value", tensor: output("nowhere"), place: at(0, 0, 0) }, "value"),
      /no such/,
    );
    await assert.rejects(page.ask({ kind: "shift", dx: 0.5, dy: 0 }, "shift"), /whole cells/);
    const huge = { kind: "image" as const, name: "big.png", width: 20_000, height: 20_000, rgba: new ArrayBuffer(4) };
    await assert.rejects(page.ask({ kind: "sample", input: null, sample: huge }, "done"), /20000×20000 pixels/);
    await assert.rejects(page.ask({ kind: "surprise" } as never, "done"), /does not know/);
  });

  it("says everything again to a new page", async () => {
    await afterwards(() => page.text(LENET));
    const from = page.events.length;
    page.tell({ kind: "hello" });
    await page.next("ended", () => true, from);
    const before = page.events.slice(0, from);
    const order = ["diagram", "sample", "weights", "started", "progress", "ended"];
    const sorted = before.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
    assert.deepEqual(page.events.slice(from), sorted);
  });
});
