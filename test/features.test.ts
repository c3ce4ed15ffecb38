/** Hints, hover, completion and the formula in words, without a connection. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import fc from "fast-check";
import { analyse } from "#server/analysis.ts";
import { completion } from "#server/features/completion.ts";
import { hover } from "#server/features/hover.ts";
import { hintTooltip, inlayHints } from "#server/features/inlayHints.ts";
import { shortCount } from "#server/features/layerTable.ts";
import { codeSpan, literal } from "#server/features/markdown.ts";
import { rules } from "#server/rules/index.ts";
import { readSettings, SECTION, settings } from "#shared/settings.ts";
import { symbol } from "#shared/shape/dim.ts";
import { dilationForm, equation, type Formula, sameForm, symmetricForm, totalForm } from "#shared/shape/formula.ts";
import { makeWindow, outputSize, samePadding, transposedOutputSize, type WindowUse } from "#shared/shape/window.ts";

const ALL_HINTS = { size: true, parameters: true, receptiveField: true, maximumLength: 200 };
const EVERYWHERE = { start: 0, end: Number.MAX_SAFE_INTEGER };

function model(layers: string, input = "[3, 32, 32]") {
  const text = `cnn: 1\ninput: ${input}\nlayers:\n${layers}`;
  const analysis = analyse(text, "test.cnn.yaml");
  ok(analysis);
  return analysis;
}

/** The hover at `¦`, which is taken out of the text. */
function hoverAt(layers: string, input?: string): string {
  const marked = `cnn: 1\ninput: ${input ?? "[3, 32, 32]"}\nlayers:\n${layers}`;
  const offset = marked.indexOf("¦");
  const analysis = analyse(marked.replace("¦", ""), "test.cnn.yaml");
  ok(analysis);
  return hover(analysis, offset)?.markdown ?? "";
}

/** What the written numbers come to. */
function evaluated({ numbers }: Formula): number {
  const code = numbers
    .replaceAll("⌊", "Math.floor(")
    .replaceAll("⌈", "Math.ceil(")
    .replaceAll(/[⌋⌉]/g, ")")
    .replaceAll("−", "-")
    .replaceAll("·", "*");
  return (new Function(`return ${code};`)() as number) + 0; // never −0
}

describe("the formula in words", () => {
  const geometry = fc.record({
    n: fc.integer({ min: 1, max: 300 }),
    kernel: fc.integer({ min: 1, max: 11 }),
    stride: fc.integer({ min: 1, max: 5 }),
    dilation: fc.integer({ min: 1, max: 3 }),
    padBefore: fc.integer({ min: 0, max: 5 }),
    padAfter: fc.integer({ min: 0, max: 5 }),
    ceil: fc.boolean(),
  });

  it("both notations come to the output size, with their own numbers", () => {
    fc.assert(
      fc.property(geometry, ({ n, ...rest }) => {
        const window = makeWindow(rest);
        const output = outputSize(n, window);
        const use: WindowUse = { axis: 2, input: n, output, window };
        for (const form of [totalForm(use), symmetricForm(use)]) {
          equal(form.value, String(output));
          equal(evaluated(form), output, equation(form));
        }
      }),
    );
  });

  it("transposed windows likewise", () => {
    fc.assert(
      fc.property(geometry, fc.nat(3), ({ n, ...rest }, outputPadding) => {
        const window = makeWindow({ ...rest, ceil: false });
        const output = transposedOutputSize(n, window, outputPadding);
        const use: WindowUse = { axis: 2, input: n, output, window, outputPadding };
        for (const form of [totalForm(use), symmetricForm(use)]) equal(evaluated(form), output, equation(form));
      }),
    );
  });

  it("SAME's own rule and both notations agree", () => {
    fc.assert(
      fc.property(geometry, fc.constantFrom("upper", "lower"), ({ n, kernel, stride, dilation }, odd) => {
        const window = makeWindow({ kernel, stride, dilation, ...samePadding(n, kernel, stride, dilation, odd) });
        const output = outputSize(n, window);
        const use: WindowUse = { axis: 2, input: n, output, window };
        for (const form of [sameForm(use)!, totalForm(use), symmetricForm(use)]) {
          equal(evaluated(form), output, equation(form));
        }
      }),
    );
  });

  it("writes symbols as they are and keeps sums together", () => {
    const window = makeWindow({ kernel: 3, stride: 2, padBefore: 1, padAfter: 1 });
    const h = symbol("H");
    const first = outputSize(h, window);
    equal(
      equation(symmetricForm({ axis: 2, input: h, output: first, window })),
      "⌊(n + 2p − k)/s⌋ + 1 = ⌊(H + 2·1 − 3)/2⌋ + 1 = (H + 1)//2",
    );
    equal(dilationForm({ axis: 2, input: h, output: first, window }), null);
  });
});

describe("hover", () => {
  it("tells what a suppressed rule is, and links to its page", () => {
    const text = hoverAt("  - ReLU  # convlint: ignore[dead-layer, non-inte¦ger-size] as in the paper\n");
    match(text, /^\*\*\[non-integer-size\]\(https:.*non-integer-size\.md\)\*\* \(warning\) — /);
    ok(text.includes(rules["non-integer-size"].summary.slice(0, 20)));
    equal(hoverAt("  # convlint: ignore[no-such-ru¦le]\n  - ReLU\n"), "");
  });

  it("substitutes the numbers per axis, with the dilated kernel", () => {
    const text = hoverAt(
      "  - {type: Con¦v2d, out_channels: 8, kernel_size: [3, 5], dilation: 2, stride: 2, padding: [2, 1]}\n",
    );
    match(
      text,
      /height:\n.*2·\(3 − 1\) \+ 1 = 5\n.*⌊\(32 − 5 \+ 4 \+ 2\)\/2⌋ = 16\n.*⌊\(32 \+ 2·2 − 5\)\/2⌋ \+ 1 = 16/,
    );
    match(text, /width:\n.*2·\(5 − 1\) \+ 1 = 9\n.*⌊\(32 − 9 \+ 2 \+ 2\)\/2⌋ = 13\n/);
    match(text, /`\[N, 3, 32, 32\]` → `\[N, 8, 16, 13\]`/);
    match(text, /parameters: 368\n/);
    match(text, /MACs: 74,880 /);
    match(text, /activation memory: 6\.5 KiB/);
    match(text, /receptive field: 5 × 9, jump 2 × 2, offset −2 × −1 \(centre 0 × 3\)/);
  });

  it("tells axes of the same arithmetic together", () => {
    match(hoverAt("  - {type: Max¦Pool2d, kernel_size: 2}\n"), /^height and width:$/m);
  });

  it("documents the parameter under the cursor, with its default as a file writes it", () => {
    const at = (layer: string) =>
      hoverAt(`  - {type: Conv2d, out_channels: 8, kernel_size: 3${layer}}\n`).split("\n")[0]!;
    match(at(", strid¦e: 2"), /^\*\*`stride`\*\* — .*default `1`\.$/);
    match(at(", padding: ¦1"), /^\*\*`padding`\*\* — .*default `0`\.$/);
    match(at(", gro¦ups: 1"), /default `1`\.$/);
    match(hoverAt("  - {type: Conv2d, out_ch¦annels: 8, kernel_size: 3}\n").split("\n")[0]!, /required\.$/);
  });

  it("sums a repeated layer and a block, and lists the operators of a block", () => {
    const repeated = hoverAt("  - {type: Conv¦2d, out_channels: 3, kernel_size: 3, padding: 1, repeat: 3}\n");
    match(repeated, /Used 3 times/);
    match(repeated, /All together:.*parameters: 252\n/s);
    const layers =
      "  - {type: re¦s, name: block}\nblocks:\n  res:\n    - {type: Conv2d, out_channels: 3, kernel_size: 1}\n    - ReLU\n";
    const block = hoverAt(layers);
    match(block, /^\*\*res\*\* `block` — 2 operators\n/);
    match(block, /Conv2d → `\[N, 3, 32, 32\]`\n.*ReLU → /);
    match(block, /parameters: 12\n/);
  });

  it("never lets a name become Markdown", () => {
    const text = hoverAt('  - {type: Re¦LU, name: "`[x](http://a)` <b>"}\n');
    ok(text.includes("`` `[x](http://a)` <b> ``"));
  });

  it("says nothing where no layer stands", () => {
    equal(hoverAt("¦  - ReLU\n"), "");
  });
});

describe("inlay hints", () => {
  it("show parameters and the receptive field where asked for, and only where there is something to show", () => {
    const analysis = model("  - {type: Conv2d, out_channels: 64, kernel_size: 3}\n  - ReLU\n  - Flatten\n");
    deepEqual(
      inlayHints(analysis, ALL_HINTS, EVERYWHERE).map(({ layer, kind, label }) => [layer, kind, label]),
      [
        [0, "size", "[N, 64, 30, 30]"],
        [0, "parameters", "1792 params"],
        [0, "receptiveField", "sees 3 × 3"],
        [1, "size", "[N, 64, 30, 30]"],
        [1, "receptiveField", "sees 3 × 3"],
        [2, "size", "[N, 57600]"],
      ],
    );
  });

  it("are shortened to the maximum length, and whole in the tooltip", () => {
    const analysis = model(
      "  - {type: MaxPool2d, kernel_size: 3, stride: 2, padding: 1}\n  - Flatten\n",
      "[3, HEIGHT, WIDTH]",
    );
    const hints = inlayHints(analysis, { ...ALL_HINTS, maximumLength: 12 }, EVERYWHERE);
    for (const { label } of hints) ok(label.length <= 12);
    ok(hints[0]!.label.endsWith("…"));
    ok(hintTooltip(analysis, hints[0]!).includes("`[N, 3, (HEIGHT + 1)//2, (WIDTH + 1)//2]`"));
  });

  it("say nothing about what is not known", () => {
    const analysis = model("  - {type: Nonsense}\n  - ReLU\n");
    deepEqual(inlayHints(analysis, ALL_HINTS, EVERYWHERE), []);
  });

  it("count in few characters", () => {
    deepEqual(
      [0, 9999, 10_000, 62_000, 999_949, 11_689_512, 4e9, 2.5e12].map((count) => shortCount(count)),
      ["0", "9999", "10.0k", "62.0k", "999.9k", "11.7M", "4.0G", "2.5T"],
    );
  });
});

describe("completion", () => {
  /** The labels offered at `¦`. */
  function offered(text: string): string[] {
    const offset = text.indexOf("¦");
    const analysis = analyse(text.replace("¦", ""), "test.cnn.yaml");
    ok(analysis);
    return completion(analysis, offset).map(({ label }) => label);
  }
  const HEAD = "cnn: 1\ninput: [3, 8, 8]\n";

  it("offers types for a bare item and after type, blocks of the file among them", () => {
    const text = `${HEAD}blocks:\n  res:\n    - ReLU\nlayers:\n  - `;
    for (const place of ["¦", "Co¦", "{type: ¦}", "{type: Co¦", "type: ¦"]) {
      const labels = offered(`${text}${place}\n`);
      ok(labels.includes("Conv2d") && labels.includes("res"), place);
      ok(!labels.includes("Input"));
    }
  });

  it("offers the parameters of the layer's own type that are not written yet", () => {
    const layers = `${HEAD}layers:\n  - {type: Conv2d, out_channels: 4, kernel_size: 3}\n`;
    for (const layer of [
      "{type: MaxPool2d, kernel_size: 2, ¦}",
      "{type: MaxPool2d, kernel_size: 2, str¦",
      "type: MaxPool2d\n    kernel_size: 2\n    ¦",
    ]) {
      const labels = offered(`${layers}  - ${layer}\n  - ReLU\n`);
      ok(labels.includes("stride") && labels.includes("from"), layer);
      ok(!labels.includes("kernel_size") && !labels.includes("out_channels"), layer);
    }
  });

  it("offers the words of a parameter, and names for from", () => {
    const layers = `${HEAD}layers:\n  - {type: Conv2d, name: stem, out_channels: 4, kernel_size: 3`;
    ok(offered(`${layers}, padding_mode: ¦}\n`).includes("reflect"));
    deepEqual(offered(`${layers}, bias: ¦}\n`), ["true", "false"]);
    const names = offered(`${layers}}\n  - {type: Add, from: [¦]}\n`);
    deepEqual(names, ["input", "stem"]);
  });

  it("offers nothing in comments, outside of layers, or in other dialects", () => {
    deepEqual(offered(`${HEAD}# type: ¦\nlayers:\n  - ReLU\n`), []);
    deepEqual(offered(`${HEAD}layers:\n  - ReLU\nname: ¦\n`), []);
    deepEqual(offered(`cnn¦: 1\ninput: [3, 8, 8]\nlayers:\n  - ReLU\n`), []);
  });

  it("never throws and always replaces inside the text", () => {
    const piece = fc.constantFrom(
      "\n",
      "  - ",
      "{",
      "}",
      "type",
      ": ",
      "Conv2d",
      "[",
      "]",
      "😀",
      '"',
      ", ",
      "from",
      "    ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.nat(), (pieces, at) => {
        const text = `${HEAD}layers:\n${pieces.join("")}`;
        const analysis = analyse(text, "test.cnn.yaml");
        const offset = at % (text.length + 1);
        for (const { replace } of analysis ? completion(analysis, offset) : []) {
          ok(0 <= replace.start && replace.start <= offset && offset <= replace.end && replace.end <= text.length);
        }
        if (analysis) hover(analysis, offset);
      }),
    );
  });
});

describe("Markdown", () => {
  it("code spans show any text on one line", () => {
    equal(codeSpan("a"), "`a`");
    equal(codeSpan("a`b"), "``a`b``");
    equal(codeSpan("`"), "`` ` ``");
    equal(codeSpan(""), "` `");
    equal(codeSpan("a\nb"), "`a b`");
  });

  it("literal text has no mark left", () => {
    equal(literal("*a* [b](c) <d> |e|"), "\\*a\\* \\[b\\]\\(c\\) \\<d\\> \\|e\\|");
  });
});

describe("settings", () => {
  it("read as their defaults where nothing is set", () => {
    for (const raw of [undefined, null, {}, { hints: null }, "nonsense"]) {
      const { settings: read, problems } = readSettings(raw);
      deepEqual(problems, []);
      deepEqual(read, {
        enable: true,
        hints: { size: true, parameters: false, receptiveField: false, maximumLength: 40 },
        rules: {},
        input: null,
        scale: null,
        targets: [],
      });
    }
  });

  it("are decoded, and what is not usable is named", () => {
    const { settings: read, problems } = readSettings({
      input: "3x320×640",
      scale: "s",
      rules: { "dead-layer": "error" },
      hints: { maximumLength: 3, size: "yes" },
    });
    deepEqual(read.input, [3, 320, 640]);
    equal(read.scale, "s");
    deepEqual(read.rules, { "dead-layer": "error" });
    deepEqual(
      problems.map((problem) => problem.split(":")[0]),
      ["convlint.hints.size", "convlint.hints.maximumLength"],
    );
    equal(readSettings({ input: "3x0x3" }).problems.length, 1);
    equal(readSettings({ rules: { "dead-layer": "loud" } }).problems.length, 1);
  });

  it("have keys in the section, each once", () => {
    for (const { key } of settings) ok(key.startsWith(`${SECTION}.`));
    equal(new Set(settings.map(({ key }) => key)).size, settings.length);
  });
});
