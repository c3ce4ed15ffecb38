/** Linear (and norms over the last axes) made for another size than the one that arrives. */

import { product } from "#shared/shape/dim.ts";
import { setting } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { branch, factored, inputIndex, source } from "./wording.ts";

export const page: RulePage = {
  docs: `Linear multiplies the last axis, so its \`in_features\` must equal that size. After Flatten that is channels × height ×
width, which changes with the input size and with every padding and stride before: the commonest error when a network is
adapted to another image size. Where the format can infer the count, leaving it out cannot go wrong.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [16, 6, 6]
layers:
  - Flatten
  - {type: Linear, in_features: «400», out_features: 10}
`,
      good: `cnn: 1
input: [16, 6, 6]
layers:
  - Flatten
  - {type: Linear, in_features: 576, out_features: 10}
`,
    },
    torch: {
      bad: `# convlint: input=3x8x8
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Flatten}
    - {_target_: torch.nn.Linear, in_features: «200», out_features: 10}
`,
      good: `# convlint: input=3x8x8
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Flatten}
    - {_target_: torch.nn.Linear, in_features: 192, out_features: 10}
`,
    },
  },
};

export const featuresMismatch = defineRule({
  code: "features-mismatch",
  severity: "error",
  summary: "The written feature count is not the input's.",
  message: (context) => {
    const { data, node, words } = context;
    const op = node ? words.op(node.op.name) : "the layer";
    const param = node ? words.param(node.op.name, data.param) : data.param;
    const takes = `${op} takes ${data.written} features`;
    const set = `set ${param}: ${words.dim(data.actual)}`;
    if (data.flattened) {
      const { flattened } = data;
      const factors = flattened.dims.slice(flattened.layout.batched ? 1 : 0);
      const gets = factored(data.actual, factors, words.dim);
      return `${takes} but gets ${gets} from ${words.op("Flatten")} of ${words.shape(flattened)}; ${set}.`;
    }
    const { input } = data;
    const from = branch(context, inputIndex(context, input), input);
    if (data.param !== "in_features") return `${takes} but gets ${words.dim(data.actual)} of ${from}; ${set}.`;
    const inner = input.dims.slice(input.layout.batched ? 1 : 0);
    const wantsFlat = inner.length > 1 && product(inner) === data.written;
    const advice = wantsFlat
      ? `put ${words.op("Flatten")} before it (${factored(data.written, inner, words.dim)})`
      : set;
    return `${takes} but the last axis of ${from} is ${words.dim(data.actual)}; ${advice}.`;
  },
  related: (context) => source(context, context.data.input),

  *fixes({ data, node, at }) {
    const { actual, param, written, input } = data;
    const inner = input.dims.slice(input.layout.batched ? 1 : 0);
    const wantsFlat = param === "in_features" && inner.length > 1 && product(inner) === written;
    if (node && wantsFlat) yield { changes: [{ kind: "insert", before: node, op: "Flatten" }], safe: false };
    if (!node?.origin.params.has(param) || typeof actual !== "number") return;
    const index = at.kind === "param" ? at.index : undefined;
    yield { changes: [setting(node, param, actual, index)], safe: !wantsFlat };
  },
});
