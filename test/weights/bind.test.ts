/** The tensors of files become the weights of a model: by name, by Keras's names, and with an account of the rest. */
import assert from "node:assert/strict";
import { analyse } from "#server/analysis.ts";
import { Network } from "#shared/graph/run.ts";
import { bindSizes, type Sized } from "#shared/graph/sizes.ts";
import { type Values, valuesOf } from "#shared/kernels/values.ts";
import { bindWeights, describeBinding, firstOf } from "#shared/weights/bind.ts";
import { readWeights } from "#shared/weights/read.ts";
import { SeededWeights } from "#shared/weights/seeded.ts";
import type { StoredTensor } from "#shared/weights/stored.ts";
import { counted, floats, safetensors } from "./files.ts";

function sized(text: string, name = "model.cnn.yaml"): Sized {
  const analysis = analyse(text, name);
  assert.ok(analysis);
  return bindSizes(analysis.graph);
}

const SMALL = sized(`cnn: 1
input: [2, 4, 4]
layers:
  - {type: Conv2d, out_channels: 3, kernel_size: 1, name: conv}
  - {type: BatchNorm2d, name: bn}
  - Flatten
  - {type: Linear, out_features: 2, name: fc}
`);

function stored(name: string, dims: readonly number[], keras = false): StoredTensor {
  const count = dims.reduce((product, size) => product * size, 1);
  return { name, dims, type: "F32", file: "f", keras, read: () => valuesOf(dims, counted(count)) };
}

const NAMES: readonly (readonly [string, readonly number[]])[] = [
  ["conv.weight", [3, 2, 1, 1]],
  ["conv.bias", [3]],
  ["bn.weight", [3]],
  ["bn.bias", [3]],
  ["bn.running_mean", [3]],
  ["bn.running_var", [3]],
  ["fc.weight", [2, 48]],
  ["fc.bias", [2]],
];

/** The weight of one name as a network would read it. */
function weightOf(model: Sized, tensors: readonly StoredTensor[], full: string): Values {
  const network = new Network(model, bindWeights(model, tensors).weights);
  const node = model.graph.nodes.find((each) => full.startsWith(`${each.scope}.`) && network.specsOf(each).length > 0)!;
  return network.weight(node, full.slice(node.scope.length + 1));
}

describe("weights: binding by name", () => {
  const all = NAMES.map(([name, dims]) => stored(name, dims));

  it("the same names match", () => {
    const { report, weights } = bindWeights(SMALL, all);
    assert.deepEqual(
      report.matched.map(({ weight, tensor, order }) => [weight, tensor, order]),
      NAMES.map(([name]) => [name, name, "same"]),
    );
    assert.deepEqual([report.missing, report.mismatched, report.unused], [[], [], []]);
    assert.deepEqual(describeBinding(report), ["8 of 8 weights are in the files."]);
    const spec = { name: "bias", dims: [2], trainable: true, initial: { kind: "constant", value: 0 } } as const;
    assert.equal(weights.get("fc.bias", spec), weights.get("fc.bias", spec));
  });

  for (const prefix of ["module.", "model.", "_orig_mod.module.", "backbone/"]) {
    it(`all of the file's names begin with ${prefix}`, () => {
      const { report } = bindWeights(
        SMALL,
        all.map((tensor) => ({ ...tensor, name: prefix + tensor.name })),
      );
      assert.equal(report.matched.length, 8);
      assert.deepEqual(report.prefix, { file: prefix.replace("/", "."), model: "" });
    });
  }

  it("all of the model's names begin with more than the file's", () => {
    const block = sized(`cnn: 1
input: [2, 4, 4]
blocks:
  body:
    - {type: Conv2d, out_channels: 3, kernel_size: 1, name: conv}
layers:
  - {type: body, name: outer}
`);
    const { report } = bindWeights(block, all.slice(0, 2));
    assert.deepEqual(report.prefix, { file: "", model: "outer." });
    assert.equal(report.matched.length, 2);
  });

  it("what is missing, wrong and left over is said, with what might have been meant", () => {
    const { report } = bindWeights(SMALL, [
      ...all.filter(({ name }) => !/^conv\.weight|^fc\./.test(name)),
      stored("stem.weight", [3, 2, 1, 1]),
      stored("fc.weight", [2, 12]),
      stored("bn.num_batches_tracked", []),
    ]);
    assert.deepEqual(describeBinding(report), [
      "5 of 8 weights are in the files.",
      "fc.weight must be [2, 48], but fc.weight is [2, 12]: it is not used.",
      "conv.weight [3, 2, 1, 1] is not in the files; stem.weight, which nothing uses, has these dims.",
      "fc.bias [2] is not in the files.",
      "stem.weight in the files is not used.",
    ]);
  });

  it("what the files lack can come from elsewhere", () => {
    const { weights } = bindWeights(SMALL, [stored("conv.bias", [3])]);
    const network = new Network(SMALL, firstOf(weights, new SeededWeights(1)));
    const conv = SMALL.graph.nodes.find(({ scope }) => scope === "conv")!;
    assert.deepEqual([...network.weight(conv, "bias").data], [0, 1, 2]);
    assert.ok(network.weight(conv, "weight").data.some((value) => value !== 0));
  });

  it("a file that is read binds to a model that runs", () => {
    const file = safetensors(
      Object.fromEntries(
        NAMES.map(([name, dims]) => [`module.${name}`, floats(dims, counted(dims.reduce((a, b) => a * b)))]),
      ),
    );
    assert.equal(bindWeights(SMALL, readWeights([file])).report.matched.length, 8);
  });
});

describe("weights: Keras's names and axes", () => {
  const KERAS = sized(
    JSON.stringify({
      class_name: "Sequential",
      config: {
        name: "net",
        layers: [
          { class_name: "InputLayer", config: { name: "in", batch_input_shape: [null, 6, 6, 2] } },
          { class_name: "Conv2D", config: { name: "conv2d", filters: 3, kernel_size: [2, 1], use_bias: true } },
          { class_name: "BatchNormalization", config: { name: "bn", axis: -1 } },
          { class_name: "DepthwiseConv2D", config: { name: "dw", kernel_size: [2, 2], depth_multiplier: 2 } },
          { class_name: "Conv2DTranspose", config: { name: "up", filters: 5, kernel_size: [2, 2] } },
          { class_name: "Flatten", config: { name: "flat" } },
          { class_name: "Dense", config: { name: "dense", units: 4 } },
        ],
      },
      keras_version: "2.15.0",
      backend: "tensorflow",
    }),
    "model.json",
  );
  const files = [
    stored("conv2d/kernel", [2, 1, 2, 3], true),
    stored("conv2d/bias", [3], true),
    stored("bn/gamma", [3], true),
    stored("bn/beta", [3], true),
    stored("bn/moving_mean", [3], true),
    stored("bn/moving_variance", [3], true),
    stored("dw/depthwise_kernel", [2, 2, 3, 2], true),
    stored("dw/bias", [6], true),
    stored("up/kernel", [2, 2, 5, 6], true),
    stored("up/bias", [5], true),
    stored("dense/kernel", [150, 4], true),
    stored("dense/bias", [4], true),
  ];

  /** The number at an index. */
  function at({ dims, data }: Values, ...index: number[]): number {
    return data[index.reduce((sum, position, axis) => sum * dims[axis]! + position, 0)]!;
  }

  it("everything matches, also by paths of scopes, and with Keras 1's counters", () => {
    for (const path of ["", "net/", "outer/net/"]) {
      const renamed = files.map((tensor) => ({ ...tensor, name: `${path}${tensor.name}:0` }));
      const { report } = bindWeights(KERAS, renamed);
      assert.deepEqual([report.missing, report.mismatched, report.unused], [[], [], []], path);
      assert.equal(report.matched.length, 12);
    }
    // Layers under paths of their own, as in a nested model.
    const mixed = files.map((tensor, index) => ({ ...tensor, name: `block${index}/${tensor.name}` }));
    assert.equal(bindWeights(KERAS, mixed).report.matched.length, 12);
  });

  it("a kernel [h, w, in, out] becomes [out, in, h, w]", () => {
    const kernel = files[0]!.read();
    const weight = weightOf(KERAS, files, "conv2d.weight");
    assert.deepEqual(weight.dims, [3, 2, 2, 1]);
    for (let out = 0; out < 3; out++) {
      for (let into = 0; into < 2; into++) {
        for (let row = 0; row < 2; row++) assert.equal(at(weight, out, into, row, 0), at(kernel, row, 0, into, out));
      }
    }
  });

  it("a depthwise kernel [h, w, channels, multiplier] becomes [channels·multiplier, 1, h, w]", () => {
    const kernel = files[6]!.read();
    const weight = weightOf(KERAS, files, "dw.weight");
    assert.deepEqual(weight.dims, [6, 1, 2, 2]);
    for (let channel = 0; channel < 3; channel++) {
      for (let copy = 0; copy < 2; copy++) {
        for (let row = 0; row < 2; row++) {
          assert.equal(at(weight, 2 * channel + copy, 0, row, 1), at(kernel, row, 1, channel, copy));
        }
      }
    }
  });

  it("a transposed kernel [h, w, out, in] becomes [in, out, h, w], a matrix is turned around", () => {
    const up = weightOf(KERAS, files, "up.weight");
    assert.deepEqual(up.dims, [6, 5, 2, 2]);
    assert.equal(at(up, 4, 3, 1, 0), at(files[8]!.read(), 1, 0, 3, 4));
    const dense = weightOf(KERAS, files, "dense.weight");
    assert.deepEqual(dense.dims, [4, 150]);
    assert.equal(at(dense, 3, 77), at(files[10]!.read(), 77, 3));
  });

  it("Keras 3 calls a depthwise kernel kernel", () => {
    const renamed = files.map((tensor) => ({ ...tensor, name: tensor.name.replace("depthwise_", "") }));
    assert.deepEqual(weightOf(KERAS, renamed, "dw.weight"), weightOf(KERAS, files, "dw.weight"));
  });

  it("PyTorch's names and axes fit Keras models", () => {
    const torch = [stored("conv2d.weight", [3, 2, 2, 1]), stored("bn.running_mean", [3]), stored("bn.weight", [3])];
    const { report } = bindWeights(KERAS, torch);
    assert.deepEqual(
      report.matched.map(({ weight, tensor, order }) => `${weight} = ${tensor}, ${order}`),
      ["conv2d.weight = conv2d.weight, same", "bn.gamma = bn.weight, same", "bn.moving_mean = bn.running_mean, same"],
    );
  });

  it("recurrent layers name their cells in between", () => {
    const model = sized(
      JSON.stringify({
        class_name: "Sequential",
        config: {
          name: "net",
          layers: [
            { class_name: "InputLayer", config: { name: "in", batch_input_shape: [null, 6, 2] } },
            {
              class_name: "Bidirectional",
              config: {
                name: "both",
                merge_mode: "concat",
                layer: { class_name: "LSTM", config: { name: "lstm", units: 3, return_sequences: true } },
              },
            },
          ],
        },
        keras_version: "2.15.0",
        backend: "tensorflow",
      }),
      "model.json",
    );
    const tensors = ["forward", "backward"].flatMap((way) => [
      stored(`both/${way}_lstm/lstm_cell_1/kernel`, [2, 12], true),
      stored(`both/${way}_lstm/lstm_cell_1/recurrent_kernel`, [3, 12], true),
      stored(`both/${way}_lstm/lstm_cell_1/bias`, [12], true),
    ]);
    const { report } = bindWeights(model, tensors);
    assert.deepEqual([report.missing, report.mismatched, report.unused], [[], [], []]);
    assert.deepEqual(report.matched[0], { weight: "both.forward.kernel", tensor: tensors[0]!.name, order: "same" });
  });

  it("a kernel on its own is turned around by its name, whatever file it is from", () => {
    const { report } = bindWeights(SMALL, [stored("conv.kernel", [1, 1, 2, 3]), stored("fc/kernel", [48, 2])]);
    assert.deepEqual(
      report.matched.map(({ weight, order }) => [weight, order]),
      [
        ["conv.weight", "channels-last"],
        ["fc.weight", "channels-last"],
      ],
    );
  });
});
