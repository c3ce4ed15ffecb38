/**
 * One preview: a webview beside the text, its worker, and the way between them. It keeps nothing of the model itself but
 * which files were chosen for it: the page and the worker can both be made again at any time.
 */
import {
  type Disposable,
  Range,
  Selection,
  type TextDocument,
  TextEditorRevealType,
  Uri,
  type WebviewPanel,
  window,
  workspace,
} from "vscode";
import type { Range as Offsets } from "#shared/ops/finding.ts";
import type {
  ChosenFiles,
  PageMessage,
  PanelMessage,
  PanelRequest,
  Request,
  WorkerEvent,
} from "#shared/preview/protocol.ts";
import type { CheckOptions } from "#shared/protocol.ts";
import { FileRefusal, pick, readSample, readWeights, save } from "./files.ts";
import { checked, documentOf, newNonce } from "./page.ts";
import type { StartThread, Thread } from "./thread.ts";

/** How long the text must rest; typing fast sends the last text only. */
const REST_MS = 10;

/** Requests that leave what is being computed as it is. */
const HARMLESS: ReadonlySet<string> = new Set([
  "tiles",
  "series",
  "value",
  "explain",
  "spread",
  "export",
  "show",
  "cursor",
  "hello",
]);

const NO_OPTIONS: CheckOptions = { input: null, scale: null, rules: {}, targets: [] };

export interface PanelHost {
  /** The folder of the bundles. */
  readonly dist: Uri;
  readonly startThread: StartThread;
  /** Under which settings a document is checked; null where nobody knows, or it is no model. */
  optionsOf(document: TextDocument): Promise<CheckOptions | null>;
}

/** What a panel shows, and how; by this it can be made again. */
export interface Shown {
  readonly document: TextDocument;
  readonly pinned: boolean;
  readonly files: ChosenFiles;
}

export class PreviewPanel implements Disposable {
  private document: TextDocument;
  private isPinned: boolean;
  private files: ChosenFiles;
  /** Before the last change. */
  private filesBefore: ChosenFiles;
  private thread: Thread | null = null;
  /** Ids of the model's inputs. */
  private inputs: readonly string[] = [];
  /** The page's script runs. */
  private hasPage = false;
  /** The worker has been given the chosen files. */
  private hasFiles = false;
  /** What the page asked before the worker had a text. */
  private held: Request[] = [];
  private hasText = false;
  private options = NO_OPTIONS;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Where the cursor went while the text rested. */
  private cursorAhead: Selection | null = null;
  /** What the page made the editor select, which says nothing new to the page. */
  private revealed: Selection | null = null;
  private readonly parts: Disposable[];

  constructor(
    readonly view: WebviewPanel,
    { document, pinned, files }: Shown,
    private readonly host: PanelHost,
    private readonly closed: (panel: PreviewPanel) => void,
  ) {
    this.document = document;
    this.isPinned = pinned;
    this.files = files;
    this.filesBefore = files;
    const { webview } = view;
    webview.options = { enableScripts: true, localResourceRoots: [host.dist] };
    this.parts = [
      webview.onDidReceiveMessage((message: unknown) => this.hear(message)),
      view.onDidDispose(() => this.dispose()),
      workspace.onDidChangeTextDocument(({ document: changed }) => changed === this.document && this.textSoon()),
      workspace.onDidChangeConfiguration(
        (change) => change.affectsConfiguration("convlint.preview") && this.sendBudget(),
      ),
      window.onDidChangeTextEditorSelection(({ textEditor, selections }) => {
        if (textEditor.document === this.document) this.cursorMoved(selections[0]);
      }),
    ];
    webview.html = documentOf(
      webview,
      Uri.joinPath(host.dist, "preview.js"),
      Uri.joinPath(host.dist, "preview.css"),
      newNonce(),
    );
    this.sayPanel();
    this.start();
  }

  get uri(): Uri {
    return this.document.uri;
  }

  get pinned(): boolean {
    return this.isPinned;
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.thread?.end();
    this.thread = null;
    for (const part of this.parts) part.dispose();
    this.closed(this);
  }

  /** Shows another model, unless it is pinned. */
  follow(document: TextDocument): void {
    if (this.isPinned || document === this.document) return;
    this.document = document;
    this.revealed = null;
    this.sayPanel();
    void this.refreshOptions(true);
  }

  /** The settings that the document is checked under may have changed. */
  async refreshOptions(always = false): Promise<void> {
    const { document } = this;
    const options = (await this.host.optionsOf(document)) ?? NO_OPTIONS;
    if (document !== this.document) return;
    const isNew = JSON.stringify(options) !== JSON.stringify(this.options);
    this.options = options;
    if (isNew || always) this.sendText();
  }

  // ---- the worker ----

  private start(): void {
    this.hasText = false;
    this.hasFiles = false;
    this.thread = this.host.startThread(
      (event) => this.said(event),
      (why) => this.lost(why),
    );
    this.sendBudget();
    void this.refreshOptions(true);
  }

  /** The worker has ended by itself. A new one starts with the next text. */
  private lost(why: string): void {
    this.thread?.end();
    this.thread = null;
    this.tellPage({
      kind: "notice",
      severity: "error",
      message: `The preview's engine has stopped: ${why}. It starts again when the text changes.`,
    });
  }

  private said(event: WorkerEvent): void {
    if (event.kind === "crashed") {
      console.error(`ConvLint preview: ${event.message}`);
      this.lost(event.message.split("\n", 1)[0]!);
    } else if (event.kind === "file")
      void this.saveFile(event.name, event.bytes, () => this.tellPage({ kind: "done", id: event.id }));
    else {
      if (event.kind === "diagram") this.inputs = event.diagram.inputs;
      if (event.kind === "unreadable") this.remember(this.filesBefore);
      this.tellPage(event);
      if (event.kind === "diagram") void this.readAgain();
    }
  }

  private send(message: Request | PanelRequest, transfer: readonly ArrayBuffer[] = []): void {
    this.thread?.send(message, !HARMLESS.has(message.kind), transfer);
  }

  private textSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.sendText(), REST_MS);
  }

  private sendText(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.thread) {
      this.start();
      return;
    }
    const { document, options } = this;
    this.send({ kind: "text", text: document.getText(), path: document.uri.path, version: document.version, options });
    this.hasText = true;
    for (const request of this.held.splice(0)) this.send(request);
    const cursor = this.cursorAhead;
    this.cursorAhead = null;
    if (cursor) this.cursorMoved(cursor);
  }

  private sendBudget(): void {
    const settings = workspace.getConfiguration("convlint.preview");
    const [billions, mebibytes] = [settings.get("budget", 20), settings.get("memory", 2048)];
    this.send({ kind: "budget", macs: billions * 1e9, bytes: mebibytes * 2 ** 20 });
  }

  // ---- the page ----

  private tellPage(message: PanelMessage | WorkerEvent): void {
    void this.view.webview.postMessage(message);
  }

  private sayPanel(): void {
    const name = this.document.uri.path.replace(/^.*\//, "");
    const title = `Preview ${name}`;
    this.view.title = this.isPinned ? `${title} (pinned)` : title;
    const { isPinned: pinned, files } = this;
    this.tellPage({ kind: "panel", title: name, pinned, file: this.document.uri.toString(), files });
  }

  private hear(said: unknown): void {
    const message = checked(said);
    if (!message) return;
    if (!("id" in message)) {
      void this.hearPage(message);
      return;
    }
    this.forgetFiles(message);
    if (this.hasText) this.send(message);
    else this.held.push(message);
  }

  private async hearPage(message: PageMessage): Promise<void> {
    switch (message.kind) {
      case "ready":
        this.hasPage = true;
        this.sayPanel();
        this.send({ kind: "hello" });
        return;
      case "pin":
        this.isPinned = message.pinned;
        this.sayPanel();
        return;
      case "reveal":
        await this.reveal(message.range);
        return;
      case "save":
        await this.saveFile(message.name, message.bytes, () => {});
        return;
      case "pick":
        await this.pick(message);
    }
  }

  // ---- files ----

  private async pick({ what, input }: Extract<PageMessage, { kind: "pick" }>): Promise<void> {
    const uris = await pick(what, this.document.uri);
    if (uris.length === 0) return;
    if (what === "weights" || what === "weightFolder") await this.useWeights(uris);
    else await this.useSample(uris[0]!, input);
  }

  /** Takes the model's weights from files, or from a folder of them; says on the page why where they cannot be read. */
  async useWeights(uris: readonly Uri[]): Promise<void> {
    await this.orNotice(async () => {
      const files = await readWeights(uris);
      const weights = uris.map((uri) => uri.toString());
      this.send(
        { kind: "weightFiles", files },
        files.map(({ bytes }) => bytes),
      );
      this.remember({ ...this.files, weights });
    });
  }

  /**
   * Takes a sample from a picture or an array; says on the page why where it cannot be read.
   * @param input null: the first one.
   */
  async useSample(uri: Uri, input: string | null): Promise<void> {
    await this.orNotice(async () => {
      const { kind, file } = await readSample(uri);
      const into = input ?? this.inputs[0];
      if (into === undefined) throw new FileRefusal("The model has no input that a sample could go to.");
      if (kind === "picture") this.tellPage({ kind: "picked", file, input: into });
      else this.send({ kind: "sampleFile", input: into, file }, [file.bytes]);
      this.remember({ ...this.files, samples: { ...this.files.samples, [into]: uri.toString() } });
    });
  }

  /** Gives the chosen files to a worker that is new, once it has a model and there is a page that decodes pictures. */
  private async readAgain(): Promise<void> {
    if (this.hasFiles || !this.hasPage) return;
    this.hasFiles = true;
    const { weights, samples } = this.files;
    if (weights.length > 0) await this.useWeights(weights.map((uri) => Uri.parse(uri)));
    for (const [input, uri] of Object.entries(samples)) {
      if (this.inputs.includes(input)) await this.useSample(Uri.parse(uri), input);
    }
  }

  /** What is generated from now on comes from no file. */
  private forgetFiles(request: Request): void {
    if (request.kind === "seed") this.remember({ ...this.files, weights: [] });
    if (request.kind === "sample" && request.sample.kind === "generated") {
      const { [request.input ?? this.inputs[0] ?? ""]: _, ...samples } = this.files.samples;
      this.remember({ ...this.files, samples });
    }
  }

  private remember(files: ChosenFiles): void {
    this.filesBefore = this.files;
    this.files = files;
    this.sayPanel();
  }

  private async orNotice(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof FileRefusal)) throw error;
      this.tellPage({ kind: "notice", severity: "error", message: error.message });
    }
  }

  private async saveFile(name: string, bytes: ArrayBuffer, saved: () => void): Promise<void> {
    try {
      if (await save(name, bytes, this.document.uri)) {
        this.tellPage({ kind: "notice", severity: "information", message: `${name} is saved.` });
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.tellPage({ kind: "notice", severity: "error", message: `${name} cannot be saved: ${why}` });
    }
    saved();
  }

  // ---- the text ----

  private cursorMoved(selection: Selection | undefined): void {
    if (!selection) return;
    if (this.timer !== undefined) {
      this.cursorAhead = selection; // it is a place in a text that the worker does not have yet
      return;
    }
    const isOwn = this.revealed?.isEqual(selection);
    this.revealed = null;
    if (!isOwn) this.send({ kind: "cursor", offset: this.document.offsetAt(selection.active) });
  }

  /** Puts the cursor of an editor that shows the text there; opens none. */
  private async reveal({ start, end }: Offsets): Promise<void> {
    const { document } = this;
    const editor = window.visibleTextEditors.find((each) => each.document === document);
    if (!editor) return;
    const [from, to] = [document.positionAt(start), document.positionAt(end)];
    const selection = new Selection(from, from);
    if (!editor.selection.isEqual(selection)) this.revealed = selection;
    editor.selection = selection;
    editor.revealRange(new Range(from, to), TextEditorRevealType.InCenterIfOutsideViewport);
  }
}
