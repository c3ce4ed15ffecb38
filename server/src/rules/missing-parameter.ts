/** A required parameter is not written. */
import type { Param } from "#shared/ops/param.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `The operator has no default for the parameter, so the layer cannot be built and its output size is not known.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - «Linear»
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: 10}
`,
    },
  },
};

export const missingParameter = defineRule({
  code: "missing-parameter",
  severity: "error",
  summary: "A required parameter is missing.",
  message: ({ data, node, words }) => {
    if (node?.op.name !== data.of) return `${data.of} needs ${data.name}; add it.`;
    const name = words.param(data.of, data.name);
    const param = (node.op.params as Readonly<Record<string, Param<unknown>>>)[data.name];
    return `${words.op(data.of)} needs ${name}${param ? ` (${param.type.expected})` : ""}; add it.`;
  },
});
