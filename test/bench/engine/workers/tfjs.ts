/** TensorFlow.js on WebAssembly. Data are in its own layout, NHWC, at both ends: turning them around is not charged. */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { countOf, type Layer } from "../layers.ts";
import type { Activation } from "../networks.ts";
import { type Prepared, serve, Unsupported } from "./serve.ts";

const require = createRequire(import.meta.url);
const tf = quietly(() => require("@tensorflow/tfjs-core"));
quietly(() => require("@tensorflow/tfjs-backend-cpu"));
const wasm = quietly(() => require("@tensorflow/tfjs-backend-wasm"));

/** It advertises its Node edition when it is loaded. */
function quietly(load: () => any): any {
  const { warn } = console;
  console.warn = () => {};
  try {
    return load();
  } finally {
    console.warn = warn;
  }
}

/** Numbers with their axes in another order: axis i of the result is axis order[i]. */
function permuted(data: Float32Array, dims: readonly number[], order: readonly number[]): Float32Array {
  const steps = dims.map((_, axis) => countOf(dims.slice(axis + 1)));
  const result = new Float32Array(data.length);
  let to = 0;
  const visit = (depth: number, from: number): void => {
    if (depth === order.length) {
      result[to++] = data[from]!;
      return;
    }
    const axis = order[depth]!;
    for (let at = 0; at < dims[axis]!; at++) visit(depth + 1, from + at * steps[axis]!);
  };
  visit(0, 0);
  return result;
}

function pixels(data: Float32Array, dims: readonly number[]): any {
  const [batch, channels, height, width] = dims as [number, number, number, number];
  return tf.tensor4d(permuted(data, dims, [0, 2, 3, 1]), [batch, height, width, channels]);
}

type Applied = (x: any) => any;

function convolution(layer: Layer, w: Float32Array, b: Float32Array, act: Activation): Applied {
  const { kernel, stride, dilation, padding, groups, y } = layer;
  const [top, left, bottom, right] = padding;
  const isPadded = padding.some((amount) => amount > 0);
  const pad = isPadded
    ? [
        [0, 0],
        [top, bottom],
        [left, right],
        [0, 0],
      ]
    : "valid";
  const shared = {
    pad,
    strides: stride,
    dataFormat: "NHWC",
    dilations: dilation,
    activation: act ?? "linear",
  };
  const [first, second] = layer.w as [number, number];
  const bias = tf.tensor1d(b);
  if (layer.transposed) {
    const filter = tf.tensor4d(permuted(w, layer.w, [2, 3, 1, 0]), [...kernel, second, first]);
    const size = [y[0], y[2], y[3], y[1]];
    return (x) => tf.add(tf.conv2dTranspose(x, filter, size, stride, pad), bias);
  }
  const turned = (part: Float32Array, dims: readonly number[]) =>
    tf.tensor4d(permuted(part, dims, [2, 3, 1, 0]), [dims[2], dims[3], dims[1], dims[0]]);
  if (groups === 1) {
    const filter = turned(w, layer.w);
    return (x) => tf.fused.conv2d({ x, filter, bias, ...shared });
  }
  if (second === 1 && groups === first) {
    const filter = tf.tensor4d(permuted(w, layer.w, [2, 3, 0, 1]), [...kernel, first, 1]);
    return (x) => tf.fused.depthwiseConv2d({ x, filter, bias, ...shared });
  }
  // It has no groups: split and join, as a user would.
  const each = first / groups;
  const cells = countOf(layer.w) / groups;
  const parts = Array.from({ length: groups }, (_, group) => ({
    filter: turned(w.slice(group * cells, (group + 1) * cells), [each, ...layer.w.slice(1)]),
    bias: tf.tensor1d(b.slice(group * each, (group + 1) * each)),
  }));
  return (x) => {
    const split: any[] = tf.split(x, groups, 3);
    return tf.concat(
      split.map((part, group) => tf.fused.conv2d({ x: part, ...parts[group], ...shared })),
      3,
    );
  };
}

serve({
  async init(threads) {
    if (threads > 1) throw new Unsupported("under Node it has no threads");
    wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/dist/`);
    await tf.setBackend("wasm");
    await tf.ready();
    return { version: tf.version_core };
  },
  layer(layer, { x, w, b }): Prepared {
    const apply = convolution(layer, w, b, null);
    const [batch, channels, height, width] = layer.x as [number, number, number, number];
    const turned = permuted(x, layer.x, [0, 2, 3, 1]);
    const enter = () => tf.tensor4d(turned, [batch, height, width, channels]);
    const resident = enter();
    const [, outputs, rows, columns] = layer.y as [number, number, number, number];
    return {
      resident: { run: () => tf.tidy(() => void apply(resident)) },
      whole: { run: () => tf.tidy(() => void apply(enter()).dataSync()) },
      output: () =>
        permuted(
          tf.tidy(() => apply(resident).dataSync()),
          [batch, rows, columns, outputs],
          [0, 3, 1, 2],
        ),
    };
  },
  network(network, weights, x): Prepared {
    const dims = new Map([["x", network.x]]);
    const steps = network.steps.map((step): Applied => {
      const [batch, channels, ...cells] = dims.get(step.in[0]!)! as [number, number, ...number[]];
      switch (step.op) {
        case "add":
          dims.set(step.out, dims.get(step.in[0]!)!);
          return (inputs) => (step.act === "relu" ? tf.relu(tf.add(...inputs)) : tf.add(...inputs));
        case "conv":
          dims.set(step.out, step.layer.y);
          return convolution(step.layer, weights[step.w]!, weights[step.b]!, step.act);
        case "max":
        case "average": {
          const { kernel, stride, padding: p } = step;
          const size = cells.map((n) => Math.floor((n + 2 * p - kernel) / stride) + 1);
          dims.set(step.out, [batch, channels, ...size]);
          const pad =
            p > 0
              ? [
                  [0, 0],
                  [p, p],
                  [p, p],
                  [0, 0],
                ]
              : "valid";
          return (input) => (step.op === "max" ? tf.maxPool : tf.avgPool)(input, kernel, stride, pad);
        }
        case "global":
          dims.set(step.out, [batch, channels, 1, 1]);
          return (input) => tf.mean(input, [1, 2], true);
        default: {
          dims.set(step.out, [batch, step.outputs]);
          // Features come channels last here.
          const shape = [step.outputs, channels, countOf(cells)];
          const b = tf.tensor2d(permuted(weights[step.w]!, shape, [2, 1, 0]), [step.features, step.outputs]);
          const bias = tf.tensor1d(weights[step.b]!);
          const activation = step.act ?? "linear";
          return (input) => tf.fused.matMul({ a: tf.reshape(input, [batch, step.features]), b, bias, activation });
        }
      }
    });
    const run = () =>
      tf.tidy(() => {
        const values = new Map([["x", pixels(x, network.x)]]);
        for (const [index, step] of network.steps.entries()) {
          const inputs = step.in.map((name) => values.get(name));
          values.set(step.out, steps[index]!(step.op === "add" ? inputs : inputs[0]));
        }
        return values.get(network.steps.at(-1)!.out).dataSync() as Float32Array;
      });
    return { whole: { run }, output: run };
  },
});
