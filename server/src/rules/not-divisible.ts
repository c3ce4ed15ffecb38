/** A size that must be a multiple of a factor. */
import { around, multiplesBeside, otherChannels, setting, unsafe } from "./mending.ts";
import { defineRule, type RulePage } from "./rule.ts";

export const page: RulePage = {
  docs: `Some layers deal an axis out in equal parts: PixelShuffle turns r² channels into r × r pixels, PixelUnshuffle does the
reverse, ChannelShuffle splits channels into groups, GLU halves an axis. The frameworks refuse sizes that leave a rest.`,
  examples: {
    native: {
      bad: `cnn: 1
input: [10, 8, 8]
layers:
  - {type: PixelShuffle, upscale_factor: «2»}
`,
      good: `cnn: 1
input: [12, 8, 8]
layers:
  - {type: PixelShuffle, upscale_factor: 2}
`,
    },
    ultralytics: {
      bad: `nc: 80
backbone:
  - [-1, 1, nn.PixelShuffle, [«2»]]
head:
  - [-1, 1, nn.ReLU, []]
`,
      good: `nc: 80
backbone:
  - [-1, 1, Conv, [64, 3, 1]]
head:
  - [-1, 1, nn.PixelShuffle, [2]]
`,
    },
    torch: {
      bad: `# convlint: input=30x8x8
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.PixelShuffle, upscale_factor: «2»}
`,
      good: `# convlint: input=32x8x8
net:
  _target_: torch.nn.Sequential
  _args_:
    - {_target_: torch.nn.PixelShuffle, upscale_factor: 2}
`,
    },
  },
};

export const notDivisible = defineRule({
  code: "not-divisible",
  severity: "error",
  summary: "A size is not a multiple of the factor the layer needs.",
  message: ({ data, words }) => {
    const { size, by } = data;
    let advice = "";
    if (typeof size === "number" && by > 0) {
      const below = Math.floor(size / by) * by;
      advice = ` The nearest ${below > 0 ? `are ${below} and` : "is"} ${below + by}.`;
    }
    const what = data.what === "channel" ? "channels" : data.what;
    return `${what} must be a multiple of ${by} (${data.why}), not ${words.dim(size)}.${advice}`;
  },

  *fixes(context) {
    const { data, node, at } = context;
    const { size, by } = data;
    if (!node || typeof size !== "number") return;
    if (data.what.startsWith("channel")) yield* otherChannels(context, multiplesBeside(size, by));
    if (at.kind !== "param" || typeof node.attrs[at.name] !== "number") return;
    for (const value of around(node.attrs[at.name] as number, Math.min(size, MAX_FACTOR), 2)) {
      if (size % value === 0) yield unsafe(setting(node, at.name, value));
    }
  },
});

/** Factors further away are another layer's. */
const MAX_FACTOR = 32;
