/** A size that must be a multiple of a factor. */
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
});
