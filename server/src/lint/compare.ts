/**
 * What changed between two versions of a model, layer by layer: which layers came, went or changed their size.
 */
import type { FileReport, LayerReport, Size } from "./report.ts";

/** The sizes that are compared; in bytes, values and multiply-accumulates for one sample. */
export const MEASURES = ["params", "macs", "activationBytes"] as const;
export type Measure = (typeof MEASURES)[number];

export type LayerSizes = Pick<LayerReport, "name" | "type" | "outputs" | "receptiveField" | Measure>;

export interface ModelSizes {
  readonly layers: readonly LayerSizes[];
  readonly totals: Readonly<Record<Measure, Size>>;
}

/** One layer that is not as it was; null on the side where it is not. */
export interface LayerChange {
  readonly before: LayerSizes | null;
  readonly after: LayerSizes | null;
}

export interface ModelChange {
  readonly layers: readonly LayerChange[];
  readonly before: ModelSizes["totals"] | null;
  readonly after: ModelSizes["totals"] | null;
}

/** Beyond so many pairs of layers, what lies between the equal ends is paired by position. */
const MAX_PAIRS = 4_000_000;

/** The sizes of a report that was made with its layers. */
export function sizesOf({ layers, totals: { params, macs, activationBytes } }: FileReport): ModelSizes {
  return {
    layers: layers.map((layer) => ({
      name: layer.name,
      type: layer.type,
      outputs: layer.outputs,
      params: layer.params,
      macs: layer.macs,
      activationBytes: layer.activationBytes,
      receptiveField: layer.receptiveField,
    })),
    totals: { params, macs, activationBytes },
  };
}

/** null where nothing changed. A model that is not there on one side is null. */
export function compareModels(before: ModelSizes | null, after: ModelSizes | null): ModelChange | null {
  const layers = align(before?.layers ?? [], after?.layers ?? []).filter(
    ({ before: old, after: now }) => !old || !now || !sameSizes(old, now) || !sameName(old, now),
  );
  if (layers.length === 0 && before && after && same(before.totals, after.totals)) return null;
  return { layers, before: before?.totals ?? null, after: after?.totals ?? null };
}

/** Pairs the layers of two versions in order: equal ends first, the rest so that most of it agrees. */
function align(before: readonly LayerSizes[], after: readonly LayerSizes[]): LayerChange[] {
  const least = Math.min(before.length, after.length);
  let head = 0;
  while (head < least && equal(before[head]!, after[head]!)) head++;
  let tail = 0;
  while (tail < least - head && equal(before.at(-1 - tail)!, after.at(-1 - tail)!)) tail++;
  const inner = alignInner(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
  const tailStart = after.length - tail;
  return [
    ...before.slice(0, head).map((layer, index) => ({ before: layer, after: after[index]! })),
    ...inner,
    ...before.slice(before.length - tail).map((layer, index) => ({ before: layer, after: after[tailStart + index]! })),
  ];
}

function alignInner(before: readonly LayerSizes[], after: readonly LayerSizes[]): LayerChange[] {
  if (before.length * after.length > MAX_PAIRS) {
    return Array.from({ length: Math.max(before.length, after.length) }, (_, index) => ({
      before: before[index] ?? null,
      after: after[index] ?? null,
    }));
  }
  const width = after.length + 1;
  // best[i * width + j]: the most agreement between what follows i and what follows j.
  const best = new Float64Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const score = agreement(before[i]!, after[j]!);
      const paired = score > 0 ? best[(i + 1) * width + j + 1]! + score : 0;
      best[i * width + j] = Math.max(paired, best[(i + 1) * width + j]!, best[i * width + j + 1]!);
    }
  }
  const changes: LayerChange[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const here = best[i * width + j]!;
    const score = i < before.length && j < after.length ? agreement(before[i]!, after[j]!) : 0;
    if (score > 0 && here === best[(i + 1) * width + j + 1]! + score)
      changes.push({ before: before[i++]!, after: after[j++]! });
    else if (i < before.length && (j >= after.length || here === best[(i + 1) * width + j]!))
      changes.push({ before: before[i++]!, after: null });
    else changes.push({ before: null, after: after[j++]! });
  }
  return changes;
}

/** 0 where two layers have nothing to do with each other. */
function agreement(a: LayerSizes, b: LayerSizes): number {
  const named = sameName(a, b) && a.name === b.name && !isNumbered(a) ? 4 : 0;
  const typed = a.type === b.type ? 1 : 0;
  return named + typed === 0 ? 0 : named + typed + (sameSizes(a, b) ? 2 : 0);
}

function equal(a: LayerSizes, b: LayerSizes): boolean {
  return a.name === b.name && a.type === b.type && sameSizes(a, b);
}

/** Names that a format makes from the layer's number say nothing: a layer before changes them. */
function isNumbered({ name }: LayerSizes): boolean {
  return /(^|\D)\d+$/.test(name);
}

function sameName(a: LayerSizes, b: LayerSizes): boolean {
  return a.type === b.type && (a.name === b.name || (isNumbered(a) && isNumbered(b)));
}

function sameSizes(a: LayerSizes, b: LayerSizes): boolean {
  return (
    MEASURES.every((measure) => a[measure] === b[measure]) &&
    same(a.outputs, b.outputs) &&
    same(a.receptiveField, b.receptiveField)
  );
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
