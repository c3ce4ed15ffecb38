/** All previews: how they open, follow the editor, and come back after the window was loaded anew. */
import {
  CodeLens,
  type CodeLensProvider,
  commands,
  type Disposable,
  EventEmitter,
  languages,
  Range,
  type TextDocument,
  Uri,
  ViewColumn,
  type WebviewPanel,
  window,
  workspace,
} from "vscode";
import type { BaseLanguageClient } from "vscode-languageclient";
import { type CheckOptions, OPTIONS_METHOD, type OptionsParams, type OptionsResult } from "#shared/protocol.ts";
import type { Models } from "../models.ts";
import { pick } from "./files.ts";
import { checkedState } from "./page.ts";
import { type PanelHost, PreviewPanel, type Shown } from "./panel.ts";
import type { StartThread } from "./thread.ts";

const VIEW = "convlint.preview";
const NO_FILES = { weights: [], samples: {} };

export class Previews implements Disposable {
  private readonly panels = new Set<PreviewPanel>();
  private readonly lensesChanged = new EventEmitter<void>();
  private readonly host: PanelHost;
  private readonly parts: Disposable[];

  /** @param dist the folder of the bundles. */
  constructor(
    private readonly client: BaseLanguageClient,
    private readonly models: Models,
    dist: Uri,
    startThread: StartThread,
  ) {
    this.host = { dist, startThread, optionsOf: (document) => this.optionsOf(document) };
    this.parts = [
      this.lensesChanged,
      window.registerWebviewPanelSerializer(VIEW, {
        deserializeWebviewPanel: (view, state: unknown) => this.restore(view, state),
      }),
      window.onDidChangeActiveTextEditor(() => this.editorChanged()),
      models.onDidChange((uri) => this.modelChanged(uri)),
      languages.registerCodeLensProvider({ pattern: "**/*" }, this.lenses()),
    ];
    this.editorChanged();
  }

  dispose(): void {
    for (const panel of [...this.panels]) panel.view.dispose();
    for (const part of this.parts) part.dispose();
  }

  /**
   * Opens the preview of a model beside its text, or shows the one that is there.
   * @param uri the active editor's document where absent.
   */
  async open(uri = window.activeTextEditor?.document.uri): Promise<void> {
    const document = uri && (await workspace.openTextDocument(uri));
    if (!document || !(await this.optionsOf(document))) {
      void window.showWarningMessage("ConvLint: the active editor shows no model that ConvLint reads.");
      return;
    }
    const panels = [...this.panels];
    const shown = panels.find((panel) => panel.uri.toString() === document.uri.toString());
    const free = shown ?? panels.find((panel) => !panel.pinned);
    if (free) {
      free.follow(document);
      free.view.reveal(undefined, true);
      return;
    }
    const place = { viewColumn: ViewColumn.Beside, preserveFocus: true };
    this.add(window.createWebviewPanel(VIEW, "Preview", place), { document, pinned: false, files: NO_FILES });
  }

  /**
   * Takes a file as the sample of the preview in front.
   * @param uri a picture or a .npy; where absent, the user picks one.
   * @param input name of the model's input; the first one where absent.
   */
  async useSample(uri?: Uri, input?: string): Promise<void> {
    const panel = this.inFront();
    const from = uri ?? (panel && (await pick("sample", panel.uri))[0]);
    if (panel && from) await panel.useSample(from, input ?? null);
  }

  /**
   * Takes the weights of files in the preview in front.
   * @param uris a folder of .npy, or files; where absent, the user picks some.
   */
  async useWeights(...uris: readonly Uri[]): Promise<void> {
    const panel = this.inFront();
    const from = uris.length > 0 ? uris : panel && (await pick("weights", panel.uri));
    if (panel && from && from.length > 0) await panel.useWeights(from);
  }

  /** The preview that the user looks at; says where there is none. */
  private inFront(): PreviewPanel | undefined {
    const panels = [...this.panels];
    const found =
      panels.find(({ view }) => view.active) ?? panels.findLast(({ view }) => view.visible) ?? panels.at(-1);
    if (!found) void window.showWarningMessage("ConvLint: no preview is open.");
    return found;
  }

  private add(view: WebviewPanel, shown: Shown): void {
    view.iconPath = Uri.joinPath(this.host.dist, "..", "client", "icon.png");
    this.panels.add(new PreviewPanel(view, shown, this.host, (panel) => this.panels.delete(panel)));
  }

  private async restore(view: WebviewPanel, state: unknown): Promise<void> {
    const { file, pinned, files } = checkedState(state);
    try {
      if (file === null) throw new Error("nobody knows which file it showed");
      this.add(view, { document: await workspace.openTextDocument(Uri.parse(file, true)), pinned, files });
    } catch {
      view.dispose(); // the file is gone
    }
  }

  private async optionsOf(document: TextDocument): Promise<CheckOptions | null> {
    if (!this.client.isRunning()) return null;
    const params: OptionsParams = { textDocument: { uri: this.models.keyOf(document.uri) } };
    return this.client.sendRequest<OptionsResult>(OPTIONS_METHOD, params);
  }

  private editorChanged(): void {
    const document = window.activeTextEditor?.document;
    const isModel = document !== undefined && this.models.get(document.uri) !== undefined;
    void commands.executeCommand("setContext", "convlint.isModel", isModel);
    if (isModel) for (const panel of this.panels) panel.follow(document);
  }

  private modelChanged(uri: string): void {
    this.lensesChanged.fire();
    this.editorChanged();
    for (const panel of this.panels) if (this.models.keyOf(panel.uri) === uri) void panel.refreshOptions();
  }

  private lenses(): CodeLensProvider {
    return {
      onDidChangeCodeLenses: this.lensesChanged.event,
      provideCodeLenses: ({ uri }) => {
        const isWanted = workspace.getConfiguration("convlint.preview", uri).get("codeLens", true);
        if (!isWanted || !this.models.get(uri)) return [];
        const command = { title: "Preview Model", command: "convlint.previewModel", arguments: [uri] };
        return [new CodeLens(new Range(0, 0, 0, 0), command)];
      },
    };
  }
}
