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
const asked: any[] = [];
const events: any[] = [];
const answers: any[] = [];
let first: any[] = [];

const say = (data: unknown) => dispatchEvent(new MessageEvent("message", { data }));

worker.addEventListener("message", ({ data }: any) => {
  ("id" in data ? answers : events).push(data.kind === "tiles" ? { kind: "tiles" } : data);
  say(data);
});

/** What the tests hold in their hands. */
const bridge = {
  asked,
  events,
  answers,
  worker,
  say,
  /** What the panel says as soon as the page is there. */
  begin(messages: any[]) {
    first = messages;
    if (asked.some(({ kind }) => kind === "ready")) for (const message of first) bridge.tell(message);
  },
  tell: (message: any) => worker.postMessage({ message, interrupts: false }),
};
Object.assign(globalThis, {
  bridge,
  acquireVsCodeApi: () => ({
    postMessage(message: any) {
      if (!PANEL_KINDS.has(message.kind)) {
        bridge.tell(message);
        return;
      }
      asked.push(message);
      if (message.kind === "ready") {
        say({ kind: "panel", title: "lenet.cnn.yaml", pinned: false });
        for (const each of first) bridge.tell(each);
      }
    },
    getState: () => JSON.parse(sessionStorage.getItem(KEPT) ?? "null") ?? undefined,
    setState: (state: unknown) => sessionStorage.setItem(KEPT, JSON.stringify(state)),
  }),
});
