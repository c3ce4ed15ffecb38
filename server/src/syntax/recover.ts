/**
 * YAML that the quick parser refuses: in an editor, any half-typed text. The recovering parser keeps what stands before and
 * after the mistake, and its problems are put into plain words here.
 *
 * A few mistakes make even that parser lose all that follows: a quote never closed, a bracket too many, a tab as
 * indentation, a forbidden character. Each is told, mended in a copy of the same length, and the copy is read again.
 */
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type ParsedNode,
  Parser,
  visit,
  type YAMLError,
} from "yaml";
import type { Range } from "#shared/ops/finding.ts";
import { MAX_DEPTH } from "./builder.ts";
import type { Parsed, ScalarTree, SyntaxProblem, Tree } from "./tree.ts";
import { type Refused, readYaml, tagMeaning, YamlBuilder } from "./yaml.ts";

/** UTF-16 units that recovery may read in all, over every attempt: about a second. */
const RECOVERABLE = 1 << 20;
const MAX_MENDS = 8;

interface Mended {
  readonly text: string;
  readonly problem: SyntaxProblem;
}

/** The tree and problems of a text that the quick parser refused. Never throws. */
export function recoverYaml(text: string, refused: Refused): Parsed {
  const deep = refused.reason.startsWith("nesting exceeded") ? refused.at : deeperThan(text, MAX_DEPTH);
  if (deep !== null) {
    const message = `nested more than ${MAX_DEPTH} levels deep, which ConvLint does not read; flatten it`;
    return failed({ range: narrow(text, deep, deep + 1), code: "too-large", message });
  }
  if (text.length > RECOVERABLE) return failed(refusal(text, refused));

  const attempts = Math.min(MAX_MENDS, Math.floor(RECOVERABLE / Math.max(text.length, 1)));
  const told: SyntaxProblem[] = [];
  let current = text;
  let why = refused;
  for (let attempt = 0; ; attempt++) {
    const document = compose(current);
    const mended = attempt < attempts ? mend(current, why, document.first) : null;
    if (!mended) return restored(fromDocument(current, document, why), told);
    told.push(mended.problem);
    current = mended.text;
    const read = readYaml(current);
    if ("root" in read) return restored(read, told);
    why = read;
  }
}

function failed(problem: SyntaxProblem): Parsed {
  return { root: null, problems: [problem], comments: [], language: "yaml" };
}

/** The result with the problems of the mends, and the braces back that mendExpressions took away. */
function restored(parsed: Parsed, told: readonly SyntaxProblem[]): Parsed {
  const root = parsed.root && told.length > 0 ? withBraces(parsed.root) : parsed.root;
  return { ...parsed, root, problems: [...told, ...parsed.problems] };
}

// --- mending ---------------------------------------------------------------------------------------------------------

/** The text without the mistake at which the quick parser stopped; null where it is none of those that can be mended. */
function mend(text: string, why: Refused, document: Document.Parsed | null): Mended | null {
  const { reason, at } = why;
  const char = text[at] ?? "";
  if (/non-printable|null byte/.test(reason)) {
    const message = "this character cannot stand in YAML; remove it";
    return { text: replaced(text, at, at + 1, "\uFFFD"), problem: syntax({ start: at, end: at + 1 }, message) };
  }
  const tab = /tab characters|indentation/.test(reason) ? leadingTab(text, at) : null;
  if (tab !== null) return mendTabs(text, tab);
  if (/deficient indentation|unexpected end of the/.test(reason) && document) {
    const quote = openQuote(document, at);
    if (quote !== null) {
      const message = `this ${text[quote]} is never closed; add ${text[quote]}`;
      return {
        text: replaced(text, quote, quote + 1, " "),
        problem: syntax({ start: quote, end: quote + 1 }, message),
      };
    }
  }
  if (char === "{" && text[at - 1] === "$") return mendExpressions(text, at - 1);
  if (char === "}" || char === "]") {
    const message = `this ${char} closes nothing; remove it`;
    return { text: replaced(text, at, at + 1, " "), problem: syntax({ start: at, end: at + 1 }, message) };
  }
  return document && linesOf(text, document.errors).size > 1 ? mendLine(text, at, document.errors[0]!.pos[0]) : null;
}

function syntax(range: Range, message: string): SyntaxProblem {
  return { range, code: "syntax", message };
}

function replaced(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by.repeat(end - start) + text.slice(end);
}

/** The first tab in the indentation of the line around `at`, or null. */
function leadingTab(text: string, at: number): number | null {
  const start = startOfLine(text, at);
  const indentation = /^[ \t]*/.exec(text.slice(start, start + 1000))![0];
  const tab = indentation.indexOf("\t");
  return tab < 0 ? null : start + tab;
}

/** Takes every tab for one space, which is right where a file is indented by tabs alone; else drops the lines with tabs. */
function mendTabs(text: string, tab: number): Mended {
  const problem = syntax({ start: tab, end: tab + 1 }, "YAML is indented with spaces only; replace this tab by spaces");
  const spaced = text.replace(/^ *\t[ \t]*/gm, (blanks) => " ".repeat(blanks.length));
  if ("root" in readYaml(spaced)) return { text: spaced, problem };
  return { text: text.replace(/^ *\t[^\r\n]*/gm, (line) => " ".repeat(line.length)), problem };
}

/** Stand for the braces of `${…}` while a text is read that has them without quotes within { } or [ ]. */
const OPEN_BRACE = "\uE000";
const CLOSE_BRACE = "\uE001";

function mendExpressions(text: string, at: number): Mended | null {
  const [first] = /^\$\{[^{}\r\n]*\}/.exec(text.slice(at, at + 1000)) ?? [];
  if (first === undefined) return null;
  const mended = text.replace(/\$\{([^{}\r\n]*)\}/g, `$$${OPEN_BRACE}$1${CLOSE_BRACE}`);
  const message = `braces have a meaning of their own here; write "${first}" in quotes`;
  return { text: mended, problem: syntax({ start: at, end: at + first.length }, message) };
}

function withBraces(tree: Tree): Tree {
  if (tree.kind === "list") return { ...tree, items: tree.items.map(withBraces) };
  if (tree.kind === "map") {
    const entries = tree.entries.map(({ key, value }) => ({ key: wordWithBraces(key), value: withBraces(value) }));
    return { ...tree, entries };
  }
  return wordWithBraces(tree);
}

function wordWithBraces(tree: ScalarTree): ScalarTree {
  if (typeof tree.value !== "string") return tree;
  return { ...tree, value: tree.value.replaceAll(OPEN_BRACE, "{").replaceAll(CLOSE_BRACE, "}") };
}

/** Where one mistake makes problems on several lines, and the text is right without one of them, that line is the mistake. */
function mendLine(text: string, stopped: number, found: number): Mended | null {
  const line = startOfLine(text, stopped);
  for (const start of new Set([line, startOfLine(text, found), startOfLine(text, line - 1)])) {
    const end = start + text.slice(start).search(/[\r\n]|$/);
    const without = replaced(text, start, end, " ");
    if (end === start || !("root" in readYaml(without))) continue;
    const message = "this line does not fit what stands around it; correct its indentation, or complete it";
    return { text: without, problem: syntax(narrow(text, start, end), message) };
  }
  return null;
}

function linesOf(text: string, errors: readonly YAMLError[]): ReadonlySet<number> {
  return new Set(errors.slice(0, 100).map((error) => startOfLine(text, error.pos[0])));
}

function startOfLine(text: string, at: number): number {
  return at <= 0 ? 0 : Math.max(text.lastIndexOf("\n", at - 1), text.lastIndexOf("\r", at - 1)) + 1;
}

/** The opening quote of the scalar that `at` is in. */
function openQuote(document: Document.Parsed, at: number): number | null {
  let found: number | null = null;
  visit(document, {
    Scalar(_, node) {
      if (!node.range || (node.type !== "QUOTE_SINGLE" && node.type !== "QUOTE_DOUBLE")) return undefined;
      const [start, end] = node.range;
      if (start >= at || at > end) return undefined;
      found = start;
      return visit.BREAK;
    },
  });
  return found;
}

// --- recovering ------------------------------------------------------------------------------------------------------

interface Composed {
  readonly first: Document.Parsed | null;
  /** Whether another document with anything in it follows. */
  readonly more: boolean;
}

function compose(text: string): Composed {
  const composer = new Composer({
    prettyErrors: false,
    schema: "failsafe",
    uniqueKeys: false,
    keepSourceTokens: true,
    logLevel: "silent",
  });
  const documents = composer.compose(new Parser().parse(text), true, text.length);
  const first = documents.next().value ?? null;
  const second = first ? documents.next().value : null;
  return { first, more: second?.contents != null && !isAbsent(second.contents) };
}

function isAbsent(node: unknown): boolean {
  return isScalar(node) && node.source === "" && node.type === "PLAIN";
}

function fromDocument(text: string, { first, more }: Composed, why: Refused): Parsed {
  const builder = new YamlBuilder(text);
  if (first?.directives.docStart) builder.startDocument();
  if (first?.contents) walk(first.contents, builder, text);
  for (const error of first?.errors ?? []) {
    const message = messageOf(error, text);
    if (message) builder.problem("syntax", narrow(text, ...error.pos), message);
  }
  if (builder.problems.every((problem) => problem.code !== "syntax")) builder.problems.push(refusal(text, why));
  return builder.finish(more);
}

function walk(node: ParsedNode, builder: YamlBuilder, text: string): void {
  const anchor = (!isAlias(node) && node.anchor) || null;
  const [start, end] = node.range;
  if (isAlias(node)) {
    builder.alias(start, end, node.source);
  } else if (isScalar(node)) {
    const tag = node.tag === undefined ? null : tagMeaning(node.tag);
    const source = node.source ?? "";
    const plain = node.type === "PLAIN" || node.type === undefined;
    if (plain && end === start) builder.empty(node.tag || anchor ? start : -1, tag, anchor);
    else if (plain) builder.plain(start, end, source, tag, anchor);
    else builder.quoted(start, end, source, tag, anchor);
  } else {
    if (isMap(node)) {
      builder.openMap(start, anchor);
      for (const { key, value } of node.items) {
        walkOrAbsent(key, builder, text);
        walkOrAbsent(value, builder, text);
      }
    } else {
      builder.openList(start, anchor);
      for (const item of node.items) walkOrAbsent(item as ParsedNode, builder, text);
    }
    if (isUnclosed(node)) {
      const bracket = isMap(node) ? ["{", "}"] : ["[", "]"];
      builder.problem("syntax", { start, end: start + 1 }, `this ${bracket[0]} is never closed; add ${bracket[1]}`);
    }
    builder.closeAtBracket();
  }
}

function walkOrAbsent(node: ParsedNode | null, builder: YamlBuilder, text: string): void {
  if (node) walk(node, builder, text);
  else builder.empty(-1, null, null);
}

function isUnclosed(node: ParsedNode): boolean {
  if (!isMap(node) && !isSeq(node)) return false;
  const token = node.srcToken;
  if (token?.type !== "flow-collection") return false;
  return !token.end.some((mark) => mark.type === "flow-map-end" || mark.type === "flow-seq-end");
}

// --- words -----------------------------------------------------------------------------------------------------------

/** The parser's problem in plain words; null where it is told otherwise, or is no mistake in a model. */
function messageOf({ code, message, pos }: YAMLError, text: string): string | null {
  switch (code) {
    case "MISSING_CHAR":
    case "BAD_INDENT":
      // Told at the opening bracket, by isUnclosed.
      if (/end with a [}\]]/.test(message)) return null;
      if (/Missing closing (.)/.test(message))
        return `this text is never closed; add ${/closing (.)/.exec(message)![1]}`;
      if (/Missing space after :/.test(message)) return "a space is missing after this colon; add one";
      if (/Missing , /.test(message)) return "a comma is missing before this; add ,";
      if (/followed by map values/.test(message))
        return "a colon and a value are missing after this key; add : and the value";
      if (/without - indicator/.test(message))
        return "this does not line up with the list items around it; indent it like its layer, or begin it with -";
      if (/must start at the same column/.test(message))
        return "this does not line up with what stands above it; indent it alike";
      if (/white space/.test(message)) return "a space is missing here; add one";
      if (/directives-end/.test(message)) return "a line --- is missing after the % lines; add it";
      return `this is not indented as YAML needs it (${message}); change its indentation`;
    case "TAB_AS_INDENT":
      return "YAML is indented with spaces only; replace this tab by spaces";
    case "BLOCK_AS_IMPLICIT_KEY":
      return /sequence/.test(message)
        ? "a list cannot stand here; put it on lines of its own below the key"
        : "a second key: value stands on this line; put it on a line of its own, or the text in quotes";
    case "MULTILINE_IMPLICIT_KEY":
      return "a key must stand on one line; a colon may be missing on the line before";
    case "KEY_OVER_1024_CHARS":
      return "this key is longer than 1024 characters; shorten it";
    case "BLOCK_IN_FLOW":
      if (!/[\r\n]/.test(text.slice(...pos)))
        return "a second key: value stands in this value; a comma is missing before it";
      return "an indented block cannot stand within { } or [ ]; close the bracket before, or write the block in brackets";
    case "BAD_SCALAR_START":
      return "a value cannot begin with this character; put it in quotes";
    case "BAD_DQ_ESCAPE":
      return "this escape is not known; write \\\\ for a backslash, or use single quotes";
    case "BAD_ALIAS":
    case "ALIAS_PROPS":
    case "MULTIPLE_ANCHORS":
    case "MULTIPLE_TAGS":
    case "BAD_PROP_ORDER":
      return `an anchor, alias or tag is not right here (${message}); remove or move it`;
    case "BAD_DIRECTIVE":
      return "this % line is not one that YAML knows; remove it";
    case "UNEXPECTED_TOKEN":
      if (/Unexpected , |empty item/.test(message)) return "nothing stands before this comma; remove it";
      return "this cannot stand here; remove it, or put the text in quotes";
    default:
      return null;
  }
}

/** The quick parser's own words, where the recovering one found nothing or did not read. */
function refusal(text: string, { reason, at }: Refused): SyntaxProblem {
  return syntax(narrow(text, at, at), `the text is not YAML from here on (${reason}); correct or remove this`);
}

/**
 * A place as a parser tells it, made fit to show: within the text, on one line, and not empty but in an empty text. A tab is
 * shown as such; another blank moves to the word that follows on its line, else to the one before.
 */
function narrow(text: string, from: number, to: number): Range {
  const start = Math.min(Math.max(from, 0), text.length);
  const tab = text.slice(start, to).search(/^[ \t]*\t/) < 0 ? -1 : text.indexOf("\t", start);
  if (tab >= 0) return { start: tab, end: tab + 1 };
  const [blanks, word] = /^([ \t]*)(\S*)/.exec(text.slice(start, start + LONGEST_SHOWN))!.slice(1) as [string, string];
  if (word !== "") {
    const begin = start + blanks.length;
    const [name] = /^[\w$.-]*/.exec(word)!;
    const [line] = /^[^\r\n]*/.exec(text.slice(start, Math.max(to, start)))!;
    return { start: begin, end: Math.max(start + line.trimEnd().length, begin + (name.length || 1)) };
  }
  let end = start;
  while (end > 0 && /\s/.test(text[end - 1]!)) end--;
  let begin = end;
  while (begin > 0 && end - begin < LONGEST_SHOWN && !/\s/.test(text[begin - 1]!)) begin--;
  return begin < end ? { start: begin, end } : { start: 0, end: Math.min(1, text.length) };
}
const LONGEST_SHOWN = 200;

/**
 * Where a text nests deeper than `limit`, or null: what the recovering parser must not be given, for it recurses. Counts
 * brackets outside comments, and the columns where block items begin, so it can only count too much, never too little.
 */
function deeperThan(text: string, limit: number): number | null {
  const columns: number[] = [];
  let brackets = 0;
  let lineStart = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x0a || char === 0x0d) {
      lineStart = at + 1;
    } else if (char === 0x5b || char === 0x7b) {
      if (++brackets > limit) return at;
    } else if (char === 0x5d || char === 0x7d) {
      if (brackets > 0) brackets--;
    } else if (char === 0x23) {
      if (at === 0 || /\s/.test(text[at - 1]!)) at = text.slice(at).search(/[\r\n]|$/) + at - 1;
    } else if (char !== 0x20 && char !== 0x09 && opensBlock(text, at, lineStart)) {
      const column = at - lineStart;
      while (columns.length > 0 && columns[columns.length - 1]! > column) columns.pop();
      if (columns[columns.length - 1] !== column) columns.push(column);
      if (columns.length > limit) return at;
    }
  }
  return null;
}

/** Whether a block may begin here: first on its line, or after `- `, `? ` or `: `. */
function opensBlock(text: string, at: number, lineStart: number): boolean {
  let before = at - 1;
  while (before >= lineStart && (text[before] === " " || text[before] === "\t")) before--;
  if (before < lineStart) return true;
  return before < at - 1 && /[-?:]/.test(text[before]!);
}
