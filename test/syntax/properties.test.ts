/** What holds for every text: another YAML parser reads the same tree, nothing throws, and every range lies inside its text. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { parse } from "#server/syntax/parse.ts";
import { type Parsed, plain, type Tree } from "#server/syntax/tree.ts";
import { readYaml } from "#server/syntax/yaml.ts";
import { readByOther } from "./other-parser.ts";

const examples = new URL("../../examples/", import.meta.url);
const corpus = readdirSync(examples, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".yaml") && !name.includes("syntax"))
  .map((name) => readFileSync(new URL(name, examples), "utf8"));

/** Every construct at least once. */
const GENERAL = `# head
base: &base {kernel_size: 3, padding: 1}
layers:
- &a !conv
  type: Conv2d # c
  <<: *base
  "out channels": 0x10
-   - nested
    - - deeper
      -
    -
- *a
- | # header
   literal
    more

   end

- >+
  folded
  text

- 'it''s
  two lines'
- "a\\tb \\
  c"
- ? explicit
  : value
  ? key only
- [a, b: c, {d: , e}, "f": g, ]
- {? h : i, j: [], k: {}}
- plain over
  two lines
- !!str 3
- !!int "4"
- &empty
- !tag
- - &x a
  - *x
last: ~
`;
corpus.push(GENERAL, GENERAL.replaceAll("\n", "\r\n"), `\uFEFF${GENERAL}`, `---\n${GENERAL}...\n`, `😀: "😀" # 😀\n`);

/** Texts that are YAML, in every style, from values. */
const scalarText = fc.oneof(
  fc.constantFrom(
    "a",
    "Conv2d",
    "3",
    "-1.5",
    "true",
    "~",
    "null",
    "None",
    "0x1f",
    "x y",
    "it's",
    "a#b",
    "http://x",
    "a // 2",
    "😀",
  ),
  fc.constantFrom("'q'", "'it''s'", '"d"', '"\\u0041\\n"', "''", '"# no"', '"😀"', "!!str 5", "!x y", '!!int "6"'),
);
interface Styled {
  readonly flow: string;
  readonly block: (indent: number) => string;
}
const leaf = scalarText.map((text): Styled => ({ flow: text, block: () => ` ${text}` }));
const styled: fc.Arbitrary<Styled> = fc.letrec<{ node: Styled }>((tie) => {
  const items = fc.array(tie("node"), { minLength: 1, maxLength: 3 });
  const flowOnly = ({ flow }: Styled): Styled => ({ flow, block: () => ` ${flow}` });
  const list = items.map(
    (nodes): Styled => ({
      flow: `[${nodes.map(({ flow }) => flow).join(", ")}]`,
      block: (indent) => nodes.map(({ block }) => `\n${" ".repeat(indent)}-${block(indent + 2)}`).join(""),
    }),
  );
  const map = items.map(
    (nodes): Styled => ({
      flow: `{ ${nodes.map(({ flow }, n) => `k${n}: ${flow}`).join(" , ")} }`,
      block: (indent) => nodes.map(({ block }, n) => `\n${" ".repeat(indent)}k${n}:${block(indent + 2)}`).join(""),
    }),
  );
  const literal = fc.constantFrom("|", ">", "|-", ">+", "| # c").map(
    (header): Styled => ({
      flow: '"x"',
      block: (indent) => ` ${header}\n${" ".repeat(indent + 1)}one # no\n\n${" ".repeat(indent + 1)}two`,
    }),
  );
  const empty = fc.constant<Styled>({ flow: '""', block: () => "" });
  const commented = tie("node").map(
    ({ flow, block }): Styled => ({
      flow,
      block: (indent) => ` # c${block(indent).trimStart().startsWith("|") ? "\n" : ""}\n${" ".repeat(indent)}${flow}`,
    }),
  );
  return {
    node: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      leaf,
      literal,
      empty,
      list,
      map,
      list.map(flowOnly),
      map.map(flowOnly),
      commented,
    ),
  };
}).node;

function assertInside(text: string, parsed: Parsed): void {
  const inside = ({ start, end }: { start: number; end: number }) =>
    assert.ok(
      Number.isInteger(start) && start >= 0 && start <= end && end <= text.length,
      `${start}..${end} of ${text.length}`,
    );
  const seen = new Set<Tree>();
  const visit = (tree: Tree) => {
    if (seen.has(tree)) return;
    seen.add(tree);
    inside(tree.range);
    if (tree.kind === "list") tree.items.forEach(visit);
    if (tree.kind === "map") for (const { key, value } of tree.entries) [key, value].forEach(visit);
  };
  if (parsed.root) visit(parsed.root);
  let last = 0;
  for (const { range, first, message } of parsed.problems) {
    inside(range);
    if (first) inside(first);
    assert.ok(message.length > 0);
    assert.ok(range.end > range.start || range.start === text.length, `an empty range for ${message}`);
    assert.ok(range.start >= last, "problems are in text order");
    last = range.start;
  }
  for (const { range } of parsed.comments) inside(range);
}

/** Cuts, doubled pieces and typed characters anywhere in a text. */
const edits = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(12),
    typed: fc.oneof(
      fc.string({ maxLength: 4 }),
      fc.constantFrom(
        ..."{}[]:,#'\"&*!|>-?%@`\t\n\r\0\\",
        "\uFEFF",
        "\uD83D",
        "\u2028",
        "- ",
        ": ",
        "\n---\n",
        "<<: *a",
        "${",
        "\n  - ",
        " #",
        "/*",
        "//",
      ),
    ),
  }),
  { minLength: 1, maxLength: 4 },
);
function edited(text: string, changes: readonly { at: number; cut: number; typed: string }[]): string {
  return changes.reduce((current, { at, cut, typed }) => {
    const start = Math.floor(at * current.length);
    return current.slice(0, start) + typed + current.slice(start + cut);
  }, text);
}

describe("every text", () => {
  it("is read as another parser reads it: real files", () => {
    for (const text of corpus) assertSame(text);
  });

  it("is read as another parser reads it: made texts", () => {
    fc.assert(
      fc.property(styled, fc.constantFrom("\n", "\r\n"), ({ block }, newline) => {
        assertSame(`root:${block(1)}\nend: 1\n`.replaceAll("\n", newline));
      }),
      { numRuns: 500 },
    );
  });

  it("throws nothing and has its ranges inside: half-typed YAML", () => {
    fc.assert(
      fc.property(fc.constantFrom(...corpus), edits, (original, changes) => {
        const text = edited(original, changes);
        assertInside(text, parse(text, "a.yaml"));
      }),
      { numRuns: 1000 },
    );
  });

  it("throws nothing and has its ranges inside: half-typed JSON", () => {
    const documents = corpus.map((text) => {
      const { root } = parse(text, "a.yaml");
      return `// head\n${JSON.stringify(root && plain(root), null, 1)}`;
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...documents),
        edits,
        fc.constantFrom("a.json", "a.jsonc"),
        (original, changes, path) => {
          const text = edited(original, changes);
          assertInside(text, parse(text, path));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("throws nothing and has its ranges inside: any characters", () => {
    const unit = fc.constantFrom(..."{}[]:,#'\"&*!|>-?%@ \t\n\r\0\\ab01./~<$", "\uFEFF", "\uD83D", "\uDE00", "é");
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), fc.constantFrom("a.yaml", "a.json"), (text, path) => {
        assertInside(text, parse(text, path));
      }),
      {
        numRuns: 3000,
        examples: [
          ["\uFEFF%{", "a.yaml"],
          [":\r:", "a.yaml"],
          ["?\n?\n", "a.yaml"],
        ],
      },
    );
  });

  it("keeps the tree of a JSON text that is read as YAML", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = JSON.stringify({ value });
        const [json, yaml] = [parse(text, "a.json"), parse(text, "a.yaml")];
        assert.deepEqual(json.problems, []);
        assert.equal(JSON.stringify(plain(json.root!)), text);
        if (yaml.problems.length === 0) assert.deepEqual(yaml.root, json.root);
      }),
    );
  });
});

function assertSame(text: string): void {
  const own = readYaml(text);
  assert.ok("root" in own, `the parser refuses ${JSON.stringify(text)}: ${JSON.stringify(own)}`);
  assert.deepEqual(readByOther(text), own);
}
