/** A model of any format with any value in the place of any other: an answer, never a throw. */
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { type Analysis, analyse } from "#server/analysis.ts";
import { hover } from "#server/features/hover.ts";
import { hintTooltip, inlayHints } from "#server/features/inlayHints.ts";
import { parse } from "#server/syntax/parse.ts";
import { plain } from "#server/syntax/tree.ts";
import type { Plain } from "#shared/ops/param.ts";
import { readRecords } from "../oracle/torch-model.ts";

interface Model {
  readonly path: string;
  readonly value: Plain;
}

const examples = new URL("../../examples/", import.meta.url);
const native = readdirSync(examples)
  .filter((name) => name.endsWith(".cnn.yaml"))
  .map((name): Model => ({ path: name.replace(".yaml", ".json"), value: read(name, new URL(name, examples)) }));
const yolo = readRecords<{ file: string; text: string }>(
  new URL("../oracle/data/yolo/generated.jsonl.gz", import.meta.url),
)
  .slice(0, 40)
  .map(({ file, text }): Model => ({ path: file, value: plain(parse(text, file).root!) }));
const keras = readRecords<{ model: Plain }>(new URL("../oracle/data/keras/models.jsonl.gz", import.meta.url))
  .slice(0, 40)
  .map(({ model }): Model => ({ path: "model.json", value: model }));

function read(name: string, place: URL): Plain {
  return plain(parse(readFileSync(place, "utf8"), name).root!);
}

/** A value with another at a path that random numbers choose, one per level; it goes down as far as they last. */
function replaced(value: Plain, steps: readonly number[], other: Plain): Plain {
  const [step, ...rest] = steps;
  if (step === undefined || value === null || typeof value !== "object") return other;
  const keys = Object.keys(value);
  const key = keys[Math.floor(step * keys.length)];
  if (key === undefined) return other;
  const inner = replaced((value as Record<string, Plain>)[key] as Plain, rest, other);
  return Array.isArray(value) ? value.with(Number(key), inner) : { ...value, [key]: inner };
}

const word = fc.constantFrom(
  "",
  "a",
  "-1",
  "Conv2d",
  "ReLU",
  "Add",
  "same",
  "N",
  "None",
  "input",
  "\u0024{x}",
  "__proto__",
  "constructor",
  "3x3",
  "nn.ReLU",
  "channels_last",
  "Functional",
  "layers.0",
  "1e9",
);
const number = fc.constantFrom(-1, 0, 1, 2, 3, 7, 0.5, -2, 1e9, 2 ** 53, 1e308, -1e308);
const leaf: fc.Arbitrary<Plain> = fc.oneof(word, number, fc.boolean(), fc.constant(null));
const other: fc.Arbitrary<Plain> = fc.oneof(
  { weight: 3, arbitrary: leaf },
  fc.array(leaf, { maxLength: 4 }),
  fc.dictionary(word, leaf, { maxKeys: 3 }),
  fc.array(fc.array(leaf, { maxLength: 3 }), { maxLength: 3 }),
  fc.constantFrom<Plain>({ type: "ReLU" }, [{ type: {} }], { class_name: "Dense", config: {} }, [
    -1,
    1,
    "Conv",
    [64, 3],
  ]),
);
const change = fc.record({
  steps: fc.array(fc.double({ min: 0, max: 0.999999, noNaN: true }), { maxLength: 7 }),
  other,
});

/** Asks for everything that is made of an analysis. */
function use(analysis: Analysis | null): void {
  if (!analysis) return;
  const end = analysis.text.length;
  const kinds = { size: true, parameters: true, receptiveField: true, maximumLength: 40 };
  for (const hint of inlayHints(analysis, kinds, { start: 0, end })) hintTooltip(analysis, hint);
  for (let at = 0; at < end; at += 1 + (end >> 4)) hover(analysis, at);
}

describe("any values", () => {
  for (const [format, models] of Object.entries({ native, yolo, keras })) {
    it(`in a ${format} model are answered for`, () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...models),
          fc.array(change, { minLength: 1, maxLength: 3 }),
          ({ path, value }, all) => {
            const changed = all.reduce((current, { steps, other }) => replaced(current, steps, other), value);
            use(analyse(JSON.stringify(changed), path));
          },
        ),
        { numRuns: 100 },
      );
    });
  }
});
