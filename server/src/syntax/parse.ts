/**
 * The one way from text to a located tree. Never throws, whatever the text; what is wrong comes back as problems.
 */
import { parseJson } from "./json.ts";
import type { Parsed, SyntaxProblem } from "./tree.ts";
import { parseYaml } from "./yaml.ts";

/** UTF-16 units beyond which a text is not read: its tree would not fit beside an editor. */
const MAX_LENGTH = { json: 32 << 20, yaml: 4 << 20 } as const;

/**
 * Parses a text by its file's name: `*.json`, `*.jsonc` as JSON with comments, all else as YAML.
 * Ranges are UTF-16 offsets into `text`. Comments are allowed in both kinds of JSON, trailing commas only in `.jsonc`.
 */
export function parse(text: string, path: string): Parsed {
  const extension = /\.json[^./\\]*$/i.exec(path)?.[0].toLowerCase();
  const language = extension === undefined ? "yaml" : "json";
  const limit = MAX_LENGTH[language];
  if (text.length > limit) {
    const range = { start: 0, end: text.slice(0, 100).search(/[\r\n]|$/) || 1 };
    const message = `this file has ${text.length} characters, more than the ${limit} that ConvLint reads; it is not checked`;
    return { root: null, problems: [{ range, code: "too-large", message }], comments: [], language };
  }
  const parsed = language === "json" ? parseJson(text, { trailingComma: extension !== ".json" }) : parseYaml(text);
  return { ...parsed, problems: distinct(text, parsed.problems) };
}

/**
 * One mistake, one problem: of several places on a line where the text is not YAML or JSON the first stays, for the others
 * mostly follow from it. In text order.
 */
function distinct(text: string, problems: readonly SyntaxProblem[]): readonly SyntaxProblem[] {
  if (problems.length < 2) return problems;
  const kept: SyntaxProblem[] = [];
  let lineEnd = -1;
  for (const problem of [...problems].sort((a, b) => a.range.start - b.range.start)) {
    if (problem.code === "syntax") {
      if (problem.range.start <= lineEnd) continue;
      const end = text.indexOf("\n", problem.range.start);
      lineEnd = end < 0 ? text.length : end;
    }
    kept.push(problem);
  }
  return kept;
}
