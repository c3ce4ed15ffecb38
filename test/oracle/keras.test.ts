/**
 * Every layer and model that Keras answered for: its very sizes and weights, or an error on the layer that it refuses.
 * test/oracle/data/keras/README.md says how the records were made.
 */
import assert from "node:assert/strict";
import { type Analysis, analyse } from "#server/analysis.ts";
import type { Layer } from "#shared/graph/graph.ts";
import { layerOutputs } from "#shared/graph/infer.ts";
import { readRecords } from "./torch-model.ts";

type Shape = readonly (number | null)[];

interface LayerRecord {
  readonly id: string;
  readonly class_name: string;
  readonly kwargs: object;
  readonly config?: object;
  readonly input: Shape | readonly Shape[];
  readonly ok: boolean;
  readonly output?: Shape;
  readonly params?: number;
}

interface ModelRecord {
  readonly id: string;
  readonly model: object;
  readonly fail: { readonly layer: string } | null;
  readonly layers: readonly { name: string; cls: string; output: Shape; params: number }[] | null;
}

/** A model of layers that are in no random model, with every output of each. */
interface OtherRecord {
  readonly id: string;
  readonly model: object;
  readonly layers: readonly { name: string; cls: string; outputs: Shape[]; params: number }[];
}

const data = (name: string) => new URL(`data/keras/${name}.jsonl.gz`, import.meta.url);

/** The layers that ConvLint says an error about. */
function refused(analysis: Analysis): (string | null)[] {
  const errors = analysis.diagnostics.filter(({ severity }) => severity === "error");
  return errors.map(({ layer }) => (layer === null ? null : analysis.graph.layers[layer]!.name));
}

/** `[null,28,28,6] 156`: a layer's first output, and all its weights. */
function said({ report }: Analysis, layer: Layer): string {
  const [ref] = layer.outputs;
  const output = ref ? report.nodes[ref.node]?.outputs[ref.output] : undefined;
  const nodes = report.nodes.slice(layer.nodes.first, layer.nodes.end);
  const weights = nodes.reduce((sum, { cost }) => sum + Number(cost.params) + Number(cost.buffers), 0);
  return `${JSON.stringify(output?.dims.map((size) => (typeof size === "number" ? size : null)))} ${weights}`;
}

/** A model of one layer, with an input for each shape. */
function around(record: LayerRecord): string {
  const shapes = (Array.isArray(record.input[0]) ? record.input : [record.input]) as readonly Shape[];
  const inputs = shapes.map((shape, index) => ({
    class_name: "InputLayer",
    name: `input_${index}`,
    config: { name: `input_${index}`, batch_input_shape: shape },
    inbound_nodes: [],
  }));
  const layer = {
    class_name: record.class_name,
    name: "layer",
    config: { ...(record.config ?? record.kwargs), name: "layer" },
    inbound_nodes: [inputs.map(({ name }) => [name, 0, 0, {}])],
  };
  const config = { layers: [...inputs, layer], output_layers: [["layer", 0, 0]] };
  return JSON.stringify({ class_name: "Functional", config });
}

describe("oracle: Keras layers", () => {
  const byClass = new Map<string, LayerRecord[]>();
  for (const record of readRecords<LayerRecord>(data("layers"))) {
    byClass.set(record.class_name, [...(byClass.get(record.class_name) ?? []), record]);
  }
  for (const [name, records] of byClass) {
    it(`${name}: ${records.length} records`, () => {
      const wrong: string[] = [];
      for (const record of records) {
        const analysis = analyse(around(record), "model.json");
        assert.ok(analysis, record.id);
        const errors = refused(analysis);
        const ours = errors.length > 0 ? "refused" : said(analysis, analysis.graph.layers.at(-1)!);
        const truth = record.ok ? `${JSON.stringify(record.output)} ${record.params}` : "refused";
        if (ours !== truth) wrong.push(`${record.id} ${JSON.stringify(record.kwargs)}: ${truth}, not ${ours}`);
        if (errors.some((layer) => layer !== "layer")) wrong.push(`${record.id}: an error elsewhere`);
      }
      assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} of ${records.length}`);
    });
  }
});

describe("oracle: Keras models", () => {
  const byKind = new Map<string, ModelRecord[]>();
  for (const record of readRecords<ModelRecord>(data("models"))) {
    const kind = record.id.startsWith("apps/") ? record.id : record.id.split("/")[0]!;
    byKind.set(kind, [...(byKind.get(kind) ?? []), record]);
  }
  for (const [kind, records] of byKind) {
    it(`${kind}: ${records.length} model${records.length === 1 ? "" : "s"}`, () => {
      for (const { id, model, fail, layers } of records) {
        const analysis = analyse(JSON.stringify(model), "model.json");
        assert.ok(analysis, id);
        if (fail) {
          const errors = refused(analysis);
          assert.ok(errors.length > 0, `${id}: no error on ${fail.layer}`);
          assert.deepEqual([...new Set(errors)], [fail.layer], id);
          continue;
        }
        assert.deepEqual(refused(analysis), [], id);
        const ours = new Map(analysis.graph.layers.map((layer) => [layer.name, said(analysis, layer)]));
        for (const { name, cls, output, params } of layers!) {
          // Keras adds the input layer that an old file leaves to its first layer.
          if (cls === "InputLayer" && !ours.has(name)) continue;
          assert.equal(ours.get(name), `${JSON.stringify(output)} ${params}`, `${id}: ${name}`);
        }
      }
    });
  }
});

/** All outputs of a layer, and its weights, in the words of `OtherRecord`. */
function allSaid({ report }: Analysis, layer: Layer) {
  const outputs = layerOutputs(layer, report).map(
    (output) => output?.dims.map((size) => (typeof size === "number" ? size : null)) ?? null,
  );
  const nodes = report.nodes.slice(layer.nodes.first, layer.nodes.end);
  return { outputs, params: nodes.reduce((sum, { cost }) => sum + Number(cost.params) + Number(cost.buffers), 0) };
}

describe("oracle: other Keras layers, and functions between layers", () => {
  for (const { id, model, layers } of readRecords<OtherRecord>(data("others"))) {
    it(id, () => {
      const analysis = analyse(JSON.stringify(model), "model.json");
      assert.ok(analysis);
      const said = analysis.diagnostics.filter(({ severity, code }) => severity === "error" || code === "opaque-layer");
      assert.deepEqual(
        said.map(({ message }) => message),
        [],
      );
      const own = analysis.graph.layers.filter(({ depth }) => depth === 0);
      const ours = new Map(own.map((layer) => [layer.name, allSaid(analysis, layer)]));
      for (const { name, outputs, params } of layers) assert.deepEqual(ours.get(name), { outputs, params }, name);
    });
  }
});
