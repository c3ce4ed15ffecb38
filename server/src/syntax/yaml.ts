/**
 * YAML to a located tree. A text that the parser refuses, which in an editor is any half-typed one, is mended first
 * (recover.ts).
 */
import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, type YAMLException } from "js-yaml";
import { MAX_DEPTH, TreeBuilder } from "./builder.ts";
import { recoverYaml } from "./recover.ts";
import { resolveScalar } from "./scalar.ts";
import type { Comment, Parsed, ScalarTree } from "./tree.ts";

/** Why the parser refused a text: its own words and the offset where it stopped. */
export interface Refused {
  readonly reason: string;
  readonly at: number;
}

/** Never throws. */
export function parseYaml(text: string): Parsed {
  const read = readYaml(text);
  return "root" in read ? read : recoverYaml(text, read);
}

/** A tree, or the first thing that the parser refuses. */
export function readYaml(text: string): Parsed | Refused {
  const events = eventsOf(text);
  return Array.isArray(events) ? fromEvents(text, events) : events;
}

function eventsOf(text: string): Event[] | Refused {
  try {
    // A scalar is a level of its own to this parser.
    return parseEvents(text, { maxDepth: MAX_DEPTH + 1 });
  } catch (error) {
    const { reason, mark } = error as YAMLException;
    if (reason === undefined) throw error;
    return { reason, at: Math.min(mark?.position ?? 0, text.length) };
  }
}

function fromEvents(text: string, events: readonly Event[]): Parsed {
  const builder = new YamlBuilder(text);
  for (let index = 0; index < events.length; index++) {
    const event = events[index]!;
    switch (event.type) {
      case EVENT_ID.SCALAR: {
        const anchor = event.anchorStart < 0 ? null : text.slice(event.anchorStart, event.anchorEnd);
        const tag = event.tagStart < 0 ? null : tagMeaning(text.slice(event.tagStart, event.tagEnd));
        const { valueStart, valueEnd, style } = event;
        if (valueStart < 0) builder.empty(Math.max(event.anchorEnd, event.tagEnd), tag, anchor);
        else if (style === SCALAR_STYLE.PLAIN)
          builder.plain(valueStart, valueEnd, getScalarValue(text, event), tag, anchor);
        else {
          const quotes = style === SCALAR_STYLE.SINGLE_QUOTED || style === SCALAR_STYLE.DOUBLE_QUOTED;
          const start = quotes ? valueStart - 1 : builder.blockHeader(Math.max(event.anchorEnd, event.tagEnd));
          builder.quoted(start, quotes ? valueEnd + 1 : valueEnd, getScalarValue(text, event), tag, anchor);
        }
        break;
      }
      case EVENT_ID.MAPPING:
      case EVENT_ID.SEQUENCE: {
        const anchor = event.anchorStart < 0 ? null : text.slice(event.anchorStart, event.anchorEnd);
        if (event.type === EVENT_ID.MAPPING) builder.openMap(event.start, anchor);
        else builder.openList(event.start, anchor);
        break;
      }
      case EVENT_ID.ALIAS:
        builder.alias(event.anchorStart - 1, event.anchorEnd, text.slice(event.anchorStart, event.anchorEnd));
        break;
      case EVENT_ID.DOCUMENT:
        if (event.explicitStart) builder.startDocument();
        break;
      case EVENT_ID.POP:
        if (builder.depth > 0) builder.closeAtBracket();
        else return builder.finish(hasContent(events, index + 1));
        break;
    }
  }
  return builder.finish(false);
}

/** Whether a document with anything in it begins at this event. */
function hasContent(events: readonly Event[], index: number): boolean {
  const node = events[index + 1];
  return node !== undefined && !(node.type === EVENT_ID.SCALAR && node.valueStart < 0 && events.length === index + 3);
}

const DOCUMENT_START = /^\uFEFF?---(?=\s|$)/m;

/** What a tag says about its scalar; every other tag is passed over and its value kept. */
export type TagMeaning = "text" | "resolve" | null;

const CORE_TAG = /^(?:!!|!<tag:yaml\.org,2002:|tag:yaml\.org,2002:)(str|int|float|bool|null)>?$/;

/** From a tag as written (`!!str`) or in full (`tag:yaml.org,2002:str`). */
export function tagMeaning(tag: string): TagMeaning {
  if (tag === "!") return "text";
  const name = CORE_TAG.exec(tag)?.[1];
  if (name === undefined) return null;
  return name === "str" ? "text" : "resolve";
}

/** The builder with what is YAML's own: where absent values, block texts and collections stand, and comments. */
export class YamlBuilder extends TreeBuilder {
  /** Start and end of the texts that may hold a `#`, in text order; kept only where the file has one at all. */
  private readonly texts: number[] | null;

  constructor(private readonly text: string) {
    super({ merge: true });
    this.texts = text.includes("#") ? [] : null;
  }

  /** Passes the `---` that begins the document. */
  startDocument(): void {
    const mark = DOCUMENT_START.exec(this.text);
    if (mark) this.cursor = mark.index + mark[0].length;
  }

  plain(start: number, end: number, text: string, tag: TagMeaning, anchor: string | null): void {
    this.scalar(start, end, tag === "text" ? text : resolveScalar(text), tag === "text", anchor);
  }

  /** A scalar in quotes, or a block after `|` or `>`. */
  quoted(start: number, end: number, text: string, tag: TagMeaning, anchor: string | null): void {
    let trimmed = end;
    while (trimmed > start + 1 && isBlank(this.text.charCodeAt(trimmed - 1))) trimmed--;
    this.texts?.push(start, end);
    const value: ScalarTree["value"] = tag === "resolve" ? resolveScalar(text) : text;
    this.scalar(start, trimmed, value, tag !== "resolve", anchor);
  }

  /** A value that is not there; it stands after its indicator, or after its tag and anchor. `after` is −1 without these. */
  empty(after: number, tag: TagMeaning, anchor: string | null): void {
    const at = after >= 0 ? after : this.afterIndicator();
    this.scalar(at, at, tag === "text" ? "" : null, tag === "text", anchor);
  }

  /** The `|` or `>` of the block text that comes next. */
  blockHeader(after: number): number {
    let at = Math.max(after, this.cursor);
    for (; at < this.text.length; at++) {
      const char = this.text[at];
      if (char === "|" || char === ">") return at;
      if (char === "#") at = lineEnd(this.text, at);
    }
    return this.cursor;
  }

  /** Ends the innermost collection: after its bracket where it has one, else after its last value. */
  closeAtBracket(): void {
    const bracket = this.text[this.innermost];
    const closer = bracket === "{" ? "}" : bracket === "[" ? "]" : null;
    if (closer === null) {
      // In a broken text a key's tag can stand before the map that the parser makes of it.
      this.close(Math.max(this.cursor, this.innermost));
      return;
    }
    let at = this.skipBlanks(Math.max(this.cursor, this.innermost + 1));
    while (this.text[at] === ",") at = this.skipBlanks(at + 1);
    this.close(this.text[at] === closer ? at + 1 : Math.max(this.cursor, this.innermost));
  }

  /** The result. `more` says that another document follows, which is not checked. */
  finish(more: boolean): Parsed {
    let end = this.text.length;
    if (more) {
      const rest = DOCUMENT_START.exec(this.text.slice(this.cursor));
      const start = rest ? this.cursor + rest.index : this.skipBlanks(this.cursor);
      const range = { start, end: start + (rest ? rest[0].length : 3) };
      this.problem("syntax", range, "a second document begins here and is not checked; put it into a file of its own");
      end = start;
    }
    const absent = this.root?.kind === "scalar" && this.root.range.start === this.root.range.end;
    return {
      root: absent ? null : this.root,
      problems: this.problems,
      comments: this.texts ? commentsOf(this.text, this.texts, end) : [],
      language: "yaml",
      ...(this.problems.length === 0 && this.unused.size > 0 ? { unusedAnchors: this.unusedAnchors() } : {}),
    };
  }

  /** An anchor stands somewhere before the node that it names. */
  private unusedAnchors(): NonNullable<Parsed["unusedAnchors"]> {
    return [...this.unused].flatMap(([name, before]) => {
      const start = this.text.lastIndexOf(`&${name}`, before);
      return start < 0 ? [] : [{ name: `&${name}`, range: { start, end: start + name.length + 1 } }];
    });
  }

  private afterIndicator(): number {
    const { awaits } = this;
    if (awaits === "root") return this.cursor;
    let at = this.skipBlanks(this.cursor);
    if (awaits !== "value" && this.text[at] === ",") at = this.skipBlanks(at + 1);
    const indicator = awaits === "item" ? "-" : awaits === "key" ? "?" : ":";
    return this.text[at] === indicator ? at + 1 : this.cursor;
  }

  private skipBlanks(at: number): number {
    for (;;) {
      const code = this.text.charCodeAt(at);
      if (code === 0x23) at = lineEnd(this.text, at);
      else if (isBlank(code)) at++;
      else return at;
    }
  }
}

function commentsOf(text: string, texts: readonly number[], end: number): Comment[] {
  const comments: Comment[] = [];
  let next = 0;
  for (let at = text.indexOf("#"); at >= 0 && at < end; ) {
    while (next < texts.length && texts[next + 1]! <= at) next += 2;
    let resume = at + 1;
    if (next < texts.length && texts[next]! < at && !isHeaderComment(text, texts[next]!, at)) resume = texts[next + 1]!;
    else if (at === 0 || isBlank(text.charCodeAt(at - 1))) {
      resume = lineEnd(text, at);
      comments.push({ range: { start: at, end: resume }, text: text.slice(at + 1, resume).trim() });
    }
    at = text.indexOf("#", resume);
  }
  return comments;
}

/** Whether a `#` stands on the line of a block text's own `|` or `>`. */
function isHeaderComment(text: string, start: number, at: number): boolean {
  return (text[start] === "|" || text[start] === ">") && lineEnd(text, start) > at;
}

function lineEnd(text: string, at: number): number {
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x0a || code === 0x0d) break;
    at++;
  }
  return at;
}

/** Blanks, line ends and the byte-order mark. */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d || code === 0xfeff;
}
