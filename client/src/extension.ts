/**
 * The extension on the desktop and on remote hosts: the language server runs in a Node process of its own, so that
 * neither a large model nor a crash holds up the editor.
 */
import type { ExtensionContext } from "vscode";
import { LanguageClient, TransportKind } from "vscode-languageclient/node";
import { ID, NAME, run, stop } from "./client.ts";

/** Starts the server; resolves when it answers, or when it is clear (and said on screen) that it does not. */
export function activate(context: ExtensionContext): Promise<void> {
  const server = { module: context.asAbsolutePath("dist/server.js"), transport: TransportKind.ipc };
  return run(context, (options) => new LanguageClient(ID, NAME, server, options));
}

export const deactivate = stop;
