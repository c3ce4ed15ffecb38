/** `padding: same` together with a stride. */

import { effectiveKernel } from "#shared/shape/window.ts";
import { setting, unsafe } from "./mending.ts";
import { defineRule, type MessageContext, type RulePage } from "./rule.ts";
import { accepts, offered } from "./wording.ts";

export const page: RulePage = {
  docs: `\`same\` promises an output as large as the input, which a stride makes impossible; PyTorch refuses the two together. TensorFlow's
SAME means another thing there, an output of ⌈n/stride⌉, with padding that depends on the input size; the native format
calls it \`same_upper\`.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 33, 33]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 3, stride: 2, padding: «same»}
`,
      good: `cnn: 1
input: [3, 33, 33]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 3, stride: 2, padding: 1}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, nn.Conv2d, [3, 3, 3, 2, «same»]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, nn.Conv2d, [3, 3, 3, 1, same]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3, stride: 2, padding: «same»}
`,
      good: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.Conv2d, in_channels: 3, out_channels: 8, kernel_size: 3, padding: same}
`,
    },
  },
};

export const sameWithStride = defineRule({
  code: "same-with-stride",
  severity: "error",
  summary: "padding: same with a stride greater than 1.",
  message: (context) => {
    const { data } = context;
    const strides = [...new Set(data.stride)];
    const shown = strides.length === 1 ? `${strides[0]}` : `[${data.stride.join(", ")}]`;
    const options = [...explicitPadding(context).map(({ words }) => words), "stride 1"];
    return `padding same keeps the size, which needs stride 1, but the stride is ${shown}. Use ${offered(options)}.`;
  },

  *fixes(context) {
    const { node } = context;
    if (!node) return;
    for (const { value } of explicitPadding(context)) yield unsafe(setting(node, "padding", value));
    yield unsafe(setting(node, "stride", 1));
  },
});

/** The symmetric padding that gives ⌈n/s⌉ for every n, where the kernel is odd; TensorFlow's SAME where the format has it. */
function explicitPadding(context: MessageContext<"same-with-stride">) {
  const options: { readonly words: string; readonly value: number | string }[] = [];
  const { kernel_size: kernel, dilation } = context.node?.attrs ?? {};
  if (Array.isArray(kernel) && Array.isArray(dilation)) {
    const pads = new Set(
      kernel.map((size: number, axis) => (effectiveKernel({ kernel: size, dilation: dilation[axis] ?? 1 }) - 1) / 2),
    );
    const [padding] = pads;
    if (pads.size === 1 && padding !== undefined && Number.isInteger(padding))
      options.push({ words: `padding ${padding}`, value: padding });
  }
  if (accepts(context, "padding", "same_upper")) options.push({ words: "padding same_upper", value: "same_upper" });
  return options;
}
