/** What a model computes, by the reference evaluator in place of the preview's fast one: same sample, same weights. */
import { Model } from "#server/preview/model.ts";
import { Runs } from "#server/preview/runs.ts";
import { Samples } from "#server/preview/samples.ts";
import { WeightSource } from "#server/preview/weights.ts";
import { Reference } from "#shared/kernels/reference/reference.ts";
import type { Values } from "#shared/kernels/values.ts";

/** The outputs of layers, by their ids. @param path decides the dialect. @param given where not the usual ones. */
export async function byReference(
  text: string,
  layers: readonly string[],
  path = "model.cnn.yaml",
  given: { readonly samples?: Samples; readonly weights?: WeightSource } = {},
): Promise<readonly Values[]> {
  const options = { input: null, scale: null, rules: {}, targets: [] };
  const model = Model.of({ kind: "text", text, path, version: 1, options }, new Map())!;
  const host = {
    post() {},
    pause: () => new Promise<void>((resolve) => setImmediate(resolve)),
    now: () => performance.now(),
    isInterrupted: () => false,
    backend: new Reference(),
  };
  const quiet = { lookedAt: () => null, progressed() {}, redrawn() {}, finished() {} };
  const { samples = new Samples(), weights = new WeightSource() } = given;
  weights.bind(model.sized!);
  const runs = new Runs(host, samples, weights, quiet);
  runs.renew(model);
  const refs = layers.map((layer) => model.refOf({ node: layer, output: 0 })!);
  const variant = await runs.obtain("plain", refs);
  return refs.map((ref) => variant.valuesOf(ref)!);
}
