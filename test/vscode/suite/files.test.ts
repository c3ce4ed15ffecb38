/** Samples and weights from files, as a command takes them: what the page shows is what the reference makes of the same files. */
import assert from "node:assert/strict";
import { encode } from "fast-png";
import { commands, type TextDocument, Uri, workspace } from "vscode";
import { Samples } from "#server/preview/samples.ts";
import { WeightSource } from "#server/preview/weights.ts";
import { readNpy, writeNpy } from "#shared/weights/npy.ts";
import { byReference } from "../../preview/reference.ts";
import { counted, floats, safetensors } from "../../weights/files.ts";
import { closeAll } from "./editor.ts";
import { choose, preview, shows, showsGreatest } from "./preview.ts";
import { inWebview, needsScreen } from "./screen.ts";

/** Numbers in no order, from −1 to 1, the same in each run. */
function scattered(count: number): number[] {
  return counted(count).map((at) => Math.sin(1 + 7 * at * at));
}

const KERNELS = { shape: [6, 1, 5, 5], numbers: scattered(150) };

async function write(name: string, bytes: Uint8Array): Promise<Uri> {
  const uri = Uri.joinPath(workspace.workspaceFolders![0]!.uri, "files", name);
  await workspace.fs.writeFile(uri, bytes);
  return uri;
}

const text = (content: string) => new TextEncoder().encode(content);
const bytesOf = (numbers: readonly number[]) => new Uint8Array(Float32Array.from(numbers).buffer);

function npy(dims: readonly number[], numbers: readonly number[]): Uint8Array {
  return writeNpy({ dims, data: Float32Array.from(numbers) });
}

const useSample = (uri: Uri) => commands.executeCommand("convlint.previewSample", uri);
const useWeights = (...uris: Uri[]) => commands.executeCommand("convlint.previewWeights", ...uris);

describe("a preview's files", function () {
  this.timeout(60_000);
  let document: TextDocument;
  before(async function () {
    needsScreen(this);
    document = await preview("lenet.cnn.yaml");
  });
  after(closeAll);

  it("shows a PNG as the model sees it", async () => {
    const grey = Uint8ClampedArray.from({ length: 784 }, (_, at) => (at * 37) % 256);
    await useSample(await write("grey.png", encode({ width: 28, height: 28, data: grey, channels: 1 })));
    await shows("[aria-label=Sample] option:checked", /grey\.png/);
    const rgba = Uint8ClampedArray.from({ length: 4 * 784 }, (_, at) => (at % 4 === 3 ? 255 : grey[at >> 2]!));
    const samples = new Samples();
    samples.choose("input", { kind: "picture", picture: { name: "grey.png", width: 28, height: 28, rgba } });
    const [maps] = await byReference(document.getText(), ["0"], undefined, { samples });
    await showsGreatest(maps!.data);
  });

  it("shows a JPEG of another size, scaled", async () => {
    const jpeg = await inWebview<string>(`new Promise((made) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 200, height: 100 });
      const context = canvas.getContext("2d");
      context.fillStyle = "rgb(51, 51, 51)";
      context.fillRect(0, 0, 200, 100);
      made(canvas.toDataURL("image/jpeg", 1).split(",")[1]);
    })`);
    await useSample(await write("dark.jpg", Buffer.from(jpeg, "base64")));
    await shows("[aria-label=Sample] option:checked", /dark\.jpg/);
    await choose("input", /Input/);
    await shows(".statistics", /min\s*0\.2(?!\d)[\s\S]*max\s*0\.2(?!\d)/); // 51/255, all over
    await choose("Conv2d_0", /Conv2d 0/);
  });

  it("shows an array", async () => {
    const numbers = scattered(784);
    await useSample(await write("array.npy", npy([28, 28], numbers)));
    await shows("[aria-label=Sample] option:checked", /array\.npy/);
    const values = readNpy({ name: "array.npy", bytes: npy([28, 28], numbers) }, "array.npy").read();
    const samples = new Samples();
    samples.choose("input", { kind: "array", name: "array.npy", values });
    const [maps] = await byReference(document.getText(), ["0"], undefined, { samples });
    await showsGreatest(maps!.data);
    await inWebview(
      `{ const sample = document.querySelector("[aria-label=Sample]"); sample.value = "digit"; sample.dispatchEvent(new Event("change")); }`,
    );
    await shows("[aria-label=Sample] option:checked", /Digit/);
  });

  /** The same kernels in every format; the bias stays seeded. */
  const formats: Readonly<Record<string, () => Promise<Uri[]>>> = {
    "a .safetensors": async () => {
      const { bytes } = safetensors({ "0.weight": floats(KERNELS.shape, KERNELS.numbers) });
      return [await write("model.safetensors", bytes)];
    },
    "shards of TensorFlow.js": async () => {
      const hwio = counted(150).map((at) => KERNELS.numbers[(at % 6) * 25 + Math.floor(at / 6)]!);
      const weights = [{ name: "0/kernel", shape: [5, 5, 1, 6], dtype: "float32" }];
      const weightsManifest = [{ paths: ["shard1.bin", "shard2.bin"], weights }];
      await write("shard1.bin", bytesOf(hwio.slice(0, 90)));
      await write("shard2.bin", bytesOf(hwio.slice(90)));
      return [await write("model.json", text(JSON.stringify({ format: "layers-model", weightsManifest })))];
    },
    "a folder of .npy": async () => {
      const file = await write("arrays/0.weight.npy", npy(KERNELS.shape, KERNELS.numbers));
      return [Uri.joinPath(file, "..")];
    },
  };
  for (const [format, make] of Object.entries(formats)) {
    it(`takes weights from ${format}`, async () => {
      await inWebview(
        `{ const weights = document.querySelector("[aria-label=Weights]"); weights.value = "seeded"; weights.dispatchEvent(new Event("change")); }`,
      );
      await shows("[aria-label=Weights] option:checked", /Seeded/);
      await useWeights(...(await make()));
      await shows(".toolbar .link", /1 matched/);
      const weights = new WeightSource();
      weights.useFiles([{ name: "0.weight.npy", bytes: npy(KERNELS.shape, KERNELS.numbers).slice().buffer }]);
      const [maps] = await byReference(document.getText(), ["0"], undefined, { weights });
      await showsGreatest(maps!.data);
    });
  }

  it("says what is wrong with a file that is cut short, lies or is too large, and stays as it was", async () => {
    const before = await shows(".statistics", /max/);
    const weightsBefore = await shows("[aria-label=Weights] option:checked", /./);
    const whole = npy(KERNELS.shape, KERNELS.numbers);
    const lying = new Uint8Array(16);
    new DataView(lying.buffer).setBigUint64(0, 2n ** 60n, true);
    const wide = encode({ width: 1, height: 1, data: Uint8Array.of(0), channels: 1 });
    new DataView(wide.buffer, wide.byteOffset).setUint32(16, 20_000);
    new DataView(wide.buffer, wide.byteOffset).setUint32(20, 20_000);
    const model = JSON.stringify({
      weightsManifest: [{ paths: ["gone.bin"], weights: [{ name: "a", shape: [1], dtype: "float32" }] }],
    });
    const cases: readonly (readonly [() => Promise<unknown>, RegExp])[] = [
      [async () => useWeights(await write("0.weight.npy", whole.slice(0, 300))), /0\.weight\.npy, byte \d+/],
      [async () => useWeights(await write("lying.safetensors", lying)), /lying\.safetensors, byte \d+/],
      [async () => useWeights(await write("lost.json", text(model))), /gone\.bin/],
      [async () => useWeights(Uri.joinPath(await write("empty/readme", text("")), "..")), /holds no \.npy/],
      [async () => useSample(await write("cut.npy", whole.slice(0, 300))), /cut\.npy, byte \d+/],
      [async () => useSample(await write("wide.png", wide)), /wide\.png has 20000×20000 pixels.*at most/],
      [async () => useSample(await write("words.jpg", text("no picture"))), /words\.jpg is no picture/],
      [async () => useSample(Uri.joinPath(document.uri, "..", "nowhere.png")), /nowhere\.png cannot be read/],
    ];
    for (const [use, expected] of cases) {
      await use();
      await shows(".banner", expected);
    }
    assert.equal(await shows(".statistics", /max/), before);
    assert.equal(await shows("[aria-label=Weights] option:checked", /./), weightsBefore);
    await shows("[aria-label=Sample] option:checked", /Digit/);
  });
});
