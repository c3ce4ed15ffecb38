/** Models built without any text, with their weights beside them: what tests of the engine run. */
import assert from "node:assert/strict";
import type { Graph, Node, Origin, Ref } from "#shared/graph/graph.ts";
import { keyOf } from "#shared/graph/plan.ts";
import { Network, type RunOptions, type Weights } from "#shared/graph/run.ts";
import { bindSizes } from "#shared/graph/sizes.ts";
import { Reference } from "#shared/kernels/reference/reference.ts";
import { type Values, valuesOf } from "#shared/kernels/values.ts";
import { operators } from "#shared/ops/index.ts";
import { inputOp } from "#shared/ops/input.ts";
import { decodeAttrs, type Operator, type WeightSpec } from "#shared/ops/op.ts";
import type { Plain } from "#shared/ops/param.ts";
import { CHANNELS_FIRST, type Layout, tensor } from "#shared/shape/tensor.ts";

const ORIGIN: Origin = { layer: { start: 0, end: 0 }, type: { start: 0, end: 0 }, params: new Map(), inputs: [] };

/** A generator of numbers in [0, 1) that gives the same ones for the same seed: mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Random numbers in [−1, 1). */
export function randomValues(dims: readonly number[], random: () => number): Values {
  const count = dims.reduce((product, size) => product * size, 1);
  return valuesOf(
    dims,
    Array.from({ length: count }, () => 2 * random() - 1),
  );
}

/** Random weights for whatever is asked; what is a variance is positive. */
export class RandomWeights implements Weights {
  private readonly made = new Map<string, Values>();
  constructor(private readonly random: () => number) {}
  get(name: string, { dims }: WeightSpec): Values {
    const values = this.made.get(name) ?? randomValues(dims as number[], this.random);
    const isVariance = /var(iance)?$/.test(name);
    const known =
      this.made.has(name) || !isVariance ? values : { ...values, data: values.data.map((x) => x * x + 0.1) };
    this.made.set(name, known);
    return known;
  }
}

/** Weights that stand in a table. */
export function tableOf(entries: Readonly<Record<string, Values>>): Weights {
  return { get: (name) => entries[name] ?? null };
}

export class EngineModel {
  readonly nodes: Node[] = [];
  readonly inputs = new Map<number, Values>();

  /** Adds an input with its values; gives its node id. */
  input(values: Values, layout: Layout = CHANNELS_FIRST): number {
    const id = this.nodes.length;
    this.inputs.set(id, values);
    return this.node(inputOp, { tensor: tensor(values.dims, layout) }, [], `input${id}`);
  }

  /** Adds a layer; gives its node id. Its inputs are nodes, or outputs of nodes. */
  add(
    op: string | Operator,
    args: Readonly<Record<string, Plain>>,
    inputs: readonly (number | Ref)[],
    scope = "",
  ): number {
    const operator = typeof op === "string" ? operators.get(op) : op;
    assert.ok(operator, `${String(op)} is not an operator`);
    const { attrs, problems } = decodeAttrs(operator, new Map(Object.entries(args)));
    assert.deepEqual(problems, []);
    const refs = inputs.map((input) => (typeof input === "number" ? { node: input, output: 0 } : input));
    return this.node(operator, attrs, refs, scope || `layer${this.nodes.length}`);
  }

  private node(op: Operator, attrs: Node["attrs"], inputs: readonly Ref[], scope: string): number {
    const id = this.nodes.length;
    this.nodes.push({ id, op, attrs, inputs, origin: ORIGIN, scope, broken: false });
    return id;
  }

  graph(): Graph {
    const outputs = [{ node: this.nodes.length - 1, output: 0 }];
    return { name: null, nodes: this.nodes, layers: [], inputs: [...this.inputs.keys()], outputs, sample: new Map() };
  }

  network(weights: Weights): Network {
    return new Network(bindSizes(this.graph()), weights);
  }

  /** All outputs of the last node. */
  lastOutputs(network: Network): readonly Ref[] {
    const node = this.nodes.length - 1;
    return network.sized.report.nodes[node]!.outputs.map((_, output) => ({ node, output }));
  }

  /** The values of the last node's outputs. */
  run(weights: Weights, options: Partial<RunOptions> = {}): readonly Values[] {
    const network = this.network(weights);
    const wanted = options.wanted ?? this.lastOutputs(network);
    const run = network.run({ backend: new Reference(), inputs: this.inputs, ...options, wanted });
    const values = run.finish();
    return wanted.map((ref) => values.get(keyOf(ref))!);
  }
}

/** The greatest difference, relative to the greatest expected value. Where one is NaN or infinite the other must be too. */
export function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let [difference, most] = [0, 0];
  for (let at = 0; at < expected.length; at++) {
    const [a, b] = [actual[at]!, expected[at]!];
    if (Object.is(a, b) || a === b) {
      if (Number.isFinite(b)) most = Math.max(most, Math.abs(b));
      continue;
    }
    if (!Number.isFinite(a) || !Number.isFinite(b)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, Math.abs(a - b));
    most = Math.max(most, Math.abs(b));
  }
  return difference === 0 ? 0 : difference / most;
}
