/**
 * Lays the network out off the page's thread; built into the page's script as text, since a webview starts workers from
 * blobs only. One answer to each message, in order.
 */
import { type Box, type Link, layOut } from "./layout.ts";

export interface LayoutJob {
  readonly boxes: readonly Box[];
  readonly links: readonly Link[];
}

addEventListener("message", ({ data }: MessageEvent<LayoutJob>) => {
  postMessage(layOut(data.boxes, data.links));
});
