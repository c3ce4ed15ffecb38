/**
 * Model YAML of the YOLO family (Ultralytics, yolov3, v5, v7, v9 and their forks): lists of rows
 * `[from, repeats, module, args]` under `backbone` and `head`.
 */
import { get, type Tree } from "../../syntax/tree.ts";
import { type Dialect, shapeText } from "../dialect.ts";
import { lower } from "./lower.ts";
import { moduleNames } from "./modules.ts";

const KEYS = /["']?backbone["']?\s*:/;

/** Whether a list holds rows: lists whose third item is a module's name. */
function holdsRows(tree: Tree | undefined): boolean {
  if (tree?.kind !== "list") return false;
  return tree.items.some((row) => {
    const module = row.kind === "list" ? row.items[2] : undefined;
    return module?.kind === "scalar" && typeof module.value === "string";
  });
}

export const ultralytics: Dialect = {
  name: "ultralytics",
  words: {
    param: (_op, name) => name,
    op: (name) => name,
    dim: String,
    byIndex: true,
    shape: (tensor) => shapeText(tensor, String),
    // Python's words; YAML's own would do as well, but no such file has them.
    value: (_op, _name, value) => (value === null ? "None" : value),
    // A row has no named sides.
    takes: (_op, _name, value) => value === null || typeof value !== "object" || Array.isArray(value),
  },
  // The rarest part of the word first: a foreign megabyte is searched for it in no time.
  sniff: (text) => text.includes("kbone") && KEYS.test(text),
  matches: (root) =>
    holdsRows(get(root, "backbone")) && (get(root, "head") !== undefined || get(root, "nc") !== undefined),
  lower,
  writing: { parameters: (row) => (row.kind === "list" ? row.items[3] : undefined) },
  vocabulary: () => moduleNames(),
};
