/** What a message advises has to be true: every piece of advice is taken, and the problem is gone. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { analyse } from "#server/analysis.ts";

interface Layer {
  readonly height: number;
  readonly width: number;
  readonly type: "Conv2d" | "MaxPool2d";
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: number;
}

const layer: fc.Arbitrary<Layer> = fc.record({
  height: fc.integer({ min: 1, max: 40 }),
  width: fc.integer({ min: 1, max: 40 }),
  type: fc.constantFrom("Conv2d" as const, "MaxPool2d" as const),
  kernel: fc.integer({ min: 1, max: 7 }),
  stride: fc.integer({ min: 1, max: 4 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  padding: fc.integer({ min: 0, max: 3 }),
});

/** The layer as a model; `change` replaces what the advice is about. */
function model(layer: Layer, change: { padding?: string; more?: string } = {}): string {
  const { type, kernel, stride, dilation, padding } = layer;
  const channels = type === "Conv2d" ? "out_channels: 4, " : "";
  return `cnn: 1
input: [4, ${layer.height}, ${layer.width}]
layers:
  - {type: ${type}, ${channels}kernel_size: ${kernel}, stride: ${stride}, dilation: ${dilation}, padding: ${change.padding ?? padding}${change.more ?? ""}}
`;
}

/** The messages of one code, by the axes they speak of. */
function messages(text: string, code: string): string[] {
  const analysis = analyse(text, "model.cnn.yaml");
  return (analysis?.diagnostics ?? []).filter((found) => found.code === code).map((found) => found.message);
}

/** The message without its advice and the axes it is about. */
function parsed(message: string): { advice: string; axes: ("height" | "width")[] } {
  const advice = /(?:Use|To be exact, use) (.*)\.$/.exec(message)?.[1] ?? "";
  const axes = (["height", "width"] as const).filter(
    (axis) => message.split(":")[0]!.includes(axis) || new RegExp(`larger than the input[^:]*${axis}`).test(message),
  );
  return { advice, axes };
}

/** Models that take each piece of the advice. */
function taken(layer: Layer, { advice, axes }: ReturnType<typeof parsed>): string[] {
  const models: string[] = [];
  for (const [, words] of advice.matchAll(
    /input (?:height and width|height|width) ((?:of at least )?\d+(?: or \d+)?)/g,
  )) {
    for (const [size] of words!.matchAll(/\d+/g)) {
      models.push(model({ ...layer, ...Object.fromEntries(axes.map((axis) => [axis, Number(size)])) }));
    }
  }
  const p = layer.padding;
  const sides = (before: number, after: number) => {
    const of = (axis: "height" | "width", first: string, last: string) =>
      axes.includes(axis) ? `${first}: ${before}, ${last}: ${after}` : `${first}: ${p}, ${last}: ${p}`;
    return `{${of("height", "top", "bottom")}, ${of("width", "left", "right")}}`;
  };
  const uneven = /padding (\d+) before (?:only|and (\d+) after)/.exec(advice);
  if (uneven) models.push(model(layer, { padding: sides(Number(uneven[1]), Number(uneven[2] ?? 0)) }));
  const even = /padding (\d+)(?! before)\b/.exec(advice);
  if (even) models.push(model(layer, { padding: sides(Number(even[1]), Number(even[1])) }));
  if (advice.includes("ceil_mode")) models.push(model(layer, { more: ", ceil_mode: true" }));
  const kernel = /a kernel of at most (\d+)/.exec(advice);
  if (kernel) models.push(model({ ...layer, kernel: Number(kernel[1]) }));
  return models;
}

describe("advice", () => {
  for (const code of ["non-integer-size", "window-too-large"]) {
    it(`of ${code} holds where it is followed`, () => {
      let followed = 0;
      fc.assert(
        fc.property(layer, (layer) => {
          for (const message of messages(model(layer), code)) {
            const advice = parsed(message);
            const models = taken(layer, advice);
            assert.ok(models.length > 0, `no advice in: ${message}`);
            for (const text of models) {
              followed++;
              const left = messages(text, code).filter((other) =>
                parsed(other).axes.some((axis) => advice.axes.includes(axis)),
              );
              assert.deepEqual(left, [], `after "${message}":\n${text}`);
              assert.deepEqual(messages(text, "padding-too-large"), messages(model(layer), "padding-too-large"));
            }
          }
        }),
        { numRuns: 600 },
      );
      assert.ok(followed > 50, `only ${followed} pieces of advice were followed`);
    });
  }

  const count = fc.integer({ min: 1, max: 60 });

  it("of groups-divide holds where it is followed", () => {
    const grouped = (input: number, output: number, groups: number) => `cnn: 1
input: [${input}, 8, 8]
layers: [{type: Conv2d, out_channels: ${output}, kernel_size: 3, groups: ${groups}}]
`;
    fc.assert(
      fc.property(count, count, count, (input, output, groups) => {
        for (const message of messages(grouped(input, output, groups), "groups-divide")) {
          const better = /Use groups: (\d+)(?: or (\d+))?\.$/.exec(message);
          assert.ok(better, message);
          for (const choice of better.slice(1).filter(Boolean)) {
            assert.deepEqual(messages(grouped(input, output, Number(choice)), "groups-divide"), [], message);
          }
        }
      }),
    );
  });

  it("of add-mismatch holds where it is followed", () => {
    let followed = 0;
    const side = fc.record({ channels: fc.integer({ min: 2, max: 9 }), height: count, width: count });
    const pair = fc.oneof(
      fc.tuple(side, side),
      // As in a residual block: the sizes of the main branch are those of a stride.
      fc
        .tuple(side, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 2, max: 9 }))
        .map(
          ([shortcut, stride, channels]) =>
            [
              { channels, height: Math.ceil(shortcut.height / stride), width: Math.ceil(shortcut.width / stride) },
              shortcut,
            ] as const,
        ),
    );
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const head = `cnn: 1
input:
  a: [${a.channels}, ${a.height}, ${a.width}]
  b: [${b.channels}, ${b.height}, ${b.width}]
layers:
`;
        for (const message of messages(`${head}  - {type: Add, from: [a, b]}\n`, "add-mismatch")) {
          const project = /Project (a|b) with a Conv2d \((.*)\)\.$/.exec(message);
          if (!project) continue;
          followed++;
          const [, name, params] = project;
          const mended = `${head}  - {type: Conv2d, ${params}, from: ${name}}
  - {type: Add, from: [-1, ${name === "a" ? "b" : "a"}]}
`;
          assert.deepEqual(messages(mended, "add-mismatch"), [], message);
        }
      }),
      { numRuns: 400 },
    );
    assert.ok(followed > 40, `only ${followed} pieces of advice were followed`);
  });
});
