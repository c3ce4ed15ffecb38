/** Weight files as other tools write them; data/numpy.json is made by generate_numpy.py. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { valuesOf } from "#shared/kernels/values.ts";
import { readNpy, writeNpy } from "#shared/weights/npy.ts";
import { readWeights } from "#shared/weights/read.ts";
import { counted, floats, joined, type Piece, safetensors, textFile } from "./files.ts";

interface NumpyFiles {
  readonly arrays: readonly {
    readonly what: string;
    readonly dims: readonly number[];
    readonly values: readonly (number | string)[];
    readonly npy: string;
  }[];
  readonly archives: readonly { readonly what: string; readonly npz: string }[];
  readonly members: readonly { readonly name: string; readonly dims: readonly number[]; readonly values: number[] }[];
}

const numpy = JSON.parse(readFileSync(new URL("data/numpy.json", import.meta.url), "utf8")) as NumpyFiles;

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}

describe("weights: .npy as NumPy writes it", () => {
  for (const { what, dims, values, npy } of numpy.arrays) {
    it(what, () => {
      const read = readNpy({ name: "a.npy", bytes: fromBase64(npy) }, "a").read();
      assert.deepEqual(read.dims, dims);
      assert.deepEqual(
        [...read.data],
        values.map((value) => Math.fround(Number(String(value).replace("inf", "Infinity")))),
      );
    });
  }

  it("what is written is read again, and the numbers begin at a multiple of 64", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 5 }), fc.integer(), (dims, seed) => {
        const count = dims.reduce((product, size) => product * size, 1);
        const numbers = Array.from({ length: count }, (_, at) => Math.fround(Math.sin(seed + at)));
        const bytes = writeNpy(valuesOf(dims, numbers));
        assert.equal((bytes.length - 4 * count) % 64, 0);
        assert.deepEqual(readNpy({ name: "a.npy", bytes }, "a").read(), valuesOf(dims, numbers));
      }),
    );
  });

  it("what is written is what NumPy writes", () => {
    const { npy } = numpy.arrays.find(({ what }) => what === "three axes")!;
    const written = writeNpy(valuesOf([2, 3, 4], counted(24)));
    assert.deepEqual(written, fromBase64(npy));
  });
});

describe("weights: .npz", () => {
  for (const { what, npz } of numpy.archives) {
    it(what, () => {
      const tensors = readWeights([{ name: "weights.npz", bytes: fromBase64(npz) }]);
      const read = tensors.map((tensor) => ({ name: tensor.name, dims: tensor.dims, values: [...tensor.read().data] }));
      assert.deepEqual(read, numpy.members);
    });
  }
});

const TYPES: readonly (readonly [dtype: string, bytes: readonly number[], numbers: readonly number[]])[] = [
  ["F64", [...new Uint8Array(Float64Array.of(1.5, -2).buffer)], [1.5, -2]],
  ["F32", [...new Uint8Array(Float32Array.of(1.5, -2).buffer)], [1.5, -2]],
  ["F16", [0x00, 0x3e, 0x00, 0xc0, 0x01, 0x00], [1.5, -2, 2 ** -24]],
  ["BF16", [0xc0, 0x3f, 0x00, 0xc0, 0x80, 0x7f], [1.5, -2, Number.POSITIVE_INFINITY]],
  ["F8_E4M3", [0x3c, 0xc0, 0x7e, 0x01, 0x7f], [1.5, -2, 448, 2 ** -9, Number.NaN]],
  ["F8_E5M2", [0x3e, 0xc0, 0x7b, 0x01, 0x7c], [1.5, -2, 57344, 2 ** -16, Number.POSITIVE_INFINITY]],
  ["I64", [...new Uint8Array(BigInt64Array.of(7n, -8n).buffer)], [7, -8]],
  ["U64", [...new Uint8Array(BigUint64Array.of(7n, 2n ** 40n).buffer)], [7, 2 ** 40]],
  ["I32", [7, 0, 0, 0, 0xf8, 0xff, 0xff, 0xff], [7, -8]],
  ["U32", [7, 0, 0, 0, 0xf8, 0xff, 0xff, 0xff], [7, 2 ** 32 - 8]],
  ["I16", [7, 0, 0xf8, 0xff], [7, -8]],
  ["U16", [7, 0, 0xf8, 0xff], [7, 65528]],
  ["I8", [7, 0xf8], [7, -8]],
  ["U8", [7, 0xf8], [7, 248]],
  ["BOOL", [0, 1, 1], [0, 1, 1]],
];

describe("weights: .safetensors", () => {
  for (const [dtype, bytes, numbers] of TYPES) {
    it(dtype, () => {
      // A tensor of odd length before it: nothing in a file need be aligned.
      const before: Piece = { dtype: "U8", shape: [1], bytes: Uint8Array.of(9) };
      const piece = { dtype, shape: [numbers.length], bytes: Uint8Array.from(bytes) };
      const [first, second] = readWeights([safetensors({ before, x: piece })]);
      assert.deepEqual([...first!.read().data], [9]);
      assert.deepEqual([second!.name, second!.type, [...second!.read().data]], ["x", dtype, numbers.map(Math.fround)]);
    });
  }

  it("holds tensors of any rank, also none and empty ones", () => {
    const file = safetensors({ a: floats([], [5]), b: floats([0, 3], []), c: floats([2, 1, 2], [1, 2, 3, 4]) });
    assert.deepEqual(
      readWeights([file]).map((tensor) => tensor.read()),
      [valuesOf([], [5]), valuesOf([0, 3], []), valuesOf([2, 1, 2], [1, 2, 3, 4])],
    );
  });

  it("aligned float32 are not copied", () => {
    const file = safetensors({ a: floats([2], [1, 2]) });
    const padded = file.bytes.length % 4 === 0 ? file : safetensors({ a: floats([2], [1, 2]) }, alignedHeader);
    const [tensor] = readWeights([padded]);
    if (padded.bytes.length % 4 === 0) assert.equal(tensor!.read().data.buffer, padded.bytes.buffer);
  });

  it("several files of one index belong together", () => {
    const index = textFile(
      "model.safetensors.index.json",
      JSON.stringify({ metadata: {}, weight_map: { a: "one.safetensors", b: "two.safetensors" } }),
    );
    const one = { ...safetensors({ a: floats([1], [1]) }), name: "dir/one.safetensors" };
    const two = { ...safetensors({ b: floats([1], [2]) }), name: "dir/two.safetensors" };
    assert.deepEqual(
      readWeights([index, one, two]).map(({ name, file }) => [name, file]),
      [
        ["a", "dir/one.safetensors"],
        ["b", "dir/two.safetensors"],
      ],
    );
    assert.throws(() => readWeights([index, one]), /the file two\.safetensors, which weight_map names, is not there/);
  });
});

/** Pads the header so that the numbers begin at a multiple of 4, as the format's own writer does. */
function alignedHeader(header: Record<string, any>): void {
  header.__metadata__.pad = "";
  while ((8 + JSON.stringify(header).length) % 4 !== 0) header.__metadata__.pad += " ";
}

describe("weights: TensorFlow.js", () => {
  const manifest = [
    {
      paths: ["group1-shard1of2.bin", "group1-shard2of2.bin"],
      weights: [
        { name: "conv2d/kernel", shape: [1, 1, 2, 3], dtype: "float32" },
        { name: "conv2d/bias", shape: [3], dtype: "float32" },
      ],
    },
    {
      paths: ["group2-shard1of1.bin"],
      weights: [
        {
          name: "dense/kernel",
          shape: [2, 2],
          dtype: "float32",
          quantization: { dtype: "uint8", scale: 0.5, min: -1, original_dtype: "float32" },
        },
        { name: "dense/bias", shape: [2], dtype: "float32", quantization: { dtype: "float16" } },
      ],
    },
  ];
  const model = textFile("m/model.json", JSON.stringify({ modelTopology: {}, weightsManifest: manifest }));
  const all = new Uint8Array(Float32Array.from(counted(9)).buffer);
  const files = [
    model,
    // The border between shards is within a number.
    { name: "m/group1-shard1of2.bin", bytes: all.slice(0, 17) },
    { name: "m/group1-shard2of2.bin", bytes: all.slice(17) },
    { name: "m/group2-shard1of1.bin", bytes: Uint8Array.of(0, 1, 2, 255, 0x00, 0x3c, 0x00, 0xc0) },
  ];

  it("shards are put together, quantised numbers restored", () => {
    const tensors = readWeights(files);
    assert.deepEqual(
      tensors.map((tensor) => [tensor.name, tensor.dims, [...tensor.read().data]]),
      [
        ["conv2d/kernel", [1, 1, 2, 3], counted(6)],
        ["conv2d/bias", [3], [6, 7, 8]],
        ["dense/kernel", [2, 2], [-1, -0.5, 0, 126.5]],
        ["dense/bias", [2], [1, -2]],
      ],
    );
    assert.ok(tensors.every((tensor) => tensor.keras));
  });

  it("a shard that is missing, too short or too long is named", () => {
    assert.throws(() => readWeights(files.slice(0, 2)), /model\.json, byte 0: the file group1-shard2of2\.bin/);
    for (const bytes of [all.slice(17, 30), joined([all.slice(17), Uint8Array.of(0)])]) {
      assert.throws(
        () => readWeights([model, files[1]!, { name: "m/group1-shard2of2.bin", bytes }, files[3]!]),
        /group1-shard2of2\.bin, byte \d+: the weights of m\/model\.json take 36 bytes, the files of their group have 3[07]/,
      );
    }
  });
});
