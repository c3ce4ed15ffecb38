/**
 * Attention over token sequences [N, L, E], and the selections that detection transformers make.
 * Sources: torch.nn.MultiheadAttention (batch first); torch.topk; Zhu et al., "Deformable DETR".
 */
import type { Linear, Resident } from "../kernels/backend.ts";
import { add, compare, type Dim, mul } from "../shape/dim.ts";
import { type Tensor, withDims } from "../shape/tensor.ts";
import { AT_LAYER, atParam, type Report } from "./finding.ts";
import { sizesOf } from "./image.ts";
import { KERNEL, XAVIER, ZEROS } from "./initial.ts";
import { defineOp, type Operator, type WeightSpec, type WeightsOnly } from "./op.ts";
import { bool, int, optional, required } from "./param.ts";

/** The length and width of a sequence; null after reporting that it is none. */
function sequence(input: Tensor, report: Report): { readonly length: Dim; readonly width: Dim } | null {
  if (input.dims.length === 3) return { length: input.dims[1]!, width: input.dims[2]! };
  report("wrong-rank", AT_LAYER, { input, expected: "a sequence [N, L, E]" });
  return null;
}

/** The projection of query (0), key (1) or value (2): a third of the rows of `in_proj`. */
function projection(
  { attrs, weight, derived }: WeightsOnly<{ readonly embed_dim: number; readonly bias: boolean }>,
  part: number,
): Linear {
  const width = attrs.embed_dim;
  const third = (name: string, dims: readonly number[]) =>
    derived(`${name} ${part}`, () => {
      const { data } = weight(name);
      const length = data.length / 3;
      return { dims, data: data.slice(part * length, (part + 1) * length) };
    });
  return {
    weight: third("in_proj_weight", [width, width]),
    bias: attrs.bias ? third("in_proj_bias", [width]) : null,
  };
}

const multiheadAttention = defineOp({
  name: "MultiheadAttention",
  summary: "Attention of a query sequence over a key and a value sequence, in several heads.",
  params: {
    embed_dim: required(int(1), "Width of the sequences."),
    num_heads: required(int(1), "Heads the width is split into; divides it."),
    bias: optional(bool, true, "Adds learned biases to the projections."),
  },
  inputs: { least: 3, most: 3 },
  infer({ attrs, inputs, report }) {
    const width = attrs.embed_dim;
    if (width % attrs.num_heads !== 0) {
      const why = "every head has as many channels as the others";
      report("not-divisible", atParam("num_heads"), { what: "embed_dim", size: width, by: attrs.num_heads, why });
    }
    const [query, key] = inputs.map((input) => sequence(input, report));
    if (query && compare(query.width, width) === "different") {
      report("features-mismatch", atParam("embed_dim"), {
        written: width,
        actual: query.width,
        input: inputs[0]!,
        param: "embed_dim",
      });
    }
    const weights: WeightSpec[] = [
      { name: "in_proj_weight", dims: [3 * width, width], trainable: true, initial: XAVIER },
      { name: "out_proj.weight", dims: [width, width], trainable: true, initial: KERNEL },
    ];
    if (attrs.bias) {
      weights.push(
        { name: "in_proj_bias", dims: [3 * width], trainable: true, initial: ZEROS },
        { name: "out_proj.bias", dims: [width], trainable: true, initial: ZEROS },
      );
    }
    if (!query || !key) return { outputs: [inputs[0]!], weights };
    const projections = add(mul(2 * width * width, query.length), mul(2 * width * width, key.length));
    const products = mul(mul(2 * width, query.length), key.length);
    return { outputs: [inputs[0]!], weights, macs: add(projections, products) };
  },
  field: "all",
  run(backend, execution) {
    const { attrs, inputs, weight } = execution;
    const heads = attrs.num_heads;
    const width = attrs.embed_dim / heads;
    const [query, key, value] = inputs.map((input, part) => {
      const [batch, length] = input.dims as [number, number];
      const projected = backend.linear(input, projection(execution, part));
      return backend.permute(backend.reshape(projected, [batch, length, heads, width]), [0, 2, 1, 3]);
    }) as [Resident, Resident, Resident];
    const products = backend.matmul(query, backend.permute(key, [0, 1, 3, 2]));
    const scaled = backend.unary(products, { kind: "affine", scale: 1 / Math.sqrt(width), shift: 0 });
    const seen = backend.matmul(backend.softmax(scaled, 3, false), value);
    const joined = backend.reshape(backend.permute(seen, [0, 2, 1, 3]), inputs[0]!.dims);
    const bias = attrs.bias ? weight("out_proj.bias") : null;
    return [backend.linear(joined, { weight: weight("out_proj.weight"), bias })];
  },
  example: {
    attrs: { embed_dim: 8, num_heads: 2 },
    inputs: [
      [1, 5, 8],
      [1, 7, 8],
      [1, 7, 8],
    ],
    output: [1, 5, 8],
  },
});

const topK = defineOp({
  name: "TopK",
  summary: "Keeps the k best entries along an axis.",
  params: {
    k: required(int(1), "How many entries are kept."),
    dim: optional(int(0), 1, "The axis to choose along; the batch counts."),
    clip: optional(bool, false, "Keeps all where there are fewer than k; otherwise that is refused."),
  },
  infer({ attrs, inputs, report }) {
    const input = inputs[0]!;
    const size = input.dims[attrs.dim];
    if (size === undefined) {
      report("wrong-rank", AT_LAYER, { input, expected: `an axis ${attrs.dim}` });
      return { outputs: [input] };
    }
    const few = typeof size === "number" && size < attrs.k;
    if (few && !attrs.clip) {
      report("bad-value", atParam("k"), {
        name: "k",
        value: attrs.k,
        expected: `at most ${size}, the entries there are`,
      });
    }
    return { outputs: [withDims(input, new Map([[attrs.dim, few ? size : attrs.k]]))] };
  },
  field: "all",
  run: (backend, { attrs, inputs, inference }) => [
    backend.top(inputs[0]!, attrs.dim, sizesOf(inference.outputs[0]!)[attrs.dim]!),
  ],
  example: { attrs: { k: 3 }, inputs: [[1, 10, 6]], output: [1, 3, 6] },
});

const deformableSampling = defineOp({
  name: "DeformableSampling",
  summary: "For every query, a weighted sum of values at a few learned places: inputs are values, offsets and weights.",
  params: {},
  inputs: { least: 3, most: 3 },
  infer({ inputs, report }) {
    const [values, offsets] = inputs.map((input) => sequence(input, report));
    const like = inputs[0]!;
    if (!values || !offsets) return { outputs: [like] };
    return { outputs: [withDims(like, new Map([[1, offsets.length]]))] };
  },
  field: "all",
  run: (_, { cannot }) => cannot("the sizes of the maps that it samples are not in the graph"),
  example: {
    attrs: {},
    inputs: [
      [1, 84, 32],
      [1, 10, 64],
      [1, 10, 32],
    ],
    output: [1, 10, 32],
  },
});

export const attentionOps: readonly Operator[] = [multiheadAttention, topK, deformableSampling];
