/**
 * Files that other people wrote, which may not be copied here: read from the folder of shared material beside this
 * repository where it is there. Files that load in their framework have its very sizes and no error; files of formats that
 * ConvLint does not read get nothing.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type Analysis, analyse } from "#server/analysis.ts";

interface KerasFile {
  readonly file: string;
  /** What two loaders made of it: TensorFlow.js and Keras 3. */
  readonly tfjs: Loaded;
  readonly keras3: Loaded;
}

interface Loaded {
  readonly ok: boolean;
  readonly layers?: readonly { name: string; cls: string; output: (number | null)[]; params: number }[];
}

const shared = new URL("../../../shared/oracles/", import.meta.url);
const real = new URL("real/", shared);
const monai = new URL("monai/models/", shared);

/** Sizes where Keras 3 assumes a default that the file's own weights contradict: GRU's second bias. */
const OTHERWISE = new Set(["gru_GRU1"]);

function said({ graph, report }: Analysis, name: string): string | undefined {
  const layer = graph.layers.find((candidate) => candidate.name === name);
  if (!layer) return undefined;
  const [ref] = layer.outputs;
  const output = ref ? report.nodes[ref.node]?.outputs[ref.output] : undefined;
  const nodes = report.nodes.slice(layer.nodes.first, layer.nodes.end);
  const weights = nodes.reduce((sum, { cost }) => sum + Number(cost.params) + Number(cost.buffers), 0);
  return `${JSON.stringify(output?.dims.map((size) => (typeof size === "number" ? size : null)))} ${weights}`;
}

function errorsOf({ diagnostics }: Analysis): string[] {
  return diagnostics.filter(({ severity }) => severity === "error").map(({ message }) => message);
}

describe("oracle: real files", () => {
  it("are there to be read", function () {
    if (existsSync(real)) return;
    console.log(`      no folder ${real.pathname}: nothing here ran`);
    this.skip();
  });
  if (!existsSync(real)) return;

  const files = JSON.parse(readFileSync(new URL("keras_expected.json", real), "utf8")) as KerasFile[];
  for (const { file, tfjs, keras3 } of files) {
    it(file, () => {
      const analysis = analyse(readFileSync(new URL(file, real), "utf8"), file);
      assert.ok(analysis);
      assert.deepEqual(errorsOf(analysis), []);
      const layers = (keras3.ok ? keras3 : tfjs).layers!;
      const checked = layers.filter(({ name }) => !OTHERWISE.has(name));
      for (const { name, cls, output, params } of checked) {
        if (cls === "InputLayer" && said(analysis, name) === undefined) continue;
        assert.equal(said(analysis, name), `${JSON.stringify(output)} ${params}`, name);
      }
    });
  }

  it("of formats that ConvLint does not read: nothing", () => {
    for (const folder of ["rl_games", "nemo-jasper", "ludwig", "paddledetection"]) {
      const within = new URL(`${folder}/`, real);
      for (const file of readdirSync(within)) {
        assert.equal(analyse(readFileSync(new URL(file, within), "utf8"), file), null, file);
      }
    }
  });

  it("MONAI bundles: no error", () => {
    const paths = readdirSync(monai, { recursive: true, encoding: "utf8" }).filter((path) =>
      /\.(json|ya?ml)$/.test(path),
    );
    assert.ok(paths.length > 0);
    for (const path of paths) {
      const analysis = analyse(readFileSync(new URL(path, monai), "utf8"), path);
      assert.deepEqual(analysis ? errorsOf(analysis) : [], [], path);
    }
  });
});
