/** YAML read by another parser than the product's: an oracle for the trees of texts that are right. */
import { type Document, isAlias, isMap, isScalar, type ParsedNode, parseDocument } from "yaml";
import type { Parsed } from "#server/syntax/tree.ts";
import { tagMeaning, YamlBuilder } from "#server/syntax/yaml.ts";

/** The tree, with its ranges, of a text of one document. @throws where this parser too finds the text wrong. */
export function readByOther(text: string): Parsed {
  const document: Document.Parsed = parseDocument(text, { schema: "failsafe", uniqueKeys: false, logLevel: "silent" });
  if (document.errors.length > 0) throw document.errors[0];
  const builder = new YamlBuilder(text);
  if (document.directives.docStart) builder.startDocument();
  if (document.contents) walk(document.contents, builder);
  return builder.finish(false);
}

function walk(node: ParsedNode | null, builder: YamlBuilder): void {
  if (!node) {
    builder.empty(-1, null, null);
    return;
  }
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
        walk(key, builder);
        walk(value, builder);
      }
    } else {
      builder.openList(start, anchor);
      for (const item of node.items) walk(item as ParsedNode, builder);
    }
    builder.closeAtBracket();
  }
}
