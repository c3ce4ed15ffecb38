/** JSON with comments: values, places, and what a half-typed text keeps. */
import assert from "node:assert/strict";
import { parse } from "#server/syntax/parse.ts";
import { places, problems, values } from "./show.ts";

/** Text, what is read, and the marked texts. */
const cases: [string, string, string[]][] = [
  ['{"a": [1, -2.5e3, true, null, "x\\u0041\\n"]}', "{a:[1,-2500,true,null,xA\\n]}", []],
  ["[NaN, Infinity, -Infinity]", "[<NaN>,<Infinity>,<-Infinity>]", []],
  ["\uFEFF{}", "{}", []],
  ["", "nothing", []],
  [" \r\n\t", "nothing", []],
  ['"a"', "a", []],
  ['// c\n{"a" /* d */: 1}', "{a:1}", []],
  ['{"<<": {"a": 1}}', "{<<:{a:1}}", []],
  ['{"a": 1,}', "{a:1}", [","]],
  ["[1,]", "[1]", [","]],
  ["[1,,2]", "[1,2]", [","]],
  ["[,1]", "[1]", [","]],
  ["[1 2]", "[1,2]", ["2"]],
  ['{"a": 1 "b": 2}', "{a:1,b:2}", ['"b"']],
  ['{"a" 1}', "{a:1}", ['"a"']],
  ['{"a"}', "{a:null}", ['"a"']],
  ['{"a":}', "{a:null}", [":"]],
  ['{"a":, "b": 1}', "{a:null,b:1}", [":"]],
  ['{"a":: 1}', "{a:1}", [":"]],
  ["{a: 1}", "{a:1}", ["a"]],
  ["{'a': 1}", "{a:1}", ["'a'"]],
  ['{"a": None, "b":\nTrue, "c":\nword}', "{a:null,b:true,c:word}", ["None", "True", "word"]],
  ["[.5,\n+1,\n1.,\n01]", "[0.5,1,1,0,1]", [".5", "+1", "1.", "1"]],
  ['{"a": "x\n, "b": 1}', "{a:x,b:1}", ['"']],
  ['["\\q"]', "[]", ['"\\q"']],
  ["/* x", "nothing", ["/*"]],
  ["{} x", "{}", ["x"]],
  ["[1]]", "[1]", ["]"]],
  ["}", "nothing", ["}"]],
  [":", "nothing", [":"]],
  ["[", "[]", ["["]],
  ['{"a": [1, {"b": 2', "{a:[1,{b:2}]}", ["{"]],
  ['{"a": [1, 2}', "{a:[1,2]}", ["["]],
  ['{{"a": 1}, "b": 3}', "{b:3}", ["{"]],
  ['{"a": 1, "a": 2}', "{a:2}", ['"a"']],
];

/** The middle layer as it is typed, and what is read of it. */
const halfTyped: [string, string, string][] = [
  ['{"type": "Conv", "k": 3,', "{type:Conv,k:3}", "{"],
  ['{"type": "Conv", "k": 3', "{type:Conv,k:3}", "{"],
  ['{"type": "Conv", "k":},', "{type:Conv,k:null}", ":"],
  ['{"type": "Conv", "k"},', "{type:Conv,k:null}", '"k"'],
  ['{"type": "Conv", k: 3},', "{type:Conv,k:3}", "k"],
  ['{"type": "Conv,\n"k": 3},', "{type:Conv,,k:3}", '"'],
  ['{"type":\n"k": 3},', "{type:null,k:3}", ":"],
  ['{"type"\n"k": 3},', "{type:null,k:3}", '"type"'],
  ['{"type": "Conv", "k": [1, 2},', "{type:Conv,k:[1,2]}", "["],
  ['{"type": "Conv"}', "{type:Conv}", "{"],
  ["word,", "word", "word"],
];

describe("JSON", () => {
  for (const [text, expected, marked] of cases) {
    it(`reads ${JSON.stringify(text)}`, () => {
      const parsed = parse(text, "a.json");
      assert.equal(parsed.language, "json");
      const told = parsed.problems.map(({ range }) => text.slice(range.start, range.end));
      assert.deepEqual([values(parsed.root), told], [expected, marked]);
    });
  }

  for (const [typed, read, marked] of halfTyped) {
    it(`keeps the layers around ${JSON.stringify(typed)}`, () => {
      const text = `{"layers": [\n{"type": "A"},\n${typed}\n{"type": "B"}\n], "name": "x"}`;
      const parsed = parse(text, "a.cnn.json");
      assert.equal(values(parsed.root), `{layers:[{type:A},${read},{type:B}],name:x}`);
      assert.deepEqual(problems(text, parsed), [`syntax at ${JSON.stringify(marked)}`]);
    });
  }

  it("gives every node its own text as its range", () => {
    const text = '{"a": [ 1, {"😀": "x y"} ], /* c */ "b" : -Infinity, "c": null}';
    assert.deepEqual(places(text, parse(text, "a.json").root).slice(1), [
      ...['"a"', '[ 1, {"😀": "x y"} ]', "1", '{"😀": "x y"}', '"😀"', '"x y"'],
      ...['"b"', "-Infinity", '"c"', "null"],
    ]);
  });

  it("allows a trailing comma in .jsonc, and only there", () => {
    const text = '{"a": [1,],}';
    assert.deepEqual(parse(text, "a.jsonc").problems, []);
    assert.equal(parse(text, "a.json").problems.length, 1);
    assert.equal(parse(text, "A.JSON").problems.length, 1);
  });

  it("collects comments", () => {
    const text = '// one\n{"a": "// no" /* two */, // three\r\n"b": "/* no */"}//four';
    const { comments } = parse(text, "a.json");
    assert.deepEqual(
      comments.map(({ text }) => text),
      ["one", "two", "three", "four"],
    );
    assert.deepEqual(
      comments.map(({ range }) => text.slice(range.start, range.end)),
      ["// one", "/* two */", "// three", "//four"],
    );
  });

  it("tells where a duplicate key stood first", () => {
    const text = '{"a": 1, "b": 2, "a": 3}';
    assert.deepEqual(
      parse(text, "a.json").problems.map(({ code, range, first }) => [code, range.start, first]),
      [["duplicate-key", text.lastIndexOf('"a"'), { start: 1, end: 4 }]],
    );
  });

  it("is what JSON.parse reads, on a large document", () => {
    const value = {
      layers: Array.from({ length: 500 }, (_, n) => ({ class_name: "Conv2D", config: { n, s: [n, -n / 7], t: null } })),
    };
    for (const indent of [0, 2]) {
      const parsed = parse(JSON.stringify(value, null, indent), "a.json");
      assert.deepEqual(parsed.problems, []);
      assert.equal(values(parsed.root), JSON.stringify(value).replaceAll('"', ""));
    }
  });

  it("bounds nesting, values and size", () => {
    for (const text of ["[".repeat(1_000_000), '{"a":'.repeat(1_000_000)]) {
      const { problems, root } = parse(text, "a.json");
      assert.deepEqual([problems.length, problems[0]!.code], [1, "too-large"]);
      assert.ok(root);
    }
    assert.deepEqual(parse("[".repeat(256) + "]".repeat(256), "a.json").problems, []);
    const values = parse(`[${"1,".repeat(1_100_000)}1]`, "a.json");
    assert.deepEqual(
      values.problems.map(({ code }) => code),
      ["too-large"],
    );
    const long = parse(" ".repeat(34_000_000), "a.json");
    assert.deepEqual([long.root, long.problems.map(({ code }) => code)], [null, ["too-large"]]);
  });
});
