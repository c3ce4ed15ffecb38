/** The preview's worker on the desktop and on remote hosts: a thread of the extension host, off everybody's way. */
import { Worker } from "node:worker_threads";
import type { PanelRequest, Request, WorkerEvent } from "#shared/preview/protocol.ts";

/** A worker, wherever it runs. */
export interface Thread {
  /** @param interrupts what is being computed will be out of date: it ends in the middle of a layer. */
  send(message: Request | PanelRequest, interrupts: boolean, transfer: readonly ArrayBuffer[]): void;
  end(): void;
}

/** @param ended the worker has ended by itself: why, as the end of a sentence. */
export type StartThread = (hear: (event: WorkerEvent) => void, ended: (why: string) => void) => Thread;

/** @param file path of the worker's bundle. */
export function threadFrom(file: string): StartThread {
  return (hear, ended) => {
    const sent = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(file, { workerData: { sent: sent.buffer } });
    let isWanted = true;
    worker.on("message", hear);
    worker.on("error", (error: NodeJS.ErrnoException) => {
      if (!isWanted) return;
      isWanted = false;
      ended(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? "it ran out of memory" : error.message);
    });
    return {
      send(message, interrupts, transfer) {
        if (interrupts) Atomics.add(sent, 0, 1);
        worker.postMessage({ message, interrupts }, [...transfer]);
      },
      end() {
        isWanted = false;
        void worker.terminate();
      },
    };
  };
}
