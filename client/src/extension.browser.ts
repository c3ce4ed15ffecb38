/** The extension where there is no Node (vscode.dev, github.dev): the language server runs in a web worker. */
import { type ExtensionContext, Uri } from "vscode";
import { BrowserMessageReader, BrowserMessageWriter, LanguageClient } from "vscode-languageclient/browser";
import { ID, NAME, run, stop } from "./client.ts";
import { threadFrom } from "./preview/thread.browser.ts";

/** The part of the web's Worker used here; the project's compiler settings leave the DOM's types out. */
declare const Worker: new (url: string) => { terminate(): void };

/** Starts the server; resolves when it answers, or when it is clear (and said on screen) that it does not. */
export function activate(context: ExtensionContext): Promise<void> {
  const url = Uri.joinPath(context.extensionUri, "dist/server.browser.js").toString(true);
  let worker: InstanceType<typeof Worker> | undefined;
  const server = async () => {
    worker?.terminate(); // a worker outlives the connection to it, unlike a process
    worker = new Worker(url);
    // The client would tell a worker by `instanceof`, which VS Code's own `Worker` does not satisfy.
    return { reader: new BrowserMessageReader(worker), writer: new BrowserMessageWriter(worker) };
  };
  context.subscriptions.push({ dispose: () => worker?.terminate() });
  const startThread = threadFrom(Uri.joinPath(context.extensionUri, "dist/preview-worker.browser.js").toString(true));
  return run(context, (options) => new LanguageClient(ID, NAME, server, options), startThread);
}

export const deactivate = stop;
