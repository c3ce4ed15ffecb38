/** A network of the benchmark as a graph of operators. */
import type { Values } from "#shared/kernels/values.ts";
import { EngineModel } from "../../../engine/model.ts";
import type { Activation, Network, Step } from "../networks.ts";

const POINTWISE: Readonly<Record<string, string>> = { relu: "ReLU", relu6: "ReLU6" };

/** The model, its weights by name, and which output is the network's. */
export function build(network: Network, weights: readonly Float32Array[], x: Values) {
  const model = new EngineModel();
  const nodes = new Map([["x", model.input(x)]]);
  const table: Record<string, Values> = {};
  const weight = (index: number) => ({ dims: network.weights[index]!.dims, data: weights[index]! });
  const add = (step: Step): number => {
    const inputs = step.in.map((name) => nodes.get(name)!);
    const scope = step.out;
    switch (step.op) {
      case "conv": {
        const { w, kernel, stride, padding, groups } = step.layer;
        table[`${scope}.weight`] = weight(step.w);
        table[`${scope}.bias`] = weight(step.b);
        const args = { out_channels: w[0]!, kernel_size: kernel, stride, padding: padding.slice(0, 2), groups };
        return model.add("Conv2d", args, inputs, scope);
      }
      case "linear": {
        table[`${scope}.weight`] = weight(step.w);
        table[`${scope}.bias`] = weight(step.b);
        const flat = model.add("Flatten", {}, inputs, `${scope}.flat`);
        return model.add("Linear", { out_features: step.outputs }, [flat], scope);
      }
      case "add":
        return model.add("Add", {}, inputs, scope);
      case "global":
        return model.add("AdaptiveAvgPool2d", { output_size: 1 }, inputs, scope);
      default: {
        const { kernel, stride, padding } = step;
        const args = { kernel_size: kernel, stride, padding };
        return model.add(step.op === "max" ? "MaxPool2d" : "AvgPool2d", args, inputs, scope);
      }
    }
  };
  const activate = (act: Activation, node: number, scope: string) =>
    act ? model.add(POINTWISE[act]!, {}, [node], `${scope}.act`) : node;
  for (const step of network.steps) nodes.set(step.out, activate(step.act, add(step), step.out));
  return { model, table, output: { node: nodes.get(network.steps.at(-1)!.out)!, output: 0 } };
}
