/** Too few or too many inputs. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `Add and Concat join several branches; most other layers read exactly one. In the native format \`from:\` names the inputs; without it
a layer reads only the one before.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: ReLU, name: a}
  - {type: Sigmoid, name: b, from: a}
  - {type: Tanh, from: [a, «b»]}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: ReLU, name: a}
  - {type: Sigmoid, name: b, from: a}
  - {type: Add, from: [a, b]}
`,
    },
  },
};

export const wrongInputCount = defineRule({
  code: "wrong-input-count",
  severity: "error",
  summary: "A layer reads too few or too many inputs.",
  message: ({ data, node, words }) => {
    const op = node ? words.op(node.op.name) : "the layer";
    const least = node?.op.inputs?.least ?? 1;
    const advice =
      data.got < least ? "Name every layer that it reads." : "Join them first, with Add or Concat, or drop the rest.";
    return `${op} takes ${data.expected} but gets ${data.got}. ${advice}`;
  },
});
