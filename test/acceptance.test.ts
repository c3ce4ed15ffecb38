/**
 * Failures that people reported: each is flagged on the layer that causes it, in words that say what to change.
 * test/oracle/data/README.md says where the cases come from.
 */
import assert from "node:assert/strict";
import { analyse } from "#server/analysis.ts";
import type { Diagnostic } from "#server/rules/rule.ts";
import { readRecords } from "./oracle/torch-model.ts";

interface Case {
  readonly id: string;
  readonly source: string;
  readonly format: string;
  readonly says: string;
  readonly imgsz?: readonly number[];
  readonly config?: Readonly<Record<string, unknown>>;
}

/** What ConvLint says: the problem and the layer it stands on; "nothing" where the framework takes the model. */
type Expected =
  | "nothing"
  | { readonly at: string; readonly is: `${Diagnostic["severity"]} ${string}`; readonly says: RegExp };

const EXPECTED: Readonly<Record<string, Expected>> = {
  "yolo-imgsz-460": {
    at: "layer 11",
    is: "error concat-mismatch",
    says: /layer 10 .* and layer 6 .*: height and width 30 ≠ 29\. Use input height and width 448 or 480, multiples of 32\./,
  },
  "yolo-imgsz-720p": {
    at: "layer 11",
    is: "error concat-mismatch",
    says: /height 46 ≠ 45\. Use input height 704 or 736, multiples of 32\./,
  },
  "yolo-from-not-yet-defined": {
    at: "layer 10",
    is: "error unknown-reference",
    says: /there is no 12: layer 10 can read layers 0 to 9\./,
  },
  "yolo-silent-index-shift": {
    at: "layer 22",
    is: "warning dead-layer",
    says: /layer 23 Detect reads \[15, 18, 21\]; where 1 row was inserted above, it should read \[16, 19, 22\]\./,
  },
  "yolo-unknown-module": {
    at: "layer 10",
    is: "hint opaque-layer",
    says: /CBAM is a module ConvLint does not know.* loads this file only where CBAM is registered\./,
  },
  "yolo-torchvision-no-args": {
    at: "layer 0",
    is: "error missing-parameter",
    says: /TorchVision needs out_channels; add it\./,
  },
  "yolo-p6-imgsz-416": {
    at: "layer 7",
    is: "error concat-mismatch",
    says: /Use input height and width 384 or 448, multiples of 64\./,
  },
  "yolo-v1-style-detect": {
    at: "layer 3",
    is: "error bad-value",
    says: /from must be at least one layer to detect on, not \[\]\./,
  },
  "maxpool-pad-3-k-4": { at: "MaxPool2d_0", is: "error padding-too-large", says: /Use at most 2\./ },
  "maxpool-dilated-pad": {
    at: "MaxPool2d_0",
    is: "warning padding-too-large",
    says: /before PyTorch 2\.1.* Use at most 1, or require PyTorch 2\.1\./,
  },
  "maxpool-pad-equal-half-ok": "nothing",
  "convtranspose-output-padding-dilation-ok": "nothing",
  "linear-after-flatten-490": {
    at: "Linear_5",
    is: "error features-mismatch",
    says: /takes 10 features but gets 490 = 10·7·7 .*set in_features: 490\./,
  },
  "linear-no-flatten": {
    at: "Linear_0",
    is: "error features-mismatch",
    says: /put Flatten before it \(25088 = 512·7·7\)/,
  },
  "linear-512-vs-2048": {
    at: "Linear_11",
    is: "error features-mismatch",
    says: /takes 2048 features but gets 512 = 512·1·1 .*set in_features: 512\./,
  },
  "linear-640x480": {
    at: "Linear_1",
    is: "error features-mismatch",
    says: /gets 10240 = 512·4·5 .*in_features: 10240\./,
  },
  "kernel-gt-input-1x4": {
    at: "Conv2d_0",
    is: "error window-too-large",
    says: /kernel 3 is larger than the input height 1/,
  },
  "kernel-gt-input-vgg-disc": {
    at: "Conv2d_0",
    is: "error window-too-large",
    says: /kernel 4 is larger than the input height and width 2.* Use a kernel of at most 2, padding 1/,
  },
  "crnn-short-audio": "nothing",
  "keras-28px-4-convs": {
    at: "l6",
    is: "error window-too-large",
    says: /kernel 3 is larger than the input height and width 1: .*padding same/,
  },
  "keras-dataformat-mixup": {
    at: "l1",
    is: "error window-too-large",
    says: /\(None, 3, 224, 224\) is read with its channels last.* write \(None, 224, 224, 3\), or declare that channels come first/,
  },
  "keras-tfjs-k10-on-4": {
    at: "l0",
    is: "error window-too-large",
    says: /kernel 10 is larger than the input height and width 4: .*input height and width of at least 10/,
  },
  "keras-strides-and-dilation": {
    at: "l0",
    is: "error bad-value",
    says: /dilation_rate must be 1 where strides is more than 1/,
  },
  "keras-unet-358": {
    at: "join2",
    is: "error concat-mismatch",
    says: /height and width 88 ≠ 89\. Use input height and width 352 or 360, multiples of 8\./,
  },
  "keras-unet-902x602": {
    at: "join3",
    is: "error concat-mismatch",
    says: /width 74 ≠ 75\. Use input height 896 or 912, multiples of 16; width 592 or 608, multiples of 16\./,
  },
  "tfjs-inner-batchInputShape": {
    at: "l1",
    is: "warning stale-shape",
    says: /declares the input \(None, 150, 150, 3\) but gets \(None, 148, 148, 32\)\. Keras ignores it here; remove it/,
  },
  "keras-dense-36992": "nothing",
  "keras-convT-output-padding": {
    at: "l0",
    is: "error bad-value",
    says: /output_padding must be less than strides along every axis, not \[8,1\]/,
  },
  "miscnn-patch-80": {
    at: "join4",
    is: "error concat-mismatch",
    says: /4 ≠ 5\. Use input depth 64 or 96, multiples of 32\./,
  },
  "metta-integer-strides": {
    at: "Conv2d_0",
    is: "warning non-integer-size",
    says: /\(11 − 4 \+ 2·0\)\/2 \+ 1 = 4\.5.* the last input row and column are never read\. Use/,
  },
};

/** Cases of formats that ConvLint does not read yet. */
const OTHER_FORMATS = ["rllib-conv_filters", "nnunet-plans", "mm-config"];

interface Model {
  readonly path: string;
  readonly text: string;
}

function yolo(config: object): Model {
  const lines = Object.entries(config).flatMap(([key, value]) =>
    key === "backbone" || key === "head"
      ? [`${key}:`, ...(value as unknown[]).map((row) => `  - ${JSON.stringify(row)}`)]
      : [`${key}: ${JSON.stringify(value)}`],
  );
  return { path: "yolov8n.yaml", text: `${lines.join("\n")}\n` };
}

function native({ input, layers }: { input?: number[]; layers?: { type: string; args: object }[] }): Model {
  const rows = layers!.map(({ type, args }) => `  - ${JSON.stringify({ type, ...args })}\n`);
  const text = `cnn: 1\ninput: ${JSON.stringify(input!.slice(1))}\nlayers:\n${rows.join("")}`;
  return { path: "model.cnn.yaml", text };
}

/** A U-Net in Keras: `levels` poolings, each undone by a transposed convolution and joined with what it came from. */
function unet(input: readonly number[], levels: number): Model {
  const axes = input.length - 1;
  const layers: object[] = [];
  const add = (class_name: string, name: string, config: object, from: readonly string[]) => {
    layers.push({ class_name, name, config: { name, ...config }, inbound_nodes: [from.map((at) => [at, 0, 0, {}])] });
    return name;
  };
  layers.push({
    class_name: "InputLayer",
    name: "image",
    config: { batch_shape: [null, ...input] },
    inbound_nodes: [],
  });
  let last = "image";
  const skips: string[] = [];
  for (let level = 0; level < levels; level++) {
    skips.push(last);
    last = add(`MaxPooling${axes}D`, `pool${level}`, { pool_size: 2 }, [last]);
  }
  for (let level = levels - 1; level >= 0; level--) {
    const up = { filters: 4, kernel_size: 2, strides: 2, padding: "same" };
    last = add(`Conv${axes}DTranspose`, `up${level}`, up, [last]);
    last = add("Concatenate", `join${level}`, { axis: -1 }, [last, skips[level]!]);
  }
  const config = { layers, input_layers: [["image", 0, 0]], output_layers: [[last, 0, 0]] };
  return { path: "unet.json", text: JSON.stringify({ class_name: "Functional", config }, null, 1) };
}

/** The cases that are told in words, built as models. */
const TOLD: Readonly<Record<string, Model>> = {
  "keras-unet-358": unet([358, 358, 1], 3),
  "keras-unet-902x602": unet([902, 602, 3], 4),
  "miscnn-patch-80": unet([80, 160, 160, 1], 5),
  // Six strides of 2, and back up to the map before the last.
  "yolo-p6-imgsz-416": yolo({
    nc: 80,
    backbone: [...[16, 32, 64, 128, 256, 512].map((width) => [-1, 1, "Conv", [width, 3, 2]])],
    head: [
      [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
      [[-1, 4], 1, "Concat", [1]],
      [-1, 1, "C2f", [256]],
      [[8, 5], 1, "Detect", ["nc"]],
    ],
  }),
};

function modelOf({ id, format, config }: Case): Model {
  const told = TOLD[id];
  if (told) return told;
  if (format === "yolo-yaml") return yolo(config!);
  return format === "torch-layers" ? native(config!) : { path: "model.json", text: JSON.stringify(config) };
}

describe("reported failures", () => {
  const cases = readRecords<Case>("acceptance.jsonl.gz");

  it("are all here, but for those of formats to come", () => {
    const known = cases.filter(({ format }) => !OTHER_FORMATS.includes(format));
    assert.deepEqual(known.map(({ id }) => id).sort(), Object.keys(EXPECTED).sort());
  });

  for (const one of cases) {
    const expected = EXPECTED[one.id];
    if (!expected) continue;
    it(`${one.id} (${one.source})`, () => {
      const { path, text } = modelOf(one);
      const analysis = analyse(text, path, { input: one.imgsz ? [3, ...one.imgsz] : null });
      assert.ok(analysis, "is no model");
      const { diagnostics, graph } = analysis;
      const shown = diagnostics.map(({ severity, code, layer, message }) => ({
        is: `${severity} ${code}`,
        at: layer === null ? "" : graph.layers[layer]!.name,
        message,
      }));
      if (expected === "nothing") {
        assert.deepEqual(
          shown.filter(({ is }) => is.startsWith("error")),
          [],
        );
        return;
      }
      const found = shown.find(({ is, at }) => is === expected.is && at === expected.at);
      assert.ok(found, `says ${JSON.stringify(shown, null, 1)}`);
      assert.match(found.message, expected.says);
    });
  }
});
