/** A window that does not divide its input: what it leaves, and what would make it exact. */

import { isInside } from "#shared/graph/graph.ts";
import type { Plain } from "#shared/ops/param.ts";
import { type Dim, sub } from "#shared/shape/dim.ts";
import type { Tensor } from "#shared/shape/tensor.ts";
import { outputSize, remainder, unreadInput, type Window, type WindowUse } from "#shared/shape/window.ts";
import { otherInputs, otherWindows, setting, unsafe } from "./mending.ts";
import { defineRule, type MessageContext, type RulePage } from "./rule.ts";
import {
  accepts,
  alike,
  axesOf,
  cellsOf,
  exactSize,
  listed,
  mostPadding,
  numeral,
  offered,
  source,
  windowFormula,
  windowRoom,
} from "./wording.ts";

type Context = MessageContext<"non-integer-size">;

export const page: RulePage = {
  docs: `The output size \`(n − k + 2p)/s + 1\` is not an integer, so the framework rounds it and the last steps of the window do not
happen. Every framework accepts that, so it is never an error:

- **warning** where real input rows or columns are never read: the network does not see the edge of the image, and up-sampling
  later gives another size than the one before;
- **information** where only padding is dropped. Real ResNets do that at 224 pixels in every strided layer; no input is lost;
- a **hint** where that padding is a module's own, as in a row \`[-1, 1, Conv, [64, 3, 2]]\` of a YOLO file: every such row
  halves an even size that way, and the file has no other padding to choose.

Choose the padding or the input size so that the formula is exact, or let pooling round up (\`ceil_mode\`).`,
  examples: {
    native: {
      bad: `cnn: 1
input: [3, 28, 28]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 5, stride: «2»}
`,
      good: `cnn: 1
input: [3, 29, 29]
layers:
  - {type: Conv2d, out_channels: 8, kernel_size: 5, stride: 2}
`,
    },
    keras: {
      bad: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 32, 32, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "strides": [«2», 2]}}
  ]}
}
`,
      good: `{
  "class_name": "Sequential",
  "config": {"name": "small", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 33, 33, 3]}},
    {"class_name": "Conv2D", "config": {"name": "a", "filters": 8, "kernel_size": [3, 3], "strides": [2, 2]}}
  ]}
}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, «2», 0]]
head:
  - [-1, 1, Classify, [nc]]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 2, 2, 0]]
head:
  - [-1, 1, Classify, [nc]]
`,
    },
    torch: {
      bad: `# convlint: input=3x32x32
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.MaxPool2d, kernel_size: 3, stride: «2»}
`,
      good: `# convlint: input=3x33x33
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.MaxPool2d, kernel_size: 3, stride: 2}
`,
    },
  },
};

export const nonIntegerSize = defineRule({
  code: "non-integer-size",
  severity: "warning",
  grade: (context) => (context.data.unread > 0 ? "warning" : isGiven(context) ? "hint" : "information"),
  summary: "The output size formula has a remainder, so part of the input is dropped.",
  message: (context) => {
    const { data, words } = context;
    const { use, input, unread } = data;
    const uses = alike(context, use);
    const axes = axesOf(uses, input);
    const is = uses.length > 1 ? "are not integers" : "is not an integer";
    const value = exactSize(use);
    const sum =
      value === null
        ? `${windowRoom(use)} leaves ${remainder(use.input, use.window)} when divided by ${use.window.stride}, whatever the input`
        : `${windowFormula(use)} = ${numeral(value)}, rounded ${use.window.ceil ? "up" : "down"} to ${words.dim(use.output)}`;
    const lost =
      unread > 0
        ? `the last ${unreadCells(uses, input, unread)} never read`
        : "only padding is dropped, no input is lost";
    const advice = adviceFor(uses, context);
    return `output ${axes} ${is}: ${sum}; ${lost}.${advice}`;
  },
  related: (context) => source(context, context.data.input),

  *fixes(context) {
    const { data, node } = context;
    const { use } = data;
    const uses = alike(context, use);
    const windows = node ? (context.report.nodes[node.id]?.inference?.windows ?? []) : [];
    const rest = remainder(use.input, use.window);
    if (!node || rest === null) return;
    const isExact = (window: Window) => remainder(use.input, window) === 0 && fitsIn(use.input, window);
    const padding = exactPadding(use, context, windows.length);
    if (padding && uses.length === windows.length) yield unsafe(setting(node, "padding", padding.value));
    for (const change of otherWindows(context, node, uses, isExact, { params: ["padding"] })) yield unsafe(change);
    // Keras pads by word only.
    if (accepts(context, "padding", "same_upper") && !accepts(context, "padding", 0))
      yield unsafe(setting(node, "padding", "same_upper"));
    if (accepts(context, "ceil_mode", true) && !use.window.ceil) yield unsafe(setting(node, "ceil_mode", true));
    yield* otherInputs(context, uses, [-rest, use.window.stride - rest]);
    // Where no input is lost, another architecture is no remedy.
    if (data.unread === 0) return;
    for (const change of otherWindows(context, node, uses, isExact, { params: ["kernel_size", "stride"] }))
      yield unsafe(change);
  },
});

/** Whether the padding is a module's own, which the file neither writes nor needs to know. */
function isGiven({ graph, node }: Context): boolean {
  return node !== null && isInside(graph, node) && !node.origin.params.has("padding");
}

/** `input row is`, `2 input rows and columns are`. */
function unreadCells(uses: readonly WindowUse[], input: Tensor, unread: number): string {
  const plural = unread === 1 ? "" : "s";
  const cells = listed(uses.map((use) => cellsOf(input, use.axis) + plural));
  return `${unread === 1 ? "" : `${unread} `}input ${cells} ${unread === 1 && uses.length === 1 ? "is" : "are"}`;
}

/** Only what was put back into the formula and left no remainder. `uses` are alike, so one stands for all. */
function adviceFor(uses: readonly WindowUse[], context: Context): string {
  const { data, node, report } = context;
  const use = uses[0]!;
  const axes = axesOf(uses, data.input);
  const windows = node ? (report.nodes[node.id]?.inference?.windows ?? []) : [];
  const where = uses.length < windows.length ? ` in ${axes}` : "";
  const options: string[] = [];
  const padding = exactPadding(use, context, windows.length);
  if (padding) options.push(padding.words + where);
  const ceiled = { ...use.window, ceil: true };
  if (accepts(context, "ceil_mode", true) && !use.window.ceil && unreadInput(use.input, ceiled) === 0) {
    options.push("ceil_mode: true");
  }
  const sizes = exactInputs(use).map(String);
  if (sizes.length > 0) options.push(`input ${axes} ${listed(sizes, "or")}`);
  if (options.length === 0) return "";
  return data.unread > 0 ? ` Use ${offered(options)}.` : ` To be exact, use ${offered(options)}.`;
}

/** The nearest input sizes below and above that leave no remainder. */
function exactInputs({ input, window }: WindowUse): Dim[] {
  const rest = remainder(input, window);
  if (rest === null) return [];
  const atLeast1 = (size: Dim) => typeof size !== "number" || size >= 1;
  return [sub(input, rest), sub(input, rest - window.stride)].filter(
    (size) => remainder(size, window) === 0 && atLeast1(size) && atLeast1(outputSize(size, window)),
  );
}

/** Sides of an axis before and after, in the native format's words, by the number of spatial axes. */
const SIDES = [
  ["left", "right"],
  ["top", "bottom"],
  ["front", "back"],
] as const;

/** The least padding more that leaves no remainder, in a form the operator takes. */
function exactPadding(
  use: WindowUse,
  context: Context,
  axes: number,
): { readonly words: string; readonly value: Plain } | null {
  const { input, window } = use;
  const { padBefore, padAfter, stride } = window;
  const rest = remainder(input, window);
  if (rest === null || typeof padBefore !== "number" || typeof padAfter !== "number") return null;
  const most = mostPadding(context.node, use);
  const isExact = (changed: Partial<Window>) => remainder(input, { ...window, ...changed }) === 0;
  const each = (padBefore + padAfter + stride - rest) / 2;
  if (Number.isInteger(each) && each <= most && accepts(context, "padding", each)) {
    return isExact({ padBefore: each, padAfter: each }) ? { words: `padding ${each}`, value: each } : null;
  }
  const before = padBefore + stride - rest;
  if (padAfter !== padBefore || before > most || !isExact({ padBefore: before })) return null;
  const sides = SIDES.slice(0, axes).flatMap(([first, last]) => [[first, before] as const, [last, padAfter] as const]);
  const value = Object.fromEntries(sides);
  if (!accepts(context, "padding", value)) return null;
  const words = padAfter === 0 ? `padding ${before} before only` : `padding ${before} before and ${padAfter} after`;
  return { words, value };
}

function fitsIn(input: Dim, window: Window): boolean {
  const size = outputSize(input, window);
  return typeof size !== "number" || size >= 1;
}
