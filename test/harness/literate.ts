/**
 * Literate specs: Markdown with fenced models, in which marks say what ConvLint says.
 *
 *     - {type: Linear, in_features: 400, out_features: 10}  # → [N, 10]
 *                                   # ^^^ error[features-mismatch]: Linear takes 400 features but …
 *
 * The hint of a layer stands at the end of its line after `→`; a problem stands below its line, its carets under the range
 * (a range in the first two columns, where the comment's own marker stands, is written `#<0 ^^^`; one that goes on over
 * the line's end, `^^^…`). The harness strips all marks, analyses what is left, marks it again and compares, so nothing
 * that is said can be left out. JSON is marked by `//`. The fence's info: language, then any of
 *
 *     model.keras.json   the file's path, which may tell the format (default: model.cnn.yaml or model.cnn.json)
 *     input=3,32,32      as the command line's --input
 *     scale=n            as --scale
 *     targets=a,b        as the configuration's targets
 *     rules={"a":{…}}    as the configuration's rules, in JSON without blanks
 *     related            marks related places too, as `~~~ see code: message`
 *     crlf, bom          the text has CRLF line ends, or a byte order mark
 *
 * A fence of a file that is no model ends with the mark `# no model`. `UPDATE=1` rewrites the marks; read the diff.
 */
import assert from "node:assert/strict";
import { type Analysis, analyse } from "#server/analysis.ts";
import { inlayHints } from "#server/features/inlayHints.ts";
import type { Range } from "#shared/ops/finding.ts";
import { parseTargets } from "#shared/settings.ts";

export interface Fence {
  /** The heading it stands under, and its number there where that has several. */
  readonly title: string;
  readonly language: "yaml" | "json";
  readonly words: readonly string[];
  /** Between the fences, marks and all. */
  readonly body: string;
  /** Lines of the Markdown that `body` fills: [first, end). */
  readonly first: number;
  readonly end: number;
}

/** The fenced models of a Markdown text; fences in other languages are prose. */
export function fencesOf(markdown: string): Fence[] {
  const lines = markdown.split("\n");
  const fences: Fence[] = [];
  const count = new Map<string, number>();
  let heading = "";
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    heading = /^#+ (.*)/.exec(line)?.[1] ?? heading;
    const open = /^(`{3,})(.*)/.exec(line);
    if (!open) continue;
    const end = lines.indexOf(open[1]!, at + 1);
    assert.notEqual(end, -1, `the fence in line ${at + 1} is not closed`);
    const [language, ...words] = open[2]!.trim().split(/\s+/);
    if (language === "yaml" || language === "json") {
      const number = (count.get(heading) ?? 0) + 1;
      count.set(heading, number);
      fences.push({
        title: number === 1 ? heading : `${heading} (${number})`,
        language,
        words,
        body: lines.slice(at + 1, end).join("\n"),
        first: at + 1,
        end,
      });
    }
    at = end;
  }
  return fences;
}

const HINT = / {2}(#|\/\/) → .*$/;
const MARK = /^\s*(#|\/\/)(<\d+)?\s*([\^~]+…? (error|warning|information|hint|see)\b|no model$)/;

/** The model without its marks. */
export function stripped(body: string): string {
  const lines = body.split("\n").filter((line) => !MARK.test(line));
  return lines.map((line) => line.replace(HINT, "")).join("\n");
}

/** What the fence's file is called. */
export function pathOf(fence: Fence): string {
  return fence.words.find((word) => /^[^={]+\.\w+$/.test(word)) ?? `model.cnn.${fence.language}`;
}

/** The fence's body as its marks should be. */
export function marked(fence: Fence): string {
  const lines = stripped(fence.body).split("\n");
  const prefix = fence.words.includes("bom") ? "\uFEFF" : "";
  const text = prefix + lines.join(fence.words.includes("crlf") ? "\r\n" : "\n");
  const path = pathOf(fence);
  const option = (name: string) => fence.words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const input = option("input")?.split(",").map(Number);
  const analysis = analyse(text, path, {
    input: input ?? null,
    scale: option("scale") ?? null,
    rules: JSON.parse(option("rules") ?? "{}"),
    targets: parseTargets(option("targets")?.split(",") ?? [])!,
  });
  const marker = fence.language === "json" ? "//" : "#";
  if (!analysis) return [...lines, `${marker} no model`].join("\n");

  const places = new Places(text);
  for (const { offset, label } of hintsOf(analysis)) {
    const { line } = places.at(offset);
    lines[line] += `  ${marker} → ${label}`;
  }
  const below = new Map<number, string[]>();
  for (const { range, sign, words } of marksOf(analysis, fence.words.includes("related"))) {
    places.check(range);
    const { line, column } = places.at(range.start);
    const carets = sign.repeat(Math.max(1, Math.min(range.end - range.start, places.lengthOf(line) - column)));
    const goesOn = places.at(range.end - 1).line > line ? "…" : "";
    const lead =
      column < marker.length + 1 ? `${marker}<${column} ` : `${" ".repeat(column - marker.length - 1)}${marker} `;
    below.set(line, [...(below.get(line) ?? []), `${lead}${carets}${goesOn} ${words}`]);
  }
  return lines.flatMap((line, index) => [line, ...(below.get(index) ?? [])]).join("\n");
}

/** The Markdown with every fence's marks as they should be. */
export function rewritten(markdown: string): string {
  const lines = markdown.split("\n");
  for (const fence of fencesOf(markdown).reverse()) {
    lines.splice(fence.first, fence.end - fence.first, ...marked(fence).split("\n"));
  }
  return lines.join("\n");
}

function hintsOf(analysis: Analysis) {
  const settings = { size: true, parameters: false, receptiveField: false, maximumLength: 200 };
  return inlayHints(analysis, settings, { start: 0, end: analysis.text.length });
}

interface Mark {
  readonly range: Range;
  readonly sign: "^" | "~";
  readonly words: string;
}

function marksOf(analysis: Analysis, withRelated: boolean): Mark[] {
  const marks: Mark[] = [];
  for (const { range, severity, code, message, related } of analysis.diagnostics) {
    marks.push({ range, sign: "^", words: `${severity}[${code}]: ${message}` });
    if (!withRelated) continue;
    for (const place of related) marks.push({ range: place.range, sign: "~", words: `see ${code}: ${place.message}` });
  }
  return marks;
}

/** Lines and columns of offsets; line ends are \n, with \r counted to the line before it. */
class Places {
  private readonly starts: number[] = [0];

  constructor(private readonly text: string) {
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) this.starts.push(at + 1);
  }

  at(offset: number): { readonly line: number; readonly column: number } {
    let line = this.starts.findLastIndex((start) => start <= offset);
    if (line < 0) line = 0;
    const bom = line === 0 && this.text.startsWith("\uFEFF") ? 1 : 0;
    return { line, column: Math.max(0, offset - this.starts[line]! - bom) };
  }

  lengthOf(line: number): number {
    const end = (this.starts[line + 1] ?? this.text.length + 1) - 1;
    return this.text.slice(this.starts[line]!, end).replace(/[\r\uFEFF]/g, "").length;
  }

  /** No editor shows an empty range, and one outside the text is an error in every client. */
  check({ start, end }: Range): void {
    assert.ok(start >= 0 && start < end && end <= this.text.length, `range [${start}, ${end}) of ${this.text.length}`);
  }
}
