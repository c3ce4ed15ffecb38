/**
 * ConvLint's own format (marked by `cnn: 1` or the file name `*.cnn.yaml`): PyTorch's operators and parameters in a list
 * of layers, with names, blocks, repeats and variables.
 */
import { operators } from "#shared/ops/index.ts";
import { get, type Tree } from "../../syntax/tree.ts";
import { type Dialect, shapeText, type Words } from "../dialect.ts";
import { MODEL_KEYS } from "./header.ts";
import { lower } from "./lower.ts";
import { definition } from "./values.ts";

const FILE_NAME = /\.cnn\.(ya?ml|json)$/i;
const MARK = /(^|[{,\n\r\uFEFF])\s*["']?cnn["']?\s*:\s*1\b/;

/** UTF-16 units beyond which a text is searched for layers before it is searched for its mark. */
const LARGE = 1 << 16;

/** Whether a text may hold the mark. In a large one layers are looked for first, by the rarest part of that word. */
function mayBeMarked(text: string): boolean {
  return (text.length <= LARGE || text.includes("yers")) && text.includes("cnn") && MARK.test(text);
}

/** `cnn: 1`, alone or beside another key of the format: elsewhere the same may be a count of something. */
function isMarked(root: Tree): boolean {
  const mark = get(root, "cnn");
  if (root.kind !== "map" || mark?.kind !== "scalar" || mark.value !== 1) return false;
  return (
    root.entries.length === 1 ||
    root.entries.some(({ key }) => key.value !== "cnn" && MODEL_KEYS.includes(String(key.value)))
  );
}

export const nativeWords: Words = {
  param: (_op, name) => name,
  op: (name) => name,
  dim: String,
  shape: (tensor) => shapeText(tensor, String),
};

export const native: Dialect = {
  name: "native",
  words: nativeWords,
  sniff: (text, path) => FILE_NAME.test(path) || mayBeMarked(text),
  claims: (path) => FILE_NAME.test(path),
  matches: (root, path) => FILE_NAME.test(path) || isMarked(root),
  lower,
  writing: {
    definition,
    layer: (op) => op,
    size: ({ tree }, axis, { layout }) =>
      tree.kind === "list" ? tree.items[layout.batched ? axis - 1 : axis] : undefined,
  },
  vocabulary: () => [...operators.keys()],
};
