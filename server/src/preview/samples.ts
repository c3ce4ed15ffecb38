/** The samples of a model's inputs, which stay the same objects while the text is edited. */
import { EngineError, type Values } from "#shared/kernels/values.ts";
import { Planes } from "#shared/preview/planes.ts";
import type { GeneratedSample } from "#shared/preview/protocol.ts";
import {
  arraySample,
  type Fitted,
  generatedSample,
  type Picture,
  pictureSample,
  type Shape,
} from "#shared/preview/samples.ts";

export type SampleSource =
  | { readonly kind: "generated"; readonly name: GeneratedSample; readonly seed: number }
  | { readonly kind: "picture"; readonly picture: Picture }
  | { readonly kind: "array"; readonly name: string; readonly values: Values };

/** A sample fitted to one input; where it does not fit, the usual one stands in and `problem` says why. */
export interface FittedSample extends Fitted {
  readonly source: SampleSource;
  readonly problem: string | null;
}

/** What is shown where nobody chose anything. */
function usual(shape: Shape): SampleSource {
  const { kind } = Planes.of({ dims: shape.dims.map(() => 1), data: new Float32Array(1) }, shape.layout).layout;
  const name = ({ vector: "noise", lines: "tone", images: "digit", volumes: "ball" } as const)[kind];
  return { kind: "generated", name, seed: 0 };
}

function fitted(source: SampleSource, shape: Shape): Fitted {
  if (source.kind === "picture") return pictureSample(source.picture, shape);
  if (source.kind === "array") return arraySample(source.name, source.values, shape);
  return generatedSample(source.name, source.seed, shape);
}

/** The samples of all inputs, by the inputs' names. */
export class Samples {
  private readonly chosen = new Map<string, SampleSource>();
  private readonly made = new Map<string, { readonly key: string; readonly sample: FittedSample }>();

  choose(input: string, source: SampleSource): void {
    this.chosen.set(input, source);
    this.made.delete(input);
  }

  /** @throws EngineError where the input itself is too large. */
  of(input: string, shape: Shape): FittedSample {
    const key = JSON.stringify(shape);
    const known = this.made.get(input);
    if (known?.key === key) return known.sample;
    const sample = this.make(this.chosen.get(input) ?? usual(shape), shape);
    this.made.set(input, { key, sample });
    return sample;
  }

  private make(source: SampleSource, shape: Shape): FittedSample {
    try {
      return { ...fitted(source, shape), source, problem: null };
    } catch (error) {
      if (!(error instanceof EngineError) || source.kind === "generated") throw error;
      const instead = usual(shape);
      return { ...fitted(instead, shape), source: instead, problem: error.message };
    }
  }
}
