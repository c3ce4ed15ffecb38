/**
 * Layers with a state that goes from step to step, and both directions of them. Source: keras.layers, Keras 3.
 */
import type { Backend, Resident } from "../kernels/backend.ts";
import type { Values } from "../kernels/values.ts";
import { add, type Dim, mul, product } from "../shape/dim.ts";
import { channelAxis, spatialAxes, type Tensor, tensor, withDims } from "../shape/tensor.ts";
import { withAxes } from "./axis.ts";
import { convolutionOps } from "./convolution.ts";
import { AT_LAYER, SILENT } from "./finding.ts";
import { XAVIER, ZEROS } from "./initial.ts";
import { combined } from "./merge.ts";
import { type Call, defineOp, type Execution, type Inference, type Operator, type WeightSpec } from "./op.ts";
import { absent, bool, int, oneOf, optional, type Params, required } from "./param.ts";

interface RecurrentAttrs {
  readonly units: number;
  readonly return_sequences: boolean;
  readonly return_state: boolean;
  readonly use_bias: boolean;
  readonly reset_after: boolean;
}

/** What one step of a recurrent layer reads: the step's part that comes from the input, and the states before it. */
interface CellStep {
  readonly backend: Backend;
  readonly attrs: RecurrentAttrs;
  /** [batch, gates·units]: the input times its kernel. */
  readonly fromInput: Resident;
  readonly states: readonly Resident[];
  /** Gate `index` of a [batch, gates·units] tensor. */
  gate(of: Resident, index: number): Resident;
  /** A state times the recurrent kernel of gates [first, end), with a bias where the cell has one there. */
  fromState(state: Resident, first: number, end: number): Resident;
}

/** Keras's cells with their default activations; each gives the new states, the first of which is the output. */
const CELLS = {
  SimpleRNN({ backend, fromInput, states: [h], fromState }: CellStep): readonly Resident[] {
    return [backend.unary(backend.binary("add", fromInput, fromState(h!, 0, 1)), { kind: "tanh" })];
  },
  GRU({ backend, attrs, fromInput, states: [h], gate, fromState }: CellStep): readonly Resident[] {
    const sum = (a: Resident, b: Resident) => backend.binary("add", a, b);
    const product = (a: Resident, b: Resident) => backend.binary("multiply", a, b);
    const gates = fromState(h!, 0, 2);
    const [update, reset] = [0, 1].map((index) =>
      backend.unary(sum(gate(fromInput, index), gate(gates, index)), { kind: "sigmoid" }),
    ) as [Resident, Resident];
    const recurrent = attrs.reset_after ? product(reset, fromState(h!, 2, 3)) : fromState(product(reset, h!), 2, 3);
    const candidate = backend.unary(sum(gate(fromInput, 2), recurrent), { kind: "tanh" });
    return [
      sum(product(update, h!), product(backend.unary(update, { kind: "affine", scale: -1, shift: 1 }), candidate)),
    ];
  },
  LSTM({ backend, fromInput, states: [h, carry], gate, fromState }: CellStep): readonly Resident[] {
    const all = backend.binary("add", fromInput, fromState(h!, 0, 4));
    const [input, forget, candidate, output] = (["sigmoid", "sigmoid", "tanh", "sigmoid"] as const).map((kind, index) =>
      backend.unary(gate(all, index), { kind }),
    ) as [Resident, Resident, Resident, Resident];
    const kept = backend.binary("multiply", forget, carry!);
    const next = backend.binary("add", kept, backend.binary("multiply", input, candidate));
    return [backend.binary("multiply", output, backend.unary(next, { kind: "tanh" })), next];
  },
};

/** Columns [first, end) of a matrix, as rows: what `Backend.linear` takes. */
function turned({ dims, data }: Values, first: number, end: number): Values {
  const [rows, columns] = dims as [number, number];
  const result = new Float32Array((end - first) * rows);
  for (let at = 0; at < result.length; at++) result[at] = data[(at % rows) * columns + first + Math.floor(at / rows)]!;
  return { dims: [end - first, rows], data: result };
}

/** Runs a cell over the steps of [batch, steps, features]. */
function runCell(
  backend: Backend,
  execution: Execution<RecurrentAttrs>,
  cell: (step: CellStep) => readonly Resident[],
): readonly Resident[] {
  const { attrs, inputs, inference, weight, derived } = execution;
  const [batch, steps] = inputs[0]!.dims as [number, number];
  const { units } = attrs;
  const kernel = weight("kernel");
  const width = kernel.dims[1]!;
  const bias = attrs.use_bias ? weight("bias") : null;
  /** Row 0 of the bias goes with the input, row 1 of GRU's with the state. */
  const biasOf = (row: number, first: number, end: number) => {
    if (!bias || (row + 1) * width > bias.data.length) return null;
    const part = bias.data.subarray(row * width + first * units, row * width + end * units);
    return derived(`bias ${row} ${first}`, () => ({ dims: [part.length], data: part.slice() }));
  };
  const input = derived("turned kernel", () => turned(kernel, 0, width));
  const whole = backend.linear(inputs[0]!, { weight: input, bias: biasOf(0, 0, width / units) });
  const gate = (of: Resident, index: number) => backend.slice(of, 1, index * units, units, 1);
  const fromState = (state: Resident, first: number, end: number) => {
    const recurrent = () => turned(weight("recurrent_kernel"), first * units, end * units);
    return backend.linear(state, { weight: derived(`turned ${first}`, recurrent), bias: biasOf(1, first, end) });
  };
  const start = backend.enter({ dims: [batch, units], data: new Float32Array(batch * units) });
  let states: readonly Resident[] = [start, start];
  const outputs: Resident[] = [];
  for (let at = 0; at < steps; at++) {
    const fromInput = backend.reshape(backend.slice(whole, 1, at, 1, 1), [batch, width]);
    states = cell({ backend, attrs, fromInput, states, gate, fromState });
    if (attrs.return_sequences) outputs.push(backend.reshape(states[0]!, [batch, 1, units]));
  }
  const output = attrs.return_sequences ? backend.concat(outputs, 1) : states[0]!;
  return [output, ...states].slice(0, inference.outputs.length);
}

/** @param gates how many matrices the cell has; GRU's bias is doubled where it resets after the product. */
function recurrent(name: keyof typeof CELLS, gates: number, summary: string): Operator {
  return defineOp({
    name,
    summary,
    params: {
      units: required(int(1), "Size of the state."),
      return_sequences: optional(bool, false, "Gives the state of every step."),
      return_state: optional(bool, false, "Gives the last state too."),
      use_bias: optional(bool, true, "Adds a learned bias."),
      reset_after: optional(
        bool,
        false,
        "The state has a bias of its own; in a GRU the reset gate acts after its product.",
      ),
    },
    infer({ attrs, inputs, report }): Inference {
      const input = inputs[0]!;
      if (input.dims.length !== 3) {
        report("wrong-rank", AT_LAYER, { input, expected: "3 axes: batch, steps and features" });
        return { outputs: [] };
      }
      const [batch, steps, features] = input.dims as [Dim, Dim, Dim];
      const { units } = attrs;
      const state = withAxes(input, [batch, units], true);
      const output = attrs.return_sequences ? withAxes(input, [batch, steps, units], true) : state;
      const states = attrs.return_state ? new Array<Tensor>(name === "LSTM" ? 2 : 1).fill(state) : [];
      const weights: WeightSpec[] = [
        { name: "kernel", dims: [features, gates * units], trainable: true, initial: XAVIER },
        { name: "recurrent_kernel", dims: [units, gates * units], trainable: true, initial: XAVIER },
      ];
      const biases = attrs.reset_after ? [2, gates * units] : [gates * units];
      if (attrs.use_bias) weights.push({ name: "bias", dims: biases, trainable: true, initial: ZEROS });
      const macs = mul(steps, mul(gates * units, add(features, units)));
      return { outputs: [output, ...states], weights, macs };
    },
    recover: () => ({ outputs: [] }),
    field: "all",
    run: (backend, execution) => runCell(backend, execution, CELLS[name]),
    example: { attrs: { units: 8 }, inputs: [[1, 20, 16]], output: [1, 8] },
  });
}

/** The steps of [batch, steps, …] in reverse. */
function backwards(backend: Backend, x: Resident): Resident {
  const steps = x.dims[1]!;
  return backend.slice(x, 1, steps - 1, steps, -1);
}

const MERGED = {
  concat: (backend: Backend, both: readonly Resident[]) => [backend.concat(both, both[0]!.dims.length - 1)],
  sum: (backend: Backend, both: readonly Resident[]) => combined(backend, both, "add"),
  mul: (backend: Backend, both: readonly Resident[]) => combined(backend, both, "multiply"),
  ave: (backend: Backend, both: readonly Resident[]) => combined(backend, both, "add", true),
};

/** Runs a recurrent layer forwards and backwards. Source: keras.layers.Bidirectional. */
export function bidirectional(inner: Operator): Operator {
  return defineOp({
    ...inner,
    name: `Bidirectional(${inner.name})`,
    summary: `${inner.summary} Forwards and backwards.`,
    params: { ...inner.params, merge_mode: absent(oneOf("concat", "sum", "mul", "ave"), "How both directions merge.") },
    infer(call: Call<any>): Inference {
      const once = inner.infer(call);
      const { merge_mode: mode } = call.attrs as { merge_mode: string | null };
      const [first, ...states] = once.outputs;
      if (!first) return { outputs: [] };
      const merged = mode === "concat" ? [joined(first)] : mode === null ? [first, first] : [first];
      const weights = ["forward", "backward"].flatMap((way) =>
        (once.weights ?? []).map((weight) => ({ ...weight, name: `${way}.${weight.name}` })),
      );
      return { outputs: [...merged, ...states, ...states], weights, macs: mul(2, once.macs ?? 0) };
    },
    run(backend, execution: Execution<any>) {
      const call = { attrs: execution.attrs, inputs: execution.shapes, report: SILENT, flattenedFrom: () => undefined };
      const inference = inner.infer(call);
      const way = (name: string, x: Resident) =>
        inner.run(backend, {
          ...execution,
          inputs: [x],
          inference,
          weight: (weight) => execution.weight(`${name}.${weight}`),
          derived: (part, make) => execution.derived(`${name} ${part}`, make),
        });
      const x = execution.inputs[0]!;
      const [forward, ...forwardStates] = way("forward", x);
      const [last, ...backwardStates] = way("backward", backwards(backend, x));
      const backward = last!.dims.length === 3 ? backwards(backend, last!) : last!;
      const { merge_mode: mode } = execution.attrs as { readonly merge_mode: keyof typeof MERGED | null };
      const outputs = mode === null ? [forward!, backward] : MERGED[mode](backend, [forward!, backward]);
      return [...outputs, ...forwardStates, ...backwardStates];
    },
  });
}

function joined(once: Tensor): Tensor {
  return tensor([...once.dims.slice(0, -1), mul(2, once.dims.at(-1)!)], once.layout);
}

/**
 * An LSTM whose products are convolutions: [batch, steps, …map, channels]. The state has the size of the convolved map.
 * Source: keras.layers.ConvLSTM1D–3D.
 */
function convLstm(axes: number): Operator {
  const inner = convolutionOps.find(({ name }) => name === `Conv${axes}d`)!;
  const { groups, padding_mode, in_channels, ...params } = inner.params as Readonly<Record<string, Params[string]>>;
  const image = [1, 4, 16, 16, 16].slice(0, axes + 2);
  return defineOp({
    name: `ConvLSTM${axes}d`,
    summary: "A long short-term memory of maps: every product is a convolution.",
    params: {
      ...params,
      return_sequences: optional(bool, false, "Gives the state of every step."),
      return_state: optional(bool, false, "Gives the last state too."),
    },
    infer(call: Call<any>): Inference {
      const { attrs, inputs, report } = call;
      const input = inputs[0]!;
      if (input.dims.length !== axes + 3) {
        report("wrong-rank", AT_LAYER, { input, expected: `${axes + 3} axes: batch, steps and a map` });
        return { outputs: [] };
      }
      const [batch, steps, ...map] = input.dims as [Dim, Dim, ...Dim[]];
      const filters: number = attrs.out_channels;
      const gates = 4 * filters;
      const once = inner.infer({
        ...call,
        attrs: { ...attrs, out_channels: gates, groups: 1, in_channels: null, padding_mode: "zeros" },
        inputs: [tensor([batch, ...map], input.layout)],
      });
      const gated = once.outputs[0];
      if (!gated) return { outputs: [] };
      const state = withDims(gated, new Map([[channelAxis(gated), filters]]));
      const [first, ...rest] = state.dims as [Dim, ...Dim[]];
      const output = attrs.return_sequences ? tensor([first, steps, ...rest], state.layout) : state;
      const [kernel, ...bias] = once.weights ?? [];
      const window = kernel?.dims.slice(2) ?? [];
      const recurrent: WeightSpec = { ...kernel!, name: "recurrent_kernel", dims: [...window, filters, gates] };
      const cells = spatialAxes(state).map((axis) => state.dims[axis]!);
      const between = product([gates, filters, ...window, ...cells]);
      return {
        outputs: [output, ...(attrs.return_state ? [state, state] : [])],
        ...(kernel ? { weights: [kernel, recurrent, ...bias] } : {}),
        macs: mul(steps, add(once.macs ?? 0, between)),
      };
    },
    recover: () => ({ outputs: [] }),
    field: "all",
    run: (_, { cannot }) => cannot("ConvLint computes the sizes of a convolutional LSTM only"),
    example: {
      attrs: { out_channels: 8, kernel_size: 3, padding: 1 },
      inputs: [[1, 5, ...image.slice(1)]],
      output: [1, 8, ...image.slice(2)],
    },
  });
}

export const recurrentOps: readonly Operator[] = [
  recurrent("SimpleRNN", 1, "A recurrent layer."),
  recurrent("GRU", 3, "A gated recurrent layer."),
  recurrent("LSTM", 4, "A long short-term memory layer."),
  convLstm(1),
  convLstm(2),
  convLstm(3),
];
