/** A reshape that would change the number of values. */

import type { FindingData } from "#shared/ops/finding.ts";
import { type Dim, exactQuotient, isKnown, product } from "#shared/shape/dim.ts";
import { setting, unsafe } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `Reshape and Unflatten only deal the same values out along other axes, and Fold puts patches back where they came from, so
the products of the sizes before and after must be equal. One size may be −1 where it follows from the others.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [16, 6, 6]
layers:
  - {type: Reshape, shape: «[16, 25]»}
`,
      good: `cnn: 1
input: [16, 6, 6]
layers:
  - {type: Reshape, shape: [16, 36]}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 784]}},
    {"class_name": "Reshape", "config": {"name": "a", "target_shape": «[28, 28, 3]»}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 784]}},
    {"class_name": "Reshape", "config": {"name": "a", "target_shape": [28, 28, 1]}}
  ]}
}
`,
    },
    torch: {
      bad: `# convlint: input=1024
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Unflatten, dim: 1, unflattened_size: «[128, 4, 4]»}
`,
      good: `# convlint: input=1024
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Unflatten, dim: 1, unflattened_size: [64, 4, 4]}
`,
    },
  },
};

export const reshapeMismatch = defineRule({
  code: "reshape-mismatch",
  severity: "error",
  summary: "A reshape changes the number of values.",
  message: ({ data, node, words }) => {
    const shown = (dims: readonly Dim[]) => `[${dims.map(words.dim).join(", ")}]`;
    const fitting = fittingShape(data);
    const exact = fitting
      ? ` Use ${shown(fitting)}.`
      : ` The product of the sizes must be ${words.dim(product(data.from))}.`;
    // Overlapping blocks add up, so Fold does not keep the number of values.
    const advice = node?.op.name === "Fold" ? " Fold with the sizes that Unfold had." : exact;
    return `cannot turn ${shown(data.from)} into ${shown(data.to)}: ${data.why}.${advice}`;
  },

  *fixes({ data, node, at }) {
    const fitting = fittingShape(data);
    if (!node || at.kind !== "param" || !fitting?.every((dim) => typeof dim === "number")) return;
    yield unsafe(setting(node, at.name, fitting as readonly number[]));
  },
});

/** The shape with the last size changed that can make it fit, or null. */
function fittingShape({ from, to }: FindingData["reshape-mismatch"]): readonly Dim[] | null {
  const values = product(from);
  for (let at = to.length - 1; at >= 0; at--) {
    const others = product(to.toSpliced(at, 1));
    if (typeof others === "number" && others < 1) continue;
    const size = exactQuotient(values, others);
    if (size !== null && isKnown(size)) return to.with(at, size);
  }
  return null;
}
