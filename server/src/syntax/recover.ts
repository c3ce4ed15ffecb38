/**
 * YAML that the parser refuses: in an editor, any half-typed text. Mistakes are mended in a copy of the text until the
 * parser reads it (mend.ts); a line that nothing mends is dropped, so that what stands before and after it keeps its values.
 */
import { MAX_DEPTH } from "./builder.ts";
import { blanked, Mended } from "./copy.ts";
import { endOfLine, lastLineBefore, mend } from "./mend.ts";
import { narrow, startOfLine } from "./place.ts";
import type { Parsed, SyntaxProblem } from "./tree.ts";
import { type Refused, readYaml } from "./yaml.ts";

/** UTF-16 units beyond which a text is not recovered, but only its first mistake told: at worst two seconds of reading. */
const RECOVERABLE = 1 << 20;
/** Mistakes that are mended in one text; beyond, it is not half-typed but something else. */
const MAX_MENDS = 12;

/** The tree and problems of a text that the parser refused. Never throws. */
export function recoverYaml(text: string, refused: Refused): Parsed {
  if (text.length > RECOVERABLE) return failed(text, refused);
  const copy = new Mended(text);
  let why = refused;
  for (let mends = 0; mends < MAX_MENDS; mends++) {
    if (isTooDeep(why)) return failed(copy.text, why);
    if (!mend(copy, why)) dropLine(copy, why);
    const read = readYaml(copy.text);
    if ("root" in read) return copy.restore(read);
    why = read;
  }
  // What stands before the next mistake is kept.
  const rest = startOfLine(copy.text, why.at);
  const read = readYaml(blanked(copy.text, rest, copy.text.length));
  if (!("root" in read)) return failed(text, refused);
  const { range, message } = refusal(copy.text, why);
  copy.tell(range, message);
  return copy.restore(read);
}

/** Drops the line at which the parser stopped, the one before or the first, whichever lets it read furthest, and tells it. */
function dropLine(copy: Mended, { at }: Refused): void {
  const { text } = copy;
  const line = startOfLine(text, at);
  const stopped = /\S/.test(text.slice(line, endOfLine(text, line))) ? line : lastLineBefore(text, at);
  let [best, furthest] = ["", -1];
  let dropped = stopped;
  for (const start of new Set([stopped, lastLineBefore(text, stopped), firstLine(text)])) {
    const without = blanked(text, start, endOfLine(text, start));
    const read = readYaml(without);
    const reached = "root" in read ? text.length + 1 : read.at;
    if (reached <= furthest) continue;
    [best, furthest] = [without, reached];
    dropped = start;
  }
  const message = "this line does not fit what stands around it; correct its indentation, or complete it";
  copy.tell(narrow(text, dropped, endOfLine(text, dropped)), message);
  copy.replace(best);
}

/** The start of the first line with more than blanks or a comment. */
function firstLine(text: string): number {
  return /^(?:\uFEFF?[ \t]*(?:#[^\r\n]*)?(?:\r\n?|\n))*/.exec(text)![0].length;
}

function isTooDeep({ reason }: Refused): boolean {
  return reason.startsWith("nesting exceeded");
}

function failed(text: string, why: Refused): Parsed {
  return { root: null, problems: [refusal(text, why)], comments: [], language: "yaml" };
}

/** What the parser refused, in its own words. */
function refusal(text: string, why: Refused): SyntaxProblem {
  const { reason, at } = why;
  const range = narrow(text, at, at);
  if (isTooDeep(why)) {
    const message = `nested more than ${MAX_DEPTH} levels deep, which ConvLint does not read; flatten it`;
    return { range, code: "too-large", message };
  }
  const message = `the text is not YAML from here on (${reason}); correct or remove this`;
  return { range, code: "syntax", message };
}
