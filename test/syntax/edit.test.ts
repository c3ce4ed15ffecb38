/** Edits keep the writer's style: tables of before, what is changed, and after. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  appendItem,
  applyEdits,
  beforeEdits,
  insertBefore,
  isAnchored,
  locate,
  Revision,
  remove,
  type Source,
  setKey,
  setValue,
  type TextEdit,
  wrapWord,
} from "#server/syntax/edit.ts";
import { parse } from "#server/syntax/parse.ts";
import { get, type MapTree, type Tree } from "#server/syntax/tree.ts";
import type { Plain } from "#shared/ops/param.ts";

type Path = readonly (string | number)[];

function at(tree: Tree | null | undefined, path: Path): Tree {
  let found = tree;
  for (const step of path) {
    found = typeof step === "number" ? (found?.kind === "list" ? found.items[step] : undefined) : get(found, step);
  }
  assert.ok(found, `nothing at ${path.join(".")}`);
  return found;
}

function changed(text: string, file: string, edit: (source: Source) => readonly TextEdit[] | null): string | null {
  const parsed = parse(text, file);
  assert.deepEqual(parsed.problems, []);
  const edits = edit({ text, parsed });
  if (!edits) return null;
  const after = applyEdits(text, edits);
  assert.deepEqual(parse(after, file).problems, [], after);
  return after;
}

type Row = readonly [name: string, before: string, path: Path, value: Plain, after: string | null, file?: string];

describe("edits: a value", () => {
  const rows: readonly Row[] = [
    ["plain", "a: 1 # one\n", ["a"], 2, "a: 2 # one\n"],
    ["plain to a word", "a: one\n", ["a"], "two", "a: two\n"],
    ["in single quotes", "a: 'o''ne'\n", ["a"], "it's", "a: 'it''s'\n"],
    ["in double quotes", 'a: "one"\n', ["a"], 'a "b"', 'a: "a \\"b\\""\n'],
    ["a number in quotes becomes one", "a: '8'\n", ["a"], 8, "a: 8\n"],
    ["a word that would be read as something else", "a: one\n", ["a"], "true", 'a: "true"\n'],
    ["a word with blanks", "a: one\n", ["a"], "b c", 'a: "b c"\n'],
    ["Python's booleans", "a: True\nb: 1\n", ["b"], false, "a: True\nb: False\n"],
    ["YAML's booleans", "a: true\nb: 1\n", ["b"], false, "a: true\nb: false\n"],
    ["behind an anchor", "a: &x 1\nb: *x\n", ["a"], 2, "a: &x 2\nb: *x\n"],
    ["behind a tag", "a: !!int 1\n", ["a"], 2, "a: !!int 2\n"],
    ["an absent one", "a:\nb: 1\n", ["a"], 2, "a: 2\nb: 1\n"],
    ["an absent one before a comment", "a: # none\nb: 1\n", ["a"], 2, "a: 2 # none\nb: 1\n"],
    ["a list, item by item", "a: [ 1,2 , 3 ] # x\n", ["a"], [1, 5, 3], "a: [ 1,5 , 3 ] # x\n"],
    ["a list of its own lines", "a:\n- 1 # one\n- 2\n", ["a"], [3, 2], "a:\n- 3 # one\n- 2\n"],
    ["one value for a whole list", "a: [3, 3]\n", ["a"], 5, "a: [5, 5]\n"],
    ["one value for a list of one value", "a: 3\n", ["a"], [5, 5], "a: 5\n"],
    ["a list where there was one value", "a: 3\n", ["a"], [5, 4], "a: [5, 4]\n"],
    ["another length", "a: [3, 3]\n", ["a"], [1], "a: [1]\n"],
    ["another length, not over a comment", "a: [3, # x\n 3]\n", ["a"], [1], null],
    ["a map", "a: 1\n", ["a"], { left: 1, right: 0 }, "a: {left: 1, right: 0}\n"],
    ["block text is left alone", "a: |\n  text\n", ["a"], "other", null],
    ["CRLF", "a: 1\r\nb: 2\r\n", ["a"], 3, "a: 3\r\nb: 2\r\n"],
    ["JSON", '{"a": 1, "b": "x"}', ["b"], "y", '{"a": 1, "b": "y"}', "m.json"],
    ["JSON over lines", '{\n\t"a": [\n\t\t3,\n\t\t3\n\t]\n}', ["a"], 5, '{\n\t"a": [\n\t\t5,\n\t\t5\n\t]\n}', "m.json"],
    ["JSON without blanks", '{"a":1,"b":2}', ["a"], { c: [1, 2] }, '{"a":{"c":[1,2]},"b":2}', "m.json"],
    ["JSON with comments", '{"a": 1 /* one */} // x', ["a"], 2, '{"a": 2 /* one */} // x', "m.jsonc"],
  ];
  for (const [name, before, path, value, after, file = "m.yaml"] of rows) {
    it(name, () => {
      assert.equal(
        changed(before, file, (source) => setValue(source, at(source.parsed.root, path), value)),
        after,
      );
    });
  }
});

describe("edits: a key", () => {
  const rows: readonly (readonly [string, string, Path, string, Plain, string | null, string?])[] = [
    ["in braces", "- {a: 1}\n", [0], "b", 2, "- {a: 1, b: 2}\n"],
    ["in braces with blanks", "- { a: 1, c: 3 }\n", [0], "b", 2, "- { a: 1, c: 3, b: 2 }\n"],
    ["in braces without a blank", "- {a: 1,c: 3}\n", [0], "b", 2, "- {a: 1,c: 3,b: 2}\n"],
    ["in empty braces", "- {}\n", [0], "b", 2, "- {b: 2}\n"],
    [
      "in braces over lines",
      "- {\n    a: 1,\n    c: 3\n  }\n",
      [0],
      "b",
      2,
      "- {\n    a: 1,\n    c: 3,\n    b: 2\n  }\n",
    ],
    ["before a comma at the end", "- {a: 1, }\n", [0], "b", 2, "- {a: 1, b: 2, }\n"],
    ["in a block", "- a: 1\n- c: 2\n", [0], "b", 2, "- a: 1\n  b: 2\n- c: 2\n"],
    [
      "in a block, behind a comment",
      "a: 1\nc: 3 # three\n\n# end\n",
      [],
      "b",
      2,
      "a: 1\nc: 3 # three\nb: 2\n\n# end\n",
    ],
    ["in a block without an end of line", "a: 1", [], "b", 2, "a: 1\nb: 2"],
    [
      "in an indented block",
      "x:\n    - y:\n        a: 1\n",
      ["x", 0, "y"],
      "b",
      2,
      "x:\n    - y:\n        a: 1\n        b: 2\n",
    ],
    ["behind a list", "a:\n- 1\n- 2\n", [], "b", 2, "a:\n- 1\n- 2\nb: 2\n"],
    ["behind an alias", "x: &x 1\ny: {a: *x}\n", ["y"], "b", 2, "x: &x 1\ny: {a: *x, b: 2}\n"],
    ["over an alias", "x: &x 1\ny: {b: *x}\n", ["y"], "b", 2, "x: &x 1\ny: {b: 2}\n"],
    ["over an alias in a block", "x: &x 1\ny:\n  b: *x # x\n", ["y"], "b", 2, "x: &x 1\ny:\n  b: 2 # x\n"],
    [
      "over a merged one",
      "x: &x {b: 1}\ny: {<<: *x, a: 1}\n",
      ["y"],
      "b",
      2,
      "x: &x {b: 1}\ny: {<<: *x, a: 1, b: 2}\n",
    ],
    ["of nothing but a merge", "x: &x {b: 1}\ny:\n  <<: *x\n", ["y"], "b", 2, "x: &x {b: 1}\ny:\n  b: 2\n  <<: *x\n"],
    [
      "of nothing but a merge, in braces",
      "x: &x {b: 1}\ny: {<<: *x}\n",
      ["y"],
      "b",
      2,
      "x: &x {b: 1}\ny: {b: 2, <<: *x}\n",
    ],
    ["that is there", "a: 1\nb: 1 # b\n", [], "b", 2, "a: 1\nb: 2 # b\n"],
    ["quoted as the others", "{'a': 1}\n", [], "b", 2, "{'a': 1, 'b': 2}\n"],
    ["CRLF", "- a: 1\r\n- c: 2\r\n", [0], "b", 2, "- a: 1\r\n  b: 2\r\n- c: 2\r\n"],
    ["in JSON", '{"a": 1}', [], "b", 2, '{"a": 1, "b": 2}', "m.json"],
    ["in JSON without blanks", '{"a":1}', [], "b", 2, '{"a":1,"b":2}', "m.json"],
    ["in JSON indented by tabs", '{\n\t"a": 1\n}\n', [], "b", 2, '{\n\t"a": 1,\n\t"b": 2\n}\n', "m.json"],
    [
      "in JSON over lines",
      '{\r\n  "a" : 1,\r\n  "c" : 3\r\n}',
      [],
      "b",
      "x",
      '{\r\n  "a" : 1,\r\n  "c" : 3,\r\n  "b" : "x"\r\n}',
      "m.json",
    ],
  ];
  for (const [name, before, path, key, value, after, file = "m.yaml"] of rows) {
    it(name, () => {
      assert.equal(
        changed(before, file, (source) => setKey(source, at(source.parsed.root, path) as MapTree, key, value)),
        after,
      );
    });
  }
});

describe("edits: removal", () => {
  const rows: readonly (readonly [string, string, string, string | null, string?])[] = [
    ["first of braces", "{a: 1, b: 2}\n", "a", "{b: 2}\n"],
    ["last of braces", "{a: 1, b: 2} # x\n", "b", "{a: 1} # x\n"],
    ["the only one stays", "{a: 1}\n", "a", null],
    ["a line of a block", "a: 1\nb: 2\nc: 3\n", "b", "a: 1\nc: 3\n"],
    ["the first line of an item", "- a: 1\n  b: 2\n", "a", "- b: 2\n"],
    ["the last line, without an end", "a: 1\nb: 2", "b", "a: 1"],
    ["the last line with CRLF, without an end", "a: 1\r\nb: 2", "b", "a: 1"],
    ["a comment would go along", "a: 1\nb: 2 # two\nc: 3\n", "b", null],
    ["a comment beside it stays", "# one\na: 1\n# two\nb: 2\n", "b", "# one\na: 1\n# two\n"],
    ["an item of a block", "- a\n- b\n- c\n", "b", "- a\n- c\n"],
    ["the first item of a block", "- a\n- b\n", "a", "- b\n"],
    ["an item of a list in a list", "- - a\n  - b\n", "a", null],
    ["an item of brackets", "[a, b, c]\n", "b", "[a, c]\n"],
    ["a nested value", "a:\n  x: 1\n  y: 2\nb: 3\n", "a", "b: 3\n"],
    ["JSON over lines", '{\n  "a": 1,\n  "b": 2\n}', '"b"', '{\n  "a": 1\n}', "m.json"],
    ["beside a merge key", "x: &x {c: 1}\ny: {<<: *x, a: 1, b: 2}\n", "b", "x: &x {c: 1}\ny: {<<: *x, a: 1}\n"],
  ];
  for (const [name, before, word, after, file = "m.yaml"] of rows) {
    it(name, () => {
      const start = before.search(new RegExp(`(?<![&*\\w])${word}(?!\\w)`));
      const range = { start, end: start + word.length };
      assert.equal(
        changed(before, file, (source) => remove(source, locate(source.parsed.root, range)!)),
        after,
      );
    });
  }
});

describe("edits: more", () => {
  it("a bare word becomes a map", () => {
    const wrap = (text: string, file: string) =>
      changed(text, file, (source) => wrapWord(source, at(source.parsed.root, [0]), "type", "bias", true));
    assert.equal(wrap("- ReLU # x\n", "m.yaml"), "- {type: ReLU, bias: true} # x\n");
    assert.equal(wrap('["ReLU"]', "m.json"), '[{"type": "ReLU", "bias": true}]');
  });

  it("an item is put before another, on a line of its own where the others have theirs", () => {
    const insert = (text: string, file: string) =>
      changed(text, file, (source) => {
        const start = text.indexOf("b");
        const quotes = file.endsWith("json") ? 1 : 0;
        const place = locate(source.parsed.root, { start: start - quotes, end: start + 1 + quotes });
        return insertBefore(source, place!, file.endsWith("json") ? { c: 1 } : "c");
      });
    assert.equal(insert("x:\n  - a\n  - b # b\n", "m.yaml"), "x:\n  - a\n  - c\n  - b # b\n");
    assert.equal(insert("- a\r\n- b\r\n", "m.yaml"), "- a\r\n- c\r\n- b\r\n");
    assert.equal(insert("[a, b]\n", "m.yaml"), "[a, c, b]\n");
    assert.equal(insert("- - b\n", "m.yaml"), null);
    assert.equal(insert('[\n\t"a",\n\t"b"\n]', "m.json"), '[\n\t"a",\n\t{"c": 1},\n\t"b"\n]');
  });

  it("an item is appended to brackets", () => {
    const append = (text: string) =>
      changed(text, "m.yaml", (source) => appendItem(source, at(source.parsed.root, ["a"]), "None"));
    assert.equal(append("a: [1, 2] # x\n"), "a: [1, 2, None] # x\n");
    assert.equal(append("a: []\n"), "a: [None]\n");
    assert.equal(append("a:\n- 1\n"), null);
  });

  it("what stands behind an anchor is known", () => {
    const text = "a: &x {b: 1}\nc: *x\nd: {b: 1}\n";
    const source = { text, parsed: parse(text, "m.yaml") };
    const value = (from: number) => ({ start: text.indexOf("1", from), end: text.indexOf("1", from) + 1 });
    assert.equal(isAnchored(source, value(0)), true);
    assert.equal(isAnchored(source, value(text.indexOf("d:"))), false);
  });

  const edit = (length: number) =>
    fc
      .tuple(fc.nat({ max: length }), fc.nat({ max: 4 }), fc.string({ maxLength: 4 }))
      .map(([start, span, newText]): TextEdit => ({ range: { start, end: Math.min(length, start + span) }, newText }));

  it("edits one after the other are edits of the first text", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 30 }),
        fc.infiniteStream(fc.nat()),
        fc.nat({ max: 6 }),
        (text, numbers, steps) => {
          const revision = new Revision(text);
          let now = text;
          for (let step = 0; step < steps; step++) {
            const [start, span, letter] = [numbers.next().value!, numbers.next().value!, numbers.next().value!];
            const from = start % (now.length + 1);
            const range = { start: from, end: Math.min(now.length, from + (span % 4)) };
            const edits = [{ range, newText: String(letter % 100) }];
            now = applyEdits(now, edits);
            revision.apply(edits);
          }
          assert.equal(revision.text, now);
          assert.equal(applyEdits(text, revision.edits), now);
        },
      ),
    );
  });

  it("an offset after edits is known before them", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 5, maxLength: 30 }).chain((text) => fc.tuple(fc.constant(text), edit(text.length))),
        ([text, one]) => {
          const after = applyEdits(text, [one]);
          for (let offset = 0; offset < text.length; offset++) {
            if (offset >= one.range.start && offset < one.range.end) continue;
            const moved = offset < one.range.start ? offset : offset + after.length - text.length;
            assert.equal(beforeEdits(moved, [one]), offset);
          }
        },
      ),
    );
  });
});
