/** The commands of the palette. */
import { commands, type Disposable, env, type Uri, window } from "vscode";
import type { BaseLanguageClient } from "vscode-languageclient";
import { LAYER_TABLE_METHOD, type LayerTableParams, type LayerTableResult } from "#shared/protocol.ts";
import type { Previews } from "./preview/previews.ts";

/** Registers every command that package.json contributes; disposing the results takes them away again. */
export function registerCommands(client: BaseLanguageClient, previews: Previews): Disposable[] {
  return [
    commands.registerCommand("convlint.restartServer", () => restart(client)),
    commands.registerCommand("convlint.showOutput", () => showOutput(client)),
    commands.registerCommand("convlint.copyLayerTable", () => copyLayerTable(client)),
    commands.registerCommand("convlint.previewModel", (uri?: Uri) => previews.open(uri)),
    commands.registerCommand("convlint.previewSample", (uri?: Uri, input?: string) => previews.useSample(uri, input)),
    commands.registerCommand("convlint.previewWeights", (...uris: Uri[]) => previews.useWeights(...uris)),
  ];
}

/** Stops the server if it runs and starts it anew; rejects when it does not start. */
export async function restart(client: BaseLanguageClient): Promise<void> {
  if (client.isRunning()) await client.stop();
  await client.start();
}

/** Opens the log of the server and of the connection to it. */
export function showOutput(client: BaseLanguageClient): void {
  client.outputChannel.show();
}

/** Puts the layer table of the active editor's model on the clipboard, as Markdown. */
async function copyLayerTable(client: BaseLanguageClient): Promise<void> {
  const uri = window.activeTextEditor?.document.uri;
  const params = uri && { textDocument: { uri: client.code2ProtocolConverter.asUri(uri) } };
  const table =
    params && (await client.sendRequest<LayerTableResult>(LAYER_TABLE_METHOD, params satisfies LayerTableParams));
  if (!table) {
    void window.showWarningMessage("ConvLint: the active editor shows no model that ConvLint reads.");
    return;
  }
  await env.clipboard.writeText(table);
  window.setStatusBarMessage("ConvLint: layer table copied", 3000);
}
