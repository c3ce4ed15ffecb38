/**
 * The language server: the only file that knows a connection, LSP types and LSP positions. It keeps one analysis per
 * document version, asks features/ for answers in offsets, and puts them into the protocol's words.
 */
import {
  type CancellationToken,
  type ClientCapabilities,
  type CompletionItem,
  CompletionItemKind,
  type Connection,
  type Diagnostic,
  DiagnosticSeverity,
  DiagnosticTag,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  DidChangeWorkspaceFoldersNotification,
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
  MarkupKind,
  ResponseError,
  type SymbolInformation,
  SymbolKind,
  TextDocumentSyncKind,
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
  STATUS_METHOD,
  type StatusParams,
} from "#shared/protocol.ts";
import { readSettings, SECTION, type Settings } from "#shared/settings.ts";
import { type Analysis, analyse } from "./analysis.ts";
import { type Completion, completion } from "./features/completion.ts";
import { type Problem, problems } from "./features/diagnostics.ts";
import { documentSymbols } from "./features/documentSymbols.ts";
import { hover } from "./features/hover.ts";
import { type Hint, hintTooltip, inlayHints } from "./features/inlayHints.ts";
import { layerTableMarkdown } from "./features/layerTable.ts";
import { modelStatus } from "./features/status.ts";

/** The files of a workspace, where the host can read them. URIs throughout. */
export interface WorkspaceFiles {
  /** The files of a folder that may be models. Stops early, with what it has, once the token is cancelled. */
  find(folder: string, token: CancellationToken): Promise<readonly string[]>;
  /** Changes whenever the content does; null where there is no such file or it is too large to be read unasked. */
  stamp(uri: string): Promise<string | null>;
  read(uri: string): Promise<string>;
}

/** How long the text must rest before problems are pushed; pulled answers never wait. */
const REST_MS = 50;

const WATCHED = "**/*.{yaml,yml,json,jsonc}";

/** One document version under one set of settings. */
interface Checked {
  readonly version: number;
  readonly settings: Settings;
  readonly analysis: Analysis | null;
  readonly problems: readonly Problem[];
  /** Tells apart what was answered before; unique in this process. */
  readonly resultId: string;
}

interface CheckedFile {
  readonly stamp: string;
  readonly settings: Settings;
  readonly resultId: string;
  /** null: no model. */
  readonly diagnostics: readonly Diagnostic[] | null;
}

/** What an inlay hint's tooltip is made from when the client asks for it. */
interface HintData extends Pick<Hint, "kind" | "layer" | "kept"> {
  readonly uri: string;
  readonly version: number;
}

/** Answers on a connection until it ends. @param files null where the host has no file system, as in a browser. */
export function serve(connection: Connection, files: WorkspaceFiles | null): void {
  new Server(connection, files).listen();
}

class Server {
  private readonly documents = new TextDocuments(TextDocument);
  private readonly checked = new WeakMap<TextDocument, Checked>();
  /** The last analysis without an error, while the document is being edited. */
  private readonly sound = new WeakMap<TextDocument, Analysis>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly pushed = new Set<string>();
  private settings = new Map<string, Promise<Settings>>();
  /** The section `convlint` as sent by clients that cannot be asked for it. */
  private sentSettings: unknown;
  private readonly complaints = new Set<string>();
  private client: ClientCapabilities = {};
  private folders: readonly string[] = [];
  private listing: Promise<readonly string[]> | null = null;
  private readonly checkedFiles = new Map<string, CheckedFile>();
  /** The client tells of changed files, so nothing needs to be looked at again unasked. */
  private watching = false;
  private results = 0;
  private readonly started = Date.now().toString(36);

  constructor(
    private readonly connection: Connection,
    private readonly files: WorkspaceFiles | null,
  ) {}

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
        for (const { uri } of changes) this.checkedFiles.delete(fileKey(uri));
        this.listing = null;
      }),
    );
    connection.onNotification(
      DidChangeWorkspaceFoldersNotification.type,
      this.told("didChangeWorkspaceFolders", ({ event }) => {
        const removed = new Set(event.removed.map(({ uri }) => uri));
        this.folders = [...this.folders.filter((uri) => !removed.has(uri)), ...event.added.map(({ uri }) => uri)];
        this.listing = null;
      }),
    );
    documents.onDidChangeContent(({ document }) => this.schedule(document, this.checked.has(document) ? REST_MS : 0));
    documents.onDidSave(({ document }) => this.sound.delete(document));
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
    connection.onRequest(
      LAYER_TABLE_METHOD,
      this.asked(LAYER_TABLE_METHOD, (params: LayerTableParams) => this.layerTable(params.textDocument.uri)),
    );
    documents.listen(connection);
    connection.listen();
  }

  // ---- the life of the connection ----

  private initialize(params: InitializeParams): InitializeResult {
    this.client = params.capabilities;
    this.sentSettings = params.initializationOptions;
    const folders = params.workspaceFolders?.map(({ uri }) => uri) ?? (params.rootUri ? [params.rootUri] : []);
    this.folders = folders;
    return {
      serverInfo: { name: "convlint" },
      capabilities: {
        positionEncoding: "utf-16",
        textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: true },
        inlayHintProvider: { resolveProvider: this.resolvesTooltips },
        hoverProvider: true,
        documentSymbolProvider: { label: "ConvLint" },
        completionProvider: { triggerCharacters: [":", " ", "{", ",", "-"] },
        ...(this.pulls
          ? {
              diagnosticProvider: {
                identifier: SECTION,
                interFileDependencies: false,
                workspaceDiagnostics: this.files !== null,
              },
            }
          : {}),
        workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
      },
    };
  }

  private async register(): Promise<void> {
    const { workspace } = this.client;
    if (workspace?.didChangeConfiguration?.dynamicRegistration) {
      await this.connection.client.register(DidChangeConfigurationNotification.type, { section: SECTION });
    }
    if (this.files && workspace?.didChangeWatchedFiles?.dynamicRegistration) {
      const watchers = [{ globPattern: WATCHED }];
      await this.connection.client.register(DidChangeWatchedFilesNotification.type, { watchers });
      this.watching = true;
      this.listing = null;
    }
  }

  private get pulls(): boolean {
    return this.client.textDocument?.diagnostic !== undefined;
  }

  private get resolvesTooltips(): boolean {
    return this.client.textDocument?.inlayHint?.resolveSupport?.properties.includes("tooltip") ?? false;
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
    return settings;
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
    this.checkedFiles.clear();
    for (const document of this.documents.all()) this.schedule(document, 0);
    const { workspace } = this.client;
    if (workspace?.inlayHint?.refreshSupport) await this.connection.languages.inlayHint.refresh();
    if (this.pulls && workspace?.diagnostics?.refreshSupport) await this.connection.languages.diagnostics.refresh();
  }

  // ---- checking ----

  /** The document as it is now, checked; null where it is not open. */
  private async check(uri: string): Promise<{ readonly document: TextDocument; readonly checked: Checked } | null> {
    const settings = await this.settingsOf(uri);
    const document = this.documents.get(uri);
    if (!document) return null;
    const before = this.checked.get(document);
    if (before?.version === document.version && before.settings === settings) return { document, checked: before };
    const { enable, input, scale, rules } = settings;
    const analysis = enable ? analyse(document.getText(), uri, { input, scale }) : null;
    const checked: Checked = {
      version: document.version,
      settings,
      analysis,
      problems: analysis ? problems(analysis, rules) : [],
      resultId: this.nextResult(),
    };
    this.checked.set(document, checked);
    if (analysis && !analysis.diagnostics.some(({ severity }) => severity === "error"))
      this.sound.set(document, analysis);
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
    if (!this.pulls && (analysis || this.pushed.has(uri))) {
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
    this.checkedFiles.delete(fileKey(uri));
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
        ...(this.resolvesTooltips
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
    const { document } = found;
    const symbols = documentSymbols(found.checked.analysis);
    if (!this.client.textDocument?.documentSymbol?.hierarchicalDocumentSymbolSupport) {
      return symbols.map(({ name, range }) => ({
        name,
        kind: SymbolKind.Object,
        location: { uri, range: lspRange(document, range) },
      }));
    }
    return symbols.map(({ name, detail, range, selection }) => ({
      name,
      detail,
      kind: SymbolKind.Object,
      range: lspRange(document, range),
      selectionRange: lspRange(document, selection),
    }));
  }

  private async complete(uri: string, position: Range["start"]): Promise<CompletionItem[]> {
    const found = await this.check(uri);
    if (!found?.checked.analysis) return [];
    const { document } = found;
    return completion(found.checked.analysis, document.offsetAt(position)).map(
      ({ label, kind, detail, replace, text }) => ({
        label,
        kind: COMPLETION_KINDS[kind],
        detail,
        textEdit: { range: lspRange(document, replace), newText: text },
      }),
    );
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
      open.add(fileKey(uri));
      const previous = known.get(fileKey(uri))?.value;
      items.push({ ...(await this.documentReport(uri, previous)), uri, version });
      known.delete(fileKey(uri));
    }
    for (const uri of await this.modelFiles(token)) {
      if (token.isCancellationRequested) break;
      const key = fileKey(uri);
      if (open.has(key)) continue;
      const file = await this.checkFile(uri);
      if (!file?.diagnostics) continue;
      const { resultId, diagnostics } = file;
      const previous = known.get(key);
      known.delete(key);
      items.push(
        previous?.value === resultId
          ? { kind: DocumentDiagnosticReportKind.Unchanged, uri, version: null, resultId }
          : { kind: DocumentDiagnosticReportKind.Full, uri, version: null, resultId, items: [...diagnostics] },
      );
    }
    // What was a model at the last report and is none now, or gone.
    for (const { uri } of known.values())
      items.push({ kind: DocumentDiagnosticReportKind.Full, uri, version: null, items: [] });
    return { items };
  }

  private async modelFiles(token: CancellationToken): Promise<readonly string[]> {
    const { files } = this;
    if (!files) return [];
    if (this.listing && this.watching) return this.listing;
    const listing = Promise.all(this.folders.map((folder) => files.find(folder, token))).then((found) => found.flat());
    this.listing = listing;
    await listing;
    // A search that was cut short is no listing.
    if (token.isCancellationRequested && this.listing === listing) this.listing = null;
    return listing;
  }

  private async checkFile(uri: string): Promise<CheckedFile | null> {
    const key = fileKey(uri);
    const settings = await this.settingsOf(uri);
    const before = this.checkedFiles.get(key);
    if (before?.settings === settings && this.watching) return before;
    const stamp = await this.files!.stamp(uri);
    if (stamp === null) return null;
    if (before?.settings === settings && before.stamp === stamp) return before;
    const { enable, input, scale, rules } = settings;
    const text = await this.files!.read(uri);
    const analysis = enable ? analyse(text, uri, { input, scale }) : null;
    const diagnostics = analysis && lspDiagnostics(TextDocument.create(uri, "", 0, text), problems(analysis, rules));
    const file = { stamp, settings, resultId: this.nextResult(), diagnostics };
    this.checkedFiles.set(key, file);
    return file;
  }
}

const COMPLETION_KINDS: Readonly<Record<Completion["kind"], CompletionItemKind>> = {
  type: CompletionItemKind.Class,
  parameter: CompletionItemKind.Property,
  value: CompletionItemKind.EnumMember,
  layer: CompletionItemKind.Reference,
};

const SEVERITIES: Readonly<Record<Problem["severity"], DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  information: DiagnosticSeverity.Information,
  hint: DiagnosticSeverity.Hint,
};

function lspDiagnostics(document: TextDocument, found: readonly Problem[]): Diagnostic[] {
  const { uri } = document;
  return found.map(({ code, href, severity, range, message, related, unnecessary }) => ({
    source: SECTION,
    code,
    codeDescription: { href },
    severity: SEVERITIES[severity],
    range: lspRange(document, range),
    message,
    ...(unnecessary ? { tags: [DiagnosticTag.Unnecessary] } : {}),
    ...(related.length > 0
      ? {
          relatedInformation: related.map((place) => ({
            location: { uri, range: lspRange(document, place.range) },
            message: place.message,
          })),
        }
      : {}),
  }));
}

function lspRange(document: TextDocument, { start, end }: { readonly start: number; readonly end: number }): Range {
  return { start: document.positionAt(start), end: document.positionAt(end) };
}

function offsets(document: TextDocument, { start, end }: Range) {
  return { start: document.offsetAt(start), end: document.offsetAt(end) };
}

/** Clients and Node write the same file's URI differently: `file:///c%3A/a` and `file:///C:/a`. */
function fileKey(uri: string): string {
  const plain = uri.includes("%") ? decoded(uri) : uri;
  return plain.replace(/^file:\/\/\/[A-Z]:/, (drive) => drive.toLowerCase());
}

function decoded(uri: string): string {
  try {
    return decodeURIComponent(uri);
  } catch (error) {
    if (error instanceof URIError) return uri;
    throw error;
  }
}

function markup(value: string) {
  return { kind: MarkupKind.Markdown, value };
}

function cancelled(): ResponseError<void> {
  return new ResponseError(LSPErrorCodes.RequestCancelled, "cancelled");
}
