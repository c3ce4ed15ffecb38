/** Document symbols: the layers as an outline, and how breadcrumbs find them. */
import type { Range } from "#shared/ops/finding.ts";
import type { Analysis } from "../analysis.ts";
import { layerOutputs, shapesText } from "./layerTable.ts";

export interface LayerSymbol {
  readonly name: string;
  /** The type and the size. */
  readonly detail: string;
  readonly range: Range;
  /** The operator's word, inside `range`. */
  readonly selection: Range;
}

export function documentSymbols(analysis: Analysis): readonly LayerSymbol[] {
  const { graph } = analysis;
  return graph.layers.map((layer) => {
    const type = graph.nodes[layer.nodes.first]?.origin.type;
    const inside = type && type.start >= layer.range.start && type.end <= layer.range.end;
    return {
      name: layer.name.trim() === "" ? layer.type : layer.name,
      detail: `${layer.type} ${shapesText(layerOutputs(analysis, layer), analysis)}`,
      range: layer.range,
      selection: inside ? type : { start: layer.range.start, end: layer.range.start },
    };
  });
}
