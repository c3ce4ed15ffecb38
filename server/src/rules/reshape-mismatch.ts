/** A reshape that would change the number of values. */
import { product } from "#shared/shape/dim.ts";
import { defineRule } from "./rule.ts";

export const reshapeMismatch = defineRule({
  code: "reshape-mismatch",
  severity: "error",
  summary: "A reshape changes the number of values.",
  docs: `Reshape and Unflatten only deal the same values out along other axes, and Fold puts patches back where they came from, so
the products of the sizes before and after must be equal. One size may be −1 where it follows from the others.`,
  examples: {
    bad: `cnn: 1
input: [16, 6, 6]
layers:
  - {type: Reshape, shape: [16, 25]}
`,
    good: `cnn: 1
input: [16, 6, 6]
layers:
  - {type: Reshape, shape: [16, 36]}
`,
  },
  message: ({ data, words }) => {
    const shown = (dims: typeof data.from) =>
      `[${dims.map(words.dim).join(", ")}] (${words.dim(product(dims))} values)`;
    return `cannot turn ${shown(data.from)} into ${shown(data.to)}: ${data.why}.`;
  },
});
