/**
 * What the desktop and the web extension have in common: which documents the server hears of, what happens when it
 * crashes, and the commands and status item around it. The two entries differ only in how they start the server.
 */
import { type ExtensionContext, Uri, window } from "vscode";
import {
  type BaseLanguageClient,
  CloseAction,
  type ErrorHandler,
  type LanguageClientOptions,
  RevealOutputChannelOn,
} from "vscode-languageclient";
import { registerCommands, restart, showOutput } from "./commands.ts";
import { Models } from "./models.ts";
import { Previews } from "./preview/previews.ts";
import type { StartThread } from "./preview/thread.ts";
import { showStatus } from "./status.ts";

/** The client's id: the prefix of its settings and its commands. */
export const ID = "convlint";
export const NAME = "ConvLint";

/**
 * By language and by name, whatever the scheme, so that unsaved files and virtual workspaces count; the names are for
 * files that the user's settings give another language.
 */
const DOCUMENTS = [
  { language: "yaml" },
  { language: "json" },
  { language: "jsonc" },
  { pattern: "**/*.cnn.{yaml,yml,json}" },
];

let running: BaseLanguageClient | undefined;

/**
 * Creates the client by `create` (and the previews' workers by `startThread`), starts it and registers everything around it. Never rejects: a server that does not
 * start is told on screen, and the commands work so that it can be started again.
 */
export async function run(
  context: ExtensionContext,
  create: (options: LanguageClientOptions) => BaseLanguageClient,
  startThread: StartThread,
): Promise<void> {
  const client: BaseLanguageClient = create({
    documentSelector: DOCUMENTS,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    errorHandler: restartAfterCrash(() => client),
  });
  running = client;
  const models = new Models(client);
  const previews = new Previews(client, models, Uri.joinPath(context.extensionUri, "dist"), startThread);
  context.subscriptions.push(models, previews, ...registerCommands(client, previews), showStatus(models));
  try {
    await client.start();
  } catch {
    await offerRestart(client, "The ConvLint server did not start."); // the client has logged why
  }
}

/** Stops the server, giving it two seconds to end by itself. */
export async function stop(): Promise<void> {
  if (running?.isRunning()) await running.stop();
  running = undefined;
}

/** vscode-languageclient's own policy, five restarts in three minutes, without a message for each restart. */
function restartAfterCrash(client: () => BaseLanguageClient): ErrorHandler {
  let policy: ErrorHandler | undefined;
  const current = () => {
    policy ??= client().createDefaultErrorHandler();
    return policy;
  };
  return {
    error: (...about) => current().error(...about),
    async closed() {
      const verdict = await current().closed();
      if (verdict.action === CloseAction.DoNotRestart) {
        policy = undefined; // a restart by hand deserves five attempts of its own
        void offerRestart(client(), "The ConvLint server keeps crashing and was not started again.");
      }
      return { ...verdict, handled: true };
    },
  };
}

async function offerRestart(client: BaseLanguageClient, message: string): Promise<void> {
  const answer = await window.showErrorMessage(message, "Restart", "Show Output");
  if (answer === "Restart") await restart(client);
  if (answer === "Show Output") showOutput(client);
}
