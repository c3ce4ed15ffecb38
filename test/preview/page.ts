/** A page for the preview's worker: speaks to it over a real message port, and waits for what it says. */
import assert from "node:assert/strict";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { servePort } from "#server/preview/worker.ts";
import type { Answer, PanelRequest, Request, TensorRef, WorkerEvent } from "#shared/preview/protocol.ts";

type Unnumbered<T> = T extends infer Each ? (Each extends T ? Omit<Each, "id"> : never) : never;
type EventOf<K extends WorkerEvent["kind"]> = Extract<WorkerEvent, { kind: K }>;

const NO_OPTIONS = { input: null, scale: null, rules: {}, targets: [] };

export class Page {
  readonly events: WorkerEvent[] = [];
  private readonly waiting = new Set<() => void>();
  private ids = 0;
  private version = 0;

  /** @param port of a worker that is served elsewhere; without it one is served here. */
  constructor(private readonly port: MessagePort = served()) {
    port.on("message", (event: WorkerEvent) => {
      this.events.push(event);
      for (const look of [...this.waiting]) look();
    });
  }

  close(): void {
    this.port.close();
  }

  tell(message: PanelRequest): void {
    this.port.postMessage({ message, interrupts: false });
  }

  /** Gives the worker a text; its path decides the dialect. */
  text(text: string, path = "model.cnn.yaml", options = NO_OPTIONS): void {
    this.tell({ kind: "text", text, path, version: ++this.version, options });
  }

  /** Asks, and resolves with the first answer. @throws what the worker refuses with. */
  async ask<K extends Answer["kind"]>(
    request: Unnumbered<Request>,
    kind: K,
    transfer: ArrayBuffer[] = [],
  ): Promise<Extract<Answer, { kind: K }>> {
    const id = ++this.ids;
    this.port.postMessage({ message: { ...request, id }, interrupts: false }, transfer);
    const found = await this.until((event) => "id" in event && event.id === id && event.kind !== "waiting");
    if (found.kind === "refused") throw new Error(found.message);
    assert.equal(found.kind, kind);
    return found as Extract<Answer, { kind: K }>;
  }

  /** Asks without waiting; gives the request's number. */
  send(request: Unnumbered<Request>): number {
    const id = ++this.ids;
    this.port.postMessage({ message: { ...request, id }, interrupts: false });
    return id;
  }

  /** The next event of a kind, from `from` on. */
  async next<K extends WorkerEvent["kind"]>(
    kind: K,
    where: (event: EventOf<K>) => boolean = () => true,
    from = 0,
  ): Promise<EventOf<K>> {
    return (await this.until((event) => event.kind === kind && where(event as EventOf<K>), from)) as EventOf<K>;
  }

  async until(is: (event: WorkerEvent) => boolean, from = 0): Promise<WorkerEvent> {
    for (;;) {
      const crashed = this.events.find((event) => event.kind === "crashed");
      assert.equal(crashed, undefined);
      const found = this.events.slice(from).find(is);
      if (found) return found;
      await new Promise<void>((resolve) => {
        const look = () => {
          this.waiting.delete(look);
          resolve();
        };
        this.waiting.add(look);
      });
    }
  }
}

function served(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  servePort(port1, { sent: new SharedArrayBuffer(4) });
  return port2;
}

/** An output of a layer, as the model is. */
export function output(node: string, more: Partial<TensorRef> = {}): TensorRef {
  return { node, output: 0, variant: "plain", ...more };
}
