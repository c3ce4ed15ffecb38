/** A layer of which the frameworks that a model is meant for make different sizes, or which one of them refuses. */
import { isInside, type Node } from "#shared/graph/graph.ts";
import type { NodeReport } from "#shared/graph/infer.ts";
import { AT_TYPE, type FrameworkAnswer } from "#shared/ops/finding.ts";
import type { Target } from "#shared/settings.ts";
import { ceilDiv, type Dim } from "#shared/shape/dim.ts";
import { outputSize, type WindowUse } from "#shared/shape/window.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `Where a model is meant for more than one framework, each layer should mean the same in all of them. Some do not: Keras rounds
every pooled size down and knows no \`ceil_mode\`, refuses a stride together with a dilation, pools without dilation and without
padding of its own choice, and enlarges by whole factors only; ONNX has no adaptive pooling but where the output divides the
input. What can be said in another way, such as padding by a layer of its own, is no disagreement.

\`targets: [pytorch, tensorflow, onnx]\` in the file, a comment \`# convlint: targets=pytorch,onnx\` or the configuration says what
a model is meant for. Facts: PyTorch 1.13 and 2.13, Keras 3.15, ONNX 1.23.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 32, 32]
targets: [pytorch, keras, onnx]
layers:
  - {type: «MaxPool2d», kernel_size: 3, stride: 2, ceil_mode: true}
`,
      good: `cnn: 1
input: [3, 33, 33]
targets: [pytorch, keras, onnx]
layers:
  - {type: MaxPool2d, kernel_size: 3, stride: 2, ceil_mode: true}
`,
    },
    ultralytics: {
      bad: `# convlint: targets=pytorch,keras
nc: 80
backbone:
  - [-1, 1, «nn.MaxPool2d», [3, 2, 0, 1, False, True]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `# convlint: targets=pytorch,keras
nc: 80
backbone:
  - [-1, 1, nn.MaxPool2d, [2, 2]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: targets=pytorch,onnx
# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: «torch.nn.AdaptiveAvgPool2d», output_size: 7}
`,
      good: `# convlint: targets=pytorch,onnx
# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.AdaptiveAvgPool2d, output_size: 8}
`,
    },
  },
};

export const frameworkDisagreement = defineRule({
  code: "framework-disagreement",
  severity: "warning",
  summary: "The frameworks that the model is meant for disagree about a layer's size, or one refuses it.",
  check({ graph, report, targets }, state) {
    if (targets.length < 2) return;
    for (const node of graph.nodes) {
      if (node.broken || isInside(graph, node)) continue;
      const found = report.nodes[node.id]!;
      const windows = found.inference?.windows ?? [];
      const mine: FrameworkAnswer["sizes"] = windows.map(({ output }) => output);
      const answers = targets.map((target): FrameworkAnswer => {
        const { sizes = mine, because } = JUDGES[target](node, found, windows) ?? {};
        return { target, sizes, ...(because === undefined ? {} : { because }) };
      });
      const texts = new Set(answers.map(({ sizes }) => String(sizes)));
      if (texts.size > 1) state(node, AT_TYPE, { answers });
    }
  },
  message: ({ data: { answers } }) => {
    const said = answers.map(({ target, sizes, because }) => {
      const why = because === undefined ? "" : ` (${because})`;
      const gives = sizes === null ? "refuses it" : sizes.length > 0 ? `gives ${sizes.join(" × ")}` : "takes it";
      return `${NAMES[target as Target]} ${gives}${why}`;
    });
    const differs = answers.every(({ sizes }) => sizes !== null)
      ? "the size differs"
      : "not every target takes this layer";
    return `${differs}: ${said.join("; ")}. Use a form that all of them have.`;
  },
});

const NAMES: Readonly<Record<Target, string>> = { pytorch: "PyTorch", tensorflow: "Keras", onnx: "ONNX" };

/** What differs from the inferred sizes: others, or null for a refusal. null where nothing does. */
type Judge = (
  node: Node,
  report: NodeReport,
  windows: readonly WindowUse[],
) => Pick<FrameworkAnswer, "sizes" | "because"> | { readonly sizes?: undefined; readonly because?: undefined } | null;

const refuses = (because: string) => ({ sizes: null, because });

const JUDGES: Readonly<Record<Target, Judge>> = {
  // Sizes are inferred by PyTorch's rules already, and what it refuses is an error of its own rule.
  pytorch: () => null,

  tensorflow({ op, attrs }, { inputs }, windows) {
    const strided = windows.some(({ window }) => window.stride > 1);
    const dilated = windows.some(({ window }) => window.dilation > 1);
    if (/^(Conv|DepthwiseConv|SeparableConv|ConvTranspose)\dd$/.test(op.name)) {
      if (strided && dilated) return refuses("it has no stride together with a dilation");
      if (typeof attrs.padding_mode === "string" && attrs.padding_mode !== "zeros")
        return refuses("it pads with zeros only");
    }
    if (op.name.startsWith("ConvTranspose")) {
      if (Number(attrs.groups) > 1) return refuses("its transposed convolutions have no groups");
      const wide = windows.some(({ window, outputPadding = 0 }) => outputPadding > 0 && outputPadding >= window.stride);
      if (wide) return refuses("its output padding must be less than the stride");
    }
    if (/^LPPool/.test(op.name)) return refuses("it has no such pooling");
    if (/^(Max|Avg)Pool/.test(op.name)) {
      if (dilated) return refuses("its pooling has no dilation");
      if (attrs.divisor_override != null) return refuses("its average has no divisor of its own");
      if (windows.some(padsByItself)) return refuses("its pooling pads by SAME or not at all");
      const sizes = windows.map((use): Dim => outputSize(use.input, { ...use.window, ceil: false }));
      if (windows.some(({ window }) => window.ceil)) return { sizes, because: "it always rounds down" };
    }
    if (op.name === "Upsample" || op.name === "Interpolate") {
      const factors = [attrs.scale_factor].flat();
      if (inputs[0] && factors.some((factor) => typeof factor === "number" && !Number.isInteger(factor)))
        return refuses("it enlarges by whole factors only");
    }
    return null;
  },

  onnx({ op, attrs }, { inference }) {
    if (/^Adaptive/.test(op.name) && !inference?.windows)
      return refuses("it has no adaptive pooling, and the output does not divide the input");
    if (attrs.divisor_override != null) return refuses("its average has no divisor of its own");
    return null;
  },
};

/** Whether a window has padding and another size than SAME gives; where only the place differs, same-shape-shifted tells. */
function padsByItself({ input, output, window: w }: WindowUse): boolean {
  if (w.same || (w.padBefore === 0 && w.padAfter === 0)) return false;
  return typeof output === "number" && output !== ceilDiv(input, w.stride);
}
