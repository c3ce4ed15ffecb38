/**
 * The protocol's words: what features/ answer in offsets, as LSP types in lines and columns; what the server can do, by what
 * the client can.
 */
import {
  type ClientCapabilities,
  CodeActionKind,
  type CompletionItem,
  CompletionItemKind,
  type Diagnostic,
  DiagnosticSeverity,
  DiagnosticTag,
  type DocumentSymbol,
  MarkupKind,
  type ServerCapabilities,
  type SymbolInformation,
  SymbolKind,
  TextDocumentSyncKind,
  type WorkspaceEdit,
} from "vscode-languageserver";
import type { Range, TextDocument } from "vscode-languageserver-textdocument";
import { SECTION } from "#shared/settings.ts";
import type { Completion } from "./features/completion.ts";
import type { Problem } from "./features/diagnostics.ts";
import type { LayerSymbol } from "./features/documentSymbols.ts";
import type { TextEdit } from "./syntax/edit.ts";

/** All problems of a document that are surely mended, at once: for editors to do on saving. */
export const FIX_ALL = `${CodeActionKind.SourceFixAll}.${SECTION}`;

/** @param hasFiles whether there is a file system, so that the workspace can be checked. */
export function serverCapabilities(client: ClientCapabilities, hasFiles: boolean): ServerCapabilities {
  return {
    positionEncoding: "utf-16",
    textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: true },
    inlayHintProvider: { resolveProvider: resolvesTooltips(client) },
    hoverProvider: true,
    documentSymbolProvider: { label: "ConvLint" },
    ...(client.textDocument?.codeAction?.codeActionLiteralSupport
      ? {
          codeActionProvider: {
            codeActionKinds: [CodeActionKind.QuickFix, FIX_ALL],
            resolveProvider: resolvesEdits(client),
          },
        }
      : {}),
    completionProvider: { triggerCharacters: [":", " ", "{", ",", "-"] },
    ...(pullsDiagnostics(client)
      ? {
          diagnosticProvider: {
            identifier: SECTION,
            interFileDependencies: false,
            workspaceDiagnostics: hasFiles,
          },
        }
      : {}),
    workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
  };
}

export function pullsDiagnostics(client: ClientCapabilities): boolean {
  return client.textDocument?.diagnostic !== undefined;
}

export function resolvesTooltips(client: ClientCapabilities): boolean {
  return client.textDocument?.inlayHint?.resolveSupport?.properties.includes("tooltip") ?? false;
}

export function resolvesEdits(client: ClientCapabilities): boolean {
  const support = client.textDocument?.codeAction;
  return support?.dataSupport === true && (support.resolveSupport?.properties.includes("edit") ?? false);
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

export function lspDiagnostics(document: TextDocument, found: readonly Problem[]): Diagnostic[] {
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

export function lspRange(
  document: TextDocument,
  { start, end }: { readonly start: number; readonly end: number },
): Range {
  return { start: document.positionAt(start), end: document.positionAt(end) };
}

export function offsets(document: TextDocument, { start, end }: Range) {
  return { start: document.offsetAt(start), end: document.offsetAt(end) };
}

export function markup(value: string) {
  return { kind: MarkupKind.Markdown, value };
}

/** @param nested whether the client knows symbols with ranges of their own. */
export function lspSymbols(
  document: TextDocument,
  symbols: readonly LayerSymbol[],
  nested: boolean,
): DocumentSymbol[] | SymbolInformation[] {
  if (!nested) {
    return symbols.map(({ name, range }) => ({
      name,
      kind: SymbolKind.Object,
      location: { uri: document.uri, range: lspRange(document, range) },
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

export function lspCompletions(document: TextDocument, completions: readonly Completion[]): CompletionItem[] {
  return completions.map(({ label, kind, detail, replace, text }) => ({
    label,
    kind: COMPLETION_KINDS[kind],
    detail,
    textEdit: { range: lspRange(document, replace), newText: text },
  }));
}

/** Edits of one document, tied to its version where the client can be. */
export function lspEdit(document: TextDocument, edits: readonly TextEdit[], client: ClientCapabilities): WorkspaceEdit {
  const { uri, version } = document;
  const changes = edits.map(({ range, newText }) => ({ range: lspRange(document, range), newText }));
  if (!client.workspace?.workspaceEdit?.documentChanges) return { changes: { [uri]: changes } };
  return { documentChanges: [{ textDocument: { uri, version }, edits: changes }] };
}
