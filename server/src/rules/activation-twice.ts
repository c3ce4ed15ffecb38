/** An activation that reads another, where the second does nothing or undoes the first. */
import { type Graph, isInside, type Node, ownerOf } from "#shared/graph/graph.ts";
import { AT_TYPE } from "#shared/ops/finding.ts";
import { defineRule, type RulePage } from "./rule.ts";
import { nameOf } from "./wording.ts";

export const page: RulePage = {
  docs: `Two activations in a row are usually one too many: the second was given to a layer that has one of its own already. A ReLU
behind a ReLU, or behind anything that is never negative, does nothing. A softmax or sigmoid behind another squashes numbers
between 0 and 1 once more: what comes out is nearly uniform, and training hardly moves. Often one of them belongs to the loss.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 16, kernel_size: 3}
  - ReLU
  - «ReLU»
`,
      good: `cnn: 1
input: [3, 32, 32]
layers:
  - {type: Conv2d, out_channels: 16, kernel_size: 3}
  - ReLU
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 128]}},
    {"class_name": "Dense", "config": {"name": "a", "units": 10, "activation": "softmax"}},
    {"class_name": «"Activation"», "config": {"name": "b", "activation": "softmax"}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 128]}},
    {"class_name": "Dense", "config": {"name": "a", "units": 10}},
    {"class_name": "Activation", "config": {"name": "b", "activation": "softmax"}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
  - [-1, 1, nn.ReLU, []]
  - [-1, 1, «nn.ReLU», []]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
  - [-1, 1, nn.ReLU, []]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=128
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Linear, in_features: 128, out_features: 10}
    - {_target_: torch.nn.Softmax, dim: 1}
    - {_target_: «torch.nn.LogSoftmax», dim: 1}
`,
      good: `# convlint: input=128
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Linear, in_features: 128, out_features: 10}
    - {_target_: torch.nn.LogSoftmax, dim: 1}
`,
    },
  },
};

/** What never gives a negative number. */
const NEVER_NEGATIVE = new Set("ReLU ReLU6 Sigmoid Hardsigmoid Softmax Softmin Softmax2d Softplus".split(" "));
/** What leaves numbers from 0 up as they are. */
const IDENTITY_ABOVE_0 = new Set("ReLU LeakyReLU PReLU ParametricReLU RReLU ELU CELU".split(" "));
/** What turns scores into shares or probabilities. */
const SQUASHES = new Set("Sigmoid Softmax Softmin Softmax2d LogSoftmax LogSigmoid".split(" "));
/** Functions that change nothing the second time. */
const ONCE_IS_ENOUGH = new Set("ReLU ReLU6 Hardtanh".split(" "));
/** What passes values on as they are when a model is used. */
const PASSES = /^(Identity|(Alpha|FeatureAlpha)?Dropout\d?d?)$/;

export const activationTwice = defineRule({
  code: "activation-twice",
  severity: "warning",
  // What does nothing does no harm either.
  grade: ({ data }) => (data.why === "squashed" ? "warning" : "information"),
  summary: "An activation right behind another, where it does nothing or undoes the first.",
  check({ graph, report }, state) {
    for (const node of graph.nodes) {
      if (!(IDENTITY_ABOVE_0.has(node.op.name) || SQUASHES.has(node.op.name) || ONCE_IS_ENOUGH.has(node.op.name)))
        continue;
      const isJudged = report.nodes[node.id]!.outputs.length > 0 && !isInside(graph, node);
      const before = isJudged ? activationBefore(node, graph.nodes) : undefined;
      if (!before || !isOneText(node, before, graph)) continue;
      const [first, second] = [before.op.name, node.op.name];
      if (SQUASHES.has(first) && SQUASHES.has(second)) state(node, AT_TYPE, { before: before.id, why: "squashed" });
      else if (first === second && ONCE_IS_ENOUGH.has(second)) state(node, AT_TYPE, { before: before.id, why: "same" });
      else if (NEVER_NEGATIVE.has(first) && IDENTITY_ABOVE_0.has(second)) {
        state(node, AT_TYPE, { before: before.id, why: "never-negative" });
      }
    }
  },
  message: (context) => {
    const { before, why } = context.data;
    const { graph, node, words } = context;
    const [first, second] = [graph.nodes[before]!.op.name, node?.op.name ?? ""].map(words.op);
    const what = nameOf(before, context) === first ? `the ${first} before` : `${first} (${nameOf(before, context)})`;
    if (why === "squashed")
      return `${second} reads what ${what} has squashed already: its results lie close together and hardly train. Keep one of them.`;
    if (why === "same") return `${second} behind ${what} changes nothing. Remove one of them.`;
    return `${what} is never negative, so ${second} changes nothing. Remove one of them.`;
  },
  related: (context) => [
    { range: context.graph.nodes[context.data.before]!.origin.type, message: "the activation before" },
  ],

  *fixes({ node }) {
    if (node) yield { changes: [{ kind: "remove", at: node.origin.layer }], safe: false, title: "remove this layer" };
  },
});

/** Where a block begins with an activation, what comes before it is another matter in every use of the block. */
function isOneText(node: Node, before: Node, graph: Graph): boolean {
  const layer = ownerOf(graph, node.id);
  const isAlone = layer === undefined || layer.nodes.end - layer.nodes.first === 1;
  return isAlone || ownerOf(graph, before.id) === layer;
}

/** The node whose values arrive, through layers that pass them on. */
function activationBefore(node: Node, nodes: readonly Node[]): Node | undefined {
  let at = node;
  for (let hops = 0; hops < 4; hops++) {
    const ref = at.inputs[0];
    const before = ref ? nodes[ref.node] : undefined;
    if (!before || !PASSES.test(before.op.name)) return before;
    at = before;
  }
  return undefined;
}
