/** ConvLint's own engine. */
import { createNodeBackend } from "#server/preview/engine.ts";
import { keyOf } from "#shared/graph/plan.ts";
import type { Recording, Resident } from "#shared/kernels/backend.ts";
import { type Values, valuesOf } from "#shared/kernels/values.ts";
import type { WasmBackend } from "#shared/kernels/wasm/wasm.ts";
import type { Placement } from "#shared/shape/window.ts";
import { tableOf } from "../../../engine/model.ts";
import { placementsOf } from "../layers.ts";
import { build } from "./build.ts";
import { multiplyAddPeak } from "./peak.ts";
import { type Prepared, serve } from "./serve.ts";

let backend: WasmBackend;
/** Names of the kernels that ran since it was cleared. */
const kernels = new Set<string>();

function watched(made: WasmBackend): WasmBackend {
  const { core } = made;
  const run = core.run.bind(core);
  core.run = (kernel, addresses) => {
    kernels.add(kernel.key.split(" ")[0]!);
    run(kernel, addresses);
  };
  return made;
}

const LAYOUT = /^(pack|copy|transpose)$/;

/** Which algorithm was chosen: the kernels that do not merely pack or change layouts. */
function chosen(): string {
  return [...kernels].filter((name) => !LAYOUT.test(name)).join(" + ") || "reference";
}

/** What work gives that leaves its result where it is. */
const NOTHING = new Float32Array(0);

/** Some work as a network's runs do their steps: recorded once, and repeated as long as the recording is kept. */
function repeated(given: readonly Values[], work: () => Float32Array): () => Float32Array {
  const owner = {};
  let recording: Recording | null = null;
  return () => {
    const read = recording?.replay(owner, 0, given);
    if (read) return read[0]?.data ?? NOTHING;
    const recorder = backend.record();
    const data = recorder.step(work);
    recording = recorder.finish();
    return data;
  };
}

serve({
  init(threads) {
    backend = watched(createNodeBackend(new URL("./engine-thread.js", import.meta.url), { threads }));
    return { fused: backend.core.fused, tile: backend.core.tile, peak: multiplyAddPeak(backend.core.fused) };
  },
  layer(layer, { x, w, b }): Prepared {
    const values = valuesOf(layer.x, x);
    const axes: readonly Placement[] = placementsOf(layer);
    const parts = {
      weight: { dims: layer.w, data: w },
      bias: { dims: [b.length], data: b },
      axes,
      groups: layer.groups,
    };
    const compute = (input: ReturnType<WasmBackend["enter"]>): ReturnType<WasmBackend["enter"]> =>
      layer.transposed ? backend.convolveTransposed(input, parts) : backend.convolve(input, parts);
    const free = (...tensors: readonly Resident[]) => {
      for (const tensor of tensors) backend.release(tensor as ReturnType<WasmBackend["enter"]>);
    };
    const whole = repeated([values], () => {
      const input = backend.enter(values);
      const y = compute(input);
      const { data } = backend.read(y);
      free(input, y);
      return data;
    });
    const resident = backend.enter(values);
    const stay = repeated([], () => {
      free(compute(resident));
      return NOTHING;
    });
    kernels.clear();
    whole();
    return {
      resident: { run: stay },
      whole: { run: whole },
      output: whole,
      note: chosen(),
    };
  },
  network(network, weights, x): Prepared {
    const { model, table, output } = build(network, weights, valuesOf(network.x, x));
    const ready = model.network(tableOf(table));
    const run = () => {
      const values = ready.run({ backend, inputs: model.inputs, wanted: [output] }).finish();
      return values.get(keyOf(output))!.data;
    };
    return { whole: { run }, output: run };
  },
});
