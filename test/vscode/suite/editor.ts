/** What the tests do in the editor, and how they wait: on VS Code's events and answers, never for a time. */
import {
  commands,
  type Diagnostic,
  type Event,
  extensions,
  type Hover,
  type InlayHint,
  languages,
  MarkdownString,
  Position,
  Range,
  type TextDocument,
  type TextEditor,
  Uri,
  window,
  workspace,
} from "vscode";

/** Activates the extension and shows a file of test/vscode/workspace; the server knows it when this resolves. */
export async function open(name: string): Promise<TextEditor> {
  await extensions.getExtension("convlint.convlint")!.activate();
  await commands.executeCommand("workbench.action.closeSidebar"); // for long lines to be seen whole
  const folder = workspace.workspaceFolders![0]!.uri;
  const document = await workspace.openTextDocument(Uri.joinPath(folder, name));
  return window.showTextDocument(document);
}

/** Undoes all edits and closes editors and panel, so that tests don't see each other's traces. */
export async function closeAll(): Promise<void> {
  for (const document of workspace.textDocuments.filter(
    ({ uri, isDirty }) => isDirty && workspace.getWorkspaceFolder(uri),
  )) {
    await window.showTextDocument(document);
    await commands.executeCommand("workbench.action.files.revert");
  }
  await commands.executeCommand("workbench.action.closePanel");
  await commands.executeCommand("workbench.action.closeAllEditors");
}

/** The range of `text`'s first occurrence; throws when the document does not hold it. */
export function rangeOf(document: TextDocument, text: string): Range {
  const offset = document.getText().indexOf(text);
  if (offset < 0) throw new Error(`${document.uri.path} does not hold ${JSON.stringify(text)}`);
  return new Range(document.positionAt(offset), document.positionAt(offset + text.length));
}

/** Types `now` in place of `old`. */
export async function replace(editor: TextEditor, old: string, now: string): Promise<void> {
  await editor.edit((edit) => edit.replace(rangeOf(editor.document, old), now));
}

/** All inlay hints of a document, resolved, from top to bottom. */
export async function hintsOf({ uri, lineCount }: TextDocument): Promise<InlayHint[]> {
  const all = new Range(0, 0, lineCount, 0);
  return commands.executeCommand<InlayHint[]>("vscode.executeInlayHintProvider", uri, all);
}

export function label(hint: InlayHint): string {
  return typeof hint.label === "string" ? hint.label : hint.label.map((part) => part.value).join("");
}

/** `3: [N, 6, 28, 28]`: the hints' texts with their lines, counted from 1 as in the editor. */
export async function hintLines(document: TextDocument): Promise<string[]> {
  return (await hintsOf(document)).map((hint) => `${hint.position.line + 1}: ${label(hint).trim()}`);
}

/** The text of the hovers at the start of `text`. */
export async function hoverAt(document: TextDocument, text: string): Promise<string> {
  const { start } = rangeOf(document, text);
  const at = new Position(start.line, start.character + 1);
  const hovers = await commands.executeCommand<Hover[]>("vscode.executeHoverProvider", document.uri, at);
  return hovers
    .flatMap((hover) =>
      hover.contents.map((content) => (content instanceof MarkdownString ? content.value : String(content))),
    )
    .join("\n");
}

/** Resolves with what `read` gives, asked now and again whenever `event` fires, as soon as it is not undefined. */
export function when<T>(event: Event<unknown>, read: () => T | undefined): Promise<T> {
  return new Promise((resolve) => {
    const ask = () => {
      const found = read();
      if (found === undefined) return;
      listener.dispose();
      resolve(found);
    };
    const listener = event(ask);
    ask();
  });
}

/** Asks `read` until `accepts` says yes: for what VS Code answers but does not announce. */
export async function until<T>(read: () => Promise<T> | Thenable<T>, accepts: (found: T) => boolean): Promise<T> {
  for (;;) {
    const found = await read();
    if (accepts(found)) return found;
    await new Promise((next) => setTimeout(next, 20));
  }
}

/** The problems of a document once `accepts` says yes to them. */
export function problems(
  { uri }: TextDocument,
  accepts: (found: Diagnostic[]) => boolean = (found) => found.length > 0,
): Promise<Diagnostic[]> {
  return when(languages.onDidChangeDiagnostics, () => {
    const found = languages.getDiagnostics(uri).filter(({ source }) => source === "convlint");
    return accepts(found) ? found : undefined;
  });
}

/** The rule that a problem names; its page is behind it. */
export function codeOf(problem: Diagnostic | undefined): unknown {
  return typeof problem?.code === "object" ? problem.code.value : problem?.code;
}
