/**
 * Which module a name means, in each of the family's builders.
 */
import type { Plain } from "#shared/ops/param.ts";
import type { Flavour } from "./block.ts";
import { headAliases, headModules } from "./heads.ts";
import { attentionModules } from "./modules-attention.ts";
import { convModules } from "./modules-conv.ts";
import { cspModules } from "./modules-csp.ts";
import { modulesV5, modulesV7, modulesV9, modulesV13 } from "./modules-forks.ts";
import type { Module } from "./rows.ts";

type Table = Readonly<Record<string, Module>>;

const common: Table = { ...convModules, ...cspModules, ...attentionModules, ...headModules };

const tables: Readonly<Record<Flavour, Table>> = {
  ultralytics: {
    ...common,
    ...modulesV13,
    Silence: modulesV9.Silence!,
    ...Object.fromEntries(Object.entries(headAliases).map(([alias, name]) => [alias, headModules[name]!])),
  },
  yolov5: { ...common, ...modulesV5 },
  yolov7: { ...common, ...modulesV7 },
  yolov9: { ...common, ...modulesV9 },
};

/** The module a row names, or null for somebody's own. */
export function moduleNamed(name: string, flavour: Flavour): Module | null {
  const table = tables[flavour];
  return Object.hasOwn(table, name) ? table[name]! : null;
}

export function moduleNames(flavour: Flavour = "ultralytics"): readonly string[] {
  return Object.keys(tables[flavour]);
}

/** Modules of Ultralytics that came from yolov9, where `anchors` is a plain number. */
const FROM_V9 = new Set("RepNCSPELAN4 SPPELAN ELAN1 ADown AConv CBLinear CBFuse".split(" "));

/** The builder that a file is written for: anchors belong to the older ones, which its modules tell apart. */
export function flavourOf(anchors: Plain | undefined, names: readonly string[]): Flavour {
  if (anchors === undefined) return "ultralytics";
  const only = (own: Table, other: Table) => names.some((name) => name in own && !(name in other) && !(name in common));
  if (only(modulesV9, modulesV7)) return "yolov9";
  if (only(modulesV7, modulesV5)) return "yolov7";
  return typeof anchors === "number" && names.some((name) => FROM_V9.has(name)) ? "yolov9" : "yolov5";
}

/** Heads whose builder runs a 256×256 image through the model to learn the strides. */
export function hasStridePass(name: string): boolean {
  return (
    /Detect$|Segment(26)?$|Pose(26)?$|OBB(26)?$|^Panoptic$|^IBin$|^IKeypoint$/.test(name) && name !== "SemanticSegment"
  );
}
