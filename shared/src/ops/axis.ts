/** Axes as attributes: PyTorch's numbering, where the batch counts and −1 is the last. */
import type { Dim } from "../shape/dim.ts";
import { type Tensor, tensor } from "../shape/tensor.ts";
import { atParam, type Report } from "./finding.ts";

/**
 * The axis a number means, or null after reporting that there is none.
 * @param index where the number is one of a list.
 * @param rank how many axes there are to choose from; Unsqueeze and Stack choose among one more than the input has.
 */
export function axisOf(
  report: Report,
  name: string,
  written: number,
  input: Tensor,
  { index, rank = input.dims.length }: { readonly index?: number; readonly rank?: number } = {},
): number | null {
  if (written >= -rank && written < rank) return written < 0 ? written + rank : written;
  const range = rank === 0 ? "there is none" : `from ${-rank} to ${rank - 1}`;
  report("bad-value", atParam(name, index), {
    name,
    value: written,
    expected: `an axis of the ${input.dims.length}-dimensional input, ${range}`,
  });
  return null;
}

/** The axis a number means, where inference has found that there is one. */
export function countedAxis(written: number, rank: number): number {
  return written < 0 ? written + rank : written;
}

/** A tensor with other axes. It is batched only while axis 0 still is the batch. */
export function withAxes(like: Tensor, dims: readonly Dim[], keepsBatch: boolean): Tensor {
  return tensor(dims, { ...like.layout, batched: like.layout.batched && keepsBatch });
}
