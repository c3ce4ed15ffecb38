/**
 * The extension on the desktop and on remote hosts: the language server runs in a Node process of its own, so that
 * neither a large model nor a crash holds up the editor.
 */
import type { ExtensionContext } from "vscode";
import { LanguageClient, TransportKind } from "vscode-languageclient/node";
import { ID, NAME, run, stop } from "./client.ts";
import { threadFrom } from "./preview/thread.ts";

/** Starts the server; resolves when it answers, or when it is clear (and said on screen) that it does not. */
export function activate(context: ExtensionContext): Promise<void> {
  const server = { module: context.asAbsolutePath("dist/server.js"), transport: TransportKind.ipc };
  const startThread = threadFrom(context.asAbsolutePath("dist/preview-worker.js"));
  return run(context, (options) => new LanguageClient(ID, NAME, server, options), startThread);
}

export const deactivate = stop;
