/** Text of the user's inside Markdown, so that nothing in a model file can become a link, HTML or formatting. */

/** A code span that shows exactly this text on one line, whatever backticks it holds. */
export function codeSpan(text: string): string {
  const line = text.replace(/\s+/g, " ") || " ";
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map((run) => run[0].length));
  const fence = "`".repeat(longest + 1);
  const pad = line.startsWith("`") || line.endsWith("`") ? " " : "";
  return `${fence}${pad}${line}${pad}${fence}`;
}

/** Literal text outside code. */
export function literal(text: string): string {
  return text.replace(/[\\`*_{}[\]<>()#+!|~&]/g, "\\$&").replace(/\s+/g, " ");
}
