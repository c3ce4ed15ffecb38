/**
 * Strings in a YOLO row are Python: a name of the builder (`nc`), a literal (`None`, `[1, 2]`), or just a word (`nearest`).
 * This reads them the way the builder does, without evaluating anything: arithmetic is known to be valid, never computed.
 */
import type { Plain } from "#shared/ops/param.ts";

/** What a text is to Python. */
export type PythonText =
  | { readonly kind: "literal"; readonly value: Plain }
  /** Valid Python, but no literal: `nearest`, `nn.SiLU()`. The builder keeps it as a string. */
  | { readonly kind: "word" }
  /** A SyntaxError: `3x`, `a b`, the empty string. The builder stops. */
  | { readonly kind: "invalid" };

const TOKEN = /\s*(?:(\d[\w.]*|\.\d\w*)|([A-Za-z_]\w*)|("[^"]*"|'[^']*')|(\*\*|\/\/|[-+*/%().,[\]{}:=<>!&|^~@]))/y;
const NUMBER = /^(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const CONSTANTS: ReadonlyMap<string, Plain> = new Map<string, Plain>([
  ["None", null],
  ["True", true],
  ["False", false],
]);
const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
/** Longer text is hostile; the bound also keeps the recursion on brackets small. */
const MAX_LENGTH = 500;

type Token = { readonly kind: "number" | "name" | "text" | "mark"; readonly text: string };

/** Classifies a string argument. */
export function readPython(source: string): PythonText {
  const tokens = source.length <= MAX_LENGTH ? tokenise(source.trim()) : null;
  if (!tokens || tokens.length === 0) return { kind: "invalid" };
  const literal = literalOf(tokens);
  if (literal !== undefined) return { kind: "literal", value: literal };
  return { kind: isExpression(tokens) ? "word" : "invalid" };
}

function tokenise(source: string): Token[] | null {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source);
    if (!match) return null;
    const [, number, name, text, mark] = match;
    if (number !== undefined && !NUMBER.test(number)) return null;
    tokens.push(
      number !== undefined
        ? { kind: "number", text: number }
        : name !== undefined
          ? { kind: "name", text: name }
          : text !== undefined
            ? { kind: "text", text }
            : { kind: "mark", text: mark! },
    );
  }
  return tokens;
}

/** The value of a literal, or undefined. Tuples and lists both become lists. */
function literalOf(tokens: readonly Token[]): Plain | undefined {
  let next = 0;
  const item = (): Plain | undefined => {
    const token = tokens[next++];
    if (!token) return undefined;
    if (token.kind === "number") return Number(token.text.replaceAll("_", ""));
    if (token.kind === "text") return token.text.slice(1, -1);
    if (token.kind === "name") return CONSTANTS.get(token.text);
    if (token.text === "-" || token.text === "+") {
      const value = item();
      return typeof value === "number" ? (token.text === "-" ? -value : value) : undefined;
    }
    if (token.text !== "[" && token.text !== "(") return undefined;
    const close = CLOSING[token.text]!;
    const items: Plain[] = [];
    while (tokens[next] && tokens[next]!.text !== close) {
      const value = item();
      if (value === undefined) return undefined;
      items.push(value);
      if (tokens[next]?.text === ",") next++;
      else if (tokens[next]?.text !== close) return undefined;
    }
    if (tokens[next++]?.text !== close) return undefined;
    const grouped = close === ")" && items.length === 1 && tokens[next - 2]?.text !== ",";
    return grouped ? items[0] : items;
  };
  const value = item();
  return next === tokens.length ? value : undefined;
}

/** Operands and operators alternate and brackets close: enough to tell a SyntaxError from a word. */
function isExpression(tokens: readonly Token[]): boolean {
  const open: string[] = [];
  let operandBefore = false;
  for (const token of tokens) {
    if (token.kind !== "mark") {
      if (operandBefore) return false;
      operandBefore = true;
    } else if (token.text in CLOSING) {
      // After an operand it is a call or an index; otherwise a group.
      open.push(CLOSING[token.text]!);
      operandBefore = false;
    } else if (open.length > 0 && token.text === open.at(-1)) {
      open.pop();
      operandBefore = true;
    } else if (operandBefore) operandBefore = false;
    else if (!"+-~*,:".includes(token.text)) return false;
  }
  return open.length === 0 && operandBefore;
}
