/** The preview's worker in Node: a thread of the extension host, one for each panel. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { serveCrew } from "#shared/kernels/wasm/crew.ts";
import type { PanelRequest, Request } from "#shared/preview/protocol.ts";
import { type CrewData, createNodeBackend } from "./engine.ts";
import { Session } from "./session.ts";

/** What the panel gives to the thread. */
export interface WorkerData {
  /** One number in shared memory: how many messages the panel has sent that make a run out of date. */
  readonly sent: SharedArrayBuffer;
}

/** Serves the messages of a port until it closes. */
export function servePort(port: MessagePort, { sent }: WorkerData): void {
  const counter = new Int32Array(sent);
  let received = 0;
  const session = new Session({
    post: (event, transfer = []) => port.postMessage(event, [...transfer]),
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    now: () => performance.now(),
    isInterrupted: () => Atomics.load(counter, 0) > received,
    backend: createNodeBackend(new URL(import.meta.url), { exact: true }),
  });
  port.on("message", ({ message, interrupts }: { message: Request | PanelRequest; interrupts: boolean }) => {
    if (interrupts) received++;
    void session.receive(message);
  });
}

// The engine's threads are started from this file too.
if (parentPort) {
  const given: WorkerData | CrewData = workerData;
  if ("crew" in given) serveCrew(given.crew);
  else servePort(parentPort, given);
}
