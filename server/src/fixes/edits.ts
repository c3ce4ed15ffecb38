/**
 * From what a fix changes in a model to edits of its text, wherever the format keeps it: in the layer, in the variable that
 * its value comes from, behind a merge key. What stands in no one place is not edited: the answer is null.
 */
import type { Node } from "#shared/graph/graph.ts";
import type { Range } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
import type { Analysis } from "../analysis.ts";
import type { Change } from "../rules/rule.ts";
import {
  appendItem,
  insertBefore,
  isAnchored,
  locate,
  remove,
  setKey,
  setValue,
  type TextEdit,
  wrapWord,
} from "../syntax/edit.ts";
import type { Tree } from "../syntax/tree.ts";
import { withoutDirective } from "./suppress.ts";

type Edits = readonly TextEdit[] | null;

/** What changes come to in a text. */
export interface Edited {
  /** In text order. */
  readonly edits: readonly TextEdit[];
  /** They touch a variable or an anchor, which others may use as it is. */
  readonly shared: boolean;
}

/** Null where a change cannot be made, or two would touch the same text. */
export function editsOf(changes: readonly Change[], analysis: Analysis): Edited | null {
  const edits: TextEdit[] = [];
  for (const change of changes) {
    const made = editsOfOne(change, analysis);
    if (!made) return null;
    edits.push(...made);
  }
  const distinct = edits.filter(
    (edit, index) => edits.findIndex((other) => sameEdit(edit, other)) === index || isInsertion(edit),
  );
  distinct.sort((a, b) => a.range.start - b.range.start);
  const overlaps = distinct.some((edit, index) => index > 0 && edit.range.start < distinct[index - 1]!.range.end);
  if (overlaps || distinct.length === 0) return null;
  const isElsewhere = changes.some((change) => change.kind === "set" && change.node && leaves(change.node, distinct));
  return { edits: distinct, shared: isElsewhere || distinct.some(({ range }) => isAnchored(analysis, range)) };
}

/** Whether edits that set a parameter of a node are outside of its layer. */
function leaves({ origin }: Node, edits: readonly TextEdit[]): boolean {
  return !edits.some(({ range }) => contains(origin.layer, range));
}

function sameEdit(a: TextEdit, b: TextEdit): boolean {
  return a.range.start === b.range.start && a.range.end === b.range.end && a.newText === b.newText;
}

function isInsertion({ range }: TextEdit): boolean {
  return range.start === range.end;
}

function editsOfOne(change: Change, analysis: Analysis): Edits {
  const { root } = analysis.parsed;
  switch (change.kind) {
    case "set":
      return setParameter(change.node, change.param, change.index, change.value, analysis);
    case "replace": {
      const place = locate(root, change.at);
      // A Keras source is a list that begins with the layer's name.
      const tree = place?.tree.kind === "list" ? place.tree.items[0] : place?.tree;
      if (!tree) return null;
      const kept = change.last && tree.kind === "scalar" ? (/^.*\./.exec(String(tree.value))?.[0] ?? "") : "";
      return setDefined(tree, kept === "" ? change.value : `${kept}${change.value}`, analysis);
    }
    case "remove": {
      const comment = analysis.parsed.comments.find(({ range }) => contains(range, change.at));
      if (comment) return withoutDirective(comment, change.at, analysis);
      const place = locate(root, change.at);
      return place && remove(analysis, place);
    }
    case "insert": {
      const place = locate(root, change.before.origin.layer);
      const layer = analysis.dialect.writing?.layer?.(change.op);
      return place && layer !== undefined ? insertBefore(analysis, place, layer) : null;
    }
    case "resize": {
      const edits: TextEdit[] = [];
      for (const [axis, size] of change.sizes) {
        const made = setSize(change.input, axis, size, analysis);
        if (!made) return null;
        edits.push(...made);
      }
      return edits;
    }
  }
}

function setParameter(
  node: Node | null,
  param: string,
  index: number | undefined,
  value: Plain,
  analysis: Analysis,
): Edits {
  const { dialect, parsed } = analysis;
  if (!node) return parsed.root?.kind === "map" ? setKey(analysis, parsed.root, param, value) : null;
  const { origin, op } = node;
  const layer = locate(parsed.root, origin.layer)?.tree;
  const home = layer && (dialect.writing?.parameters ? dialect.writing.parameters(layer) : layer);
  if (!home) return null;
  const written = dialect.words.value?.(op.name, param, value) ?? value;
  const place = origin.params.get(param);
  if (place && !place.key) {
    const at = (index === undefined ? undefined : place.items?.[index]) ?? place.value;
    const tree = contains(origin.layer, at) ? locate(home, at)?.tree : undefined;
    return tree ? setDefined(tree, written, analysis) : null;
  }
  if (home.kind === "list")
    return index === undefined ? append(home, origin.further ?? [], param, written, analysis) : null;
  if (home.kind === "scalar") return wrapWord(analysis, home, "type", dialect.words.param(op.name, param), written);
  const entry = place && home.entries.find(({ key }) => key.range.start === place.key!.start);
  if (!entry)
    return place || index !== undefined ? null : setKey(analysis, home, dialect.words.param(op.name, param), written);
  const isOwn = contains(home.range, entry.key.range) && contains(home.range, entry.value.range);
  if (!isOwn) return index === undefined ? setKey(analysis, home, String(entry.key.value), written) : null;
  const item = index !== undefined && entry.value.kind === "list" ? entry.value.items[index] : undefined;
  return setDefined(item ?? entry.value, written, analysis);
}

/** Appends arguments up to the one that is meant; those before it get what they are without. */
function append(
  list: Tree,
  further: NonNullable<Node["origin"]["further"]>,
  param: string,
  value: Plain,
  analysis: Analysis,
): Edits {
  const upTo = further.findIndex(({ name }) => name === param);
  if (upTo < 0) return null;
  const { words } = analysis.dialect;
  const values = further.slice(0, upTo).map((one) => words.value?.("", one.name, one.default) ?? one.default);
  const edits: TextEdit[] = [];
  for (const one of [...values, value]) {
    const made = appendItem(analysis, list, one);
    if (!made) return null;
    edits.push(...made);
  }
  return edits;
}

function setSize(input: Node, axis: number, size: number, analysis: Analysis): Edits {
  const { dialect, parsed } = analysis;
  const place = locate(parsed.root, input.origin.layer);
  const tree = place && dialect.writing?.size?.(place, axis, input.attrs.tensor as never);
  const defined = tree && definitionOf(tree, analysis);
  return defined?.kind === "scalar" && typeof defined.value === "number" ? setValue(analysis, defined, size) : null;
}

function setDefined(tree: Tree, value: Plain, analysis: Analysis): Edits {
  const defined = definitionOf(tree, analysis);
  return defined && setValue(analysis, defined, value);
}

/** Where a value really stands. What a variable calculates has no place. */
function definitionOf(tree: Tree, { dialect, parsed }: Analysis): Tree | null {
  return dialect.writing?.definition ? dialect.writing.definition(tree, parsed.root!) : tree;
}

function contains(outer: Range, inner: Range): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}
