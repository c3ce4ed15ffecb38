/** A folder as people have them: models of every format between files that are none. On the built file. */
import { deepEqual, equal } from "node:assert/strict";
import { BAD, Folder, GOOD } from "./run.ts";

const YOLO = `nc: 80
scales:
  n: [0.33, 0.25, 1024]
  s: [0.33, 0.50, 1024]
backbone:
  - [-1, 1, Conv, [64, 5, 1, 2]]
  - [-1, 1, nn.MaxPool2d, [4, 4]]
  - [-1, 3, C2f, [128, True]]
head:
  - [-1, 1, nn.Upsample, [None, 4, nearest]]
  - [[-1, 0], 1, Concat, [1]]
  - [[4, 2], 1, Detect, [nc]]
`;

const keras = (kernel: number) =>
  JSON.stringify({
    class_name: "Sequential",
    config: {
      name: "net",
      layers: [
        { class_name: "InputLayer", config: { name: "in", batch_input_shape: [null, 8, 8, 1] } },
        { class_name: "Conv2D", config: { name: "conv", filters: 4, kernel_size: [kernel, kernel] } },
      ],
    },
  });

const TFJS = `{
  "format": "layers-model",
  "modelTopology": ${keras(3)},
  "weightsManifest": [{"paths": ["a.bin"], "weights": [
    {"name": "conv/kernel", "shape": [3, 3, 2, 4], "dtype": "float32"}
  ]}]
}
`;

const TORCH = `model:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Linear, in_features: 8, out_features: 4}
    - {_target_: torch.nn.Linear, in_features: 5, out_features: 2}
`;

const FILES = {
  "native/bad.cnn.yaml": BAD,
  "native/good.cnn.yaml": GOOD,
  "native/marked.json": '{"cnn": 1, "input": [3, 8, 8], "layers": ["ReLU"]}',
  "yolo/yolov8s.yaml": YOLO,
  "yolo/data.yaml": "path: coco8\nnc: 2\nnames: [a, b]\n",
  "keras/good.json": keras(3),
  "keras/bad.json": keras(9),
  "keras/config.json": '{"class_name": "Adam", "config": {"learning_rate": 0.1}}',
  "web/model.json": TFJS,
  "conf/net.yaml": TORCH,
  "conf/train.yaml": "trainer: {_target_: lightning.Trainer, max_epochs: 3}\n",
  "k8s/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}\n",
  "package.json": '{"name": "app"}',
};

/** Path, line and code of every error. */
const places = (out: string) =>
  out.split("\n").flatMap((line) => {
    const [, path, at, code] = /^([^:]+):(\d+):\d+: error\[([\w-]+)\]/.exec(line) ?? [];
    return path ? [`${path}:${at} ${code}`] : [];
  });

describe("convlint check on a folder of all formats", () => {
  const folder = new Folder(FILES);
  after(() => folder.remove());

  it("checks each in its own terms, and says nothing of the others", async () => {
    const { code, out, err } = await folder.convlint(["check", ".", "--format", "concise"]);
    equal(err, "");
    deepEqual(places(out), [
      "conf/net.yaml:5 features-mismatch",
      "keras/bad.json:1 window-too-large",
      "native/bad.cnn.yaml:4 groups-divide",
      "web/model.json:5 weights-mismatch",
    ]);
    equal(code, 1);
  });

  it("knows the formats by name", async () => {
    const { out } = await folder.convlint(["check", ".", "--format", "json"]);
    const { files } = JSON.parse(out) as { files: { path: string; dialect: string }[] };
    deepEqual(
      files.map(({ path, dialect }) => `${path} ${dialect}`),
      [
        "conf/net.yaml torch",
        "keras/bad.json keras",
        "keras/good.json keras",
        "native/bad.cnn.yaml native",
        "native/good.cnn.yaml native",
        "native/marked.json native",
        "web/model.json keras",
        "yolo/yolov8s.yaml ultralytics",
      ],
    );
  });

  it("asks all for another size, and YOLO models for another scale", async () => {
    const sizes = async (...args: string[]) => {
      const { out } = await folder.convlint(["check", "yolo", "--format", "json", ...args]);
      const { files } = JSON.parse(out) as { files: { layers: { outputs: unknown[] }[] }[] };
      return files[0]!.layers.map(({ outputs }) => JSON.stringify(outputs[0])).slice(0, 2);
    };
    deepEqual(await sizes(), ['["N",32,640,640]', '["N",32,160,160]']);
    deepEqual(await sizes("--input", "3x320x320", "--scale", "n"), ['["N",16,320,320]', '["N",16,80,80]']);
  });
});
