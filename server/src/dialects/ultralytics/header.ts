/**
 * Everything of a YOLO model file but its rows: classes, scaling, activation, and the names that rows may use.
 */

import { atRange, type Range, type Report } from "#shared/ops/finding.ts";
import { operators } from "#shared/ops/index.ts";
import type { Plain } from "#shared/ops/param.ts";
import { entryOf, get, type MapTree, plain, type Tree } from "../../syntax/tree.ts";
import type { Context } from "../dialect.ts";
import { type Wish, wishOf } from "../directive.ts";
import type { Flavour } from "./block.ts";
import { flavourOf } from "./modules.ts";
import { activationOf } from "./modules-conv.ts";
import { letterOf, type Scaling } from "./scaling.ts";

export interface Header {
  readonly flavour: Flavour;
  readonly scaling: Scaling;
  /** Channels, height, width. */
  readonly input: readonly [number, number, number];
  readonly activation: string;
  readonly classes: number;
  readonly regMax: Plain;
  readonly end2end: Plain;
  /** A row width equal to this stays unscaled. */
  readonly unscaled: number;
  /** The names that a string argument may be. */
  readonly names: ReadonlyMap<string, Plain>;
  readonly rows: readonly Tree[];
}

const IMAGE = 640;

/** Reads the model's own keys; what is wrong is reported and read as if it were not there. */
export function readHeader(root: MapTree, context: Context, report: Report): Header {
  const wish = wishOf(context);
  const value = (key: string): Plain | undefined => {
    const tree = get(root, key);
    return tree === undefined ? undefined : plain(tree);
  };
  const numberAt = (key: string): number | undefined => {
    const found = value(key);
    return typeof found === "number" ? found : undefined;
  };
  const rows = ["backbone", "head"].flatMap((key) => rowsOf(root, key, report));
  const flavour = flavourOf(value("anchors"), rows.map(moduleOf));
  const nc = numberAt("nc");
  if (nc === undefined) missing(root, "nc", report);
  const scaling = scalingOf(root, wish, letterOf(context.path), report);
  const anchors = value("anchors");
  const perLevel = Array.isArray(anchors)
    ? Math.floor((Array.isArray(anchors[0]) ? anchors[0].length : 0) / 2)
    : anchors;
  const outputs = typeof perLevel === "number" && nc !== undefined ? perLevel * (nc + 5) : Number.NaN;

  const names = new Map<string, Plain>();
  const name = (key: string, found: Plain | undefined) => {
    if (found !== undefined) names.set(key, found);
  };
  name("nc", nc);
  name("anchors", anchors);
  name("kpt_shape", value("kpt_shape"));
  name("reg_max", value("reg_max") ?? 16);
  name("end2end", value("end2end") ?? null);
  name("depth", scaling.depth);
  name("width", scaling.width);
  name("scale", scaling.letter);
  if (Number.isFinite(scaling.maxChannels)) name("max_channels", scaling.maxChannels);
  return {
    flavour,
    scaling,
    input: inputOf(wish.input, numberAt("channels") ?? numberAt("ch") ?? 3),
    activation: activationAt(get(root, "activation"), report),
    classes: nc ?? 80,
    regMax: names.get("reg_max")!,
    end2end: names.get("end2end")!,
    unscaled: flavour === "ultralytics" ? (nc ?? Number.NaN) : outputs,
    names,
    rows,
  };
}

/** [C, H, W] as asked for; a pair is height and width, one number a square. */
function inputOf(sizes: readonly number[] | null, channels: number): readonly [number, number, number] {
  if (!sizes || sizes.length === 0 || sizes.length > 3) return [channels, IMAGE, IMAGE];
  if (sizes.length === 1) return [channels, sizes[0]!, sizes[0]!];
  if (sizes.length === 2) return [channels, sizes[0]!, sizes[1]!];
  return [sizes[0]!, sizes[1]!, sizes[2]!];
}

function rowsOf(root: MapTree, key: string, report: Report): readonly Tree[] {
  const tree = get(root, key);
  if (tree?.kind === "list") return tree.items;
  if (tree) report("bad-value", atRange(tree.range), { name: key, value: plain(tree), expected: "a list of rows" });
  else missing(root, key, report);
  return [];
}

/** What the builder asks for and the file does not have is told at the file's first key. */
function missing(root: MapTree, name: string, report: Report): void {
  const range: Range = root.entries[0]?.key.range ?? root.range;
  report("missing-parameter", atRange(range), { name, of: "the model" });
}

function moduleOf(row: Tree): string {
  const module = row.kind === "list" ? row.items[2] : undefined;
  return module?.kind === "scalar" ? String(module.value) : "";
}

/** depth, width and the limit of channels: from `scales` by letter, or from the two multiples. */
function scalingOf(root: MapTree, wish: Wish, named: string, report: Report): Scaling {
  const scales = get(root, "scales");
  const has = (letter: string) => entryOf(scales, letter) !== undefined;
  const asked = wish.scale !== null && (!wish.general.scale || has(wish.scale)) ? wish.scale : null;
  // Only the builder of YOLOv10 knows a scale b.
  const wanted = asked ?? (named === "b" && !has(named) ? "" : named);
  if (scales?.kind === "map" && scales.entries.length > 0) {
    const written = get(root, "scale");
    const letter =
      wanted || (written?.kind === "scalar" ? String(written.value ?? "") : "") || String(scales.entries[0]!.key.value);
    const entry = entryOf(scales, letter);
    const triple = entry ? plain(entry.value) : undefined;
    if (Array.isArray(triple) && triple.length === 3 && triple.every((part) => typeof part === "number")) {
      const [depth, width, maxChannels] = triple as number[];
      return { letter, depth: depth!, width: width!, maxChannels: maxChannels! };
    }
    const names = scales.entries.map(({ key }) => String(key.value)).join(", ");
    if (entry) {
      const expected = "a list [depth, width, max_channels]";
      report("bad-value", atRange(entry.value.range), { name: letter, value: triple, expected });
    } else {
      report("bad-value", atRange(entryOf(root, "scales")!.key.range), {
        name: "the scale",
        value: letter,
        expected: `one of the file's own: ${names}`,
      });
    }
    return { letter, depth: 1, width: 1, maxChannels: Number.POSITIVE_INFINITY };
  }
  const multiple = (key: string): number => {
    const tree = get(root, key);
    if (!tree) return 1;
    const found = plain(tree);
    if (typeof found === "number") return found;
    report("bad-value", atRange(tree.range), { name: key, value: found, expected: "a number" });
    return 1;
  };
  return {
    letter: wanted,
    depth: multiple("depth_multiple"),
    width: multiple("width_multiple"),
    maxChannels: Number.POSITIVE_INFINITY,
  };
}

function activationAt(tree: Tree | undefined, report: Report): string {
  if (tree?.kind !== "scalar" || typeof tree.value !== "string") return "SiLU";
  const found = activationOf(tree.value);
  if (found && operators.has(found)) return found;
  report("bad-value", atRange(tree.range), {
    name: "activation",
    value: tree.value,
    expected: "an activation of torch.nn, e.g. nn.ReLU()",
  });
  return "SiLU";
}
