/** One value explained: terms and sum are the reference evaluator's, for every kind of window; and what a value sees. */
import assert from "node:assert/strict";
import type { Place } from "#shared/preview/protocol.ts";
import { output, Page } from "./page.ts";
import { byReference } from "./reference.ts";

const model = (layer: string, input = "[4, 11, 9]") => `cnn: 1\ninput: ${input}\nlayers:\n  - ${layer}\n`;

const CASES: readonly (readonly [name: string, layer: string, input?: string])[] = [
  ["a convolution", "{type: Conv2d, out_channels: 6, kernel_size: 3, padding: 1}"],
  [
    "stride, dilation and groups",
    "{type: Conv2d, out_channels: 6, kernel_size: 3, stride: 2, padding: 2, dilation: 2, groups: 2}",
  ],
  ["a reflected border", "{type: Conv2d, out_channels: 3, kernel_size: 5, padding: 2, padding_mode: reflect}"],
  ["a depthwise convolution", "{type: DepthwiseConv2d, kernel_size: 3, depth_multiplier: 2}"],
  ["a separable convolution", "{type: SeparableConv2d, out_channels: 5, kernel_size: 3, padding: 1}"],
  [
    "a transposed convolution",
    "{type: ConvTranspose2d, out_channels: 6, kernel_size: 3, stride: 2, padding: 1, groups: 2}",
  ],
  ["max pooling", "{type: MaxPool2d, kernel_size: 3, stride: 2, padding: 1}"],
  ["average pooling with padding", "{type: AvgPool2d, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true}"],
  [
    "average pooling without padding",
    "{type: AvgPool2d, kernel_size: 3, stride: 2, padding: 1, count_include_pad: false}",
  ],
  ["adaptive pooling", "{type: AdaptiveAvgPool2d, output_size: [3, 4]}"],
  ["a linear layer", "{type: Linear, out_features: 5}", "[7]"],
  ["a 1-D convolution", "{type: Conv1d, out_channels: 3, kernel_size: 4, stride: 3}", "[2, 30]"],
  ["a 3-D convolution", "{type: Conv3d, out_channels: 2, kernel_size: 3, padding: 1}", "[2, 5, 6, 7]"],
];

describe("one value explained", function () {
  this.timeout(20_000);
  let page: Page;
  beforeEach(() => {
    page = new Page();
  });
  afterEach(() => page.close());

  for (const [name, layer, input] of CASES) {
    it(`is what the reference computes: ${name}`, async () => {
      const text = model(layer, input);
      page.text(text);
      await page.next("ended", ({ how }) => how === "done");
      const tensor = output("0");
      const { layout } = await page.ask({ kind: "show", tensor }, "maps");
      const [reference] = await byReference(text, ["0"]);
      const { planes, depth, height, width } = layout;
      for (let at = 0; at < reference!.data.length; at += 7) {
        const place: Place = {
          plane: Math.floor(at / (depth * height * width)) % planes,
          z: Math.floor(at / (height * width)) % depth,
          y: Math.floor(at / width) % height,
          x: at % width,
        };
        const { explanation } = await page.ask({ kind: "explain", tensor, place }, "explanation");
        const expected = reference!.data[at]!;
        assert.ok(Math.abs(Math.fround(explanation.exact) - expected) <= 2e-6, `${explanation.exact}, not ${expected}`);
        const { sums, inputs, weights, bias, divisor, winner } = explanation;
        const total = sums.reduce((sum, part) => sum + part, 0);
        if (explanation.kind === "maximum") assert.equal(inputs[winner!], explanation.exact);
        else if (explanation.kind === "average") assert.ok(Math.abs(total / divisor! - explanation.exact) < 1e-9);
        else {
          assert.ok(Math.abs(total + (bias ?? 0) - explanation.exact) < 1e-9);
          const terms = inputs.reduce((sum, value, term) => sum + value * weights![term]!, 0);
          assert.ok(Math.abs(terms - total) < 1e-9);
        }
      }
    });
  }

  it("names rows that no window reads, and draws padding as padding", async () => {
    page.text(model("{type: Conv2d, out_channels: 1, kernel_size: 3, stride: 4, padding: 1}", "[1, 10, 10]"));
    await page.next("ended");
    const place = { plane: 0, z: 0, y: 0, x: 0 };
    const { explanation } = await page.ask({ kind: "explain", tensor: output("0"), place }, "explanation");
    const [height] = explanation.axes;
    assert.deepEqual(
      [height!.cells, height!.unread],
      [
        [-1, 0, 1],
        [2, 6],
      ],
    );
    assert.deepEqual([...explanation.inside], [0, 0, 0, 0, 1, 1, 0, 1, 1]);
  });

  it("spreads one value of a transposed convolution: all of them together are the output", async () => {
    const text = model("{type: ConvTranspose2d, out_channels: 1, kernel_size: 3, stride: 2, bias: false}", "[1, 4, 4]");
    page.text(text);
    await page.next("ended");
    const [reference] = await byReference(text, ["0"]);
    const sum = new Float64Array(9 * 9);
    for (let y = 0; y < 4; y++) {
      for (let x = 0; x < 4; x++) {
        const request = { kind: "spread" as const, tensor: output("0"), place: { plane: 0, z: 0, y, x }, plane: 0 };
        const { spread } = await page.ask(request, "spread");
        const [rows, columns] = spread.axes;
        for (const [a, row] of rows!.cells.entries()) {
          for (const [b, column] of columns!.cells.entries()) sum[row * 9 + column]! += spread.products[a * 3 + b]!;
        }
      }
    }
    for (const [at, value] of reference!.data.entries()) assert.ok(Math.abs(value - sum[at]!) < 1e-5);
  });

  it("sees the receptive field on the input, cut off at its border", async () => {
    page.text(
      "cnn: 1\ninput: [1, 28, 28]\nlayers:\n  - {type: Conv2d, out_channels: 2, kernel_size: 5, padding: 2}\n  - {type: MaxPool2d, kernel_size: 2}\n  - Flatten\n",
    );
    await page.next("ended");
    const at = (y: number, x: number) => ({ plane: 0, z: 0, y, x });
    const pooled = await page.ask({ kind: "explain", tensor: output("1"), place: at(3, 0) }, "explanation");
    assert.deepEqual(
      pooled.explanation.field.map(({ axes, whole }) => [whole, axes.map(({ first, last }) => [first, last])]),
      [
        [
          false,
          [
            [4, 9],
            [0, 3],
          ],
        ],
      ],
    );
    const flat = await page.ask({ kind: "explain", tensor: output("2"), place: at(0, 9) }, "explanation");
    assert.equal(flat.explanation.field[0]!.whole, true);
  });
});
