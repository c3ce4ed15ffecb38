/**
 * The numbers of PyTorch: every recorded layer and network, run by every backend. test/oracle/data/README.md says how the
 * records were made.
 */
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import type { Backend } from "#shared/kernels/backend.ts";
import { type Values, valuesOf } from "#shared/kernels/values.ts";
import type { Plain } from "#shared/ops/param.ts";
import { CHANNELS_FIRST } from "#shared/shape/tensor.ts";
import { BACKENDS } from "../engine/backends.ts";
import { distance, EngineModel, tableOf } from "../engine/model.ts";
import { readRecords } from "./torch-model.ts";

interface Packed {
  readonly shape: readonly number[];
  /** float32, little-endian, base64. */
  readonly f32: string;
}

interface NumericRecord {
  readonly id: string;
  readonly layer: string;
  readonly args: Readonly<Record<string, Plain>>;
  readonly tensors: Readonly<Record<string, Packed>>;
  readonly output: Packed;
  readonly unbatched?: boolean;
}

function unpack({ shape, f32 }: Packed): Values {
  const bytes = Buffer.from(f32, "base64");
  return valuesOf(
    shape,
    Float32Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at)),
  );
}

function run({ layer, args, tensors, unbatched }: NumericRecord, backend: Backend): Values {
  const values = Object.fromEntries(Object.entries(tensors).map(([name, packed]) => [`layer.${name}`, unpack(packed)]));
  const model = new EngineModel();
  const input = model.input(values["layer.input"]!, { ...CHANNELS_FIRST, batched: unbatched !== true });
  model.add(layer, args, [input], "layer");
  return model.run(tableOf(values), { backend })[0]!;
}

const more = process.env.TORCH_NUMERIC;
const files = [
  "torch_numeric_1.jsonl.gz",
  "torch_numeric_2.jsonl.gz",
  ...(more === undefined ? [] : [pathToFileURL(more)]),
];

describe("oracle: numbers as PyTorch computes them", () => {
  for (const file of files) {
    const byLayer = new Map<string, NumericRecord[]>();
    for (const record of readRecords<NumericRecord>(file)) {
      byLayer.set(record.layer, [...(byLayer.get(record.layer) ?? []), record]);
    }
    for (const { name, backend, tolerance } of BACKENDS) {
      describe(name, () => {
        for (const [layer, records] of byLayer) {
          it(`${layer}: ${records.length} records`, () => {
            const wrong = records.flatMap((record) => {
              const expected = unpack(record.output);
              const actual = run(record, backend);
              assert.deepEqual(actual.dims, expected.dims, record.id);
              const off = distance(actual.data, expected.data);
              return off <= tolerance ? [] : [`${record.id} ${JSON.stringify(record.args)}: off by ${off}`];
            });
            assert.deepEqual(wrong, []);
          });
        }
      });
    }
  }
});
