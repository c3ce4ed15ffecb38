/**
 * What every peer's process does: JSON lines in on stdin, JSON lines out on file descriptor 3. A peer prepares one layer or
 * network at a time, and is then told how often to run it; pytorch.py speaks the same.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Layer, LayerData } from "../layers.ts";
import { countOf } from "../layers.ts";
import { NETWORKS, type Network } from "../networks.ts";

/** A layer or network that is ready to run. */
export interface Prepared {
  /** Data stay in the engine, in its own layout; `per` runs of the layer in one call. */
  readonly resident?: { run(): unknown; readonly per?: number };
  /** From a JS array to a JS array, everything that takes included. */
  readonly whole?: { run(): unknown };
  output(): Float32Array | Promise<Float32Array>;
  /** How it is computed, for the table. */
  readonly note?: string;
}

export interface Peer {
  init(threads: number): Promise<Readonly<Record<string, unknown>>> | Readonly<Record<string, unknown>>;
  layer(layer: Layer, data: LayerData): Promise<Prepared> | Prepared;
  network(network: Network, weights: readonly Float32Array[], x: Float32Array): Promise<Prepared> | Prepared;
}

/** What a peer cannot do at all, as opposed to what fails. */
export class Unsupported extends Error {}

/** Milliseconds that this process's threads waited for a core, and those of its main thread; zeros where unknown. */
function waited(): { readonly all: number; readonly main: number } {
  let [all, main] = [0, 0];
  try {
    for (const thread of readdirSync("/proc/self/task")) {
      const file = openSync(`/proc/self/task/${thread}/schedstat`, "r");
      const buffer = Buffer.alloc(128);
      const wait = Number(buffer.toString("latin1", 0, readSync(file, buffer)).split(" ")[1]) / 1e6;
      closeSync(file);
      all += wait;
      if (thread === String(process.pid)) main = wait;
    }
  } catch {
    // Not Linux, or a thread has ended.
  }
  return { all, main };
}

function floats(file: string): Float32Array {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

interface Request {
  readonly seq: number;
  readonly command: "init" | "layer" | "network" | "run" | "output" | "exit";
  readonly threads: number;
  readonly layer: Layer;
  readonly name: string;
  readonly files: Readonly<Record<"x" | "w" | "b", string>>;
  readonly mode: "resident" | "whole";
  readonly count: number;
  readonly file: string;
}

function cut(flat: Float32Array, { weights }: Network): Float32Array[] {
  let at = 0;
  return weights.map(({ dims }) => {
    at += countOf(dims);
    return flat.subarray(at - countOf(dims), at);
  });
}

/** Answers requests until the parent ends. */
export function serve(peer: Peer): void {
  let prepared: Prepared | null = null;
  const prepare = async (make: () => Prepared | Promise<Prepared>) => {
    const start = performance.now();
    prepared = await make();
    const ready = performance.now();
    // The first result: whatever is packed, compiled or made faster while it runs is in it.
    await (prepared.whole ?? prepared.resident!).run();
    const first = performance.now() - ready;
    const modes = (["resident", "whole"] as const).filter((mode) => prepared![mode]);
    return { prepare: ready - start, first, modes, note: prepared.note ?? "" };
  };
  const run = async ({ mode, count }: Request) => {
    const { run, per = 1 } = prepared![mode] as NonNullable<Prepared["resident"]>;
    const calls = Math.max(1, Math.ceil(count / per));
    const [before, start] = [waited(), performance.now()];
    for (let call = 0; call < calls; call++) {
      const result = run();
      if (result instanceof Promise) await result;
    }
    const wall = performance.now() - start;
    const after = waited();
    const each = (milliseconds: number) => milliseconds / (calls * per);
    return {
      wall: each(wall),
      busy: each(wall - (after.main - before.main)),
      delay: (after.all - before.all) / wall,
    };
  };
  const answer = async (request: Request): Promise<object> => {
    const { files } = request;
    switch (request.command) {
      case "init":
        return { node: process.version, ...(await peer.init(request.threads)) };
      case "layer": {
        const data = { x: floats(files.x), w: floats(files.w), b: floats(files.b) };
        return prepare(() => peer.layer(request.layer, data));
      }
      case "network": {
        const network = NETWORKS[request.name]!();
        return prepare(() => peer.network(network, cut(floats(files.w), network), floats(files.x)));
      }
      case "run":
        return run(request);
      case "output": {
        const y = await prepared!.output();
        writeFileSync(request.file, new Uint8Array(y.buffer, y.byteOffset, y.byteLength));
        return {};
      }
      case "exit":
        return process.exit(0);
    }
  };
  let last: Promise<void> = Promise.resolve();
  createInterface({ input: process.stdin }).on("line", (line) => {
    const request = JSON.parse(line) as Request;
    const reply = (parts: object) => writeSync(3, `${JSON.stringify({ seq: request.seq, ...parts })}\n`);
    last = last.then(async () => {
      try {
        reply({ ok: true, ...(await answer(request)) });
      } catch (error) {
        reply({ ok: false, error: String(error).slice(0, 400), unsupported: error instanceof Unsupported });
      }
    });
  });
}
