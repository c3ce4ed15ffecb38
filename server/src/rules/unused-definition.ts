/** A variable, block, block parameter or anchor that nothing uses. */
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `A name is defined and never used: a variable that no expression reads, a block that is no layer's type, a parameter that its
block ignores, an anchor without an alias. Either what should use it uses something else, so that changing it does nothing, or
it is left over.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
vars: {width: 64, «depth»: 3}
layers:
  - {type: Conv2d, out_channels: "\${width}", kernel_size: 3}
`,
      good: `cnn: 1
input: [3, 32, 32]
vars: {width: 64, depth: 3}
layers:
  - {type: Conv2d, out_channels: "\${width}", kernel_size: 3, repeat: "\${depth}"}
`,
    },
  },
};

export const unusedDefinition = defineRule({
  code: "unused-definition",
  severity: "information",
  tag: "unnecessary",
  summary: "Something is given a name and never used.",
  message: ({ data: { kind, name } }) => `nothing uses the ${kind} ${name}. Use it, or remove it.`,

  *fixes({ data, at }) {
    if (at.kind === "range")
      yield { changes: [{ kind: "remove", at: at.range }], safe: false, title: `remove ${data.kind} ${data.name}` };
  },
});
