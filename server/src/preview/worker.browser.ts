/**
 * The preview's worker as a web worker, for vscode.dev and the like. What is out of date ends in the middle of a layer where
 * the editor's page is cross-origin isolated, which alone lets it share memory; elsewhere it ends after the layer.
 */
import { createWasmBackend } from "#shared/kernels/wasm/wasm.ts";
import type { PanelRequest, Request, WorkerEvent } from "#shared/preview/protocol.ts";
import { Session } from "./session.ts";

/** What the panel sends: first of all the shared memory, if there can be any; then messages. */
type Sent =
  /** One number: how many messages have been sent that make a run out of date. */
  { readonly sent: SharedArrayBuffer } | { readonly message: Request | PanelRequest; readonly interrupts: boolean };

/** The parts of a worker's global scope used here; the project's compiler settings leave the DOM's types out. */
declare const self: {
  onmessage: ((event: { readonly data: Sent }) => void) | null;
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

let counter: Int32Array | null = null;
let received = 0;

const session = new Session({
  post: (event, transfer = []) => self.postMessage(event, transfer),
  // A task of its own, after those that wait.
  pause: () =>
    new Promise((resolve) => {
      resumes.push(resolve);
      port2.postMessage(null);
    }),
  now: () => performance.now(),
  isInterrupted: () => counter !== null && Atomics.load(counter, 0) > received,
  backend: createWasmBackend({ exact: true }),
});

self.onmessage = ({ data }) => {
  if ("sent" in data) counter = new Int32Array(data.sent);
  else {
    if (data.interrupts) received++;
    void session.receive(data.message);
  }
};
