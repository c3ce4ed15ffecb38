/**
 * JSON with comments to a located tree. The package gives the tokens; the grammar is here, with a stack of its own, so that
 * no depth overflows and a half-typed text keeps what stands before and after the mistake.
 *
 * Python's `NaN` and `Infinity` are numbers here: json.dump writes them.
 */
import { createScanner, type JSONScanner } from "jsonc-parser";
import type { Range } from "#shared/ops/finding.ts";
import { MAX_DEPTH, TreeBuilder } from "./builder.ts";
import { resolveScalar } from "./scalar.ts";
import type { Comment, Parsed, ScalarTree } from "./tree.ts";

/** Values a tree may hold; a text of many more is data, and its tree would not fit beside an editor. */
const MAX_VALUES = 1_000_000;

export interface JsonOptions {
  /** Whether a comma may stand after the last entry. */
  readonly trailingComma: boolean;
}

/** Never throws. */
export function parseJson(text: string, options: JsonOptions): Parsed {
  return new JsonReader(text, options).read();
}

// The scanner's enums are ambient constants, which a single-file compiler cannot read; these are their values.
const TOKEN = {
  openBrace: 1,
  closeBrace: 2,
  openBracket: 3,
  closeBracket: 4,
  comma: 5,
  colon: 6,
  nullWord: 7,
  trueWord: 8,
  falseWord: 9,
  string: 10,
  number: 11,
  lineComment: 12,
  blockComment: 13,
  end: 17,
} as const;
const SCAN_ERROR = {
  openComment: 1,
  openString: 2,
  openNumber: 3,
  badUnicode: 4,
  badEscape: 5,
  badCharacter: 6,
} as const;

/** A bracket that has not been closed. */
interface Bracket {
  readonly map: boolean;
  readonly start: number;
  /** Whether a value was read since the bracket or the last comma. */
  full: boolean;
  /** The last comma, where nothing has followed it yet. */
  comma: number | null;
  /** Within a map: the key that waits for its colon or value. */
  key: { readonly range: Range; colon: number | null } | null;
}

class JsonReader {
  private readonly scanner: JSONScanner;
  private readonly builder = new TreeBuilder({ merge: false });
  private readonly comments: Comment[] = [];
  private readonly brackets: Bracket[] = [];
  private values = 0;
  /** Whether a text that is never closed has just taken in what stood after it on its line. */
  private swallowed = false;

  constructor(
    private readonly text: string,
    private readonly options: JsonOptions,
  ) {
    this.scanner = createScanner(text, false);
    if (text.charCodeAt(0) === 0xfeff) this.scanner.setPosition(1);
  }

  read(): Parsed {
    while (this.step());
    const { root, problems } = this.builder;
    return { root, problems, comments: this.comments, language: "json" };
  }

  /** Takes one token; false at the end of what is read. */
  private step(): boolean {
    this.skipBlanks();
    const token = this.scanner.scan() as number;
    const start = this.scanner.getTokenOffset();
    const range = { start, end: Math.min(start + this.scanner.getTokenLength(), this.text.length) };
    switch (token) {
      case TOKEN.lineComment:
      case TOKEN.blockComment:
        this.comment(range, token === TOKEN.blockComment);
        return true;
      case TOKEN.end:
        this.closeAll();
        return false;
      case TOKEN.comma:
        this.comma(range);
        return true;
      case TOKEN.colon:
        this.colon(range);
        return true;
      case TOKEN.closeBrace:
      case TOKEN.closeBracket:
        this.close(token === TOKEN.closeBrace, range);
        return true;
      default:
        return this.node(token, range);
    }
  }

  /** The scanner would collect the blanks, at a cost: half of a well-laid-out file is blanks. */
  private skipBlanks(): void {
    const from = this.scanner.getPosition();
    let at = from;
    for (;;) {
      const code = this.text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
      at++;
    }
    if (at > from) this.scanner.setPosition(at);
  }

  /** A token that begins a key or a value. */
  private node(token: number, range: Range): boolean {
    const opens = token === TOKEN.openBrace || token === TOKEN.openBracket;
    if (opens) this.leaveUnclosedMap(range);
    const top = this.brackets[this.brackets.length - 1];
    if (!top && this.builder.root) {
      this.syntax(range, "the file's one value ends before this; remove what follows it");
      return false;
    }
    if (++this.values > MAX_VALUES) {
      return this.stop(range, `this file has more than ${MAX_VALUES} values; what follows is not checked`);
    }
    if (opens && this.brackets.length >= MAX_DEPTH) {
      return this.stop(range, `nested more than ${MAX_DEPTH} levels deep, which ConvLint does not read; flatten it`);
    }
    if (top) this.place(top, token, range);
    if (opens) this.open(token === TOKEN.openBrace, range.start);
    else this.scalar(token, range, top?.map === true && top.key === null);
    return true;
  }

  /** Checks that a key or value may stand here, and notes what is missing before it. */
  private place(top: Bracket, token: number, range: Range): void {
    const { key } = top;
    if (key && token === TOKEN.string && this.isKey(range) && (key.colon === null || this.isLater(key.colon, range))) {
      this.completeKey(top);
      top.full = false;
    } else if (key && key.colon === null) {
      this.syntax(key.range, "a colon is missing after this key; add :");
      key.colon = key.range.end;
    } else if (!key && top.full) {
      if (!this.swallowed) this.syntax(range, "a comma is missing before this; add ,");
      top.full = false;
    }
    top.comma = null;
    this.swallowed = false;
  }

  private open(map: boolean, start: number): void {
    const outer = this.brackets[this.brackets.length - 1];
    if (outer?.map && !outer.key) {
      this.syntax({ start, end: start + 1 }, "a key is missing before this; write a key in double quotes and a colon");
      this.builder.skipValue();
    }
    if (map) this.builder.openMap(start, null);
    else this.builder.openList(start, null);
    this.brackets.push({ map, start, full: false, comma: null, key: null });
  }

  private scalar(token: number, range: Range, isKey: boolean): void {
    const quoted = token === TOKEN.string;
    const word = this.text.slice(range.start, range.end).replace(/^'(.*)'$/, "$1");
    if (isKey && !quoted) this.syntax(range, `a key stands in double quotes in JSON; write "${word.slice(0, 40)}"`);
    const [value, end] = isKey && !quoted ? [word, range.end] : this.value(token, range);
    this.builder.scalar(range.start, end, value, quoted, null);
    const top = this.brackets[this.brackets.length - 1];
    if (isKey) top!.key = { range, colon: null };
    else this.filled();
  }

  /** A scalar token's value and end. */
  private value(token: number, range: Range): [ScalarTree["value"], number] {
    this.tellScanError(range);
    switch (token) {
      case TOKEN.nullWord:
        return [null, range.end];
      case TOKEN.trueWord:
      case TOKEN.falseWord:
        return [token === TOKEN.trueWord, range.end];
      case TOKEN.string:
        return [this.scanner.getTokenValue(), range.end];
      case TOKEN.number:
        return [Number(this.scanner.getTokenValue()), range.end];
      default:
        return this.word(range);
    }
  }

  /** A word that JSON does not have. */
  private word(range: Range): [ScalarTree["value"], number] {
    const word = this.text.slice(range.start, range.end);
    if (word === "NaN") return [Number.NaN, range.end];
    if (word === "Infinity") return [Number.POSITIVE_INFINITY, range.end];
    if (word === "-" && this.text.startsWith("Infinity", range.end)) {
      this.scanner.scan();
      return [Number.NEGATIVE_INFINITY, range.end + "Infinity".length];
    }
    const value = word === "None" ? null : resolveScalar(word);
    const meant = typeof value === "string" ? `put it in double quotes` : `write ${String(value)}`;
    this.syntax(range, `JSON does not know this word; ${meant}`);
    return [value, range.end];
  }

  private comma(range: Range): void {
    const top = this.brackets[this.brackets.length - 1];
    if (!top) this.syntax(range, "this comma stands outside of everything; remove it");
    else if (top.key) this.completeKey(top);
    else if (!top.full) this.syntax(range, "nothing stands before this comma; remove it");
    if (!top) return;
    top.full = false;
    top.comma = range.start;
  }

  private colon(range: Range): void {
    const key = this.brackets[this.brackets.length - 1]?.key;
    if (!key) this.syntax(range, "no key stands before this colon; remove it, or write a key in double quotes");
    else if (key.colon !== null) this.syntax(range, "this is one colon too many; remove it");
    else {
      key.colon = range.start;
      this.builder.cursor = range.end;
    }
  }

  private close(map: boolean, range: Range): void {
    const matching = this.brackets.findLastIndex((bracket) => bracket.map === map);
    if (matching < 0) {
      this.syntax(range, `this ${map ? "}" : "]"} closes nothing; remove it`);
      return;
    }
    while (this.brackets.length - 1 > matching) this.closeUnclosed();
    const top = this.brackets[matching]!;
    if (top.comma !== null && !this.options.trailingComma) {
      this.syntax({ start: top.comma, end: top.comma + 1 }, "nothing follows this comma; remove it");
    }
    this.finish(top, range.end);
  }

  /** A half-typed `{"type": "Conv2d",` before the next item of the list around it. */
  private leaveUnclosedMap(range: Range): void {
    const top = this.brackets[this.brackets.length - 1];
    const outer = this.brackets[this.brackets.length - 2];
    if (!top?.map || top.key || !outer || outer.map || this.text[range.start] !== "{") return;
    this.closeUnclosed();
    outer.full = false;
  }

  private closeUnclosed(): void {
    const top = this.brackets[this.brackets.length - 1]!;
    const [bracket, closer] = top.map ? ["{", "}"] : ["[", "]"];
    this.syntax({ start: top.start, end: top.start + 1 }, `this ${bracket} is never closed; add ${closer}`);
    const { cursor } = this.builder;
    this.finish(top, Math.max(cursor, top.start + 1));
  }

  private closeAll(): void {
    while (this.brackets.length > 0) this.closeUnclosed();
  }

  private finish(top: Bracket, end: number): void {
    if (top.key) this.completeKey(top);
    this.brackets.pop();
    this.builder.close(end);
    this.filled();
  }

  /** Gives the waiting key of a map the absent value it stands for. */
  private completeKey(top: Bracket): void {
    const key = top.key!;
    if (key.colon === null)
      this.syntax(key.range, "a colon and a value are missing after this key; add : and the value");
    else this.syntax({ start: key.colon, end: key.colon + 1 }, "no value stands after this colon; add one");
    const at = this.builder.cursor;
    this.builder.scalar(at, at, null, false, null);
    this.filled();
  }

  private filled(): void {
    const top = this.brackets[this.brackets.length - 1];
    if (!top) return;
    top.key = null;
    top.full = true;
    top.comma = null;
  }

  private isLater(colon: number, range: Range): boolean {
    return /[\r\n]/.test(this.text.slice(colon, range.start));
  }

  /** Whether a colon follows the text that ends here. */
  private isKey(range: Range): boolean {
    return /^[ \t]*:/.test(this.text.slice(range.end, range.end + 200));
  }

  private comment(range: Range, block: boolean): void {
    const open = this.scanner.getTokenError() === (SCAN_ERROR.openComment as number);
    if (open) this.syntax({ start: range.start, end: range.start + 2 }, "this comment is never closed; add */");
    const text = this.text.slice(range.start + 2, block && !open ? range.end - 2 : range.end).trim();
    this.comments.push({ range, text });
  }

  private tellScanError(range: Range): void {
    const error = this.scanner.getTokenError() as number;
    if (error === SCAN_ERROR.openString) {
      this.swallowed = true;
      this.syntax({ start: range.start, end: range.start + 1 }, 'this " is never closed; add "');
    } else if (error === SCAN_ERROR.openNumber) {
      this.syntax(range, "a digit is missing in this number; add one");
    } else if (error === SCAN_ERROR.badUnicode || error === SCAN_ERROR.badEscape) {
      this.syntax(range, "an escape in this text is not known; write \\\\ for a backslash");
    } else if (error === SCAN_ERROR.badCharacter) {
      this.syntax(range, "a control character stands in this text; write it as an escape such as \\t");
    }
  }

  /** Ends the reading before a bound is passed; what was read so far is kept. */
  private stop(range: Range, message: string): false {
    this.builder.problem("too-large", range, message);
    while (this.brackets.length > 0) {
      const top = this.brackets.pop()!;
      this.builder.close(Math.max(this.builder.cursor, top.start + 1));
    }
    return false;
  }

  private syntax(range: Range, message: string): void {
    this.builder.problem("syntax", range, message);
  }
}
