/** The windowed operators against plain definitions: what PyTorch's records cannot say. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { finding } from "#shared/graph/infer.ts";
import type { Finding, Report } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import { decodeAttrs, type Inference } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { type Dim, product, symbol, unknown } from "#shared/shape/dim.ts";
import { CHANNELS_FIRST, tensor } from "#shared/shape/tensor.ts";
import { effectiveKernel } from "#shared/shape/window.ts";

function run(
  type: string,
  written: Record<string, Plain>,
  dims: readonly number[],
): { readonly inference: Inference; readonly findings: readonly Finding[] } {
  const op = operators.get(type)!;
  const { attrs, problems } = decodeAttrs(op, new Map(Object.entries(written)));
  assert.deepEqual(problems, []);
  const findings: Finding[] = [];
  const report: Report = (code, at, data) => findings.push(finding(code, 0, at, data));
  const inputs = [tensor(dims, CHANNELS_FIRST)];
  return { inference: op.infer({ attrs, inputs, report, flattenedFrom: () => undefined }), findings };
}

function pads(padding: Plain, type = "Conv2d"): [before: unknown, after: unknown][] {
  const { inference } = run(type, { out_channels: 1, kernel_size: 5, padding }, [1, 1, 20, 30]);
  return inference.windows!.map(({ window }) => [window.padBefore, window.padAfter]);
}

/** Input cells that output cell j reads, by the window's record. */
function seen({ windows }: Inference, j: number): [first: number, last: number] {
  const { window, outputPadding } = windows![0]!;
  const { stride } = window;
  const before = window.padBefore as number;
  const reach = effectiveKernel(window) - 1;
  if (outputPadding === undefined) return [j * stride - before, j * stride - before + reach];
  return [Math.ceil((j + before - reach) / stride), Math.floor((j + before) / stride)];
}

describe("windowed operators", () => {
  it("padding: one meaning in every form", () => {
    const both = (before: number, after: number) => [
      [before, after],
      [before, after],
    ];
    for (const form of [1, [1, 1], { top: 1, bottom: 1, left: 1, right: 1 }, { total: 2 }, { total: [2, 2] }]) {
      assert.deepEqual(pads(form), both(1, 1));
    }
    assert.deepEqual(pads({ total: 3 }), both(2, 1));
    assert.deepEqual(pads({ bottom: 2, left: 1 }), [
      [0, 2],
      [1, 0],
    ]);
    assert.deepEqual(pads("valid"), both(0, 0));
    for (const word of ["same", "same_upper", "same_lower"]) assert.deepEqual(pads(word), both(2, 2));
  });

  it("padding: refuses what is no form", () => {
    const conv = operators.get("Conv2d")!;
    for (const padding of [
      "SAME",
      "full",
      [1],
      [1, 2, 3],
      { up: 1 },
      { total: -1 },
      { total: 1, top: 1 },
      null,
      true,
      1.5,
    ]) {
      const written = new Map<string, Plain>([
        ["out_channels", 1],
        ["kernel_size", 3],
        ["padding", padding],
      ]);
      const { problems } = decodeAttrs(conv, written);
      assert.deepEqual([problems.length, problems[0]?.name], [1, "padding"], JSON.stringify(padding));
    }
  });

  it("same_upper and same_lower put the odd cell at the end and at the start", () => {
    const of = (padding: string) =>
      run("MaxPool1d", { kernel_size: 3, stride: 2, padding }, [1, 1, 8]).inference.windows![0]!;
    assert.deepEqual([of("same_upper").window.padBefore, of("same_upper").window.padAfter], [0, 1]);
    assert.deepEqual([of("same_lower").window.padBefore, of("same_lower").window.padAfter], [1, 0]);
    assert.equal(of("same_upper").output, 4);
  });

  it("a separable convolution costs what its two steps cost", () => {
    const shape = fc.record({
      channels: fc.integer({ min: 1, max: 8 }),
      out: fc.integer({ min: 1, max: 8 }),
      multiplier: fc.integer({ min: 1, max: 3 }),
      kernel: fc.integer({ min: 1, max: 5 }),
      stride: fc.integer({ min: 1, max: 3 }),
      n: fc.integer({ min: 5, max: 30 }),
    });
    const params = ({ weights }: Inference) => weights!.reduce((sum, { dims }) => sum + (product(dims) as number), 0);
    fc.assert(
      fc.property(shape, ({ channels, out, multiplier, kernel, stride, n }) => {
        const window = { kernel_size: kernel, stride };
        const input = [1, channels, n, n];
        const both = { out_channels: out, depth_multiplier: multiplier, ...window };
        const whole = run("SeparableConv2d", both, input).inference;
        const first = run("DepthwiseConv2d", { depth_multiplier: multiplier, bias: false, ...window }, input).inference;
        const middle = first.outputs[0]!.dims as number[];
        const second = run("Conv2d", { out_channels: out, kernel_size: 1 }, middle).inference;
        assert.deepEqual(whole.outputs, second.outputs);
        assert.equal(whole.macs, (first.macs as number) + (second.macs as number));
        assert.equal(params(whole), params(first) + params(second));
      }),
    );
  });

  it("a depthwise convolution is a convolution with as many groups as channels", () => {
    const input = [1, 6, 12, 12];
    const depthwise = run("DepthwiseConv2d", { kernel_size: 3, depth_multiplier: 2 }, input).inference;
    const grouped = run("Conv2d", { out_channels: 12, kernel_size: 3, groups: 6 }, input).inference;
    assert.deepEqual(depthwise, grouped);
  });

  it("up-sampling by whole factors sees the pixels that its interpolation reads", () => {
    const modes = [
      { mode: "nearest", before: 0, taps: 1 },
      { mode: "bilinear", before: 0, taps: 2 },
      { mode: "bicubic", before: 1, taps: 4 },
    ];
    for (const { mode, before, taps } of modes) {
      for (const factor of [1, 2, 3, 4, 5]) {
        const { inference } = run("Upsample", { scale_factor: factor, mode }, [1, 1, 9, 9]);
        assert.deepEqual(inference.outputs[0]!.dims, [1, 1, 9 * factor, 9 * factor]);
        for (let j = 2 * factor; j < 6 * factor; j++) {
          // Pixel centres: output j lies at (j + ½)/factor − ½ of the input.
          const place = (j + 0.5) / factor - 0.5;
          const exact = factor === 1 || taps === 1 || Number.isInteger(place);
          const first = exact ? Math.round(place) : Math.floor(place) - before;
          const last = exact ? first : first + taps - 1;
          const [from, to] = seen(inference, j);
          assert.ok(from <= first && last <= to, `${mode} ×${factor}, output ${j}: [${from}, ${to}]`);
          assert.ok(to - from + 1 <= taps, `${mode} ×${factor} sees ${to - from + 1} cells`);
        }
      }
    }
  });

  it("adaptive pooling tells its windows where they are all alike", () => {
    const sizes = fc.record({ n: fc.integer({ min: 1, max: 40 }), o: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(sizes, ({ n, o }) => {
        const { inference } = run("AdaptiveAvgPool1d", { output_size: o }, [1, 1, n]);
        const alike = n % o === 0;
        assert.equal(inference.windows !== undefined, alike);
        for (let i = 0; alike && i < o; i++) {
          assert.deepEqual(seen(inference, i), [Math.floor((i * n) / o), Math.ceil(((i + 1) * n) / o) - 1]);
        }
      }),
    );
  });

  it("the pixel shuffles undo each other", () => {
    const input = [2, 12, 10, 6];
    const { inference } = run("PixelUnshuffle", { downscale_factor: 2 }, input);
    const back = run("PixelShuffle", { upscale_factor: 2 }, inference.outputs[0]!.dims as number[]).inference;
    assert.deepEqual(back.outputs[0]!.dims, input);
  });

  it("Crop undoes ZeroPad2d, and sees what it kept", () => {
    const sides = { top: 1, bottom: 2, left: 3, right: 4 };
    const padded = run("ZeroPad2d", { padding: sides }, [1, 2, 8, 8]).inference;
    assert.deepEqual(padded.outputs[0]!.dims, [1, 2, 11, 15]);
    const cropped = run("Crop", { cropping: sides }, padded.outputs[0]!.dims as number[]).inference;
    assert.deepEqual(cropped.outputs[0]!.dims, [1, 2, 8, 8]);
    assert.deepEqual(seen(cropped, 0), [1, 1]);
    assert.deepEqual(seen(padded, 0), [-1, -1]);
  });

  it("never throws, and says no size that cannot be, whatever is written", () => {
    const most = Number.MAX_SAFE_INTEGER;
    const one = fc.constantFrom(0, 1, 2, 3, 7, -1, 0.5, 1.7, 2 ** 31, 2 ** 52, most, -most, 1e308, 5e-324, true, null);
    const word = fc.constantFrom(
      "same",
      "valid",
      "same_upper",
      "same_lower",
      "reflect",
      "circular",
      "bilinear",
      "area",
    );
    const map = fc.dictionary(fc.constantFrom("top", "left", "back", "total"), one);
    const value = fc.oneof(one, one, word, map, fc.array(one, { maxLength: 4 })) as fc.Arbitrary<Plain>;
    const size = fc.constantFrom<Dim>(0, 1, 2, 3, 12, 2 ** 31, most, symbol("N"), symbol("H"), unknown("a test"));
    const layout = fc.record({ batched: fc.boolean(), channels: fc.constantFrom("first" as const, "last" as const) });
    const windowed = [...operators.values()].filter(({ name }) =>
      /Conv|Pool|Pad|Upsample|Pixel|[Ff]old|Crop/.test(name),
    );
    for (const op of windowed) {
      const known = Object.keys(op.params);
      const written = fc.dictionary(fc.constantFrom(...known), value);
      fc.assert(
        fc.property(written, fc.array(size, { maxLength: 5 }), layout, (values, dims, arranged) => {
          const accepted = Object.entries(values).filter(([name, each]) => {
            return decodeAttrs(op, new Map([[name, each]])).problems.every((problem) => problem.name !== name);
          });
          const required = Object.entries(op.example.attrs).filter(([name]) => op.params[name].required);
          const { attrs, problems } = decodeAttrs(op, new Map([...required, ...accepted]));
          assert.deepEqual(problems, []);
          const call = { attrs, inputs: [tensor(dims, arranged)], report: () => {}, flattenedFrom: () => undefined };
          for (const dim of op.infer(call).outputs.flatMap((output) => output.dims)) {
            assert.ok(typeof dim !== "number" || (Number.isSafeInteger(dim) && dim >= 0), `${op.name}: ${dim}`);
          }
        }),
        { numRuns: 200 },
      );
    }
  });

  it("grades what a stride loses", () => {
    const graded = (n: number, window: Record<string, Plain>) =>
      run("Conv1d", { out_channels: 1, ...window }, [1, 1, n]).findings.map((found) =>
        found.code === "non-integer-size" ? found.data.unread : found.code,
      );
    assert.deepEqual(graded(28, { kernel_size: 5, stride: 2 }), [1]);
    assert.deepEqual(graded(224, { kernel_size: 3, stride: 2, padding: 1 }), [0]);
    assert.deepEqual(graded(29, { kernel_size: 5, stride: 2 }), []);
    assert.deepEqual(graded(28, { kernel_size: 3, stride: 2, padding: "same_upper" }), []);
    assert.deepEqual(graded(30, { kernel_size: 2, stride: 4 }), ["skips-pixels"]);
  });
});
