/** What becomes of a user's picture or array on its way into a model's input. */
import assert from "node:assert/strict";
import { arraySample, type Picture, pictureSample, type Shape } from "#shared/preview/samples.ts";

const input = (dims: readonly number[], channels: "first" | "last" = "first"): Shape => ({
  dims,
  layout: { batched: true, channels },
});

/** A picture of so many pixels. @param colour of the pixel at (x, y): red, green, blue and, unless opaque, alpha. */
function picture(width: number, height: number, colour: (x: number, y: number) => readonly number[]): Picture {
  const pixels = Array.from({ length: width * height }, (_, at) => colour(at % width, Math.floor(at / width)));
  const rgba = Uint8ClampedArray.from(
    pixels.flatMap(([red, green, blue, alpha = 255]) => [red!, green!, blue!, alpha]),
  );
  return { name: "it.png", width, height, rgba };
}

/** Numbers to six places. */
const rounded = (data: Float32Array) => Array.from(data, (value) => Number(value.toFixed(6)));

describe("a picture as a sample", () => {
  const corners = picture(2, 2, (x, y) => [51 * (1 + x), 102 * y, 255]);

  it("gives red, green and blue a channel each, from 0 to 1", () => {
    const { values, text } = pictureSample(corners, input([1, 3, 2, 2]));
    assert.deepEqual(rounded(values.data), [0.2, 0.4, 0.2, 0.4, 0, 0, 0.4, 0.4, 1, 1, 1, 1]);
    assert.equal(text, "it.png: 2×2, red, green, blue, values from 0 to 1");
  });

  it("puts channels last where the model has them there", () => {
    const { values } = pictureSample(corners, input([1, 2, 2, 3], "last"));
    assert.deepEqual(rounded(values.data), [0.2, 0, 1, 0.4, 0, 1, 0.2, 0.4, 1, 0.4, 0.4, 1]);
  });

  it("is grey by Rec. 601 for one channel", () => {
    const primaries = picture(3, 1, (x) => [0, 1, 2].map((part) => (part === x ? 255 : 0)));
    const { values, text } = pictureSample(primaries, input([1, 1, 1, 3]));
    assert.deepEqual(rounded(values.data), [0.299, 0.587, 0.114]);
    assert.match(text, /as grey/);
  });

  it("fills more channels with red, green, blue and grey in turn", () => {
    const { values, text } = pictureSample(
      picture(1, 1, () => [255, 0, 0]),
      input([1, 6, 1, 1]),
    );
    assert.deepEqual(rounded(values.data), [1, 0, 0, 0.299, 1, 0]);
    assert.match(text, /in turn for 6 channels/);
  });

  it("lays what is transparent over black", () => {
    const { values } = pictureSample(
      picture(1, 1, () => [255, 255, 255, 51]),
      input([1, 3, 1, 1]),
    );
    assert.deepEqual(rounded(values.data), [0.2, 0.2, 0.2]);
  });

  it("takes the middle of one that is too wide, and scales it by areas", () => {
    const stripes = picture(8, 4, (x) => [x < 2 || x >= 6 ? 255 : x < 4 ? 0 : 102, 0, 0]);
    const { values, text } = pictureSample(stripes, input([1, 3, 1, 1]));
    assert.match(text, /its middle 4×4, scaled to 1×1/);
    assert.ok(Math.abs(values.data[0]! - 0.2) < 1e-6, String(values.data[0])); // the mean of 0 and 0.4
  });

  it("is the same for every sample of a batch", () => {
    const { values } = pictureSample(corners, input([2, 1, 2, 2]));
    assert.deepEqual(values.data.slice(4), values.data.slice(0, 4));
  });

  it("is refused by an input without height and width, and with too few bytes", () => {
    assert.throws(() => pictureSample(corners, input([1, 3])), /no height and width/);
    assert.throws(
      () => pictureSample({ ...corners, width: 3 }, input([1, 3, 2, 2])),
      /3×2 pixels take 24 bytes, not 16/,
    );
  });
});

describe("an array as a sample", () => {
  const array = (...dims: number[]) => {
    const count = dims.reduce((product, size) => product * size, 1);
    return { dims, data: Float32Array.from({ length: count }, (_, at) => at) };
  };

  it("is taken as it is where it fits", () => {
    const whole = array(1, 2, 2, 2);
    const { values, text } = arraySample("it.npy", whole, input([1, 2, 2, 2]));
    assert.equal(values, whole);
    assert.equal(text, "it.npy: [1, 2, 2, 2]");
  });

  it("needs no batch, and no channel where there is one", () => {
    for (const dims of [
      [1, 2, 2],
      [2, 2],
    ]) {
      assert.deepEqual([...arraySample("it.npy", array(...dims), input([1, 1, 2, 2])).values.data], [0, 1, 2, 3]);
    }
  });

  it("gives the first sample of its batch", () => {
    const { values, text } = arraySample("it.npy", array(3, 1, 2, 2), input([1, 1, 2, 2]));
    assert.deepEqual([...values.data], [0, 1, 2, 3]);
    assert.match(text, /its first sample/);
  });

  it("turns channels to where the model has them", () => {
    const turned = arraySample("it.npy", array(1, 2, 2, 3), input([1, 3, 2, 2]));
    assert.deepEqual([...turned.values.data], [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    assert.match(turned.text, /channels last/);
    const back = arraySample("it.npy", array(3, 2, 2), input([1, 2, 2, 3], "last"));
    assert.deepEqual([...back.values.data], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
    assert.match(back.text, /channels first/);
  });

  it("serves all channels where it has one", () => {
    const { values, text } = arraySample("it.npy", array(2, 2), input([1, 3, 2, 2]));
    assert.deepEqual([...values.data], [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    assert.match(text, /one channel for all 3/);
  });

  it("is cut from its middle, or bordered with zeros", () => {
    const cut = arraySample("it.npy", array(4, 4), input([1, 1, 2, 2]));
    assert.deepEqual([...cut.values.data], [5, 6, 9, 10]);
    assert.match(cut.text, /its middle 2×2/);
    const bordered = arraySample("it.npy", array(1, 2), input([1, 1, 3, 4]));
    assert.deepEqual([...bordered.values.data], [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    assert.match(bordered.text, /bordered with zeros/);
  });

  it("fits signals, volumes and vectors", () => {
    assert.deepEqual([...arraySample("it.npy", array(3), input([1, 1, 3])).values.data], [0, 1, 2]);
    assert.deepEqual([...arraySample("it.npy", array(2, 1, 2), input([1, 1, 2, 1, 2])).values.data], [0, 1, 2, 3]);
    assert.deepEqual([...arraySample("it.npy", array(3), input([1, 3])).values.data], [0, 1, 2]);
  });

  it("is refused with its sizes where axes or channels do not fit", () => {
    assert.throws(() => arraySample("it.npy", array(2), input([1, 3, 2, 2])), /\[2\].*\[1, 3, 2, 2\].*1 axis/);
    assert.throws(() => arraySample("it.npy", array(5, 2, 2), input([1, 3, 2, 2])), /5 channels, not 3/);
  });
});
