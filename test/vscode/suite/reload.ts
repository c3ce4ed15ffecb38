/**
 * The window loaded anew, as "Developer: Reload Window" does it: VS Code makes its previews again by their serializer, in a
 * new extension host. The suite does not outlive that, so it has two halves. `leave` is the end of the first;
 * reload.test.ts is all of the second, and looks at what the first left.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commands, Uri, workspace } from "vscode";
import { Samples } from "#server/preview/samples.ts";
import { WeightSource } from "#server/preview/weights.ts";
import { writeNpy } from "#shared/weights/npy.ts";
import { floats, safetensors } from "../../weights/files.ts";
import { until } from "./editor.ts";
import { choose, preview, shows, useMapSize, webviewTabs } from "./preview.ts";
import { clickInWebview, inWebview, resize } from "./screen.ts";

export const RELOADED = "a preview, after its window was loaded anew";

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const LEFT = join(__dirname, "left.json");

/** What the first half counted; null in the first half. */
export function leftCounts(): Counts | null {
  if (!existsSync(LEFT)) return null;
  const counts: Counts = JSON.parse(readFileSync(LEFT, "utf8"));
  rmSync(LEFT);
  return counts;
}

const PICTURE = Float32Array.from({ length: 784 }, (_, at) => Math.sin(at * at));
const KERNELS = Array.from({ length: 150 }, (_, at) => Math.cos(3 * at * at));

/** The pinned preview's sample and weights, and the other's seeds, as the reference takes them. */
export function chosenArray(): Samples {
  const samples = new Samples();
  samples.choose("input", { kind: "array", name: "array.npy", values: { dims: [28, 28], data: PICTURE } });
  return samples;
}
export function chosenWeights(): WeightSource {
  const weights = new WeightSource();
  weights.useFiles([{ name: "model.safetensors", bytes: weightsFile().slice().buffer }]);
  return weights;
}
export function chosenSeeds(): { samples: Samples; weights: WeightSource } {
  const [samples, weights] = [new Samples(), new WeightSource()];
  samples.choose("input", { kind: "generated", name: "noise", seed: 5 });
  weights.useSeed(7);
  return { samples, weights };
}

function weightsFile(): Uint8Array {
  return safetensors({ "0.weight": floats([6, 1, 5, 5], KERNELS) }).bytes;
}

async function write(name: string, bytes: Uint8Array): Promise<Uri> {
  const uri = Uri.joinPath(workspace.workspaceFolders![0]!.uri, "reload", name);
  await workspace.fs.writeFile(uri, bytes);
  return uri;
}

/** Opens two previews, chooses something in each, and reloads the window; never returns. */
export async function leave(counts: Counts): Promise<never> {
  await resize(1500, 900);
  await preview("lenet.cnn.yaml");
  const array = writeNpy({ dims: [28, 28], data: PICTURE });
  await commands.executeCommand("convlint.previewSample", await write("array.npy", array));
  await commands.executeCommand("convlint.previewWeights", await write("model.safetensors", weightsFile()));
  await choose("Conv2d_3", /Conv2d 3/);
  await useMapSize();
  await shows("[aria-label=Sample] option:checked", /array\.npy/);
  await shows("[aria-label=Weights] option:checked", /model\.safetensors/);
  await clickInWebview("[aria-label='Stay with this file']");
  await until(
    async () => webviewTabs(),
    (tabs) => tabs.includes("Preview lenet.cnn.yaml (pinned)"),
  );
  await commands.executeCommand("workbench.action.focusFirstEditorGroup"); // both previews share the second one
  await preview("tiny.cnn.json");
  await shows("h1", /tiny/);
  await useMapSize();
  await enter("Sample", "noise");
  await enter("Seed of the noise", "5");
  await enter("Seed of the weights", "7");
  await shows(".statistics", /max/);
  writeFileSync(LEFT, JSON.stringify(counts));
  await commands.executeCommand("workbench.action.reloadWindow");
  return new Promise(() => {}); // this extension host ends
}

async function enter(label: string, value: string): Promise<void> {
  await inWebview(
    `{ const control = document.querySelector(${JSON.stringify(`[aria-label='${label}']`)}); control.value = "${value}"; control.dispatchEvent(new Event("change")); }`,
  );
}
