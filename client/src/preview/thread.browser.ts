/** The preview's worker where there is no Node: a web worker. */
import type { WorkerEvent } from "#shared/preview/protocol.ts";
import type { StartThread } from "./thread.ts";

/** The part of the web's Worker used here; the project's compiler settings leave the DOM's types out. */
declare const Worker: new (
  url: string,
) => {
  onmessage: ((event: { readonly data: WorkerEvent }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
  terminate(): void;
};

/** Shared memory is only for pages that are isolated from others: an editor's page may or may not be. */
declare const crossOriginIsolated: boolean | undefined;

/** @param url of the worker's bundle. */
export function threadFrom(url: string): StartThread {
  return (hear, ended) => {
    const worker = new Worker(url);
    const sent = crossOriginIsolated ? new Int32Array(new SharedArrayBuffer(4)) : null;
    if (sent) worker.postMessage({ sent: sent.buffer }, []);
    worker.onmessage = ({ data }) => hear(data);
    worker.onerror = ({ message }) => ended(message ?? "its script could not be loaded");
    return {
      send(message, interrupts, transfer) {
        if (sent && interrupts) Atomics.add(sent, 0, 1);
        worker.postMessage({ message, interrupts }, transfer);
      },
      end: () => worker.terminate(),
    };
  };
}
