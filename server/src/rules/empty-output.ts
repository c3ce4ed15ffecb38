/** An output without any value. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `One of the output's sizes is 0. Where the framework refuses that it is an error; where it goes on computing with
nothing, as PyTorch does after a slice that leaves nothing, it is a warning.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Upsample, scale_factor: «0.01»}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Upsample, scale_factor: 0.5}
`,
    },
  },
};

export const emptyOutput = defineRule({
  code: "empty-output",
  severity: "error",
  grade: ({ data }) => (data.fatal ? "error" : "warning"),
  summary: "The layer's output holds no values.",
  message: ({ data, at, node, words }) => {
    const written = at.kind === "param" && node?.origin.params.has(at.name) ? words.param(node.op.name, at.name) : null;
    return `the output ${words.shape(data.output)} holds no values: ${data.why}.${written ? ` Change ${written}.` : ""}`;
  },
});
