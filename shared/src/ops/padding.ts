/** Layers that add cells around the input, or cut them off. Sources: torch.nn's padding layers; keras.layers.Cropping. */
import { add, type Dim, sub, unknown } from "../shape/dim.ts";
import { spatialAxes, type Tensor, withDims } from "../shape/tensor.ts";
import { makeWindow, type WindowUse } from "../shape/window.ts";
import { AT_TYPE, atParam, type FindingData, type Report, SILENT } from "./finding.ts";
import { defineOp, type Inference, type Operator } from "./op.ts";
import { int, listOf, number, type ParamType, Refusal, required } from "./param.ts";
import { isMap, parseSides, sidesSchema } from "./windowed.ts";

/** Cells per axis, outermost axis first; negative amounts cut off. */
interface Amounts {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** One number for all sides, PyTorch's list (left, right, top, bottom, front, back: innermost axis first), or names. */
function amounts(axes: number): ParamType<Amounts> {
  const amount = int();
  const list = listOf(amount, 2 * axes);
  const expected = `an integer, a list of ${2 * axes}, or a map of sides`;
  return {
    expected,
    schema: { anyOf: [amount.schema, list.schema, sidesSchema(axes, amount)] },
    parse(value) {
      if (isMap(value)) return parseSides(value, axes, amount);
      const sides = Array.isArray(value) ? list.parse(value) : list.parse(new Array(2 * axes).fill(value));
      if (sides instanceof Refusal)
        return sides.index === undefined || !Array.isArray(value) ? new Refusal(expected) : sides;
      const innermostFirst = Array.from(
        { length: axes },
        (_, axis) => [sides[2 * axis]!, sides[2 * axis + 1]!] as const,
      );
      const outermostFirst = innermostFirst.reverse();
      return { before: outermostFirst.map(([before]) => before), after: outermostFirst.map(([, after]) => after) };
    },
  };
}

type Fill = "constant" | "reflect" | "replicate" | "circular";

/** The axes to pad, where the input has a rank that the framework pads this way. */
function paddedAxes(fill: Fill, input: Tensor, axes: number, report: Report): readonly number[] | null {
  const rank = input.dims.length;
  const exact = axes + (input.layout.batched ? 2 : 1);
  let fits: boolean;
  let expected = `${exact} axes`;
  if (input.layout.channels === "last") fits = rank === exact;
  else if (fill === "constant") {
    fits = rank >= axes;
    expected = `at least ${axes} axes`;
  } else if (fill === "circular") {
    fits = rank === axes + 2;
    expected = `${axes + 2} axes, batch and channels included`;
  } else {
    fits = rank === axes + 1 || rank === axes + 2;
  }
  if (!fits) {
    report("wrong-rank", AT_TYPE, { input, expected });
    return null;
  }
  if (input.layout.channels === "last") return spatialAxes(input);
  return Array.from({ length: axes }, (_, index) => rank - axes + index);
}

/** More padding than the filling allows, on the first such axis. Source: torch.nn.functional.pad. */
function excess(
  fill: Fill,
  { before, after }: Amounts,
  sizes: readonly Dim[],
): FindingData["padding-too-large"] | null {
  if (fill !== "reflect" && fill !== "circular") return null;
  for (const [index, n] of sizes.entries()) {
    const padding = Math.max(before[index]!, after[index]!);
    const limit = fill === "reflect" ? sub(n, 1) : n;
    if (typeof limit !== "number" || padding <= Math.max(limit, 0)) continue;
    const why = fill === "reflect" ? "reflection needs less padding than input" : "circular padding wraps around once";
    return { padding, limit, why };
  }
  return null;
}

/** Why PyTorch refuses sizes that cutting made too small, or null. What it does with empty axes is as its answers are. */
function emptied(fill: Fill, amount: Amounts, sizes: readonly Dim[], outputs: readonly Dim[]): string | null {
  const amounts = [...amount.before, ...amount.after];
  if (outputs.some((size) => typeof size === "number" && size < 0)) return CUT_TOO_MUCH;
  const isEmpty = (size: Dim) => size === 0;
  switch (fill) {
    case "circular":
      return null;
    case "constant": {
      // It cuts before it adds.
      const cut = sizes.map((n, i) => add(n, Math.min(amount.before[i]!, 0) + Math.min(amount.after[i]!, 0)));
      const overcut = cut.some((size) => typeof size === "number" && size < 0);
      return overcut || (outputs.some(isEmpty) && amounts.some((cells) => cells > 0)) ? CUT_TOO_MUCH : null;
    }
    default:
      return outputs.every(isEmpty) || sizes.some(isEmpty) ? CUT_TOO_MUCH : null;
  }
}

const CUT_TOO_MUCH = "more cells are cut off than the layer allows";

/** How output cells map to input cells: shifted by what was added before. Only where every padded axis is spatial. */
function shifts(
  input: Tensor,
  output: Tensor,
  axes: readonly number[],
  { before, after }: Amounts,
): readonly WindowUse[] | null {
  const spatial = spatialAxes(input);
  if (axes.some((axis) => !spatial.includes(axis))) return null;
  return spatial.map((axis) => {
    const index = axes.indexOf(axis);
    const padBefore = index < 0 ? 0 : before[index]!;
    const padAfter = index < 0 ? 0 : after[index]!;
    return {
      axis,
      input: input.dims[axis]!,
      output: output.dims[axis]!,
      window: makeWindow({ kernel: 1, padBefore, padAfter }),
    };
  });
}

function padded(fill: Fill, amount: Amounts, input: Tensor, axes: number, report: Report): Inference {
  const places = paddedAxes(fill, input, axes, report);
  if (!places) return { outputs: [input] };
  const sizes = places.map((axis) => input.dims[axis]!);
  const outputs = sizes.map((n, index) => add(add(n, amount.before[index]!), amount.after[index]!));
  const wanted = withDims(input, new Map(places.map((axis, index) => [axis, outputs[index]!])));
  const tooLarge = excess(fill, amount, sizes);
  const refusal = emptied(fill, amount, sizes, outputs);
  if (tooLarge) report("padding-too-large", atParam("padding"), tooLarge);
  else if (refusal) report("empty-output", atParam("padding"), { output: wanted, fatal: true, why: refusal });
  else if (outputs.includes(0)) {
    report("empty-output", atParam("padding"), { output: wanted, fatal: false, why: "everything is cut off" });
  }
  const lost = unknown("the padding is refused");
  const output = tooLarge || refusal ? withDims(input, new Map(places.map((axis) => [axis, lost]))) : wanted;
  const windows = shifts(input, output, places, amount);
  return { outputs: [output], ...(windows ? { windows } : {}) };
}

function padLayer(prefix: string, fill: Fill, axes: number, summary: string): Operator {
  return defineOp({
    name: `${prefix}Pad${axes}d`,
    summary,
    axes,
    params: {
      padding: required(
        amounts(axes),
        "Cells to add: one number for every side, or left, right, then top, bottom, then front, back.",
      ),
      ...(prefix === "Constant" ? { value: required(number, "What the added cells hold.") } : {}),
    },
    infer: ({ attrs, inputs, report }) => padded(fill, attrs.padding, inputs[0]!, axes, report),
    run(backend, { attrs, inputs, shapes, cannot }) {
      const places = paddedAxes(fill, shapes[0]!, axes, SILENT) ?? cannot("the input has the wrong number of axes");
      const { value = 0 } = attrs as { readonly value?: number };
      const around = (amounts: readonly number[]) =>
        inputs[0]!.dims.map((_, axis) => (places.includes(axis) ? amounts[places.indexOf(axis)]! : 0));
      const { before, after } = attrs.padding;
      const filling = fill === "constant" ? { kind: fill, value } : { kind: fill };
      return [backend.pad(inputs[0]!, { before: around(before), after: around(after), fill: filling })];
    },
    example: {
      attrs: prefix === "Constant" ? { padding: 1, value: 0.5 } : { padding: 1 },
      inputs: [[1, 3, ...new Array<number>(axes).fill(4)]],
      output: [1, 3, ...new Array<number>(axes).fill(6)],
    },
  });
}

/** Amounts to cut off each spatial axis; how many axes there are only the input tells. */
const cropping: ParamType<Amounts | number> = {
  expected: "an integer ≥ 0, or a map of left, right, top, bottom, front, back",
  schema: { anyOf: [int(0).schema, sidesSchema(3, int(0))] },
  parse(value) {
    if (isMap(value)) return parseSides(value, 3, int(0));
    const parsed = int(0).parse(value);
    return parsed instanceof Refusal ? new Refusal(cropping.expected) : parsed;
  },
};

const crop = defineOp({
  name: "Crop",
  summary: "Cuts cells off the sides.",
  params: { cropping: required(cropping, "Cells to cut off: one number for every side, or a map of sides.") },
  infer({ attrs, inputs, report }): Inference {
    const input = inputs[0]!;
    const spatial = spatialAxes(input);
    const { cropping: cut } = attrs;
    const sides = typeof cut === "number" ? { before: [cut, cut, cut], after: [cut, cut, cut] } : cut;
    const skip = 3 - spatial.length;
    const missing = [...sides.before.slice(0, skip), ...sides.after.slice(0, skip)].some((amount) => amount > 0);
    if (spatial.length === 0 || spatial.length > 3 || (typeof cut !== "number" && missing)) {
      report("wrong-rank", AT_TYPE, { input, expected: "1 to 3 spatial axes, and every side that is named" });
      return { outputs: [input] };
    }
    const uses = spatial.map((axis, index): WindowUse => {
      const padBefore = -sides.before[skip + index]!;
      const padAfter = -sides.after[skip + index]!;
      const n = input.dims[axis]!;
      return {
        axis,
        input: n,
        output: sub(n, -padBefore - padAfter),
        window: makeWindow({ kernel: 1, padBefore, padAfter }),
      };
    });
    const cropped = withDims(input, new Map(uses.map((use) => [use.axis, use.output])));
    if (uses.some(({ output }) => typeof output === "number" && output < 1)) {
      const why = "everything is cut off";
      report("empty-output", atParam("cropping"), { output: cropped, fatal: true, why });
      return { outputs: [withDims(input, new Map(spatial.map((axis) => [axis, unknown(why)])))], windows: uses };
    }
    return { outputs: [cropped], windows: uses };
  },
  run(backend, { inputs, inference, cannot }) {
    let x = inputs[0]!;
    for (const { axis, output, window } of inference.windows ?? cannot("its windows are not known")) {
      if (typeof window.padBefore !== "number" || typeof output !== "number") return cannot("a size is not known");
      x = backend.slice(x, axis, -window.padBefore, output, 1);
    }
    return [x];
  },
  example: { attrs: { cropping: { top: 1, left: 2 } }, inputs: [[1, 3, 8, 8]], output: [1, 3, 7, 6] },
});

const RANKS = [1, 2, 3];

export const paddingOps: readonly Operator[] = [
  ...RANKS.map((axes) => padLayer("Zero", "constant", axes, "Adds zeros around the input.")),
  ...RANKS.map((axes) => padLayer("Constant", "constant", axes, "Adds a constant around the input.")),
  ...RANKS.map((axes) =>
    padLayer("Reflection", "reflect", axes, "Mirrors the input at its edges, without the edge cell."),
  ),
  ...RANKS.map((axes) => padLayer("Replication", "replicate", axes, "Repeats the cells at the edges.")),
  ...RANKS.map((axes) => padLayer("Circular", "circular", axes, "Wraps the input around.")),
  crop,
];
