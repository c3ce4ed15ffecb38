/**
 * The language server: the only file that knows a connection. It keeps one analysis per document version, asks features/
 * for answers in offsets, and sends them in the protocol's words (lsp.ts).
 */
import {
  type CancellationToken,
  type ClientCapabilities,
  type CodeAction,
  CodeActionKind,
  type CodeActionParams,
  type CompletionItem,
  type Connection,
  type Diagnostic,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  type DocumentDiagnosticReport,
  DocumentDiagnosticReportKind,
  type DocumentSymbol,
  ErrorCodes,
  type Hover,
  type InitializeParams,
  type InitializeResult,
  type InlayHint,
  InlayHintKind,
  LSPErrorCodes,
  ResponseError,
  type SymbolInformation,
  TextDocuments,
  type WorkspaceDiagnosticParams,
  type WorkspaceDiagnosticReport,
  type WorkspaceDocumentDiagnosticReport,
} from "vscode-languageserver";
import { type Range, TextDocument } from "vscode-languageserver-textdocument";
import {
  LAYER_TABLE_METHOD,
  type LayerTableParams,
  type LayerTableResult,
  OPTIONS_METHOD,
  type OptionsParams,
  type OptionsResult,
  STATUS_METHOD,
  type StatusParams,
} from "#shared/protocol.ts";
import { readSettings, SECTION, type Settings } from "#shared/settings.ts";
import type { Analysis } from "./analysis.ts";
import type { Resolved } from "./config/resolve.ts";
import { quickFixes } from "./features/codeActions.ts";
import { completion } from "./features/completion.ts";
import { type Problem, problems } from "./features/diagnostics.ts";
import { documentSymbols } from "./features/documentSymbols.ts";
import { hover } from "./features/hover.ts";
import { type Hint, hintTooltip, inlayHints, isSound } from "./features/inlayHints.ts";
import { layerTableMarkdown } from "./features/layerTable.ts";
import { modelStatus } from "./features/status.ts";
import { fixAll } from "./fixes/all.ts";
import type { Prover } from "./fixes/prove.ts";
import {
  FIX_ALL,
  lspCompletions,
  lspDiagnostics,
  lspEdit,
  lspRange,
  lspSymbols,
  markup,
  offsets,
  pullsDiagnostics,
  resolvesEdits,
  resolvesTooltips,
  serverCapabilities,
} from "./lsp.ts";
import type { TextEdit } from "./syntax/edit.ts";
import { analyseUnder, proverUnder, underProject } from "./under.ts";
import { fileKey, Workspace, type WorkspaceFiles } from "./workspace.ts";

/** How long the text must rest before problems are pushed; pulled answers never wait. */
const REST_MS = 50;

const WATCHED = "**/*.{yaml,yml,json,jsonc,toml}";

/** What the projects that files belong to say, as the host can read it. By URI. */
export interface ProjectConfigs {
  of(uri: string): Resolved;
  /** Whether a change of this file may change the answers. */
  concerns(uri: string): boolean;
  forget(): void;
}

/** One document version under one set of settings. */
interface Checked {
  readonly version: number;
  readonly settings: Settings;
  readonly analysis: Analysis | null;
  readonly problems: readonly Problem[];
  /** Tells apart what was answered before; unique in this process. */
  readonly resultId: string;
  /** Remembers what it proved; null where there is nothing to prove. */
  readonly prover: Prover | null;
}

/** What the edit of an action is made from when the client asks for it. */
interface ActionData {
  readonly uri: string;
  readonly version: number;
}

/** What an inlay hint's tooltip is made from when the client asks for it. */
interface HintData extends Pick<Hint, "kind" | "layer" | "kept"> {
  readonly uri: string;
  readonly version: number;
}

/** Answers on a connection until it ends. @param files and configs are null where there is no file system, as in a browser. */
export function serve(connection: Connection, files: WorkspaceFiles | null, configs: ProjectConfigs | null): void {
  new Server(connection, files, configs).listen();
}

class Server {
  private readonly documents = new TextDocuments(TextDocument);
  private readonly checked = new WeakMap<TextDocument, Checked>();
  /** The last analysis that hints can fall back on while the document is being edited. */
  private readonly sound = new WeakMap<TextDocument, Analysis>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly pushed = new Set<string>();
  private settings = new Map<string, Promise<Settings>>();
  /** The section `convlint` as sent by clients that cannot be asked for it. */
  private sentSettings: unknown;
  private readonly complaints = new Set<string>();
  private client: ClientCapabilities = {};
  private results = 0;
  private readonly started = Date.now().toString(36);

  /** null where there are no files to be read. */
  private readonly workspace: Workspace<readonly Diagnostic[] | null> | null;

  constructor(
    private readonly connection: Connection,
    files: WorkspaceFiles | null,
    private readonly configs: ProjectConfigs | null,
  ) {
    const settingsOf = (uri: string) => this.settingsOf(uri);
    this.workspace = files && new Workspace(files, diagnosticsOfFile, settingsOf, () => this.nextResult());
  }

  listen(): void {
    const { connection, documents } = this;
    connection.onInitialize((params) => this.initialize(params));
    connection.onInitialized(this.told("initialized", () => this.register()));
    connection.onDidChangeConfiguration(
      this.told("didChangeConfiguration", ({ settings }) => {
        this.sentSettings = (settings as Record<string, unknown> | null)?.[SECTION];
        this.forgetSettings();
      }),
    );
    connection.onDidChangeWatchedFiles(
      this.told("didChangeWatchedFiles", ({ changes }) => {
        for (const { uri } of changes) this.workspace?.fileChanged(uri);
        return this.configsChanged(changes.map(uriOf));
      }),
    );
    documents.onDidChangeContent(({ document }) => this.schedule(document, this.checked.has(document) ? REST_MS : 0));
    documents.onDidSave(({ document }) => {
      this.sound.delete(document);
      void this.configsChanged([document.uri]);
    });
    documents.onDidClose(({ document }) => this.close(document.uri));

    connection.languages.inlayHint.on(
      this.asked("inlayHint", (params) => this.inlayHints(params.textDocument.uri, params.range)),
    );
    connection.languages.inlayHint.resolve(this.asked("inlayHint/resolve", (hint) => this.resolveHint(hint)));
    connection.languages.diagnostics.on(
      this.asked("diagnostic", (params) => this.documentReport(params.textDocument.uri, params.previousResultId)),
    );
    connection.languages.diagnostics.onWorkspace(
      this.asked("workspace/diagnostic", (params, token) => this.workspaceReport(params, token)),
    );
    connection.onHover(this.asked("hover", (params) => this.hover(params.textDocument.uri, params.position)));
    connection.onDocumentSymbol(this.asked("documentSymbol", (params) => this.symbols(params.textDocument.uri)));
    connection.onCompletion(
      this.asked("completion", (params) => this.complete(params.textDocument.uri, params.position)),
    );
    connection.onCodeAction(this.asked("codeAction", (params) => this.codeActions(params)));
    connection.onCodeActionResolve(this.asked("codeAction/resolve", (action) => this.resolveAction(action)));
    connection.onRequest(
      LAYER_TABLE_METHOD,
      this.asked(LAYER_TABLE_METHOD, (params: LayerTableParams) => this.layerTable(params.textDocument.uri)),
    );
    connection.onRequest(
      OPTIONS_METHOD,
      this.asked(OPTIONS_METHOD, (params: OptionsParams) => this.options(params.textDocument.uri)),
    );
    documents.listen(connection);
    connection.listen();
  }

  // ---- the life of the connection ----

  private initialize(params: InitializeParams): InitializeResult {
    this.client = params.capabilities;
    this.sentSettings = params.initializationOptions;
    this.workspace?.setFolders(params.workspaceFolders?.map(uriOf) ?? (params.rootUri ? [params.rootUri] : []));
    return {
      serverInfo: { name: "convlint" },
      capabilities: serverCapabilities(this.client, this.workspace !== null),
    };
  }

  private async register(): Promise<void> {
    const { workspace } = this.client;
    if (workspace?.workspaceFolders) {
      this.connection.workspace.onDidChangeWorkspaceFolders(
        this.told("didChangeWorkspaceFolders", ({ added, removed }) =>
          this.workspace?.changeFolders(added.map(uriOf), removed.map(uriOf)),
        ),
      );
    }
    if (workspace?.didChangeConfiguration?.dynamicRegistration) {
      await this.connection.client.register(DidChangeConfigurationNotification.type, { section: SECTION });
    }
    if (this.workspace && workspace?.didChangeWatchedFiles?.dynamicRegistration) {
      const watchers = [{ globPattern: WATCHED }];
      await this.connection.client.register(DidChangeWatchedFilesNotification.type, { watchers });
      this.workspace.watched();
    }
  }

  /** A request handler whose failure is logged and answered, and whose cancelled answer is not sent. */
  private asked<P, R>(name: string, handle: (params: P, token: CancellationToken) => R | Promise<R>) {
    return async (params: P, token: CancellationToken): Promise<R | ResponseError<any>> => {
      try {
        if (token.isCancellationRequested) return cancelled();
        const answer = await handle(params, token);
        return token.isCancellationRequested ? cancelled() : answer;
      } catch (error) {
        this.connection.console.error(`${name} failed: ${error instanceof Error ? error.stack : error}`);
        return new ResponseError(ErrorCodes.InternalError, `${name} failed: ${error}`);
      }
    };
  }

  /** A notification handler whose failure is logged. */
  private told<P>(name: string, handle: (params: P) => void | Promise<void>) {
    return async (params: P): Promise<void> => {
      try {
        await handle(params);
      } catch (error) {
        this.connection.console.error(`${name} failed: ${error instanceof Error ? error.stack : error}`);
      }
    };
  }

  // ---- settings ----

  private settingsOf(uri: string): Promise<Settings> {
    let settings = this.settings.get(uri);
    if (!settings) {
      settings = this.readSettings(uri);
      this.settings.set(uri, settings);
    }
    return settings;
  }

  private async readSettings(uri: string): Promise<Settings> {
    const { settings, problems } = readSettings(await this.rawSettings(uri));
    for (const problem of problems) {
      if (this.complaints.has(problem)) continue;
      this.complaints.add(problem);
      this.connection.console.warn(problem);
    }
    return this.configs ? underProject(settings, this.configs.of(uri)) : settings;
  }

  private async configsChanged(uris: readonly string[]): Promise<void> {
    if (!uris.some((uri) => this.configs?.concerns(uri))) return;
    this.configs?.forget();
    await this.forgetSettings();
  }

  private async rawSettings(uri: string): Promise<unknown> {
    if (!this.client.workspace?.configuration) return this.sentSettings;
    try {
      return await this.connection.workspace.getConfiguration({ scopeUri: uri, section: SECTION });
    } catch (error) {
      this.connection.console.error(`the editor did not tell its settings, the defaults are used: ${error}`);
      return undefined;
    }
  }

  /** What was answered under the old settings is asked for, or pushed, again. */
  private async forgetSettings(): Promise<void> {
    this.settings = new Map();
    for (const document of this.documents.all()) this.schedule(document, 0);
    const { workspace } = this.client;
    if (workspace?.inlayHint?.refreshSupport) await this.connection.languages.inlayHint.refresh();
    if (pullsDiagnostics(this.client) && workspace?.diagnostics?.refreshSupport)
      await this.connection.languages.diagnostics.refresh();
  }

  // ---- checking ----

  /** The document as it is now, checked; null where it is not open. */
  private async check(uri: string): Promise<{ readonly document: TextDocument; readonly checked: Checked } | null> {
    const settings = await this.settingsOf(uri);
    const document = this.documents.get(uri);
    if (!document) return null;
    const before = this.checked.get(document);
    if (before?.version === document.version && before.settings === settings) return { document, checked: before };
    const analysis = analyseUnder(settings, document.getText(), uri);
    const checked: Checked = {
      version: document.version,
      settings,
      analysis,
      problems: analysis ? problems(analysis, settings.rules) : [],
      resultId: this.nextResult(),
      prover: analysis && proverUnder(settings, analysis, uri),
    };
    this.checked.set(document, checked);
    if (analysis && isSound(analysis)) this.sound.set(document, analysis);
    return { document, checked };
  }

  private nextResult(): string {
    return `${this.started}.${this.results++}`;
  }

  private schedule({ uri }: TextDocument, delay: number): void {
    clearTimeout(this.timers.get(uri));
    const announce = this.told("checking", () => this.announce(uri));
    this.timers.set(
      uri,
      setTimeout(() => {
        this.timers.delete(uri);
        void announce(undefined);
      }, delay),
    );
  }

  /** Tells the client what was found without being asked. */
  private async announce(uri: string): Promise<void> {
    const found = await this.check(uri);
    if (!found) return;
    const { document, checked } = found;
    const { analysis } = checked;
    if (!pullsDiagnostics(this.client) && (analysis || this.pushed.has(uri))) {
      if (analysis) this.pushed.add(uri);
      else this.pushed.delete(uri);
      const diagnostics = lspDiagnostics(document, checked.problems);
      await this.connection.sendDiagnostics({ uri, version: checked.version, diagnostics });
    }
    const status = analysis ? modelStatus(analysis, checked.problems) : null;
    await this.connection.sendNotification(STATUS_METHOD, {
      uri,
      version: checked.version,
      status,
    } satisfies StatusParams);
  }

  private close(uri: string): void {
    clearTimeout(this.timers.get(uri));
    this.timers.delete(uri);
    this.settings.delete(uri);
    if (this.pushed.delete(uri)) void this.connection.sendDiagnostics({ uri, diagnostics: [] });
  }

  // ---- answers ----

  private async inlayHints(uri: string, range: Range): Promise<InlayHint[]> {
    const found = await this.check(uri);
    if (!found?.checked.analysis) return [];
    const { document, checked } = found;
    const { analysis, settings, version } = checked;
    const sound = this.sound.get(document) ?? null;
    const previous = sound === analysis ? null : sound;
    return inlayHints(analysis!, settings.hints, offsets(document, range), previous).map((hint) => {
      const { kind, layer, kept } = hint;
      return {
        position: document.positionAt(hint.offset),
        label: hint.label,
        kind: InlayHintKind.Type,
        paddingLeft: true,
        ...(resolvesTooltips(this.client)
          ? { data: { kind, layer, kept, uri, version } satisfies HintData }
          : { tooltip: markup(hintTooltip(analysis!, hint)) }),
      };
    });
  }

  private async resolveHint(hint: InlayHint): Promise<InlayHint> {
    const data = hint.data as HintData;
    const found = await this.check(data.uri);
    // The text has changed since: the client asks for new hints anyway.
    if (!found?.checked.analysis || found.checked.version !== data.version) return hint;
    return { ...hint, tooltip: markup(hintTooltip(found.checked.analysis, data)) };
  }

  private async hover(uri: string, position: Range["start"]): Promise<Hover | null> {
    const found = await this.check(uri);
    if (!found?.checked.analysis) return null;
    const answer = hover(found.checked.analysis, found.document.offsetAt(position));
    return answer && { range: lspRange(found.document, answer.range), contents: markup(answer.markdown) };
  }

  private async symbols(uri: string): Promise<DocumentSymbol[] | SymbolInformation[]> {
    const found = await this.check(uri);
    if (!found?.checked.analysis) return [];
    const nested = this.client.textDocument?.documentSymbol?.hierarchicalDocumentSymbolSupport === true;
    return lspSymbols(found.document, documentSymbols(found.checked.analysis), nested);
  }

  private async complete(uri: string, position: Range["start"]): Promise<CompletionItem[]> {
    const found = await this.check(uri);
    if (!found?.checked.analysis) return [];
    const offset = found.document.offsetAt(position);
    return lspCompletions(found.document, completion(found.checked.analysis, offset));
  }

  private async codeActions({ textDocument: { uri }, range, context }: CodeActionParams): Promise<CodeAction[]> {
    const found = await this.check(uri);
    if (!found?.checked.prover) return [];
    const { document, checked } = found;
    const wants = (kind: string) => context.only?.some((only) => `${kind}.`.startsWith(`${only}.`)) ?? kind !== FIX_ALL;
    const actions: CodeAction[] = [];
    if (wants(CodeActionKind.QuickFix)) {
      for (const fix of quickFixes(checked.problems, found.checked.prover, offsets(document, range), uri)) {
        actions.push({
          title: fix.title,
          kind: CodeActionKind.QuickFix,
          diagnostics: lspDiagnostics(document, [fix.problem]),
          ...(fix.preferred ? { isPreferred: true } : {}),
          edit: lspEdit(document, fix.edits, this.client),
        });
      }
    }
    if (wants(FIX_ALL)) {
      const action = { title: "Fix all problems that are surely mended", kind: FIX_ALL };
      const data: ActionData = { uri, version: checked.version };
      if (resolvesEdits(this.client)) actions.push({ ...action, data });
      else actions.push({ ...action, edit: lspEdit(document, editsOfAll(checked), this.client) });
    }
    return actions;
  }

  private async resolveAction(action: CodeAction): Promise<CodeAction | ResponseError<void>> {
    const data = action.data as ActionData | undefined;
    if (!data) return action;
    const found = await this.check(data.uri);
    if (!found || found.checked.version !== data.version)
      return new ResponseError(LSPErrorCodes.ContentModified, "the text has changed since");
    return { ...action, edit: lspEdit(found.document, editsOfAll(found.checked), this.client) };
  }

  private async options(uri: string): Promise<OptionsResult> {
    const checked = (await this.check(uri))?.checked;
    if (!checked?.analysis) return null;
    const { input, scale, rules, targets } = checked.settings;
    return { input, scale, rules, targets };
  }

  private async layerTable(uri: string): Promise<LayerTableResult> {
    const analysis = (await this.check(uri))?.checked.analysis;
    return analysis ? layerTableMarkdown(analysis) : null;
  }

  private async documentReport(uri: string, previous: string | undefined): Promise<DocumentDiagnosticReport> {
    const found = await this.check(uri);
    if (!found) return { kind: DocumentDiagnosticReportKind.Full, items: [] };
    const { resultId } = found.checked;
    if (previous === resultId) return { kind: DocumentDiagnosticReportKind.Unchanged, resultId };
    const items = lspDiagnostics(found.document, found.checked.problems);
    return { kind: DocumentDiagnosticReportKind.Full, resultId, items };
  }

  // ---- the workspace ----

  private async workspaceReport(
    params: WorkspaceDiagnosticParams,
    token: CancellationToken,
  ): Promise<WorkspaceDiagnosticReport> {
    const known = new Map(params.previousResultIds.map(({ uri, value }) => [fileKey(uri), { uri, value }]));
    const items: WorkspaceDocumentDiagnosticReport[] = [];
    const open = new Set<string>();
    for (const { uri, version } of this.documents.all()) {
      const key = fileKey(uri);
      open.add(key);
      items.push({ ...(await this.documentReport(uri, known.get(key)?.value)), uri, version });
      known.delete(key);
    }
    for await (const { uri, resultId, result } of this.workspace?.results(open, token) ?? []) {
      if (result === null) continue;
      const previous = known.get(fileKey(uri));
      known.delete(fileKey(uri));
      items.push(
        previous?.value === resultId
          ? { kind: DocumentDiagnosticReportKind.Unchanged, uri, version: null, resultId }
          : { kind: DocumentDiagnosticReportKind.Full, uri, version: null, resultId, items: [...result] },
      );
    }
    // What was a model at the last report and is none now, or gone.
    for (const { uri } of known.values())
      items.push({ kind: DocumentDiagnosticReportKind.Full, uri, version: null, items: [] });
    return { items };
  }
}

/** The problems of a file nobody has opened; null where it is no model. */
function diagnosticsOfFile(uri: string, text: string, settings: Settings): readonly Diagnostic[] | null {
  const analysis = analyseUnder(settings, text, uri);
  return analysis && lspDiagnostics(TextDocument.create(uri, "", 0, text), problems(analysis, settings.rules));
}

function editsOfAll({ prover }: Checked): readonly TextEdit[] {
  return prover ? fixAll(prover, false).edits : [];
}

function uriOf({ uri }: { readonly uri: string }): string {
  return uri;
}

function cancelled(): ResponseError<void> {
  return new ResponseError(LSPErrorCodes.RequestCancelled, "cancelled");
}
