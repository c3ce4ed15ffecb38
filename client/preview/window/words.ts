/** What is said about a value beside the pictures. */
import type { Explanation, Spread, WindowAxis } from "#shared/preview/protocol.ts";
import { figure, whole } from "../format.ts";

/** Where an axis of the window stands, by the formula: `rows 5, 6, 7: 3·2 − 1 = 5, and on by 1`. */
export function standing(axis: WindowAxis, output: number, transposed: boolean): string {
  const { name, stride, padBefore, dilation, kernel } = axis;
  const cells = listed(axis.cells);
  if (transposed) {
    return axis.cells.length === 0
      ? `${name}: no input reaches it`
      : `${name}: input ${cells}, each spread over ${kernel}, ${stride} apart`;
  }
  const first = output * stride - padBefore;
  const padding = padBefore === 0 ? "" : padBefore > 0 ? ` − ${padBefore}` : ` + ${-padBefore}`;
  const taps = kernel > 1 ? `, then ${kernel - 1} more${dilation > 1 ? `, ${dilation} apart` : ""}` : "";
  return `${name} ${cells}: ${output}·${stride}${padding} = ${minus(first)}${taps}`;
}

function listed(cells: readonly number[]): string {
  if (cells.length === 0) return "none";
  if (cells.length <= 7) return cells.map(minus).join(", ");
  return `${cells.slice(0, 3).map(minus).join(", ")} … ${minus(cells.at(-1)!)}`;
}

function minus(value: number): string {
  return String(value).replace("-", "−");
}

/** The value in a sentence, for the heading and a screen reader. */
export function summary({ kind, index, value, divisor }: Explanation): string {
  const how = {
    convolution: "sum of products",
    transposed: "sum of what is spread to it",
    linear: "sum of products",
    maximum: "greatest of its window",
    average: divisor === null ? "mean of its window" : `sum of its window divided by ${figure(divisor)}`,
    elementwise: "made from the same place of its inputs",
    whole: "made from all of its input",
    input: "a value of the sample",
  }[kind];
  return `[${index.join(", ")}] = ${figure(value, 6)}, ${how}`;
}

/** How the definition's result in double precision and the engine's compare. */
export function comparison({ exact, value }: Explanation): string {
  if (Number.isNaN(exact) && Number.isNaN(value)) return "The engine gives NaN too.";
  const difference = Math.abs(exact - value);
  if (difference === 0) return "The engine gives the same.";
  return `The engine gives ${figure(value, 7)}, ${figure(difference, 2)} away: it adds in 32 bits.`;
}

/** What the value sees of an input. */
export function seen({ field }: Explanation, nameOf: (input: string) => string): readonly string[] {
  return field.map(({ input, axes, whole: all }) => {
    if (all) return `It sees all of ${nameOf(input)}.`;
    const parts = axes.map(({ name, first, last }) => `${name} ${minus(first)}…${minus(last)}`);
    const size = axes.map(({ first, last }) => whole(last - first + 1)).join(" × ");
    return `It sees ${size} of ${nameOf(input)}: ${parts.join(", ")}.`;
  });
}

/** What one input value does, in a sentence. */
export function spreadSummary({ place, value, products }: Spread): string {
  const { plane, y, x } = place;
  const where = `Input channel ${plane}, row ${y}, column ${x} = ${figure(value, 6)}`;
  return `${where}: times each of ${products.length} kernel values, added where they fall`;
}
