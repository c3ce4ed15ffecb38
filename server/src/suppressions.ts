/**
 * `# convlint: ignore[code]`: what a file's own comments take out of its diagnostics, for the editor and the command line
 * alike, and which of these comments take out nothing.
 *
 *     ignore[a, b]             on the same line
 *     ignore-next-line[a]      on the next line that holds more than a comment
 *     ignore-start[a] … ignore-end[a]
 *     ignore-file[a]           in the whole file
 *
 * Without brackets every code is meant. What follows is for people: `# convlint: ignore[a] as the paper has it`.
 */
import type { Finding, FindingCode, Range } from "#shared/ops/finding.ts";
import type { RuleSettings } from "#shared/settings.ts";
import { rules } from "./rules/index.ts";
import { isOn } from "./rules/option.ts";
import type { Diagnostic } from "./rules/rule.ts";
import type { Parsed } from "./syntax/tree.ts";

const KINDS = ["ignore", "ignore-next-line", "ignore-start", "ignore-end", "ignore-file"] as const;
type Kind = (typeof KINDS)[number];

/** One code of one comment. */
interface Suppression {
  readonly kind: Kind;
  /** null: every code. */
  readonly code: string | null;
  /** Its own text. */
  readonly at: Range;
  /** Where diagnostics that begin in it are taken out. */
  readonly covers: Range;
}

export interface Suppressed {
  readonly diagnostics: readonly Diagnostic[];
  /** Comments that take out nothing, as findings. */
  readonly unused: readonly Finding[];
}

/** @param parsed of `text`. @param settings say which rules are on: of others nobody knows whether there is something. */
export function suppress(
  diagnostics: readonly Diagnostic[],
  parsed: Parsed,
  text: string,
  settings: RuleSettings = {},
): Suppressed {
  const { suppressions, findings } = readSuppressions(parsed, text);
  if (suppressions.length === 0) return { diagnostics, unused: findings };
  const used = new Set<Suppression>();
  const kept = diagnostics.filter(({ code, range }) => {
    const by = suppressions.filter(
      (one) => (one.code ?? code) === code && one.covers.start <= range.start && range.start <= one.covers.end,
    );
    for (const one of by) used.add(one);
    return by.length === 0;
  });
  const isSilent = (code: string | null) =>
    code !== null && Object.hasOwn(rules, code) && !isOn(rules[code as FindingCode], settings[code]);
  const idle = suppressions.filter((one) => !used.has(one) && one.kind !== "ignore-end" && !isSilent(one.code));
  return { diagnostics: kept, unused: [...findings, ...idle.map(idleFinding)] };
}

/** The code that a suppression comment names at an offset, with its own range; null where there is none. */
export function suppressedCodeAt(parsed: Parsed, text: string, offset: number): { code: string; range: Range } | null {
  const comment = parsed.comments.find(({ range }) => range.start <= offset && offset <= range.end);
  for (const { codes } of comment ? directives([comment], text) : []) {
    for (const { code, at } of codes) {
      if (code !== null && at.start <= offset && offset <= at.end) return { code, range: at };
    }
  }
  return null;
}

function idleFinding({ code, kind, at }: Suppression): Finding {
  const known = code === null || Object.hasOwn(rules, code);
  return unused(at, known ? { code, kind, why: "nothing-there" } : { code, kind, why: "unknown-code" });
}

function unused(
  range: Range,
  { code, kind, why }: Pick<Extract<Finding, { code: "unused-suppression" }>["data"], "code" | "kind" | "why">,
): Finding {
  const candidates = why === "unknown-directive" ? KINDS : why === "unknown-code" ? Object.keys(rules) : [];
  return {
    code: "unused-suppression",
    node: null,
    at: { kind: "range", range },
    data: { code, kind, why, candidates },
  };
}

interface Read {
  readonly suppressions: Suppression[];
  readonly findings: Finding[];
}

/** One word of a comment with its codes. */
interface Directive {
  readonly kind: string;
  readonly codes: readonly { readonly code: string | null; readonly at: Range }[];
  readonly comment: Range;
}

function readSuppressions(parsed: Parsed, text: string): Read {
  const read: Read = { suppressions: [], findings: [] };
  const open: { code: string | null; at: Range; start: number }[] = [];
  const close = (block: (typeof open)[number], end: number) =>
    read.suppressions.push({
      kind: "ignore-start",
      code: block.code,
      at: block.at,
      covers: { start: block.start, end },
    });
  for (const { kind, codes, comment } of directives(parsed.comments, text)) {
    for (const { code, at } of codes) {
      if (kind === "ignore-start") open.push({ code, at, start: comment.end });
      else if (kind === "ignore-end") {
        const last = open.findLastIndex((block) => block.code === code);
        if (last < 0) read.findings.push(unused(at, { code, kind, why: "no-start" }));
        else close(open.splice(last, 1)[0]!, comment.start);
      } else if (kind === "ignore" || kind === "ignore-next-line" || kind === "ignore-file") {
        read.suppressions.push({ kind, code, at, covers: covered(kind, comment, parsed, text) });
      } else read.findings.push(unused(at, { code, kind, why: "unknown-directive" }));
    }
  }
  for (const block of open) close(block, text.length);
  return read;
}

const MARK = /^\W*convlint:\s*/;
/** `ignore…` with or without codes, another word with codes, or `name=value`, which is for directive.ts. */
const WORD = /\s*(?:(ignore[a-z-]*)(?:\[([^\]\n]*)\]?)?|([a-z-]+)\[([^\]\n]*)\]|[a-z]+=\S+)(?=\s|$)/y;

function* directives(comments: Parsed["comments"], text: string): Generator<Directive> {
  for (const comment of comments) {
    if (!comment.text.includes("convlint")) continue;
    const written = text.slice(comment.range.start, comment.range.end);
    WORD.lastIndex = MARK.exec(written)?.[0].length ?? written.length;
    for (let word = WORD.exec(written); word; word = WORD.exec(written)) {
      const kind = word[1] ?? word[3];
      if (kind === undefined) continue;
      const from = comment.range.start + word.index + word[0].length - word[0].trimStart().length;
      const whole = { start: from, end: comment.range.start + WORD.lastIndex };
      const list = word[2] ?? word[4];
      yield {
        kind,
        codes: list === undefined ? [{ code: null, at: whole }] : codesOf(list, whole, text),
        comment: comment.range,
      };
    }
  }
}

function codesOf(list: string, { start }: Range, text: string): Directive["codes"] {
  const first = text.indexOf("[", start) + 1;
  return [...list.matchAll(/[^\s,]+/g)].map((match) => {
    const at = first + match.index;
    return { code: match[0], at: { start: at, end: at + match[0].length } };
  });
}

function covered(
  kind: "ignore" | "ignore-next-line" | "ignore-file",
  comment: Range,
  { comments }: Parsed,
  text: string,
): Range {
  if (kind === "ignore-file") return { start: 0, end: text.length };
  if (kind === "ignore") return lineAround(comment.start, text);
  let line = lineAround(comment.end, text);
  while (line.end < text.length) {
    line = lineAround(line.end + 1, text);
    const start = line.start + text.slice(line.start, line.end).search(/\S|$/);
    if (start < line.end && !comments.some(({ range }) => range.start === start)) break;
  }
  return line;
}

/** From a line's first character to its line feed. */
function lineAround(offset: number, text: string): Range {
  const end = text.indexOf("\n", offset);
  return { start: text.lastIndexOf("\n", offset - 1) + 1, end: end < 0 ? text.length : end };
}
