/** The text is not YAML or JSON at some place. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `The parser stopped making sense of the text at the marked place. The layers that could still be read keep their
hints; what the mark covers is not checked.

Most often a bracket, brace or quote is not closed, a colon lacks the space after it, or a line is indented by a tab.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - «{»type: Linear, out_features: 10
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: 10}
`,
    },
  },
};

export const syntax = defineRule({
  code: "syntax",
  severity: "error",
  summary: "The text is not valid YAML or JSON.",
  message: ({ data }) => data.message,
});
