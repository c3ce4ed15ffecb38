/**
 * Gives a model's weights the tensors of files, by name, and says what matched and what did not.
 *
 * Names match where they are the same, but for one prefix that all of the file's names have (`module.`, `model.`) or all of
 * the model's. Keras's words and axis orders are understood, and of its paths the part that is a layer's name.
 */
import type { Node } from "../graph/graph.ts";
import type { Weights } from "../graph/run.ts";
import type { Sized } from "../graph/sizes.ts";
import type { Values } from "../kernels/values.ts";
import type { WeightSpec } from "../ops/op.ts";
import { type Alias, aliasesOf, dotted, type Order, reordered, reorderedDims } from "./names.ts";
import type { StoredTensor } from "./stored.ts";

export interface Match {
  /** Full name in the model: `features.0.weight`. */
  readonly weight: string;
  /** As the file says. */
  readonly tensor: string;
  /** How the file's axes were reordered. */
  readonly order: Order;
}

export interface BindingReport {
  readonly matched: readonly Match[];
  /** Weights that no tensor was found for; `alike` is the only unused tensor of the same dims, where there is one. */
  readonly missing: readonly {
    readonly weight: string;
    readonly dims: readonly number[];
    readonly alike: string | null;
  }[];
  /** Weights whose tensor has other dims, in PyTorch's order: it is not used. */
  readonly mismatched: readonly {
    readonly weight: string;
    readonly dims: readonly number[];
    readonly tensor: string;
    readonly found: readonly number[];
  }[];
  /** Tensors of the files that no weight asked for; counters of batches are left out. */
  readonly unused: readonly string[];
  /** What was left out in front of the file's names, and of the model's; mostly empty. */
  readonly prefix: { readonly file: string; readonly model: string };
}

export interface Binding {
  /** What matched; for everything else null. */
  readonly weights: Weights;
  readonly report: BindingReport;
}

/** A weight of the model. */
interface Wanted {
  readonly scope: string;
  readonly name: string;
  readonly dims: readonly number[];
  readonly aliases: readonly Alias[];
}

interface Found {
  readonly tensor: StoredTensor;
  readonly order: Order;
}

/** @param sized the model, every size a number; what has none cannot be run and is left out. */
export function bindWeights({ graph, report }: Sized, tensors: readonly StoredTensor[]): Binding {
  const wanted = new Map<string, Wanted>();
  for (const node of graph.nodes) {
    for (const spec of report.nodes[node.id]?.inference?.weights ?? []) {
      const each = wantedOf(node, spec);
      if (each) wanted.set(`${each.scope}.${each.name}`, each);
    }
  }
  const finder = new Finder([...wanted.values()], tensors);
  const matched: Match[] = [];
  const mismatched: BindingReport["mismatched"][number][] = [];
  const lost: [string, Wanted][] = [];
  const used = new Set<StoredTensor>();
  const bound = new Map<string, Found>();
  for (const [weight, each] of wanted) {
    const found = finder.find(each);
    if (!found) {
      lost.push([weight, each]);
      continue;
    }
    const { tensor, order } = found;
    used.add(tensor);
    const dims = reorderedDims(order, tensor.dims);
    if (dims && same(dims, each.dims)) {
      matched.push({ weight, tensor: tensor.name, order });
      bound.set(weight, found);
    } else mismatched.push({ weight, dims: each.dims, tensor: tensor.name, found: dims ?? tensor.dims });
  }
  const unused = tensors.filter((tensor) => !used.has(tensor) && !/\bnum_batches_tracked$/.test(tensor.name));
  const alike = loners(unused);
  const missing = lost.map(([weight, { dims }]) => ({ weight, dims, alike: alike.get(String(dims)) ?? null }));
  const names = unused.map(({ name }) => name);
  return {
    weights: new Bound(bound),
    report: { matched, missing, mismatched, unused: names, prefix: finder.prefix },
  };
}

function wantedOf(node: Node, { name, dims }: WeightSpec): Wanted | null {
  if (!dims.every((dim) => typeof dim === "number")) return null;
  return { scope: node.scope, name, dims, aliases: aliasesOf(node.op.name, name) };
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Names of tensors by dims, where there is one only; null where there are more. */
function loners(tensors: readonly StoredTensor[]): ReadonlyMap<string, string | null> {
  const byDims = new Map<string, string | null>();
  for (const { name, dims } of tensors) byDims.set(String(dims), byDims.has(String(dims)) ? null : name);
  return byDims;
}

class Finder {
  readonly prefix: BindingReport["prefix"];
  private readonly byName = new Map<string, StoredTensor>();
  /** Keras's tensors by every run of path parts that ends before the weight's word, with the word. */
  private readonly byLayer = new Map<string, StoredTensor[]>();

  constructor(wanted: readonly Wanted[], tensors: readonly StoredTensor[]) {
    for (const tensor of tensors) {
      this.byName.set(dotted(tensor.name), tensor);
      if (!tensor.keras) continue;
      for (const key of layerKeys(dotted(tensor.name))) {
        const before = this.byLayer.get(key);
        if (before) before.push(tensor);
        else this.byLayer.set(key, [tensor]);
      }
    }
    this.prefix = commonPrefix(wanted, new Set(this.byName.keys()));
  }

  find(wanted: Wanted): Found | null {
    const candidates = wanted.aliases.flatMap(({ word, order }) => {
      const tensor = this.named(`${wanted.scope}.${word}`) ?? this.inLayer(wanted.scope, word);
      return tensor ? [{ tensor, order }] : [];
    });
    const fits = ({ tensor, order }: Found) => same(reorderedDims(order, tensor.dims) ?? [], wanted.dims);
    return candidates.find(fits) ?? candidates[0] ?? null;
  }

  private named(name: string): StoredTensor | undefined {
    const { file, model } = this.prefix;
    return name.startsWith(model) ? this.byName.get(file + name.slice(model.length)) : undefined;
  }

  /** By the longest end of the scope that is a layer's path in the file, where it is only one's. */
  private inLayer(scope: string, word: string): StoredTensor | null {
    for (let layer = scope; ; layer = layer.slice(layer.indexOf(".") + 1)) {
      const found = this.byLayer.get(`${layer}.${word}`);
      if (found) return found.length === 1 ? found[0]! : null;
      if (!layer.includes(".")) return null;
    }
  }
}

/** Parts of a path that can matter; beyond that a name is no layer's. */
const DEEPEST_PATH = 12;

/**
 * `outer.conv2d_1.kernel` is the kernel of `outer.conv2d_1`, `conv2d_1` and `outer`. Recurrent layers name their cells, and
 * those of both directions, in between: `forward_lstm.lstm_cell.kernel` is `forward.kernel`.
 */
function layerKeys(name: string): readonly string[] {
  const parts = name.split(".").slice(-DEEPEST_PATH);
  const last = parts.pop()!;
  const way = parts.map((part) => /^(forward|backward)_/.exec(part)?.[1]).find((found) => found !== undefined);
  const word = way === undefined ? last : `${way}.${last}`;
  const keys: string[] = [];
  for (let end = parts.length; end > 0; end--) {
    for (let start = end - 1; start >= 0; start--) keys.push(`${parts.slice(start, end).join(".")}.${word}`);
  }
  return keys;
}

/** The one prefix, of the file's names or of the model's, without which the most weights are found; the shortest of equals. */
function commonPrefix(wanted: readonly Wanted[], stored: ReadonlySet<string>): BindingReport["prefix"] {
  const names = new Set(wanted.flatMap(({ scope, aliases }) => aliases.map(({ word }) => `${scope}.${word}`)));
  const file = votes(stored, names);
  const model = votes(names, stored);
  const [byFile, byModel] = [winner(file), winner(model)];
  return (file.get(byFile) ?? 0) >= (model.get(byModel) ?? 0)
    ? { file: byFile, model: "" }
    : { file: "", model: byModel };
}

/** How many of `names` are among `others` without a prefix, by prefix. */
function votes(names: ReadonlySet<string>, others: ReadonlySet<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) {
    for (let start = 0; ; start = name.indexOf(".", start) + 1) {
      const prefix = name.slice(0, start);
      if (others.has(name.slice(start))) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
      if (!name.includes(".", start)) break;
    }
  }
  return counts;
}

function winner(counts: ReadonlyMap<string, number>): string {
  let best = "";
  for (const [prefix, count] of counts) {
    const most = counts.get(best) ?? 0;
    if (count > most || (count === most && prefix.length < best.length)) best = prefix;
  }
  return best;
}

/** Tensors of files as weights, read when first asked for. */
class Bound implements Weights {
  private readonly read = new Map<string, Values>();

  constructor(private readonly found: ReadonlyMap<string, Found>) {}

  get(name: string): Values | null {
    const known = this.read.get(name);
    const found = this.found.get(name);
    if (known || !found) return known ?? null;
    const values = reordered(found.order, found.tensor.read());
    this.read.set(name, values);
    return values;
  }
}

/** Weights from the first of several sources that has them. */
export function firstOf(...sources: readonly Weights[]): Weights {
  return {
    get(name, spec) {
      for (const source of sources) {
        const values = source.get(name, spec);
        if (values) return values;
      }
      return null;
    },
  };
}

/** What a person needs to know of a binding, one line each; the first is the whole in short. */
export function describeBinding({ matched, missing, mismatched, unused, prefix }: BindingReport): string[] {
  const total = matched.length + missing.length + mismatched.length;
  const shown = (dims: readonly number[]) => `[${dims.join(", ")}]`;
  const without = prefix.file || prefix.model;
  return [
    `${matched.length} of ${total} weights are in the files${without ? ` (names taken without "${without}")` : ""}.`,
    ...mismatched.map(
      ({ weight, dims, tensor, found }) =>
        `${weight} must be ${shown(dims)}, but ${tensor} is ${shown(found)}: it is not used.`,
    ),
    ...missing.map(({ weight, dims, alike }) => {
      const hint = alike === null ? "" : `; ${alike}, which nothing uses, has these dims`;
      return `${weight} ${shown(dims)} is not in the files${hint}.`;
    }),
    ...unused.map((name) => `${name} in the files is not used.`),
  ];
}
