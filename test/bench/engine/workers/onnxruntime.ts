/** onnxruntime-web or onnxruntime-node, which the first argument says. */
import { createRequire } from "node:module";
import { layerModel, networkModel } from "../onnx.ts";
import { type Prepared, serve, Unsupported } from "./serve.ts";

const require = createRequire(import.meta.url);
const kind = process.argv[2] as "web" | "node";
const ort = kind === "web" ? await web() : native();
let threads = 1;

async function web(): Promise<any> {
  const module = (await import(require.resolve("onnxruntime-web"))) as any;
  return module.default?.InferenceSession ? module.default : module;
}

/** Its install script downloads what it needs for other processors; the CPU's library is in the package. */
function native(): any {
  try {
    return require("onnxruntime-node");
  } catch (error) {
    return { failed: String(error) };
  }
}

function session(bytes: Uint8Array): Promise<any> {
  return ort.InferenceSession.create(bytes, {
    executionProviders: [kind === "web" ? "wasm" : "cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    logSeverityLevel: 3,
    extra: { session: { force_spinning_stop: "1" } },
  });
}

serve({
  init(count) {
    if (ort.failed) throw new Unsupported(ort.failed);
    threads = count;
    if (kind === "web") {
      ort.env.wasm.numThreads = count;
      ort.env.logLevel = "error";
    }
    return { version: ort.env.versions?.[kind === "web" ? "web" : "node"] ?? ort.env.versions?.common };
  },
  async layer(layer, data): Promise<Prepared> {
    // Several copies in one model, their results cut inside: what crosses the border is hardly counted.
    const copies = Math.max(2, Math.min(16, Math.ceil(0.2 / layer.gflop)));
    const one = await session(layerModel(layer, data, 1, false));
    const many = await session(layerModel(layer, data, copies, true));
    const input = () => ({ x: new ort.Tensor("float32", data.x, layer.x) });
    const feeds = input();
    return {
      resident: { run: () => many.run(feeds), per: copies },
      whole: { run: async () => (await one.run(input())).y0.data },
      output: async () => (await one.run(feeds)).y0.data,
    };
  },
  async network(network, weights, x): Promise<Prepared> {
    const whole = await session(networkModel(network, weights));
    const run = async () => {
      const results = await whole.run({ x: new ort.Tensor("float32", x, network.x) });
      return results[network.steps.at(-1)!.out].data as Float32Array;
    };
    return { whole: { run }, output: run };
  },
});
