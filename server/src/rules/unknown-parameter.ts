/** A key that neither the format nor the operator has. */
import { respelt } from "./mending.ts";
import { nearest } from "./nearest.ts";
import { defineRule, type MessageContext, type RulePage } from "./rule.ts";
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
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3, «strides»: 1}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3, stride: 1}
`,
    },
  },
};

export const unknownParameter = defineRule({
  code: "unknown-parameter",
  severity: "error",
  summary: "A key is not a parameter of its layer.",
  message: (context) => {
    const { data, words } = context;
    const known = knownTo(context);
    const close = nearest(data.name, known);
    const advice = close
      ? `Did you mean ${close}?`
      : known.length > 0 && known.length <= 16
        ? `It has ${listed(known)}.`
        : "Remove it.";
    return `${isOperators(context) ? words.op(data.of) : data.of} has no parameter ${data.name}. ${advice}`;
  },

  *fixes(context) {
    const { data, node, at } = context;
    const key = at.kind === "range" ? at.range : node?.origin.params.get(data.name)?.key;
    if (!key) return;
    yield* respelt(key, data.name, knownTo(context));
    yield { changes: [{ kind: "remove", at: key }], safe: false, title: `remove ${data.name}` };
  },
});

type Context = MessageContext<"unknown-parameter">;

function isOperators({ data, node, graph }: Context): boolean {
  return node !== null && node.op.name === data.of && graph.nodes[node.id] === node;
}

/** The keys that there are, in the file's words. */
function knownTo(context: Context): readonly string[] {
  const { data, words } = context;
  return isOperators(context) ? data.candidates.map((name) => words.param(data.of, name)) : data.candidates;
}
