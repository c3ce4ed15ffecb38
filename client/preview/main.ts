/** The preview's page: puts its parts together and lets messages in. */
import type { DiagramNode, NamedBytes, PageMessage } from "#shared/preview/protocol.ts";
import { Connection } from "./connection.ts";
import { el } from "./dom.ts";
import { MapsView } from "./maps/view.ts";
import { Model } from "./model.ts";
import { NetworkView } from "./network/view.ts";
import { Detail } from "./shell/detail.ts";
import { LayersView } from "./shell/layers.ts";
import { Split } from "./shell/split.ts";
import { Status } from "./shell/status.ts";
import { Toolbar } from "./shell/toolbar.ts";
import { ShiftView } from "./shift/view.ts";
import { watchTheme } from "./theme.ts";
import { WindowView } from "./window/view.ts";

/** An image of more pixels is scaled down as it is decoded. */
const MOST_PIXELS = 16_000_000;
const REVEAL_MS = 120;

function start(): void {
  const api = acquireVsCodeApi();
  const model = new Model(
    api.getState(),
    () => update(),
    (choices) => api.setState(choices),
  );
  const connection = new Connection(api, (message) => {
    if (message.kind === "picked") void decode(message.file, message.input);
    else model.hear(message);
    if (message.kind === "diagram" && !restored) restore();
  });

  /** Tells the worker what was chosen before the window was loaded anew, once there is a model to choose it for. */
  let restored = false;
  function restore(): void {
    restored = true;
    const { samples, seed, sizes, flipped } = model.choices;
    const quietly = () => {};
    for (const [input, sample] of Object.entries(samples)) connection.ask({ kind: "sample", input, sample }, quietly);
    if (seed !== null) connection.ask({ kind: "seed", seed }, quietly);
    if (Object.keys(sizes).length > 0) connection.ask({ kind: "sizes", sizes }, quietly);
    if (flipped) connection.ask({ kind: "flip", on: true }, quietly);
  }

  let waiting: ReturnType<typeof setTimeout> | undefined;
  // A held key runs through many layers; the text need not follow through all of them.
  const reveal = ({ range, layer }: DiagramNode) => {
    clearTimeout(waiting);
    if (layer === null) return;
    waiting = setTimeout(() => connection.tell({ kind: "reveal", range } satisfies PageMessage), REVEAL_MS);
  };
  const choose = (id: string) => {
    model.select(id);
    const node = model.node(id);
    if (node) reveal(node);
  };

  const network = new NetworkView(model, reveal);
  const maps = new MapsView(model, connection, () => detail.show("window"));
  const looked = () => maps.current;
  const views = {
    maps,
    window: new WindowView(model, connection, looked, () => maps.revision),
    shift: new ShiftView(model, connection, looked, choose),
    layers: new LayersView(model, choose),
  };
  const detail = new Detail(model, views);
  const split = new Split(model, network.element, detail.element);
  const status = new Status(model, connection, choose);
  const toolbar = new Toolbar(model, connection, network, () => maps.tensor);
  const parts = [toolbar, status, split, network, detail];
  function update(): void {
    for (const part of parts) part.update();
  }

  /** Pictures are decoded here, by the browser, which knows every format and turns what is turned. */
  async function decode({ name, bytes }: NamedBytes, input: string | null): Promise<void> {
    try {
      const whole = await createImageBitmap(new Blob([bytes]));
      const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (whole.width * whole.height)));
      const [width, height] = [
        Math.max(1, Math.floor(whole.width * scale)),
        Math.max(1, Math.floor(whole.height * scale)),
      ];
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d", { colorSpace: "srgb" })!;
      context.imageSmoothingQuality = "high";
      context.drawImage(whole, 0, 0, width, height);
      whole.close();
      const rgba = context.getImageData(0, 0, width, height).data.buffer as ArrayBuffer;
      await connection.once({ kind: "sample", input, sample: { kind: "image", name, width, height, rgba } });
    } catch (error) {
      const why = error instanceof DOMException ? "it is no picture that can be read" : (error as Error).message;
      model.hear({ kind: "notice", severity: "error", message: `${name}: ${why}` });
    }
  }

  document.body.append(el("div", { class: "page" }, toolbar.element, status.banner, split.element, status.element));
  watchTheme();
  update();
  connection.tell({ kind: "ready" });
}

start();
