/** A value of the wrong kind. */
import type { Plain } from "#shared/ops/param.ts";
import { nearest } from "./nearest.ts";
import { defineRule, type RulePage } from "./rule.ts";

/** Longer values say nothing in a message. */
const MAX_SHOWN = 40;

export const page: RulePage = {
  docs: `The framework refuses the value, or the format cannot read it. Where one element of a list is at fault, the mark is on
that element. The layer's own sizes are not known then; its neighbours keep theirs.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: «ten»}
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Linear, out_features: 10}
`,
    },
  },
};

export const badValue = defineRule({
  code: "bad-value",
  severity: "error",
  summary: "A value is of the wrong kind or out of range.",
  message: ({ data, at, node, words }) => {
    const name = node ? words.param(node.op.name, data.name) : data.name;
    const value = at.kind === "param" && at.index !== undefined ? element(data.value, at.index) : data.value;
    const not = value === undefined ? "" : `, not ${shown(value)}`;
    const choices = node ? [...data.expected.matchAll(/"([^"]+)"/g)].map((match) => match[1]!) : [];
    const close = typeof value === "string" ? nearest(value, choices) : null;
    const limit = typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER ? " of at most 2⁵³ − 1" : "";
    return `${name} must be ${data.expected}${limit}${not}.${close ? ` Did you mean ${close}?` : ""}`;
  },
});

function element(value: Plain | undefined, index: number): Plain | undefined {
  return Array.isArray(value) ? (value[index] as Plain | undefined) : value;
}

function shown(value: Plain): string {
  if (value === null) return "empty";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}
