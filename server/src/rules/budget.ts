/**
 * What the budget rules share: a cost that no model, or no layer of it, may exceed. A model over its budget is told once, at
 * the layer that costs most.
 */
import { type Layer, ownerOf } from "#shared/graph/graph.ts";
import { type Cost, totalCost } from "#shared/graph/infer.ts";
import { AT_TYPE, type Budget } from "#shared/ops/finding.ts";
import { type Option, quantity } from "./option.ts";
import { defineRule, type MessageContext, type Rule } from "./rule.ts";

export interface BudgetRule<C extends string> {
  readonly code: C;
  readonly summary: string;
  /** Completes "The most … that". */
  readonly what: string;
  readonly cost: keyof Cost;
  /** `11,689,512`. */
  written(cost: number): string;
  /** What is counted: "parameters". */
  readonly noun: string;
}

type BudgetCode = "parameter-budget" | "mac-budget" | "memory-budget";
type BudgetOptions = { readonly model: Option<number>; readonly layer: Option<number> };

export function defineBudget<C extends BudgetCode>(budget: BudgetRule<C>): Rule<C, BudgetOptions> {
  const { code, summary, what, cost } = budget;
  return defineRule<BudgetCode, BudgetOptions>({
    code,
    severity: "warning",
    optional: true,
    summary,
    options: {
      model: quantity(`The most ${what} that a whole model may have.`),
      layer: quantity(`The most ${what} that one layer may have.`),
    },
    check({ graph, report }, state, limits) {
      let costliest: { readonly layer: Layer; readonly cost: number } | null = null;
      for (const layer of graph.layers) {
        const { first, end } = layer.nodes;
        const own = layer.depth === 0 && end > first ? totalCost(report, first, end)[cost] : 0;
        if (typeof own !== "number") continue;
        if (own > (costliest?.cost ?? 0)) costliest = { layer, cost: own };
        const { layer: max } = limits;
        if (max !== null && own > max) state(graph.nodes[first]!, AT_TYPE, { cost: own, max, whole: false });
      }
      const whole = totalCost(report, 0, graph.nodes.length)[cost];
      const { model: max } = limits;
      if (max === null || typeof whole !== "number" || whole <= max || !costliest) return;
      state(graph.nodes[costliest.layer.nodes.first]!, AT_TYPE, { cost: whole, max, whole: true });
    },
    message: (context) => messageOf(context, budget),
  }) as Rule<C, BudgetOptions>;
}

function messageOf(
  { data, node, graph, report }: MessageContext<BudgetCode>,
  { written, noun, cost: kind }: BudgetRule<string>,
): string {
  const { cost, max, whole }: Budget = data;
  const layer = node ? ownerOf(graph, node.id) : undefined;
  const name = layer?.name ?? "the layer";
  const times = `${(cost / max).toFixed(cost / max < 10 ? 2 : 0)} times the ${written(max)} that are allowed`;
  if (!whole) return `${name} has ${written(cost)} ${noun}, ${times}. Make it smaller, or raise the limit.`;
  const own = layer ? totalCost(report, layer.nodes.first, layer.nodes.end)[kind] : 0;
  const share = typeof own === "number" ? `, ${Math.round((own / cost) * 100)} % of them in ${name}` : "";
  return `the model has ${written(cost)} ${noun}${share}: ${times}. Make it smaller, beginning here, or raise the limit.`;
}

/** `11,689,512`. */
export function grouped(count: number): string {
  return count.toLocaleString("en");
}
