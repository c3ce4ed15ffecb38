/** A key that neither the format nor the operator has. */
import { nearest } from "./nearest.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { listed } from "./wording.ts";

export const page: RulePage = {
  docs: `The framework would refuse the argument; and a key that is silently ignored, such as a misspelt \`stride\`, leaves the
default in force and changes every size after it.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, «out_featurs»: 10, out_features: 10}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: 10}
`,
    },
  },
};

export const unknownParameter = defineRule({
  code: "unknown-parameter",
  severity: "error",
  summary: "A key is not a parameter of its layer.",
  message: ({ data, node, graph, words }) => {
    const isOperator = node !== null && node.op.name === data.of && graph.nodes[node.id] === node;
    const known = isOperator ? data.candidates.map((name) => words.param(data.of, name)) : data.candidates;
    const close = nearest(data.name, known);
    const advice = close
      ? `Did you mean ${close}?`
      : known.length > 0 && known.length <= 16
        ? `It has ${listed(known)}.`
        : "Remove it.";
    return `${isOperator ? words.op(data.of) : data.of} has no parameter ${data.name}. ${advice}`;
  },
});
