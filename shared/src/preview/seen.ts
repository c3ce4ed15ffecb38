/** The receptive field of one value, drawn back onto the inputs of the model through all layers. */
import type { Node } from "../graph/graph.ts";
import type { Network } from "../graph/run.ts";
import { spatialAxes } from "../shape/tensor.ts";
import { Planes } from "./planes.ts";
import type { Place, SeenInput } from "./protocol.ts";

const NO_DATA = new Float32Array(0);

/** The boxes of the inputs that a value of a node's first output depends on; `input` is the node's number. */
export function seenBy(
  { sized }: Network,
  node: number,
  place: Place,
): readonly (Omit<SeenInput, "input"> & { readonly input: number })[] {
  const { field, outputs } = sized.report.nodes[node]!;
  const spatial = outputs[0] ? spatialAxes(outputs[0]).length : 0;
  const at = [place.z, place.y, place.x].slice(3 - Math.min(spatial, 3));
  return [...ancestors(sized.graph.nodes, node)]
    .filter((id) => sized.graph.nodes[id]!.inputs.length === 0)
    .map((input) => {
      const tensor = sized.report.nodes[input]!.outputs[0]!;
      const axes = Planes.of({ dims: tensor.dims as readonly number[], data: NO_DATA }, tensor.layout).axes;
      if (!field || field.length !== axes.length || at.length !== axes.length) {
        return { input, whole: true, axes: axes.map(({ name, size }) => ({ name, first: 0, last: size - 1 })) };
      }
      const boxes = axes.map(({ name, size }, index) => {
        const { start, jump, size: reach } = field[index]!;
        const first = Math.floor(start + at[index]! * jump);
        return { name, first: Math.max(first, 0), last: Math.min(Math.ceil(first + reach - 1), size - 1) };
      });
      const whole = boxes.every(({ first, last }, index) => first === 0 && last === axes[index]!.size - 1);
      return { input, whole, axes: boxes };
    });
}

function ancestors(nodes: readonly Node[], from: number): ReadonlySet<number> {
  const seen = new Set<number>([from]);
  const open = [from];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const ref of nodes[id]!.inputs) {
      if (!ref || seen.has(ref.node)) continue;
      seen.add(ref.node);
      open.push(ref.node);
    }
  }
  return seen;
}
