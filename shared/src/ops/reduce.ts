/** Reductions over axes. Source: torch.mean, torch.sum, torch.amax and torch.amin. */
import type { Reduction } from "../kernels/backend.ts";
import type { Dim } from "../shape/dim.ts";
import { axisOf, countedAxis, withAxes } from "./axis.ts";
import { AT_LAYER, atParam } from "./finding.ts";
import { reshaped } from "./image.ts";
import { defineOp, type Operator } from "./op.ts";
import { absent, bool, int, oneOrMore, optional } from "./param.ts";

/** @param empty whether an empty axis can be reduced: it has a sum and a mean (NaN), but no extreme. */
function reduction(name: string, summary: string, kind: Reduction, empty: "accepted" | "refused"): Operator {
  return defineOp({
    name,
    summary,
    params: {
      dims: absent(oneOrMore(int()), "The axes to reduce; the batch counts. All of them where absent."),
      keepdim: optional(bool, false, "Keeps the reduced axes with size 1."),
    },
    infer({ attrs, inputs, report }) {
      const input = inputs[0]!;
      const reduced = new Set<number>();
      for (const [index, dim] of (attrs.dims ?? []).entries()) {
        const axis = axisOf(report, "dims", dim, input, { index });
        if (axis === null) return { outputs: [] };
        if (reduced.has(axis)) {
          report("bad-value", atParam("dims", index), {
            name: "dims",
            value: dim,
            expected: "another axis: this one is there",
          });
        }
        reduced.add(axis);
      }
      const all = reduced.size === 0;
      const isReduced = (axis: number) => all || reduced.has(axis);
      const dims = input.dims.flatMap((dim, axis): Dim[] => (isReduced(axis) ? (attrs.keepdim ? [1] : []) : [dim]));
      const output = withAxes(input, dims, attrs.keepdim || !isReduced(0));
      if (empty === "refused" && input.dims.some((dim, axis) => dim === 0 && isReduced(axis))) {
        report("empty-output", AT_LAYER, { output, fatal: true, why: "an empty axis has no greatest or least value" });
      }
      return { outputs: [output] };
    },
    recover: () => ({ outputs: [] }),
    run(backend, { attrs, inputs, inference }) {
      const { dims } = inputs[0]!;
      const axes = attrs.dims?.length ? attrs.dims.map((dim) => countedAxis(dim, dims.length)) : [...dims.keys()];
      return reshaped(backend, { inputs: [backend.reduce(kind, inputs[0]!, axes)], inference });
    },
    field: "all",
    example: { attrs: { dims: [2, 3] }, inputs: [[1, 4, 8, 8]], output: [1, 4] },
  });
}

export const reduceOps: readonly Operator[] = [
  reduction("Mean", "The mean over axes.", "mean", "accepted"),
  reduction("Sum", "The sum over axes.", "sum", "accepted"),
  reduction("Max", "The greatest value over axes.", "max", "refused"),
  reduction("Min", "The least value over axes.", "min", "refused"),
];
