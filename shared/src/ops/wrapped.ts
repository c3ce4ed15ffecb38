/**
 * Layers that Keras makes of another layer: for every step of a sequence, for one rank of inputs, with inputs beside.
 * Source: keras.layers, Keras 3.
 */
import { type Dim, mul, product } from "../shape/dim.ts";
import { spatialAxes, type Tensor, tensor } from "../shape/tensor.ts";
import { AT_LAYER, type FindingData, type Report, SILENT } from "./finding.ts";
import { KERNEL } from "./initial.ts";
import { type Call, defineOp, type Execution, type Inference, type Operator, type WeightSpec } from "./op.ts";

/** A layer that Keras gives to inputs of one rank only. */
export function ranked(inner: Operator, rank: number): Operator {
  return {
    ...inner,
    infer(call) {
      const input = call.inputs[0]!;
      if (input.dims.length === rank) return inner.infer(call);
      call.report("wrong-rank", AT_LAYER, { input, expected: `${rank} axes` });
      return { outputs: [] };
    },
  };
}

/** A pooling layer as Keras has it: where no window fits it refuses, though PyTorch gives an empty output. */
export function neverEmpty(inner: Operator): Operator {
  return {
    ...inner,
    infer(call) {
      const report: Report = (code, at, data) =>
        code === "empty-output"
          ? call.report("empty-output", at, { ...(data as FindingData["empty-output"]), fatal: true })
          : call.report(code, at, data);
      return inner.infer({ ...call, report });
    },
  };
}

/** Applies a layer to every step along axis 1 by itself. Source: keras.layers.TimeDistributed. */
export function timeDistributed(inner: Operator): Operator {
  const { params, example, inputs } = inner;
  return defineOp({
    params,
    example,
    ...(inputs ? { inputs } : {}),
    name: `TimeDistributed(${inner.name})`,
    summary: `${inner.summary} Applied to every step along axis 1.`,
    infer(call: Call<any>): Inference {
      const short = call.inputs.find(({ dims }) => dims.length < 3);
      if (short) {
        call.report("wrong-rank", AT_LAYER, { input: short, expected: "at least 3 axes: batch, steps and more" });
        return { outputs: [] };
      }
      const steps = call.inputs[0]!.dims[1]!;
      const inference = inner.infer({ ...call, inputs: call.inputs.map(stepOf) });
      const outputs = inference.outputs.map(({ dims, layout }) => tensor([dims[0]!, steps, ...dims.slice(1)], layout));
      const { macs, weights } = inference;
      return { outputs, ...(weights ? { weights } : {}), ...(macs === undefined ? {} : { macs: mul(steps, macs) }) };
    },
    recover: () => ({ outputs: [] }),
    field: "all",
    run(backend, execution: Execution<any>) {
      const [batch, steps] = execution.inputs[0]!.dims as [number, number];
      // Every step is a sample of its own.
      const merged = (dims: readonly number[]) => [batch * steps, ...dims.slice(2)];
      const inputs = execution.inputs.map((input) => backend.reshape(input, merged(input.dims)));
      const shapes = inputs.map(({ dims }, index) => tensor(dims, execution.shapes[index]!.layout));
      const call = { attrs: execution.attrs, inputs: shapes, report: SILENT, flattenedFrom: () => undefined };
      const results = inner.run(backend, { ...execution, inputs, shapes, inference: inner.infer(call) });
      return results.map((result) => backend.reshape(result, [batch, steps, ...result.dims.slice(1)]));
    },
  });
}

/** One step of [batch, steps, …]. */
function stepOf({ dims: [batch, , ...rest], layout }: Tensor): Tensor {
  return tensor([batch!, ...rest], layout);
}

/** A layer that reads its first inputs and is merely called with others: masks, initial states. */
export function calledWith(inner: Operator, count: number): Operator {
  return {
    ...inner,
    inputs: { least: count, most: Number.POSITIVE_INFINITY },
    infer: (call) => inner.infer({ ...call, inputs: call.inputs.slice(0, count) }),
    run: (_, { cannot }) => cannot("it is called with a mask or with states of its own"),
  };
}

/** A layer whose kernel is divided by its spectral norm, which it estimates. Source: keras.layers.SpectralNormalization. */
export function spectral(inner: Operator): Operator {
  return {
    ...inner,
    name: `SpectralNormalization(${inner.name})`,
    infer(call) {
      const inference = inner.infer(call);
      const [kernel] = inference.weights ?? [];
      if (!kernel) return inference;
      const vector: WeightSpec = { name: "vector_u", dims: [1, kernel.dims[0]!], trainable: false, initial: KERNEL };
      return { ...inference, weights: [...inference.weights!, vector] };
    },
    run: (_, { cannot }) => cannot("the spectral norm of its kernel is estimated while training"),
  };
}

/** A convolution that shares no weights between places: one kernel and one bias for each. Source: LocallyConnected1D, 2D. */
export function untied(inner: Operator): Operator {
  return {
    ...inner,
    name: inner.name.replace("Conv", "LocallyConnected"),
    infer(call) {
      const inference = inner.infer(call);
      const [output] = inference.outputs;
      if (!output) return inference;
      const map = spatialAxes(output).map((axis) => output.dims[axis]!);
      const weights = inference.weights?.map((weight): WeightSpec => {
        const [filters, ...window] = weight.dims as [Dim, ...Dim[]];
        if (window.length === 0) return { ...weight, dims: [...map, filters] };
        return { ...weight, name: "kernel", dims: [product(map), product(window), filters] };
      });
      return { ...inference, ...(weights ? { weights } : {}) };
    },
    run: (_, { cannot }) => cannot("ConvLint computes the sizes of locally connected layers only"),
  };
}
