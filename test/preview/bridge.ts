/**
 * Stands in for the panel in the page's tests: what VS Code gives a webview, and the worker behind it. What the page asks
 * of the panel alone is written down, for the test to look at.
 */
/** The parts of the browser used here; the project's compiler settings leave the DOM's types out. */
declare const Worker: any;
declare const dispatchEvent: (event: any) => void;
declare const sessionStorage: any;

const PANEL_KINDS = new Set(["ready", "reveal", "pick", "save", "pin"]);
const KEPT = "state";

const worker = new Worker("/worker.js");
const sent = new Int32Array(new SharedArrayBuffer(4));
worker.postMessage({ sent: sent.buffer });
const asked: any[] = [];
const events: any[] = [];
const waiting = new Map<number, (answer: any) => void>();
/** The page's own requests, by kind, and the answers that came. */
const requests: any[] = [];
const answers: any[] = [];
let first: any[] = [];
let ids = 1_000_000; // beyond those of the page

const say = (data: unknown) => dispatchEvent(new MessageEvent("message", { data }));

worker.addEventListener("message", ({ data }: any) => {
  const ours = waiting.get(data.id);
  if (ours) {
    waiting.delete(data.id);
    ours(data);
    return;
  }
  ("id" in data ? answers : events).push(data.kind === "tiles" ? { ...data, rgba: null } : data);
  say(data);
});

/** What the tests hold in their hands. */
const bridge = {
  asked,
  events,
  requests,
  answers,
  say,
  /** What the panel says as soon as the page is there. */
  begin(messages: any[]) {
    first = messages;
    if (asked.some(({ kind }) => kind === "ready")) for (const message of first) bridge.tell(message);
  },
  tell(message: any) {
    const interrupts = message.kind === "cancel";
    if (interrupts) Atomics.add(sent, 0, 1);
    worker.postMessage({ message, interrupts });
  },
  /** Asks the worker, beside the page. */
  ask(question: any) {
    const id = ++ids;
    return new Promise((resolve) => {
      waiting.set(id, resolve);
      bridge.tell({ ...question, id });
    });
  },
};
Object.assign(globalThis, {
  bridge,
  acquireVsCodeApi: () => ({
    postMessage(message: any) {
      if (!PANEL_KINDS.has(message.kind)) {
        requests.push(message);
        bridge.tell(message);
        return;
      }
      asked.push(message);
      if (message.kind === "ready") {
        say({
          kind: "panel",
          title: "lenet.cnn.yaml",
          pinned: false,
          file: "file:///model.cnn.yaml",
          files: { weights: [], samples: {} },
        });
        for (const each of first) bridge.tell(each);
      }
    },
    getState: () => JSON.parse(sessionStorage.getItem(KEPT) ?? "null") ?? undefined,
    setState: (state: unknown) => sessionStorage.setItem(KEPT, JSON.stringify(state)),
  }),
});
