/**
 * The example models are what their papers say, and each broken one has the one mistake it is named after.
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { analyse } from "#server/analysis.ts";
import { Configs } from "#server/config/resolve.ts";
import { layerTable, shapesText } from "#server/features/layerTable.ts";
import { rules } from "#server/rules/index.ts";
import { examplesOf, pages, type ShownExample } from "#server/rules/pages.ts";
import { findingsOf, infer } from "#shared/graph/infer.ts";

const folder = fileURLToPath(new URL("../examples/", import.meta.url));

/**
 * Trainable values and last output. AlexNet to MobileNetV2: the counts torchvision documents for its models; the others
 * counted with PyTorch 1.13 on the same layers written as modules.
 */
const MODELS: Readonly<Record<string, readonly [params: number, output: string]>> = {
  "alexnet.cnn.yaml": [61_100_840, "[N, 1000]"],
  "vgg16.cnn.yaml": [138_357_544, "[N, 1000]"],
  "googlenet.cnn.yaml": [6_624_904, "[N, 1000]"],
  "resnet18.cnn.yaml": [11_689_512, "[N, 1000]"],
  "resnet50.cnn.yaml": [25_557_032, "[N, 1000]"],
  "densenet121.cnn.yaml": [7_978_856, "[N, 1000]"],
  "mobilenetv2.cnn.yaml": [3_504_872, "[N, 1000]"],
  "lenet.cnn.yaml": [61_706, "[N, 10]"],
  "nin.cnn.yaml": [7_439_608, "[N, 1000]"],
  "unet.cnn.yaml": [31_030_658, "[N, 2, 512, 512]"],
  "audio-m5.cnn.yaml": [559_114, "[N, 10]"],
  "video-c3d.cnn.yaml": [78_409_573, "[N, 101]"],
  "dcgan-generator.cnn.yaml": [3_576_704, "[N, 3, 64, 64]"],
};

function models(at: string): string[] {
  return readdirSync(at).filter((name) => name.endsWith(".cnn.yaml"));
}

describe("examples", () => {
  it("are all listed here", () => deepEqual(models(folder).sort(), Object.keys(MODELS).sort()));

  for (const [name, [params, output]] of Object.entries(MODELS)) {
    it(`${name} has ${params} parameters and nothing to complain about`, () => {
      const analysis = analyse(readFileSync(join(folder, name), "utf8"), name);
      ok(analysis);
      const complaints = analysis.diagnostics.filter(({ severity }) => severity === "error" || severity === "warning");
      deepEqual(complaints, []);
      const table = layerTable(analysis);
      equal(table.totals.params, params);
      equal(shapesText(table.rows.at(-1)!.outputs, analysis), output);
    });
  }
});

describe("broken examples", () => {
  const broken = join(folder, "broken");
  /** What asks for the rules that are off of themselves. */
  const CONFIG = "convlint.config.yaml";
  const configs = new Configs((path) =>
    path === `/broken/${CONFIG}` ? readFileSync(join(broken, CONFIG), "utf8") : null,
  );

  it("their configuration is sound", () => {
    configs.of("/broken/syntax.cnn.yaml");
    deepEqual(configs.problems, []);
  });

  const named = Object.values(rules).map(({ code }) => {
    const [{ file }] = examplesOf(pages[code]) as [ShownExample];
    return [code, `${code}.${file.slice(file.indexOf(".") + 1)}`] as const;
  });

  it("there is one for every rule", () => {
    deepEqual(readdirSync(broken).sort(), [CONFIG, ...named.map(([, name]) => name)].sort());
  });

  it("inference finds one by one what it finds at once", () => {
    let count = 0;
    for (const [, name] of named) {
      const graph = analyse(readFileSync(join(broken, name), "utf8"), name)?.graph;
      const { findings } = infer(graph!);
      deepEqual([...findingsOf(graph!)], findings);
      count += findings.length;
    }
    ok(count > 0);
  });

  for (const [code, name] of named) {
    it(`${name} has this one mistake`, () => {
      const text = readFileSync(join(broken, name), "utf8");
      ok(/^(#|\/\/) Wrong: /.test(text), "the first line says what is wrong");
      const { rules: settings } = configs.of(`/broken/${name}`).config;
      deepEqual(
        analyse(text, name, { rules: settings })?.diagnostics.map((diagnostic) => diagnostic.code),
        [code],
      );
    });
  }
});
