/** YAML that is not right yet: the layers before and after a half-typed line keep their values. */
import assert from "node:assert/strict";
import { parse } from "#server/syntax/parse.ts";
import { problemsOf, valuesOf } from "./show.ts";

/** What is typed, what it is read as, and the text that is marked; null where the layer is dropped. */
const halfTyped: [string, string | null, string][] = [
  ["{type: Conv2d, kernel_size: 3", "{type:Conv2d,kernel_size:3}", "{"],
  ["{type: Conv2d, kernel_size: 3 # why", "{type:Conv2d,kernel_size:3}", "{"],
  ["{type: Conv2d, kernel_size:", "{type:Conv2d,kernel_size:null}", "{"],
  ["{type: Conv2d, ker", "{type:Conv2d,ker:null}", "{"],
  ["{type: Conv2d, kernel_size: [3, 3}", "{type:Conv2d,kernel_size:[3,3]}", "["],
  ["{type: Conv2d, kernel_size: [3, 3}, padding: 1}", "{type:Conv2d,kernel_size:[3,3]}", ""],
  ["{type: Conv2d kernel_size: 3}", "{type:Conv2d,kernel_size:3}", "kernel_size"],
  ["{type: Conv2d\n    kernel_size: 3}", "{type:Conv2d,kernel_size:3}", "kernel_size"],
  ["{type: Conv2d, kernel_size: 3: 1}", "{type:Conv2d,kernel_size:3: 1}", "3:"],
  ["{type: Conv2d, kernel_size: |3}", "{type:Conv2d,kernel_size:|3}", "|"],
  ["{type: 'Conv2d'x, padding: 1}", "{type:Conv2d,padding:1}", "x"],
  ["{", "{}", "{"],
  ["[", "[]", "["],
  ["{type: 'Conv2d, kernel_size: 3}", "{type:Conv2d,kernel_size:3}", "'"],
  ["'ReLU", "ReLU", "'"],
  ['"ReLU', "ReLU", '"'],
  ["type: Conv2d\n    ker", "{type:Conv2d,ker:null}", "ker"],
  ["type: Conv2d\n    ker # c\n    padding: 1", "{type:Conv2d,ker:null,padding:1}", "ker"],
  ["type: Conv2d\n    ker\n    padding: 1", "{type:Conv2d,ker:null,padding:1}", "ker"],
  ["type: Conv2d\n    kernel_size: [1, 2\n    padding: 1", "{type:Conv2d,kernel_size:[1,2],padding:1}", "["],
  [
    "type: Conv2d\n    kernel_size: {top: 1,\n      left: 2\n    padding: 1",
    "{type:Conv2d,kernel_size:{top:1,left:2},padding:1}",
    "{",
  ],
  ["type: Conv2d\n\tpadding: 1", "{type:Conv2d}", "\t"],
  ["type: Conv2d\n  padding: 1", "{type:Conv2d}", "padding: 1"],
  ["{type: Conv2d, kernel_size: 3}}", "{type:Conv2d,kernel_size:3}", "}"],
  ["]", "null", "]"],
  [`{type: Conv2d, out_channels: \${c}, padding: 1}`, `{type:Conv2d,out_channels:\${c},padding:1}`, `\${c}`],
  ["{type: Conv2d, , padding: 1}", "{type:Conv2d,padding:1}", ","],
  ["type: Conv2d\n       padding: 1", "{type:Conv2d}", "padding: 1"],
  ["type: Conv2d\n    padding:1", "{type:Conv2d,padding:1}", ":"],
  ["'type':Conv2d", "{type:Conv2d}", ":"],
  ["type: Conv2d: 3: 4 # c", "{type:Conv2d: 3: 4}", "Conv2d:"],
  ["type: 'Conv2d' x: 3 # c", "{type:Conv2d}", "x: 3"],
  ["type: - Conv2d", "{type:null}", "- Conv2d"],
  ["{type: Conv2d} {type: ReLU}", "{type:Conv2d}", "{type: ReLU}"],
  ["|x", "", "x"],
  ["&a &b x", "x", "&b"],
  ["!a!b x", "x", "!a!b"],
  ["@ {type: Conv2d}", "{type:Conv2d}", "@"],
  ["@x", "@x", "@"],
  ["%x", "%x", "%"],
  ['"\\q"', "\\\\q", "\\"],
  ["a\u0001b", "a\uFFFDb", "\u0001"],
  ["a\0b", "a\uFFFDb", "\0"],
  ["a\uD800b", "a\uFFFDb", "\uD800"],
  ["*nobody", "null", "*nobody"],
];

describe("half-typed YAML", () => {
  for (const [typed, read, marked] of halfTyped) {
    for (const newline of ["\n", "\r\n"]) {
      it(`keeps the layers around ${JSON.stringify(typed)}${newline === "\n" ? "" : " with CRLF"}`, () => {
        const lines = `cnn: 1\nlayers:\n  - {type: ReLU}\n  - ${typed}\n  - {type: Linear, n: 10}\nname: "😀"\n`;
        const text = lines.replaceAll("\n", newline);
        const told = problemsOf(text);
        assert.equal(valuesOf(text), `{cnn:1,layers:[{type:ReLU},${read},{type:Linear,n:10}],name:😀}`);
        if (marked !== "") assert.deepEqual(told, [`syntax at ${JSON.stringify(marked)}`]);
        else assert.equal(told.length, 1);
      });
    }
  }

  it("keeps the places of what follows a mend", () => {
    const text = "a:\n  - {x: 'y\n  - z # c\nb: &n 2\nb: *n\n";
    const { root, problems, comments } = parse(text, "a.yaml");
    assert.ok(root?.kind === "map");
    const own = ({ start, end }: { start: number; end: number }) => text.slice(start, end);
    assert.deepEqual(
      root.entries.map(({ key, value }) => [own(key.range), own(value.range)]),
      [
        ["a", "- {x: 'y\n  - z"],
        ["b", "2"],
        ["b", "2"],
      ],
    );
    assert.deepEqual(
      comments.map(({ range }) => own(range)),
      ["# c"],
    );
    assert.deepEqual(
      problems.map(({ range, first }) => [own(range), first?.start]),
      [
        ["{", undefined],
        ["b", text.indexOf("b")],
      ],
    );
  });

  it("keeps everything where a line is typed above all others", () => {
    for (const line of ["typed", "# c\n'typed'", "@typed"]) {
      const text = `${line}\n# head\na: 1\nb: [2]\n`;
      assert.match(valuesOf(text), /^\{(typed:null,)?a:1,b:\[2\]\}$/);
      assert.equal(problemsOf(text).length, 1);
    }
  });

  it("keeps what stands before where there is too much to mend", () => {
    const text = `a: 1\nb: 2\n${"- d: e: f\n  }\n".repeat(50)}`;
    const { root, problems } = parse(text, "a.yaml");
    assert.equal(root?.kind === "map" && root.entries[0]?.value.kind === "scalar" && root.entries[0].value.value, 1);
    assert.match(problems.at(-1)!.message, /not YAML from here on/);
  });

  it("takes what loaders take: brackets at any column, tabs between values", () => {
    for (const text of ["a:\n  b: [\n1,\n  2\n]\nc: 3\n", "a:\n  b:\t[1,\t2]\nc: 3\n"])
      assert.deepEqual([valuesOf(text), problemsOf(text)], ["{a:{b:[1,2]},c:3}", []]);
    const text = "layers:\n  - {type: Conv2d, kernel_size:\n3, padding: 1}\n  - ReLU\n";
    assert.deepEqual([valuesOf(text), problemsOf(text)], ["{layers:[{type:Conv2d,kernel_size:3,padding:1},ReLU]}", []]);
  });

  it("takes tabs for spaces where a file is indented by tabs alone", () => {
    const text = "layers:\n\t- type: A\n\t  n: 1\n\t- B\n";
    assert.deepEqual([valuesOf(text), problemsOf(text)], ["{layers:[{type:A,n:1},B]}", ['syntax at "\\t"']]);
  });

  it("says in plain words what to do", () => {
    const messages: [string, RegExp][] = [
      ["a: [1\nb: 2\n", /^this \[ is never closed; add \]$/],
      ["a: 'x\nb: 2\n", /^this ' is never closed; add '$/],
      ["a: 1\nb\n", /colon and a value are missing.*add/],
      ["a:\n\tb: 1\n", /spaces only; replace this tab/],
      ["a: 1]\n- b", /./],
      ["a: b: c\n", /line of its own/],
      ["a: {b: 1 c: 2}\n", /comma is missing/],
    ];
    for (const [text, message] of messages)
      assert.match(parse(text, "a.yaml").problems[0]?.message ?? "", message, text);
  });

  it("tells one problem per mistake, in text order", () => {
    const text = "a:\n  - {x: 1\n  - ok\n  - 'y\n  - z]\n  - {w: 2}\n";
    assert.deepEqual(
      [valuesOf(text), problemsOf(text)],
      ["{a:[{x:1},ok,y,z],{w:2}]}", ['syntax at "{"', 'syntax at "\'"']],
    );
  });

  it("ends soon on texts that are nothing", () => {
    const parts = [
      "]",
      "}",
      ",",
      ": ",
      "? ",
      "&a ",
      "*a ",
      "!a\n",
      "'",
      '"',
      "---\n",
      "\uFEFF\n",
      "a: b: c\n",
      "\ta: b\n",
      "\0",
      " #",
      "{\n",
      "|\n",
    ];
    for (const part of parts) {
      const text = `x\n${part.repeat(5000)}`;
      const { root } = parse(text, "a.yaml");
      assert.ok(root === null || root.range.end <= text.length, JSON.stringify(part));
    }
  });
});
