/**
 * YAML that the quick parser refuses: in an editor, any half-typed text. The common mistakes are mended in a copy that the
 * quick parser then reads (mend.ts). Else the recovering parser keeps what stands before and after the mistake, more slowly,
 * and its problems are put into plain words here.
 */
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type ParsedNode,
  Parser,
  type YAMLError,
} from "yaml";
import { MAX_DEPTH } from "./builder.ts";
import { Mended, mend, mendLine } from "./mend.ts";
import { deeperThan, narrow, startOfLine } from "./place.ts";
import type { Parsed, SyntaxProblem } from "./tree.ts";
import { type Refused, readYaml, tagMeaning, YamlBuilder } from "./yaml.ts";

/** UTF-16 units beyond which a text is not recovered, but only its first mistake told: about a second of reading. */
const RECOVERABLE = 1 << 20;
/** Mistakes that are mended in one text; beyond, it is not half-typed but something else. */
const MAX_MENDS = 12;
/** Unreadable tokens after which the recovering parser is not given more. */
const MAX_ERRORS = 1000;

/** The tree and problems of a text that the quick parser refused. Never throws. */
export function recoverYaml(text: string, refused: Refused): Parsed {
  const deep = refused.reason.startsWith("nesting exceeded") ? refused.at : deeperThan(text, MAX_DEPTH);
  if (deep !== null) {
    const message = `nested more than ${MAX_DEPTH} levels deep, which ConvLint does not read; flatten it`;
    return failed({ range: narrow(text, deep, deep + 1), code: "too-large", message });
  }
  if (text.length > RECOVERABLE) return failed(refusal(text, refused));

  const copy = new Mended(text);
  let why = refused;
  for (let mends = 0; mends < MAX_MENDS && mend(copy, why); mends++) {
    const read = readYaml(copy.text);
    if ("root" in read) return copy.restore(read);
    why = read;
  }
  const composed = compose(copy.text);
  const errors = composed.first?.errors ?? [];
  // Where one mistake makes problems on several lines, and the text is right without one of them, that line is the mistake.
  const lines = new Set(errors.slice(0, MAX_ERRORS).map((error) => startOfLine(copy.text, error.pos[0])));
  const withoutLine = lines.size > 1 ? mendLine(copy, why.at, errors[0]!.pos[0]) : null;
  return withoutLine ?? copy.restore(fromDocument(copy.text, composed, why));
}

function failed(problem: SyntaxProblem): Parsed {
  return { root: null, problems: [problem], comments: [], language: "yaml" };
}

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
  const documents = composer.compose(untilTooMany(new Parser().parse(text)), true, text.length);
  const first = documents.next().value ?? null;
  const second = first ? documents.next().value : null;
  return { first, more: second?.contents != null && !isAbsent(second.contents) };
}

/** Stops where the text is plainly no YAML: telling each of a million places would take minutes. */
function* untilTooMany(tokens: Iterable<CST.Token>): Generator<CST.Token, void> {
  let errors = 0;
  for (const token of tokens) {
    yield token;
    if (token.type === "error" && ++errors > MAX_ERRORS) return;
  }
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
  const message = `the text is not YAML from here on (${reason}); correct or remove this`;
  return { range: narrow(text, at, at), code: "syntax", message };
}
