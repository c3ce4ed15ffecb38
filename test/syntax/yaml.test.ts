/** YAML that is right: values, places, aliases, merges, comments and bounds. */
import assert from "node:assert/strict";
import { parse } from "#server/syntax/parse.ts";
import { resolveScalar } from "#server/syntax/scalar.ts";
import { places, problemsOf, valuesOf } from "./show.ts";

describe("YAML", () => {
  it("reads plain words by the 1.2 core schema", () => {
    const words: [string, unknown][] = [
      ["", null],
      ["~", null],
      ["null", null],
      ["NULL", null],
      ["nULL", "nULL"],
      ["true", true],
      ["False", false],
      ["yes", "yes"],
      ["None", "None"],
      ["3", 3],
      ["-3", -3],
      ["+3", 3],
      ["010", 10],
      ["0o10", 8],
      ["0x1F", 31],
      ["-0x1F", "-0x1F"],
      ["1_000", "1_000"],
      ["9007199254740993", 9007199254740992],
      [".5", 0.5],
      ["1.", 1],
      ["1e-3", 0.001],
      ["1e", "1e"],
      ["1e400", Number.POSITIVE_INFINITY],
      [".inf", Number.POSITIVE_INFINITY],
      ["-.INF", Number.NEGATIVE_INFINITY],
      [".nan", Number.NaN],
      [".", "."],
      ["-", "-"],
      ["Infinity", "Infinity"],
      ["2023-01-01", "2023-01-01"],
      ["1.2.3", "1.2.3"],
      ["٣", "٣"],
    ];
    for (const [word, value] of words) assert.deepEqual([word, resolveScalar(word)], [word, value]);
  });

  const readings: [string, string][] = [
    ["a: 1\nb: [x, '3', \"\\u0041\\n\"]\n", "{a:1,b:[x,3,A\\n]}"],
    ["a: !!str 3\nb: !!int '4'\nc: !odd 5\nd: ! 6\ne: !!python/tuple [1, 2]\n", "{a:3,b:4,c:5,d:6,e:[1,2]}"],
    ["a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{a:x\\ny\\n,b:x y}"],
    ["a:\nb: ~\n", "{a:null,b:null}"],
    ["- [a: 1, b]\n", "[[{a:1},b]]"],
    ["- - a\n  - b\n-\n", "[[a,b],null]"],
    ["? a\n: 1\n", "{a:1}"],
    ["a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n", "{a:{p:1,q:2},b:{p:1,q:3}}"],
    ["a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc:\n  q: 3\n  <<: [*x, *y, {r: 4}]\n", "{a:{p:1},b:{p:2,q:2},c:{q:3,p:1,r:4}}"],
    ["a: {'<<': 1}\n", "{a:{<<:1}}"],
    ["a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "{a:1,b:1,c:2,d:2}"],
    ["# only a comment\n", "nothing"],
    ["", "nothing"],
    ["---\na: 1\n---\n", "{a:1}"],
    ["%YAML 1.2\n---\na: 1\n...\n", "{a:1}"],
    ["\uFEFFa: 1\r\nb:\r\n  - 2\r\n", "{a:1,b:[2]}"],
    ["{a: 1, b}\n", "{a:1,b:null}"],
    ["a: {b: }\n", "{a:{b:null}}"],
  ];
  for (const [text, expected] of readings) {
    it(`reads ${JSON.stringify(text)}`, () => {
      assert.deepEqual([valuesOf(text), problemsOf(text)], [expected, []]);
    });
  }

  it("gives every node its own text as its range", () => {
    const text = `# head
a: [ 1, {b: 'x y'} ] # tail
"k": |
  block
  text

l:
  - &n !!str word   # c
  - *n
😀: "\\"q\\""
e:
f: {g: , h}
`;
    assert.deepEqual(places(text, parse(text, "a.yaml").root).slice(1), [
      ...["a", "[ 1, {b: 'x y'} ]", "1", "{b: 'x y'}", "b", "'x y'"],
      ...['"k"', "|\n  block\n  text"],
      ...["l", "- &n !!str word   # c\n  - *n", "word", "word"],
      ...["😀", '"\\"q\\""'],
      ...["e", ""],
      ...["f", "{g: , h}", "g", "", "h", ""],
    ]);
  });

  it("places an absent value after its colon or dash", () => {
    const text = "a: \nb:\n  -\n  - c: # later\n";
    const empty: number[] = [];
    const visit = (tree: ReturnType<typeof parse>["root"]): void => {
      if (tree?.kind === "map") for (const { value } of tree.entries) visit(value);
      else if (tree?.kind === "list") for (const item of tree.items) visit(item);
      else if (tree && tree.range.start === tree.range.end) empty.push(tree.range.start);
    };
    visit(parse(text, "a.yaml").root);
    assert.deepEqual(empty, [2, text.indexOf("-") + 1, text.indexOf("c:") + 2]);
  });

  it("tells quoted words from plain ones", () => {
    const root = parse("- 3\n- '3'\n- |\n  3\n- !!str 3\n", "a.yaml").root;
    assert.deepEqual(
      root?.kind === "list" && root.items.map((item) => item.kind === "scalar" && [item.value, item.quoted]),
      [
        [3, false],
        ["3", true],
        ["3\n", true],
        ["3", true],
      ],
    );
  });

  it("collects comments, and only comments", () => {
    const text = `# one
a: 'no # comment' # two
b: no#comment
c: | # three
  # not this
d: "x
  # nor this" #four
e: [1, # five
  2]
#
`;
    const { comments } = parse(text, "a.yaml");
    assert.deepEqual(
      comments.map((comment) => comment.text),
      ["one", "two", "three", "four", "five", ""],
    );
    for (const { range } of comments) assert.equal(text[range.start], "#");
  });

  it("tells a duplicate key, where it stood first, and keeps both", () => {
    const text = "a: 1\nb: {c: 1, c: 2, 'c': 3}\na: 2\n";
    const { root, problems } = parse(text, "a.yaml");
    const first = text.indexOf("c:");
    assert.deepEqual(
      problems.map(({ code, range, first }) => [code, text.slice(range.start, range.end), first?.start]),
      [
        ["duplicate-key", "c", first],
        ["duplicate-key", "'c'", first],
        ["duplicate-key", "a", 0],
      ],
    );
    assert.equal(root?.kind === "map" && root.entries.length, 3);
    const many = Array.from({ length: 40 }, (_, index) => `k${index}: 1`).join("\n");
    assert.deepEqual(problemsOf(`${many}\nk7: 2\nk39: 3\n`), ['duplicate-key at "k7"', 'duplicate-key at "k39"']);
    assert.deepEqual(problemsOf("1: a\n'1': b\n"), []);
  });

  const refusals: [string, string, string, string[]][] = [
    ["an alias without anchor", "a: *b\n", "{a:null}", ['syntax at "*b"']],
    ["a cyclic alias", "a: &x [1, *x]\n", "{a:[1,null]}", ['syntax at "*x"']],
    ["a merge of no map", "a: {<<: 3, b: 1}\n", "{a:{b:1}}", ['syntax at "<<"']],
    ["a map as a key", "a: {{b: 1}: 2, c: 3}\n", "{a:{c:3}}", ['syntax at "{b: 1}"']],
    ["a second document", "a: 1\n---\nb: 2\n", "{a:1}", ['syntax at "---"']],
    ["a second document without ---", "a: 1\n...\nb: 2\n", "{a:1}", ['syntax at "..."']],
  ];
  for (const [what, text, value, told] of refusals) {
    it(`tells ${what}`, () => assert.deepEqual([valuesOf(text), problemsOf(text)], [value, told]));
  }

  it("bounds what aliases expand to", () => {
    const names = "abcdefghijkl";
    const lines = [...names].map((name, index) =>
      index === 0
        ? "a: &a [x, x, x, x, x, x, x, x, x]"
        : `${name}: &${name} [${Array(9)
            .fill(`*${names[index - 1]}`)
            .join(", ")}]`,
    );
    const text = lines.join("\n");
    const { problems, root } = parse(text, "a.yaml");
    assert.deepEqual([problems.length, problems[0]?.code], [1, "too-large"]);
    assert.match(text.slice(problems[0]!.range.start, problems[0]!.range.end), /^\*[a-l]$/);
    assert.ok(JSON.stringify(root).length < 100_000_000);
  });

  it("bounds how deep aliases nest, and lets merges follow each other", () => {
    const chain = Array.from({ length: 1000 }, (_, n) => `a${n}: &a${n} ${n === 0 ? "[x]" : `[*a${n - 1}]`}`).join(
      "\n",
    );
    assert.deepEqual(problemsOf(chain), ['too-large at "*a254"']);
    const merges = Array.from({ length: 400 }, (_, n) => `a${n}: &a${n} ${n === 0 ? "{k: 1}" : `{<<: *a${n - 1}}`}`);
    assert.deepEqual(problemsOf(merges.join("\n")), []);
  });

  it("bounds nesting and size", () => {
    assert.deepEqual(problemsOf("[".repeat(256) + "]".repeat(256)), []);
    for (const text of [
      "[".repeat(100_000),
      "[".repeat(257) + "]".repeat(257),
      "{a: ".repeat(100_000),
      "- ".repeat(100_000),
    ]) {
      assert.deepEqual(
        problemsOf(text).map((problem) => problem.split(" ")[0]),
        ["too-large"],
      );
    }
    assert.deepEqual(problemsOf(`a: ]\n${"[".repeat(100_000)}`), ['too-large at "["']);
    const { root, problems } = parse("a: 1\n".repeat(8_000_000), "a.yaml");
    assert.deepEqual(
      [root, problems.length, problems[0]!.code, problems[0]!.range],
      [null, 1, "too-large", { start: 0, end: 4 }],
    );
  });
});
