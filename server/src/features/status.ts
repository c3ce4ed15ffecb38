/** What the editor's status item says of one document. */
import type { ModelStatus } from "#shared/protocol.ts";
import type { Analysis } from "../analysis.ts";
import type { Problem } from "./diagnostics.ts";
import { costOf, modelInputs } from "./layerTable.ts";

export function modelStatus(analysis: Analysis, problems: readonly Problem[]): ModelStatus {
  const { dialect, graph } = analysis;
  const counts = { error: 0, warning: 0, information: 0, hint: 0 };
  for (const { severity } of problems) counts[severity]++;
  return {
    dialect: dialect.name,
    name: graph.name,
    inputs: modelInputs(analysis).map(({ tensor }) => dialect.words.shape(tensor)),
    params: String(costOf(analysis, 0, graph.nodes.length).params),
    layers: graph.layers.filter((layer) => layer.depth === 0).length,
    problems: counts,
  };
}
