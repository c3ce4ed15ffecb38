/**
 * Files that are no model get nothing: YAML and JSON of other tools, files that live beside models and use their words, and
 * random documents.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { analyse } from "#server/analysis.ts";

const FILES: Readonly<Record<string, string>> = {
  "deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 3
  selector:
    matchLabels: {app: web}
  template:
    spec:
      containers:
        - name: web
          image: nginx:1.27
          ports: [{containerPort: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
`,
  ".github/workflows/ci.yml": `name: CI
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        node: [20, 22]
        include:
          - {node: 22, experimental: true}
    steps:
      - uses: actions/checkout@v4
      - run: npm test
        env: {CI: "true"}
`,
  "openapi.yaml": `openapi: 3.1.0
info: {title: Inference, version: "1"}
paths:
  /predict:
    post:
      requestBody:
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Input"}
components:
  schemas:
    Input:
      type: object
      properties:
        input: {type: array, items: {type: number}}
        layers: {type: integer}
`,
  "package.json": `{
  "name": "app",
  "version": "1.0.0",
  "type": "module",
  "scripts": {"test": "mocha"},
  "dependencies": {"@tensorflow/tfjs": "^4.22.0"}
}
`,
  "tsconfig.json": `{
  // Comments are usual here.
  "compilerOptions": {"target": "es2023", "strict": true, "paths": {"#*": ["./*"]}},
  "include": ["src"],
}
`,
  "compose.yaml": `services:
  web:
    build: .
    ports: ["8000:8000"]
    depends_on: [db]
  db:
    image: postgres:17
    environment: {POSTGRES_PASSWORD: secret}
volumes: {data: {}}
`,
  "playbook.yml": `- name: Install
  hosts: all
  become: true
  vars: {packages: [git, curl]}
  tasks:
    - name: packages
      apt: {name: "{{ packages }}", state: present}
      when: ansible_os_family == "Debian"
`,
  "values.yaml": `replicaCount: 1
image: {repository: nginx, tag: ""}
ingress:
  enabled: false
  hosts:
    - host: chart.local
      paths: [{path: /, pathType: Prefix}]
`,
  "templates/deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "chart.fullname" . }}
  {{- if .Values.backbone }}
  labels: {{- include "chart.labels" . | nindent 4 }}
  {{- end }}
`,
  "instances_val.json": `{
  "images": [{"id": 1, "width": 640, "height": 480, "file_name": "1.jpg"}],
  "annotations": [{"id": 7, "image_id": 1, "category_id": 2, "bbox": [10, 20, 30, 40], "area": 1200, "iscrowd": 0}],
  "categories": [{"id": 2, "name": "bicycle"}]
}
`,
  // Beside YOLO models.
  "data.yaml": `path: ../datasets/coco8
train: images/train
val: images/val
nc: 2
names: [person, bicycle]
`,
  "hyp.scratch.yaml": `lr0: 0.01
momentum: 0.937
anchor_t: 4.0
backbone: resnet50
head: detect
`,
  "args.yaml": `task: detect
mode: train
model: yolov8n.yaml
imgsz: 640
nc: null
freeze: [backbone, head]
`,
  "anchors.yaml": `anchors_p5_640:
  - [10, 13, 16, 30, 33, 23]
  - [30, 61, 62, 45, 59, 119]
`,
  "mmdet.yaml": `model:
  backbone: {type: ResNet, depth: 50}
  head: {type: RetinaHead, num_classes: 80}
backbone: [resnet, 50]
head: [retina]
`,
  // Beside Keras models.
  "training.json": `{
  "loss": "categorical_crossentropy",
  "optimizer_config": {"class_name": "Adam", "config": {"learning_rate": 0.001}},
  "metrics": [{"class_name": "MeanMetricWrapper", "config": {"name": "accuracy"}}]
}
`,
  "tokenizer.json": `{"class_name": "Tokenizer", "config": {"num_words": 10000, "filters": "!", "word_counts": "{}"}}
`,
  "subclassed.json": `{"class_name": "MyModel", "config": {"layers": 3}, "keras_version": "2.9.0", "backend": "tensorflow"}
`,
  "metadata.json": `{"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}
`,
  "graph/model.json": `{
  "format": "graph-model",
  "modelTopology": {"node": [{"name": "x", "op": "Placeholder"}], "library": {}, "versions": {"producer": 134}},
  "weightsManifest": [{"paths": ["a.bin"], "weights": [{"name": "w", "shape": [3, 3, 3, 8], "dtype": "float32"}]}]
}
`,
  // Beside torch configs.
  "train.yaml": `defaults: [{model: unet}, _self_]
trainer: {_target_: lightning.Trainer, max_epochs: 10}
model:
  _target_: monai.networks.nets.UNet
  spatial_dims: 3
  channels: [16, 32, 64]
  strides: [2, 2]
loss: {_target_: torch.nn.CrossEntropyLoss, ignore_index: 255}
optimizer: {_target_: torch.optim.Adam, _partial_: true, lr: 0.001}
head: {_target_: torch.nn.Linear, in_features: 512, out_features: 10}
`,
  "transforms.yaml": `_target_: torchvision.transforms.Compose
transforms:
  - {_target_: torchvision.transforms.Resize, size: 224}
  - {_target_: nn.SequentialTransforms, _args_: []}
`,
  // Words of the native format elsewhere.
  "counts.json": `{"cnn": 1, "rnn": 2}
`,
  "news.yaml": `cnn: https://cnn.com
input: [world, business]
layers: [front, back]
`,
};

describe("files that are no model", () => {
  for (const [path, text] of Object.entries(FILES)) {
    it(path, () => assert.equal(analyse(text, path), null));
    it(`${path}, half-typed`, () => {
      for (let end = 0; end < text.length; end += 7) assert.equal(analyse(text.slice(0, end), path), null, `${end}`);
    });
  }

  it("random documents", () => {
    const document = fc.jsonValue({ maxDepth: 5 });
    fc.assert(
      fc.property(document, (value) => {
        assert.equal(analyse(JSON.stringify(value, null, 2), "some.json"), null);
        assert.equal(analyse(JSON.stringify(value), "some.yaml"), null);
      }),
      { numRuns: 300 },
    );
  });

  it("random documents of the words that models are made of", () => {
    const word = fc.constantFrom(
      "cnn",
      "input",
      "layers",
      "backbone",
      "head",
      "nc",
      "config",
      "name",
      "model",
      "args",
      "type",
    );
    const leaf = fc.oneof(word, fc.integer({ min: -3, max: 99 }), fc.boolean(), fc.constant(null));
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        leaf,
        fc.array(tie("tree"), { maxLength: 4 }),
        fc.dictionary(word, tie("tree"), { maxKeys: 5 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        // `cnn: 1`, and rows under backbone, do mark a model.
        const isMarked = /"cnn":1\b|"backbone":\[.*\[/.test(JSON.stringify(value));
        fc.pre(!isMarked);
        assert.equal(analyse(JSON.stringify(value), "some.json"), null);
      }),
      { numRuns: 500 },
    );
  });
});

describe("a file that only its mark makes a model", () => {
  const layers = (count: number) => Array.from({ length: count }, () => ({ type: "ReLU" }));
  for (const count of [2, 10_000]) {
    it(`is one with ${count} layers before the mark`, () => {
      const text = JSON.stringify({ input: [3, 8, 8], layers: layers(count), cnn: 1 });
      assert.equal(analyse(text, "some.json")?.graph.layers.length, count);
    });
  }
});
