/** Every rule keeps its promises: its examples, its page, its links. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { analyse } from "#server/analysis.ts";
import { docsUrl, rules } from "#server/rules/index.ts";
import { editDistance, nearest } from "#server/rules/nearest.ts";
import { examplesOf, pages } from "#server/rules/pages.ts";
import type { Rule } from "#server/rules/rule.ts";
import type { FindingCode } from "#shared/ops/finding.ts";
import { outdatedPages } from "../scripts/rule-docs.ts";
import { fencesOf, pathOf, stripped } from "./harness/literate.ts";
import { readRecords } from "./oracle/torch-model.ts";

const all = Object.entries(rules) as [string, Rule<any>][];

function diagnosticsOf(text: string, file: string, dialect: string, code: string) {
  const rule: Rule<any> = rules[code as FindingCode];
  const analysis = analyse(text, file, {
    rules: rule.optional ? { [code]: pages[code as FindingCode].setting ?? {} } : {},
  });
  assert.ok(analysis, "an example is a model");
  assert.equal(analysis.dialect.name, dialect);
  return analysis.diagnostics;
}

/** The texts of the specs, and the models of the oracles' records. */
function* knownTexts(): Generator<readonly [text: string, path: string]> {
  const specs = new URL("./spec/", import.meta.url);
  for (const name of readdirSync(specs, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".md")) continue;
    for (const fence of fencesOf(readFileSync(new URL(name, specs), "utf8"))) {
      yield [stripped(fence.body), pathOf(fence)];
    }
  }
  const records = (name: string) => new URL(`./oracle/data/${name}.jsonl.gz`, import.meta.url);
  // The applications are large and give nothing that the small models do not.
  for (const { id, model } of readRecords<{ id: string; model: object }>(records("keras/models"))) {
    if (/[05]$/.test(id)) yield [JSON.stringify(model), "model.json"];
  }
  for (const { text, file } of readRecords<{ text: string; file: string }>(records("yolo/generated")))
    yield [text, file];
}

describe("rules", () => {
  for (const [code, rule] of all) {
    describe(code, () => {
      it("stands under its own code and links to its page", () => {
        assert.equal(rule.code, code);
        assert.match(docsUrl(rule.code as FindingCode), new RegExp(`/docs/rules/${code}\\.md$`));
      });
      for (const { dialect, file, bad, marks, good } of examplesOf(pages[code as FindingCode])) {
        it(`${dialect}: finds what is marked in the bad example, and nothing else`, () => {
          const found = diagnosticsOf(bad, file, dialect, code);
          assert.deepEqual(
            found.map(({ code, range }) => [code, bad.slice(range.start, range.end), range]),
            marks.map((range) => [code, bad.slice(range.start, range.end), range]),
          );
          assert.ok(marks.length > 0, "something is marked");
          for (const { range, message, related } of found) {
            for (const { start, end } of [range, ...related.map((place) => place.range)]) {
              assert.ok(start >= 0 && start < end && end <= bad.length, `range [${start}, ${end})`);
            }
            assert.doesNotMatch(message, /undefined|NaN|\[object|null/);
            assert.match(message, /[.?]\)?$/);
          }
        });
        it(`${dialect}: finds nothing at all in the good example`, () => {
          assert.deepEqual(diagnosticsOf(good, file, dialect, code), []);
        });
      }
    });
  }
  it("have an example in every dialect in which any text of the tests gives them", () => {
    const settings = Object.fromEntries(all.map(([code]) => [code, pages[code as FindingCode].setting ?? {}]));
    const without = new Set<string>();
    for (const [text, path] of knownTexts()) {
      const analysis = analyse(text, path, { rules: settings, targets: ["pytorch", "tensorflow", "onnx"] });
      for (const { code } of analysis?.diagnostics ?? []) {
        if (!pages[code].examples[analysis!.dialect.name]) without.add(`${code} in ${analysis!.dialect.name}`);
      }
    }
    assert.deepEqual([...without], []);
  }).timeout(60_000);
  it("have their pages in docs/rules, up to date", () => assert.deepEqual(outdatedPages(), []));
});

describe("did you mean", () => {
  it("finds slips of the finger", () => {
    const candidates = ["kernel_size", "stride", "padding", "in_channels", "out_channels"];
    assert.equal(nearest("kernal_size", candidates), "kernel_size");
    assert.equal(nearest("kernelsize", candidates), "kernel_size");
    assert.equal(nearest("strdie", candidates), "stride");
    assert.equal(nearest("outchannels", candidates), "out_channels");
    assert.equal(nearest("relu", ["ELU", "ReLU", "GELU"]), "ReLU");
  });
  it("stays silent where nothing is close", () => {
    assert.equal(nearest("x", ["a", "b"]), null);
    assert.equal(nearest("", ["a"]), null);
    assert.equal(nearest("dropout", ["kernel_size", "stride"]), null);
    assert.equal(nearest("a".repeat(1e6), ["a"]), null);
  });
  it("measures edits: symmetric, zero only for equals, at most the longer length, one for a swap", () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const distance = editDistance(a, b);
        assert.equal(distance, editDistance(b, a));
        assert.equal(distance === 0, a === b);
        assert.ok(distance <= Math.max(a.length, b.length) && distance >= Math.abs(a.length - b.length));
      }),
    );
    assert.equal(editDistance("stride", "strdie"), 1);
  });
});
