/**
 * The pattern language of gitignore(5) as regular expressions: `*` and `?` stop at slashes, `**` does not, `[…]` is a set;
 * `{a,b}` is either, where it is asked for.
 */

const PARTS = /\\(.)|^\*\*\/|\/\*\*\/|\/\*\*$|\*+|\?|\[(!?)((?:\\.|[^\]])+)\]|[\s\S]/g;

/** The source of a regular expression for a whole slash-separated path; it may not compile where a set makes no sense. */
export function globSource(glob: string, { braces = false } = {}): string {
  let depth = 0;
  return glob.replace(PARTS, (part, escaped: string | undefined, not: string | undefined, set: string | undefined) => {
    if (escaped !== undefined) return literal(escaped);
    if (part === "**/") return "(?:.*/)?";
    if (part === "/**/") return "/(?:.*/)?";
    if (part === "/**") return "/.*";
    if (part.startsWith("*")) return "[^/]*";
    if (part === "?") return "[^/]";
    if (set !== undefined) return `[${not ? "^" : ""}${set}]`;
    if (braces && part === "{") {
      depth++;
      return "(?:";
    }
    if (depth > 0 && part === "}") {
      depth--;
      return ")";
    }
    if (depth > 0 && part === ",") return "|";
    return literal(part);
  });
}

/**
 * Whether paths (relative, with forward slashes) match a configuration's glob: one without a slash matches a name in any
 * folder, one that ends in a slash everything below. A glob that makes no sense matches nothing.
 */
export function globMatcher(glob: string): (path: string) => boolean {
  const below = glob.endsWith("/") ? `${glob}**` : glob;
  const anchored = glob.replace(/\/$/, "").includes("/");
  const source = globSource(below.replace(/^\.?\//, ""), { braces: true });
  try {
    const expression = new RegExp(`^${anchored ? "" : "(?:.*/)?"}${source}$`);
    return (path) => expression.test(path);
  } catch {
    return () => false;
  }
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
}
