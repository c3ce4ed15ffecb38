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
import { type PanelHost, PreviewPanel } from "./panel.ts";
import type { StartThread } from "./thread.ts";

const VIEW = "convlint.preview";

/** What the page keeps of its panel. */
interface Kept {
  readonly file?: unknown;
  readonly pinned?: unknown;
}

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
    this.add(window.createWebviewPanel(VIEW, "Preview", place), document, false);
  }

  private add(view: WebviewPanel, document: TextDocument, pinned: boolean): void {
    view.iconPath = Uri.joinPath(this.host.dist, "..", "client", "icon.png");
    this.panels.add(new PreviewPanel(view, document, pinned, this.host, (panel) => this.panels.delete(panel)));
  }

  private async restore(view: WebviewPanel, state: unknown): Promise<void> {
    const { file, pinned } = (typeof state === "object" && state !== null ? state : {}) as Kept;
    try {
      if (typeof file !== "string") throw new Error("nobody knows which file it showed");
      this.add(view, await workspace.openTextDocument(Uri.parse(file, true)), pinned === true);
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
