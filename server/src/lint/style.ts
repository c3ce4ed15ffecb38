/**
 * How text reaches a terminal: colours only where they are wanted, and nothing from a model file that a terminal would
 * take for a command.
 */
import { styleText } from "node:util";

export type Colour = "red" | "yellow" | "cyan" | "green" | "gray" | "bold" | "blue";

/** Paints text, or leaves it alone. */
export type Paint = (colour: Colour | readonly Colour[], text: string) => string;

/** A painter for one stream. NO_COLOR turns colours off, FORCE_COLOR on (no-color.org); else a terminal decides. */
export function painter(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  return wantsColour(stream, env)
    ? (colour, text) => styleText(colour as Colour[], text, { validateStream: false })
    : (_, text) => text;
}

function wantsColour(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  if (env.NO_COLOR) return false;
  return stream.isTTY === true && env.TERM !== "dumb";
}

/** Control characters as visible pictures (␛ for escape), so that a file's text cannot drive the terminal. Tabs stay. */
export function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "␡" : "\ufffd";
  });
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const NARROW = /^[\u0020-\u02ff]*$/;

/** How many terminal columns a text takes: combining marks none, East Asian letters and emoji two. */
export function columns(text: string): number {
  if (NARROW.test(text)) return text.length;
  let width = 0;
  for (const { segment } of new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text))
    width += WIDE.test(segment) ? 2 : 1;
  return width;
}

/** Text filled up with blanks to a number of columns. */
export function padTo(text: string, width: number, side: "left" | "right" = "right"): string {
  const blanks = " ".repeat(Math.max(0, width - columns(text)));
  return side === "left" ? blanks + text : text + blanks;
}
