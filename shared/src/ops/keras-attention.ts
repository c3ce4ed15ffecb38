/**
 * Attention as keras.layers has it: queries over values, with keys of their own or not. Sizes and weights only.
 * Source: keras.layers.MultiHeadAttention, Attention and AdditiveAttention, Keras 3.
 */
import { add, type Dim, mul, product } from "../shape/dim.ts";
import { type Tensor, tensor } from "../shape/tensor.ts";
import { withAxes } from "./axis.ts";
import { AT_LAYER, type Report } from "./finding.ts";
import { ONES, XAVIER, ZEROS } from "./initial.ts";
import { defineOp, type Operator, type WeightSpec } from "./op.ts";
import { absent, bool, int, optional, required } from "./param.ts";

interface Sequences {
  readonly query: Tensor;
  readonly value: Tensor;
  readonly key: Tensor;
}

/** Query, value and key, the last of which is the value by default; null after reporting one that is no sequence. */
function sequencesOf(inputs: readonly Tensor[], report: Report): Sequences | null {
  const bad = inputs.find(({ dims }) => dims.length < 3);
  if (bad) {
    report("wrong-rank", AT_LAYER, { input: bad, expected: "at least 3 axes: batch, steps and features" });
    return null;
  }
  const [query, value = query, key = value] = inputs as [Tensor, Tensor?, Tensor?];
  return { query, value, key };
}

/** Width and number of positions. */
const widthOf = ({ dims }: Tensor): Dim => dims.at(-1)!;
const positionsOf = ({ dims }: Tensor): Dim => product(dims.slice(1, -1));

const multiHead = defineOp({
  name: "MultiHeadAttention",
  summary: "Attention of queries over keys and values, in several heads of their own projections.",
  params: {
    num_heads: required(int(1), "Heads."),
    key_dim: required(int(1), "Width of every head's queries and keys."),
    value_dim: absent(int(1), "Width of every head's values; as key_dim where absent."),
    output_width: absent(int(1), "Width of the output; as the query's where absent."),
    use_bias: optional(bool, true, "Adds learned biases to the projections."),
    scores: optional(bool, false, "Gives the attention's scores too."),
  },
  inputs: { least: 1, most: 3 },
  infer({ attrs, inputs, report }) {
    const given = sequencesOf(inputs, report);
    if (!given) return { outputs: [] };
    const { query, value, key } = given;
    const { num_heads: heads, key_dim: keys } = attrs;
    const values = attrs.value_dim ?? keys;
    const width = attrs.output_width ?? widthOf(query);
    const projection = (name: string, from: Tensor, size: number): WeightSpec[] => [
      { name: `${name}.kernel`, dims: [widthOf(from), heads, size], trainable: true, initial: XAVIER },
      ...(attrs.use_bias ? [{ name: `${name}.bias`, dims: [heads, size], trainable: true, initial: ZEROS }] : []),
    ];
    const weights: WeightSpec[] = [
      ...projection("query", query, keys),
      ...projection("key", key, keys),
      ...projection("value", value, values),
      { name: "attention_output.kernel", dims: [heads, values, width], trainable: true, initial: XAVIER },
      ...(attrs.use_bias ? [{ name: "attention_output.bias", dims: [width], trainable: true, initial: ZEROS }] : []),
    ];
    const [asked, seen] = [positionsOf(query), positionsOf(value)];
    const macs = [
      product([asked, widthOf(query), heads * keys]),
      product([seen, widthOf(key), heads * keys]),
      product([seen, widthOf(value), heads * values]),
      product([asked, seen, heads * (keys + values)]),
      product([asked, heads * values, width]),
    ].reduce(add);
    const output = withAxes(query, [...query.dims.slice(0, -1), width], true);
    const scores = tensor(
      [query.dims[0]!, heads, ...query.dims.slice(1, -1), ...value.dims.slice(1, -1)],
      query.layout,
    );
    return { outputs: attrs.scores ? [output, scores] : [output], weights, macs };
  },
  recover: () => ({ outputs: [] }),
  field: "all",
  run: (_, { cannot }) => cannot("ConvLint computes the sizes of this attention only"),
  example: {
    attrs: { num_heads: 2, key_dim: 4 },
    inputs: [
      [1, 5, 8],
      [1, 7, 8],
    ],
    output: [1, 5, 8],
  },
});

/** @param scaleOf the learned scale, where it has one. */
function singleHead(name: string, summary: string, scaleOf: (query: Tensor) => readonly Dim[]): Operator {
  return defineOp({
    name,
    summary,
    params: {
      scaled: optional(bool, false, "Learns a scale of the scores."),
      scores: optional(bool, false, "Gives the attention's scores too."),
    },
    inputs: { least: 2, most: 3 },
    infer({ attrs, inputs, report }) {
      const given = sequencesOf(inputs, report);
      if (!given) return { outputs: [] };
      const { query, value } = given;
      const output = withAxes(query, [...query.dims.slice(0, -1), widthOf(value)], true);
      const scores = withAxes(query, [...query.dims.slice(0, -1), value.dims.at(-2)!], true);
      const scale: WeightSpec = { name: "scale", dims: scaleOf(query), trainable: true, initial: ONES };
      const macs = mul(mul(positionsOf(query), positionsOf(value)), add(widthOf(query), widthOf(value)));
      return {
        outputs: attrs.scores ? [output, scores] : [output],
        ...(attrs.scaled ? { weights: [scale] } : {}),
        macs,
      };
    },
    recover: () => ({ outputs: [] }),
    field: "all",
    run: (_, { cannot }) => cannot("ConvLint computes the sizes of this attention only"),
    example: {
      attrs: {},
      inputs: [
        [1, 5, 8],
        [1, 7, 8],
      ],
      output: [1, 5, 8],
    },
  });
}

export const kerasAttentionOps: readonly Operator[] = [
  multiHead,
  singleHead("Attention", "Attention of queries over values by products.", () => []),
  singleHead("AdditiveAttention", "Attention of queries over values by sums.", (query) => [widthOf(query)]),
];
