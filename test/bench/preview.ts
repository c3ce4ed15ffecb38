/** How long a user of the preview waits: the built worker over its real message port, against the engine by itself. */
import { Worker } from "node:worker_threads";
import { analyse } from "#server/analysis.ts";
import { runnable } from "#server/preview/runnable.ts";
import { Network } from "#shared/graph/run.ts";
import { createWasmBackend } from "#shared/kernels/wasm/wasm.ts";
import type { PanelRequest, Request, WorkerEvent } from "#shared/preview/protocol.ts";
import { generatedSample } from "#shared/preview/samples.ts";
import { SeededWeights } from "#shared/weights/seeded.ts";
import { median } from "./measure.ts";

const PATH = "model.cnn.yaml";
const OPTIONS = { input: null, scale: null, rules: {}, targets: [] };

class Panel {
  private readonly worker: Worker;
  private hear: (event: WorkerEvent) => void = () => {};
  private version = 0;

  constructor(file: string) {
    this.worker = new Worker(file, { workerData: { sent: new SharedArrayBuffer(4) } });
    this.worker.on("message", (event: WorkerEvent) => this.hear(event));
  }

  send(message: Request | PanelRequest): void {
    this.worker.postMessage({ message, interrupts: false });
  }

  text(text: string): void {
    this.send({ kind: "text", text, path: PATH, version: ++this.version, options: OPTIONS });
  }

  /** Milliseconds from now until an event that is waited for. */
  until(is: (event: WorkerEvent) => boolean): Promise<number> {
    const start = performance.now();
    return new Promise((resolve) => {
      this.hear = (event) => {
        if (is(event)) resolve(performance.now() - start);
      };
    });
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}

/** From the change of a LeNet's second kernel to that layer's new pictures, as the page asks for them. */
export async function keystrokeToMaps(file: string, lenet: string): Promise<number> {
  const panel = new Panel(file);
  const tensor = { node: "3", output: 0, variant: "plain" } as const;
  const whole = { from: 0, to: 16, slice: 0, width: 88, height: 88, palette: "auto", range: "tensor" } as const;
  const ran = panel.until((event) => event.kind === "ended");
  panel.text(lenet);
  await ran;
  panel.send({ id: 1, kind: "show", tensor });
  const times: number[] = [];
  for (let round = 0; round < 40; round++) {
    const maps = panel.until((event) => event.kind === "maps");
    panel.text(lenet.replace("16, kernel_size: 5", `16, kernel_size: ${round % 2 === 0 ? 3 : 5}`));
    const first = await maps;
    const second = panel.until((event) => event.kind === "tiles");
    panel.send({ id: 2 + round, kind: "tiles", tensor, ...whole });
    times.push(first + (await second));
  }
  await panel.end();
  return median(times);
}

/** From the text to the first layer's maps and to the last's, and the engine alone: one run for the last output. */
export async function textToMaps(file: string, text: string) {
  const panel = new Panel(file);
  const ready = panel.until((event) => event.kind === "noModel");
  panel.send({ kind: "text", text: "a: 1", path: "a.yaml", version: 0, options: OPTIONS });
  await ready;
  const all = panel.until((event) => event.kind === "ended");
  panel.text(text);
  const last = await all;
  await panel.end();

  const { sized } = runnable(analyse(text, PATH)!.graph, new Map());
  const { graph, report } = sized!;
  const weights = new SeededWeights(0);
  const network = new Network(sized!, weights);
  const start = performance.now();
  for (const node of graph.nodes)
    for (const spec of network.specsOf(node)) weights.get(`${node.scope}.${spec.name}`, spec);
  const drawing = performance.now() - start;
  const inputs = new Map(
    graph.inputs.map((node) => {
      const { dims, layout } = report.nodes[node]!.outputs[0]!;
      return [node, generatedSample("digit", 0, { dims: dims as number[], layout }).values];
    }),
  );
  const backend = createWasmBackend({ exact: true });
  const began = performance.now();
  network.run({ backend, inputs, wanted: graph.outputs }).finish();
  return { last, drawing, engine: performance.now() - began };
}
