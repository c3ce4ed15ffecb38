/**
 * What rules propose as fixes in common: other words, other numbers of a window, another size of the model's input, and
 * another shape for a branch. Nothing here is sure: whoever offers a candidate tries it first.
 */
import { fittingInput } from "#shared/graph/fit.ts";
import type { Node, Ref } from "#shared/graph/graph.ts";
import type { FindingCode, Range } from "#shared/ops/finding.ts";
import type { Plain } from "#shared/ops/param.ts";
import { channelAxis, spatialAxes, type Tensor } from "#shared/shape/tensor.ts";
import {
  effectiveKernel,
  outputSize,
  transposedOutputSize,
  type Window,
  type WindowUse,
} from "#shared/shape/window.ts";
import { nearestOf } from "./nearest.ts";
import type { Candidate, Change, MessageContext } from "./rule.ts";
import { accepts, mostPadding, sourceOf } from "./wording.ts";

type Context = MessageContext<FindingCode>;

/** Candidates of one change each, which alters what the model does. */
export function unsafe(...changes: readonly Change[]): Candidate {
  return { changes, safe: false };
}

/** A parameter of a node set to a value, or one item of its list. */
export function setting(node: Node, param: string, value: Plain, index?: number): Change {
  return { kind: "set", node, param, value, ...(index === undefined ? {} : { index }) };
}

/** The words closest to one that is misspelt. Only where there is but one, it is surely what was meant. */
export function* respelt(at: Range, word: string, candidates: readonly string[], sure = true): Iterable<Candidate> {
  const close = nearestOf(word, candidates);
  for (const value of close)
    yield { changes: [{ kind: "replace", at, value }], safe: sure && close.length === 1, reveals: true };
}

/** Whole numbers from the nearest to a number outwards, smaller ones first, as far as `reach`. */
export function* around(value: number, reach: number, least: number): Iterable<number> {
  for (let by = 1; by <= reach; by++) {
    if (value - by >= least) yield value - by;
    yield value + by;
  }
}

/** A parameter that holds a number per spatial axis, with another number for some windows of its node. */
export function windowSetting(
  node: Node,
  param: string,
  value: number,
  windows: readonly WindowUse[],
  uses: readonly WindowUse[],
): Change {
  if (uses.length >= windows.length) return setting(node, param, value);
  const values = windows.map((use) => (uses.includes(use) ? value : numberOf(use.window, param)));
  return setting(node, param, values);
}

function numberOf(window: Window, param: string): number {
  return Number({ padding: window.padBefore, kernel_size: window.kernel, stride: window.stride }[param]);
}

/**
 * Other numbers for the windows `uses` of a node, with which `fits` holds: padding, kernel size and stride, each the nearest
 * `count` first.
 */
export function* otherWindows(
  context: Pick<Context, "graph" | "report" | "words">,
  node: Node,
  uses: readonly WindowUse[],
  fits: (window: Window) => boolean,
  { params = ["padding", "kernel_size", "stride"], count = 2 }: { params?: readonly string[]; count?: number } = {},
): Iterable<Change> {
  const [use] = uses;
  const windows = context.report.nodes[node.id]?.inference?.windows ?? uses;
  if (!use) return;
  const { window } = use;
  for (const param of params) {
    const [now, least, change] = {
      padding: [window.padBefore, 0, (value: number) => ({ padBefore: value, padAfter: value })],
      // A window of one cell is another kind of layer.
      kernel_size: [window.kernel, 2, (kernel: number) => ({ kernel })],
      stride: [window.stride, 1, (stride: number) => ({ stride })],
    }[param] as [unknown, number, (value: number) => Partial<Window>];
    if (typeof now !== "number" || (param === "padding" && window.padAfter !== now)) continue;
    let found = 0;
    for (const value of around(now, REACH, least)) {
      if (found >= count) break;
      const changed = { ...window, ...change(value) };
      // More padding than this makes windows that see nothing else.
      const most = Math.min(mostPadding(node, { ...use, window: changed }), effectiveKernel(changed) - 1);
      const isPadded = Math.max(changed.padBefore as number, changed.padAfter as number) <= most;
      if (!isPadded || !accepts({ ...context, node }, param, value) || !fits(changed)) continue;
      found++;
      yield windowSetting(node, param, value, windows, uses);
    }
  }
}

/** Windows of real networks are no further from what fits. */
const REACH = 32;

/**
 * Other sizes of the model's one input, such that the input of this node changes by `by` cells along the windows' axes: what
 * comes before moves by whole strides, so nothing else changes. Source: f(n + s) = f(n) + 1 for every layer.
 */
export function* otherInputs(
  { graph, report, node }: Context,
  uses: readonly WindowUse[],
  by: readonly number[],
): Iterable<Candidate> {
  const [id, ...others] = graph.inputs;
  const input = id === undefined ? undefined : graph.nodes[id];
  const source = sourceOf({ node }, 0);
  const [fields, before] = source
    ? [report.nodes[source.node]?.field, report.nodes[source.node]?.outputs[source.output]]
    : [];
  if (!input || others.length > 0 || !fields || !before) return;
  const tensor = input.attrs.tensor as Tensor;
  for (const cells of by) {
    const sizes = new Map<number, number>();
    for (const use of uses) {
      const place = spatialAxes(before).indexOf(use.axis);
      const axis = spatialAxes(tensor)[place];
      const size = axis === undefined ? undefined : tensor.dims[axis];
      const moved = typeof size === "number" ? size + cells * (fields[place]?.jump ?? Number.NaN) : Number.NaN;
      if (Number.isSafeInteger(moved) && moved >= 1) sizes.set(axis!, moved);
    }
    if (sizes.size === uses.length) yield unsafe({ kind: "resize", input, sizes });
  }
}

/** The nearest sizes of the model's input with which all its branches meet. */
export function* fittingInputs({ graph }: Context): Iterable<Candidate> {
  const fitted = fittingInput(graph);
  const input = graph.nodes[graph.inputs[0] ?? -1];
  if (!fitted || !input) return;
  for (const which of [0, 1]) {
    const sizes = new Map(fitted.fits.map(({ axis, sizes }) => [axis, sizes[which] ?? sizes[0]!]));
    yield unsafe({ kind: "resize", input, sizes });
  }
}

/** The node whose `params` give a tensor its shape: back through layers that keep it. */
function shaper(
  { graph, report }: Context,
  start: Ref | null,
  params: readonly string[],
  keeps: (input: Tensor, output: Tensor) => boolean,
): { readonly node: Node; readonly param: string } | null {
  let ref = start;
  for (let hops = 0; ref && hops < MAX_HOPS; hops++) {
    const node = graph.nodes[ref.node];
    const [input, output] = [report.nodes[ref.node]?.inputs[0], report.nodes[ref.node]?.outputs[ref.output]];
    if (!node || !input || !output) return null;
    const param = params.find((name) => Object.hasOwn(node.op.params, name));
    if (param !== undefined) return { node, param };
    if (node.inputs.length !== 1 || !keeps(input, output)) return null;
    ref = node.inputs[0]!;
  }
  return null;
}

const MAX_HOPS = 32;

function keepsChannels(a: Tensor, b: Tensor): boolean {
  return String(a.dims[channelAxis(a)]) === String(b.dims[channelAxis(b)]);
}

function keepsSizes(a: Tensor, b: Tensor): boolean {
  const sizes = (tensor: Tensor) => spatialAxes(tensor).map((axis) => String(tensor.dims[axis]));
  return sizes(a).join() === sizes(b).join();
}

function* channelSettings(context: Context, index: number, counts: readonly number[]): Iterable<Candidate> {
  const found = shaper(context, sourceOf(context, index), ["out_channels", "out_features"], keepsChannels);
  if (found) for (const count of counts) yield unsafe(setting(found.node, found.param, count));
}

/** Other channels for the layer that gives a node its input. */
export function otherChannels(context: Context, counts: readonly number[]): Iterable<Candidate> {
  return channelSettings(context, 0, counts);
}

/** The multiples of a number on both sides of another, the nearer first. */
export function multiplesBeside(size: number, by: number): readonly number[] {
  const below = Math.floor(size / by) * by;
  const both = [below, below + by].filter((multiple) => multiple > 0);
  return size - below > below + by - size ? both.reverse() : both;
}

/** What would give a branch (input `index` of the node) the sizes of another tensor along `axes`. */
export function* levelled(
  context: Context,
  index: number,
  from: Tensor,
  to: Tensor,
  axes: readonly number[],
): Iterable<Candidate> {
  const channel = channelAxis(from);
  const spatial = spatialAxes(from);
  if (from.dims.length !== to.dims.length || axes.length === 0) return;
  const channels = to.dims[channel];
  if (axes.length === 1 && axes[0] === channel && typeof channels === "number")
    yield* channelSettings(context, index, [channels]);
  if (!axes.every((axis) => spatial.includes(axis))) return;
  const found = shaper(context, sourceOf(context, index), ["kernel_size", "scale_factor"], keepsSizes);
  const windows = found && context.report.nodes[found.node.id]?.inference?.windows;
  if (!found || !windows) return;
  const { node, param } = found;
  const uses = windows.filter((use) => axes.includes(use.axis));
  const fits = (window: Window) =>
    uses.every(({ axis, input, outputPadding, window: { padBefore } }) => {
      const target = to.dims[axis];
      const out =
        outputPadding === undefined ? outputSize(input, window) : transposedOutputSize(input, window, outputPadding);
      return typeof padBefore === "number" && out === target;
    });
  if (uses.length !== axes.length) return;
  if (param === "scale_factor") {
    const factors = new Set(uses.map(({ axis, input }) => Number(to.dims[axis]) / Number(input)));
    const [factor] = factors;
    // Factors of real networks are whole or halves.
    if (factors.size === 1 && factor! > 0 && Number.isInteger(2 * factor!))
      yield unsafe(setting(node, "scale_factor", factor!));
    return;
  }
  for (const change of otherWindows(context, node, uses, fits, { params: ["padding", "stride"], count: 1 }))
    yield unsafe(change);
  if (uses[0]?.outputPadding !== undefined) {
    const more = Number(to.dims[axes[0]!]) - Number(from.dims[axes[0]!]) + uses[0].outputPadding;
    if (more >= 0) yield unsafe(setting(node, "output_padding", more));
  }
}

/** Another layer for a reference by index: the nearest ones whose output `fits`. */
export function* otherSources(context: Context, index: number, fits: (tensor: Tensor) => boolean): Iterable<Candidate> {
  const { node, graph, report, words } = context;
  const at = node?.origin.inputs[index];
  const ref = sourceOf(context, index);
  const reader = node && graph.layers.find(({ nodes }) => nodes.first <= node.id && node.id < nodes.end);
  const read = ref && graph.layers.find(({ nodes }) => nodes.first <= ref.node && ref.node < nodes.end);
  if (!words.byIndex || !at || !reader || !read) return;
  let found = 0;
  for (const place of around(read.index, REACH, 0)) {
    if (place >= reader.index || found >= 2) continue;
    const output = graph.layers.find((layer) => layer.index === place)?.outputs[0];
    const tensor = output && report.nodes[output.node]?.outputs[output.output];
    if (!tensor || !fits(tensor)) continue;
    found++;
    yield { ...unsafe({ kind: "replace", at, value: place }), title: `read layer ${place} instead of ${read.index}` };
  }
}
