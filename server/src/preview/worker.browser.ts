/** The preview's worker as a web worker, for vscode.dev and the like. */
import { createWasmBackend } from "#shared/kernels/wasm/wasm.ts";
import type { PanelRequest, Request, WorkerEvent } from "#shared/preview/protocol.ts";
import { Session } from "./session.ts";

/** The parts of a worker's global scope used here; the project's compiler settings leave the DOM's types out. */
declare const self: {
  onmessage: ((event: { readonly data: { readonly message: Request | PanelRequest } }) => void) | null;
  postMessage(event: WorkerEvent, transfer: readonly ArrayBuffer[]): void;
};
declare const MessageChannel: new () => {
  readonly port1: { onmessage: (() => void) | null };
  readonly port2: { postMessage(message: null): void };
};
declare const performance: { now(): number };

const { port1, port2 } = new MessageChannel();
const resumes: (() => void)[] = [];
port1.onmessage = () => resumes.shift()?.();

const session = new Session({
  post: (event, transfer = []) => self.postMessage(event, transfer),
  // A task of its own, after those that wait.
  pause: () =>
    new Promise((resolve) => {
      resumes.push(resolve);
      port2.postMessage(null);
    }),
  now: () => performance.now(),
  // Shared memory needs headers that the editor's page does not have: what is out of date ends between steps.
  isInterrupted: () => false,
  backend: createWasmBackend({ exact: true }),
});

self.onmessage = ({ data }) => void session.receive(data.message);
