/** Weight files that lie or are damaged: a refusal that says where, soon, and without taking memory. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { deflateSync, zipSync } from "fflate";
import { valuesOf } from "#shared/kernels/values.ts";
import { type WeightFile, WeightFileError } from "#shared/weights/bytes.ts";
import { writeNpy } from "#shared/weights/npy.ts";
import { readWeights } from "#shared/weights/read.ts";
import { counted, floats, joined, rawSafetensors, safetensors, textFile } from "./files.ts";

function refused(file: WeightFile | readonly WeightFile[], why: RegExp, limits = {}): void {
  const files = "name" in file ? [file] : file;
  assert.throws(
    () => readWeights(files, limits).map((tensor) => tensor.read()),
    (error) => {
      assert.ok(error instanceof WeightFileError, String(error));
      assert.match(error.message, why);
      assert.ok(error.at >= 0 && error.at <= Math.max(...files.map(({ bytes }) => bytes.length)), error.message);
      return true;
    },
  );
}

const two = { a: floats([2, 3], counted(6)), b: floats([4], counted(4)) };

describe("weights: .safetensors that lie", () => {
  const cases: readonly (readonly [what: string, file: WeightFile, why: RegExp])[] = [
    ["a file of no bytes", { name: "model.safetensors", bytes: new Uint8Array(0) }, /byte 0: the length of the header/],
    ["a cut length", { name: "model.safetensors", bytes: new Uint8Array(7) }, /ends at byte 8, the file at 7/],
    ["a header beyond the file", rawSafetensors("{}", new Uint8Array(0), 100n), /the header ends at byte 108/],
    ["a huge header", rawSafetensors("{}", new Uint8Array(0), 2n ** 40n), /a header of 1099511627776 bytes/],
    ["a length beyond 2⁵³", rawSafetensors("{}", new Uint8Array(0), 2n ** 63n), /the header is 9223372036854775808/],
    ["a header that is no JSON", rawSafetensors("{a: 1}", new Uint8Array(0)), /byte 8: the header is no JSON/],
    ["a header that is a list", rawSafetensors("[{}]", new Uint8Array(0)), /byte 8: the header is no JSON object/],
    [
      "a tensor that is a number",
      rawSafetensors('{"a": 1}', new Uint8Array(0)),
      /a: the type undefined cannot be read/,
    ],
    ["a tensor that is null", rawSafetensors('{"a": null}', new Uint8Array(0)), /a: the type undefined/],
    ["no type", safetensors(two, (h) => delete h.a.dtype), /a: the type undefined cannot be read/],
    ["a type from nowhere", safetensors(two, (h) => (h.a.dtype = "toString")), /a: the type "toString" cannot be read/],
    ["complex numbers", safetensors(two, (h) => (h.a.dtype = "C64")), /a: the type "C64" cannot be read/],
    ["another type", safetensors(two, (h) => (h.a.dtype = "F64")), /F64 \[2, 3\] takes 48 bytes, not the 24/],
    ["a negative size", safetensors(two, (h) => (h.a.shape = [-2, -3])), /a: \[-2,-3\] is no shape/],
    ["half a size", safetensors(two, (h) => (h.a.shape = [1.5, 4])), /a: \[1\.5,4\] is no shape/],
    ["sizes as text", safetensors(two, (h) => (h.a.shape = ["2", 3])), /a: \["2",3\] is no shape/],
    ["a huge shape", safetensors(two, (h) => (h.a.shape = [2 ** 40, 2 ** 40])), /is no shape/],
    ["a huge shape times 0", safetensors(two, (h) => (h.a.shape = [2 ** 53, 0])), /is no shape/],
    ["more than there is", safetensors(two, (h) => (h.a.shape = [2, 2 ** 31])), /takes 17179869184 bytes, not the 24/],
    ["no offsets", safetensors(two, (h) => delete h.b.data_offsets), /b: undefined are no offsets/],
    ["one offset", safetensors(two, (h) => (h.b.data_offsets = [24])), /b: \[24\] are no offsets/],
    ["offsets the other way", safetensors(two, (h) => (h.b.data_offsets = [40, 24])), /are no offsets/],
    ["negative offsets", safetensors(two, (h) => (h.b.data_offsets = [-16, 0])), /are no offsets/],
    ["an overlap", safetensors(two, (h) => (h.b.data_offsets = [8, 24])), /overlaps the tensor before it/],
    ["a gap", safetensors(two, (h) => (h.b.data_offsets = [28, 44])), /b begins at 28 .* a gap after byte 24/],
    [
      "a tensor beyond the end",
      safetensors({ a: two.a, b: { ...two.b, bytes: new Uint8Array(0) } }, (h) => {
        h.b.data_offsets = [24, 40];
      }),
      /b ends at byte \d+, the file at \d+/,
    ],
    ["bytes that are nobody's", safetensors(two, (h) => delete h.b), /16 bytes belong to no tensor/],
  ];
  for (const [what, file, why] of cases) it(what, () => refused(file, why));

  it("every cut of a file is refused", () => {
    const { name, bytes } = safetensors(two);
    for (let length = 0; length < bytes.length; length++)
      refused({ name, bytes: bytes.slice(0, length) }, /byte \d+: /);
  });

  it("a name that is a word of JavaScript's is a name", () => {
    const entry = (begin: number) => `{"dtype": "F32", "shape": [1], "data_offsets": [${begin}, ${begin + 4}]}`;
    const file = rawSafetensors(`{"__proto__": ${entry(0)}, "constructor": ${entry(4)}}`, new Uint8Array(8));
    assert.deepEqual(
      readWeights([file]).map(({ name }) => name),
      ["__proto__", "constructor"],
    );
  });
});

function npy(header: string, data = new Uint8Array(0), version = 1): WeightFile {
  const text = new TextEncoder().encode(header);
  const length = version === 1 ? Uint8Array.of(text.length & 255, text.length >> 8) : new Uint8Array(4);
  if (version > 1) new DataView(length.buffer).setUint32(0, text.length, true);
  const bytes = joined([Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0), length, text, data]);
  return { name: "a.npy", bytes };
}

function headerOf(shape: string, descr = "'<f4'", order = "False"): string {
  return `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;
}

describe("weights: .npy that lie", () => {
  const cases: readonly (readonly [what: string, file: WeightFile, why: RegExp])[] = [
    ["no bytes", { name: "a.npy", bytes: new Uint8Array(0) }, /the magic string ends at byte 8/],
    ["another magic", { name: "a.npy", bytes: new Uint8Array(80) }, /does not begin like a \.npy file/],
    ["a version of the future", npy(headerOf("(1,)"), new Uint8Array(4), 9), /byte 6: version 9/],
    ["a header beyond the file", { name: "a.npy", bytes: npy(headerOf("(1,)")).bytes.slice(0, 30) }, /the header ends/],
    ["no dictionary", npy("hello"), /the header is no dictionary/],
    ["a program", npy("{'descr': __import__('os').system('true'), 'fortran_order': False}"), /which is no plain array/],
    ["objects", npy(headerOf("(1,)", "'|O'"), new Uint8Array(8)), /pickled objects, which are never unpacked/],
    ["records", npy(headerOf("(1,)", "[('a', '<f4')]"), new Uint8Array(4)), /which is no plain array/],
    ["text", npy(headerOf("(1,)", "'<U3'"), new Uint8Array(12)), /"<U3": a type that cannot be read/],
    ["complex numbers", npy(headerOf("(1,)", "'<c8'"), new Uint8Array(8)), /"<c8": a type that cannot be read/],
    ["no shape", npy("{'descr': '<f4', 'fortran_order': False}"), /lacks descr, fortran_order or shape/],
    ["a negative size", npy(headerOf("(-4,)")), /which is no plain array/],
    ["sizes with holes", npy(headerOf("(4,,4)"), new Uint8Array(64)), /\(4,,4\) is no shape/],
    ["a huge size", npy(headerOf("(99999999999999999999,)")), /is no shape/],
    ["a huge product", npy(headerOf("(4294967296, 4294967296)")), /is no shape/],
    ["more than there is", npy(headerOf("(1000000, 1000000)")), /an array of <f4 \[1000000, 1000000\] ends at byte/],
    ["less than there is", npy(headerOf("(1,)"), new Uint8Array(8)), /4 bytes follow the array \[1\]/],
  ];
  for (const [what, file, why] of cases) it(what, () => refused(file, why));

  it("every cut of a file is refused", () => {
    const bytes = writeNpy(valuesOf([2, 3], counted(6)));
    for (let length = 0; length < bytes.length; length++) {
      refused({ name: "a.npy", bytes: bytes.slice(0, length) }, /byte \d+: /);
    }
  });

  it("a header of many entries takes no time", () => {
    refused(npy(`{${"'shape': (1,), ".repeat(4000)}}`), /lacks descr/);
    refused(npy(`{'shape': (${"1,".repeat(200_000)}), }`, undefined, 2), /lacks descr/);
  });
});

/** Writes a number over four bytes of a copy. */
function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
}

/** Where a signature is; the last one, from the end. */
function find(bytes: Uint8Array, signature: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = bytes.length - 4; at >= 0; at--) if (view.getUint32(at, true) === signature) return at;
  throw new Error("no such signature");
}

describe("weights: .npz that lie", () => {
  const array = writeNpy(valuesOf([100], counted(100)));
  const packed = zipSync({ "a.npy": array, "b.npy": array });
  const stored = zipSync({ "a.npy": array }, { level: 0 });
  const entry = find(packed, 0x02014b50);
  const end = find(packed, 0x06054b50);
  const npz = (bytes: Uint8Array): WeightFile => ({ name: "w.npz", bytes });

  it("as they are made, they are read", () => {
    assert.equal(readWeights([npz(packed)]).length, 2);
    assert.equal(readWeights([npz(stored)]).length, 1);
  });

  const cases: readonly (readonly [what: string, bytes: Uint8Array, why: RegExp])[] = [
    ["no directory", packed.slice(0, 60), /the archive's directory is missing: the file is cut off/],
    ["a directory elsewhere", patched(packed, end + 16, 5), /entry 1 of 2 in the directory is missing/],
    ["a directory beyond the file", patched(packed, end + 16, 1 << 30), /entry 1 of 2 in the directory ends at byte/],
    ["more entries than there are", patched(packed, end + 8, 0xff00ff00 | 0), /entry 3 of 65280/],
    ["a header elsewhere", patched(packed, entry + 42, 7), /byte 7: the header of b\.npy is missing/],
    ["members that overlap", patched(packed, entry + 42, 0), /byte 0: b\.npy overlaps the member before it/],
    ["a size beyond the file", patched(packed, entry + 20, 1 << 30), /ends at byte \d+, behind the directory/],
    ["a bomb by its own account", patched(packed, entry + 24, 0x7fffffff), /b\.npy cannot hold 2147483647 bytes in/],
    ["a larger size", patched(packed, entry + 24, array.length + 1), /b\.npy holds 528 bytes, not the 529 it says/],
    ["a smaller size", patched(packed, entry + 24, array.length - 1), /b\.npy holds more than the 527 bytes it says/],
    ["another checksum", patched(packed, entry + 16, 1), /b\.npy is damaged: its checksum is wrong/],
    ["an unknown packing", patched(packed, entry + 8, 93 << 16), /packed by method 93/],
    ["encryption", patched(packed, entry + 8, (8 << 16) | 1), /b\.npy is encrypted/],
    ["a changed number", stored.with(140, 99), /a\.npy is damaged: its checksum is wrong/],
  ];
  for (const [what, bytes, why] of cases) it(what, () => refused(npz(bytes), why));

  it("packed bytes that are noise", () => {
    const damaged = packed.slice();
    damaged.fill(0xff, 40, 80);
    refused(npz(damaged), /a\.npy is damaged|a\.npy holds/);
  });

  it("members that take more than is allowed are refused before anything is unpacked", () => {
    refused(npz(packed), /the archive holds 1056 bytes; at most 1000 are allowed/, { archive: 1000 });
  });

  it("a bomb that says it is small stops at what it says", () => {
    // 128 MB of zeros in about 600 kB, which the directory calls 1 kB.
    const bomb = deflateSync(new Uint8Array(2 ** 27), { level: 1 });
    const small = zipSync({ "a.npy": new Uint8Array(1000) }, { level: 0 });
    const [local, central] = [0, find(small, 0x02014b50)];
    const head = small.slice(local, 30 + 5);
    const directory = patched(patched(small.slice(central), 20, bomb.length), 8, 8 << 16);
    const record = patched(directory, directory.length - 22 + 16, head.length + bomb.length);
    const before = process.memoryUsage().arrayBuffers;
    refused(npz(joined([head, bomb, record])), /a\.npy holds more than the 1000 bytes it says/);
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 26);
  });

  it("every cut of an archive is refused", () => {
    for (let length = 0; length < packed.length; length++) refused(npz(packed.slice(0, length)), /byte \d+: /);
  });

  it("an archive of PyTorch's is refused as the program it is", () => {
    refused(
      npz(zipSync({ "model/data.pkl": Uint8Array.of(0x80) })),
      /a pickled Python program, which is never executed/,
    );
  });
});

describe("weights: what is no weight file", () => {
  const cases: readonly (readonly [what: string, file: WeightFile, why: RegExp])[] = [
    ["a pickle", { name: "model.pth", bytes: Uint8Array.of(0x80, 2, 0x7d) }, /never executed\. Save the weights as/],
    ["HDF5", { name: "m.h5", bytes: Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10) }, /HDF5 is not read/],
    ["an image", { name: "cat.png", bytes: Uint8Array.of(0x89, 0x50, 0x4e, 0x47) }, /no weight file that can be read/],
    ["nothing", { name: "nothing.bin", bytes: new Uint8Array(0) }, /no weight file that can be read/],
    ["JSON without weights", textFile("package.json", "{}"), /names no weights/],
    ["broken JSON", textFile("model.json", "{"), /byte 0: it is no JSON/],
    ["a manifest that is none", textFile("model.json", '{"weightsManifest": 5}'), /weightsManifest is no list/],
    ["a group that is none", textFile("model.json", '{"weightsManifest": [null]}'), /group 0 of weightsManifest lacks/],
    ["a path that is none", textFile("m.json", '{"weightsManifest": [{"paths": [7], "weights": []}]}'), /7 is no path/],
    [
      "a weight that is none",
      textFile("m.json", '{"weightsManifest": [{"paths": [], "weights": [7]}]}'),
      /has no name/,
    ],
    [
      "texts as numbers",
      textFile(
        "m.json",
        '{"weightsManifest": [{"paths": [], "weights": [{"name": "a", "shape": [], "dtype": "string"}]}]}',
      ),
      /a: the type "string" cannot be read/,
    ],
  ];
  for (const [what, file, why] of cases) it(what, () => refused(file, why));

  it("one name in two files", () => {
    const one = safetensors({ a: floats([1], [1]) });
    refused(
      [one, { ...one, name: "other.safetensors" }],
      /other\.safetensors, byte 0: a is in model\.safetensors already/,
    );
  });

  it("no bytes at all hang it or break it", () => {
    const heads = [[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0], [0x50, 0x4b, 3, 4], [0x50, 0x4b, 5, 6], [0x7b]];
    const bytes = fc
      .tuple(fc.constantFrom([], ...heads), fc.uint8Array({ maxLength: 300 }))
      .map(([head, rest]) => Uint8Array.from([...head, ...rest]));
    fc.assert(
      fc.property(fc.constantFrom("a.npy", "a.npz", "a.safetensors", "a.json", "a.bin"), bytes, (name, bytes) => {
        try {
          for (const tensor of readWeights([{ name, bytes }])) tensor.read();
        } catch (error) {
          assert.ok(error instanceof WeightFileError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("one changed byte of a sound file is read or refused, never worse", () => {
    const sound = [
      safetensors(two),
      { name: "a.npy", bytes: writeNpy(valuesOf([2, 3], counted(6))) },
      { name: "a.npz", bytes: zipSync({ "a.npy": writeNpy(valuesOf([2, 3], counted(6))) }) },
    ];
    fc.assert(
      fc.property(fc.constantFrom(...sound), fc.nat(), fc.nat(255), ({ name, bytes }, at, byte) => {
        try {
          for (const tensor of readWeights([{ name, bytes: bytes.with(at % bytes.length, byte) }])) tensor.read();
        } catch (error) {
          assert.ok(error instanceof WeightFileError, String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });
});
