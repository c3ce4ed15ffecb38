/** Any text: an answer, never a throw; and every place it speaks of is a real, visible place of the text. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { type Analysis, analyse } from "#server/analysis.ts";

const folder = new URL("../../examples/", import.meta.url);
const examples = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => readFileSync(new URL(name, folder), "utf8"));

/** What a hand or a hostile program might put in. */
const insert = fc.oneof(
  fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ":",
    ", ",
    "- ",
    "\n",
    "\t",
    "\r\n",
    '"',
    "'",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "!!",
    "|",
    ">",
    "---\n",
    "\uFEFF",
    "\uD83D",
    "🧠",
    "\0",
  ),
  fc.constantFrom(
    "null",
    "-1",
    "0",
    "1e308",
    ".nan",
    "9007199254740993",
    "\u0024{x}",
    "\u0024{",
    "true",
    "Conv2d",
    "from: -1",
    "repeat: 99999999",
    "type: a",
    "layers: 3",
  ),
  fc.string({ maxLength: 6, unit: "binary" }),
);

const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), remove: fc.nat({ max: 40 }), insert });

const edited = fc
  .record({
    example: fc.constantFrom(...examples),
    edits: fc.array(edit, { minLength: 1, maxLength: 4 }),
    cut: fc.boolean(),
  })
  .map(({ example, edits, cut }) => {
    let text = example;
    for (const { at, remove, insert } of edits) {
      const start = Math.floor(at * text.length);
      text = text.slice(0, start) + insert + (cut ? "" : text.slice(start + remove));
    }
    return text;
  });

function check(analysis: Analysis | null, text: string): void {
  for (const { range, message, related, layer } of analysis?.diagnostics ?? []) {
    for (const { start, end } of [range, ...related.map((place) => place.range)]) {
      assert.ok(
        Number.isInteger(start) && start >= 0 && start < end && end <= text.length,
        `[${start}, ${end}) ${message}`,
      );
    }
    assert.ok(message.length > 0);
    assert.ok(layer === null || analysis?.graph.layers[layer]);
  }
  for (const { range, hintAt } of analysis?.graph.layers ?? []) {
    assert.ok(range.start >= 0 && range.end <= text.length && hintAt >= 0 && hintAt <= text.length);
  }
}

describe("any text", () => {
  it("an edited example keeps every place inside the text", () => {
    fc.assert(
      fc.property(edited, (text) => check(analyse(text, "model.cnn.yaml"), text)),
      { numRuns: 250 },
    );
  });
  it("so does anything else, as YAML and as JSON", () => {
    const anything = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.json(),
      fc.array(insert).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(anything, fc.constantFrom("model.cnn.yaml", "model.cnn.json"), (text, path) =>
        check(analyse(text, path), text),
      ),
      { numRuns: 600 },
    );
  });
});
