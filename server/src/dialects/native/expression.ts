/**
 * `${…}` in scalars: integer arithmetic over numbers and names, so that a whole ResNet fits on one page.
 * Nothing but + − * // % and parentheses; nothing is ever executed.
 */

/** Why an expression has no value. */
export class ExpressionError extends Error {}

const TOKEN = /\s*(?:(\d+(?:\.\d+)?)|([A-Za-z_]\w*)|(\/\/|[-+*%()]))/y;
/** Longer text is hostile; this also bounds the recursion on parentheses. */
const MAX_LENGTH = 500;

type Value = number | string | boolean | null;

/** Evaluates the text between the braces. @throws ExpressionError with a sentence for the user. */
export function evaluateExpression(source: string, lookup: (name: string) => Value | undefined): Value {
  if (source.length > MAX_LENGTH) throw new ExpressionError(`an expression of at most ${MAX_LENGTH} characters`);
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const end = source.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (!match)
      throw new ExpressionError(`numbers, names, + - * // % and parentheses, not "${source.slice(at).trim()}"`);
    tokens.push(match[0].trim());
  }
  let next = 0;

  const atom = (): Value => {
    const token = tokens[next++];
    if (token === undefined) throw new ExpressionError("a complete expression");
    if (token === "-") return -asNumber(atom());
    if (token === "(") {
      const value = sum();
      if (tokens[next++] !== ")") throw new ExpressionError("an expression with its closing parenthesis");
      return value;
    }
    if (/^\d/.test(token)) return Number(token);
    if (!/^[A-Za-z_]/.test(token)) throw new ExpressionError(`a value before "${token}"`);
    const value = lookup(token);
    if (value === undefined)
      throw new ExpressionError(`a name defined under vars or the block's params ("${token}" is not)`);
    return value;
  };
  const chain = (operand: () => Value, operators: readonly string[]): Value => {
    let value = operand();
    while (operators.includes(tokens[next] ?? "")) {
      const operator = tokens[next++]!;
      value = apply(operator, asNumber(value), asNumber(operand()));
    }
    return value;
  };
  const term = (): Value => chain(atom, ["*", "//", "%"]);
  const sum = (): Value => chain(term, ["+", "-"]);

  const value = sum();
  if (next < tokens.length) throw new ExpressionError(`an operator before "${tokens[next]}"`);
  return value;
}

function asNumber(value: Value): number {
  if (typeof value !== "number") throw new ExpressionError(`numbers to calculate with, not ${JSON.stringify(value)}`);
  return value;
}

function apply(operator: string, a: number, b: number): number {
  if ((operator === "//" || operator === "%") && b === 0) throw new ExpressionError("a divisor other than 0");
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "//":
      return Math.floor(a / b);
    default:
      return a - b * Math.floor(a / b);
  }
}
