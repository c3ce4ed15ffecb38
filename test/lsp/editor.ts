/**
 * An editor for tests: starts the built server as a process of its own and speaks the protocol with it over its standard
 * streams. Everything waits on messages; nothing sleeps.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import {
  type ClientCapabilities,
  createMessageConnection,
  type Diagnostic,
  type DocumentDiagnosticReport,
  type InitializeParams,
  type InitializeResult,
  type InlayHint,
  type MessageConnection,
  type Position,
  type PublishDiagnosticsParams,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-languageserver/node";
import { type ModelStatus, STATUS_METHOD, type StatusParams } from "#shared/protocol.ts";
import { dist, ensureBuilt } from "../harness/build.ts";

/** What a modern editor can do; tests take parts away. */
export const MODERN: ClientCapabilities = {
  workspace: {
    configuration: true,
    didChangeConfiguration: { dynamicRegistration: true },
    didChangeWatchedFiles: { dynamicRegistration: true },
    inlayHint: { refreshSupport: true },
    diagnostics: { refreshSupport: true },
    workspaceFolders: true,
  },
  textDocument: {
    diagnostic: { dynamicRegistration: true },
    inlayHint: { resolveSupport: { properties: ["tooltip"] } },
    documentSymbol: { hierarchicalDocumentSymbolSupport: true },
  },
};

/** An editor that can neither pull nor be asked for settings. */
export const PLAIN: ClientCapabilities = {};

export interface EditorOptions {
  readonly capabilities?: ClientCapabilities;
  readonly folder?: string;
  readonly initializationOptions?: unknown;
  /** The command line; default: the bundled server over stdio. */
  readonly command?: readonly string[];
}

const running = new Set<Editor>();

// A test that fails leaves its server behind, and the run would wait for it.
afterEach(() => {
  for (const editor of running) editor.kill();
});

export class Editor {
  readonly requests: string[] = [];
  readonly logs: string[] = [];
  /** What the server is told when it asks for settings. */
  settings: unknown = {};
  result!: InitializeResult;
  private readonly notifications: { readonly method: string; readonly params: any }[] = [];
  private readonly waiting = new Set<() => void>();
  private readonly versions = new Map<string, number>();

  private constructor(
    readonly process: ChildProcess,
    readonly connection: MessageConnection,
  ) {}

  /** Starts a server and initializes it. */
  static async start(options: EditorOptions = {}): Promise<Editor> {
    await ensureBuilt();
    const [file, ...args] = options.command ?? [dist("server.js"), "--stdio"];
    const child = spawn(process.execPath, [file!, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    const reader = new StreamMessageReader(child.stdout as Readable);
    const connection = createMessageConnection(reader, new StreamMessageWriter(child.stdin as Writable));
    const editor = new Editor(child, connection);
    running.add(editor);
    child.once("exit", () => {
      running.delete(editor);
      connection.dispose();
    });
    editor.listen();
    const folders = options.folder === undefined ? null : [{ uri: options.folder, name: "test" }];
    editor.result = await connection.sendRequest("initialize", {
      processId: process.pid,
      rootUri: options.folder ?? null,
      workspaceFolders: folders,
      capabilities: options.capabilities ?? MODERN,
      initializationOptions: options.initializationOptions,
    } satisfies InitializeParams);
    await connection.sendNotification("initialized", {});
    return editor;
  }

  private listen(): void {
    const { connection } = this;
    connection.onRequest((method, params) => {
      this.requests.push(method);
      this.wake();
      if (method !== "workspace/configuration") return null;
      return (params as { items: unknown[] }).items.map(() => this.settings);
    });
    connection.onNotification((method, params) => {
      if (method === "window/logMessage") this.logs.push((params as { message: string }).message);
      this.notifications.push({ method, params });
      this.wake();
    });
    connection.listen();
  }

  private wake(): void {
    for (const check of [...this.waiting]) check();
  }

  /** Resolves with the first value that is not undefined, looking again at every message. */
  until<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const check = () => {
        const value = look();
        if (value === undefined) return;
        this.waiting.delete(check);
        resolve(value);
      };
      this.waiting.add(check);
      check();
    });
  }

  // ---- documents ----

  async open(uri: string, text: string, languageId = "yaml"): Promise<void> {
    this.versions.set(uri, 1);
    await this.connection.sendNotification("textDocument/didOpen", {
      textDocument: { uri, languageId, version: 1, text },
    });
  }

  /** Replaces a range, or the whole text where there is none; answers the new version. */
  async edit(uri: string, newText: string, start?: Position, end: Position | undefined = start): Promise<number> {
    const version = this.versions.get(uri)! + 1;
    this.versions.set(uri, version);
    const change = start && end ? { range: { start, end }, text: newText } : { text: newText };
    await this.connection.sendNotification("textDocument/didChange", {
      textDocument: { uri, version },
      contentChanges: [change],
    });
    return version;
  }

  async close(uri: string): Promise<void> {
    await this.connection.sendNotification("textDocument/didClose", { textDocument: { uri } });
  }

  // ---- answers ----

  request<T>(method: string, params: unknown): Promise<T> {
    return this.connection.sendRequest<T>(method, params);
  }

  hints(uri: string, lines: readonly [number, number] = [0, 1_000_000]): Promise<InlayHint[]> {
    const range = { start: { line: lines[0], character: 0 }, end: { line: lines[1], character: 0 } };
    return this.request("textDocument/inlayHint", { textDocument: { uri }, range });
  }

  /** The labels of all hints, in order. */
  async labels(uri: string): Promise<string[]> {
    return (await this.hints(uri)).map(({ label }) => String(label));
  }

  pull(uri: string, previousResultId?: string): Promise<DocumentDiagnosticReport> {
    return this.request("textDocument/diagnostic", {
      textDocument: { uri },
      ...(previousResultId ? { previousResultId } : {}),
    });
  }

  /** The pulled problems. */
  async problems(uri: string): Promise<Diagnostic[]> {
    const report = await this.pull(uri);
    if (report.kind !== "full") throw new Error("not a full report");
    return report.items;
  }

  /** The problems pushed for a version. */
  pushed(uri: string, version: number): Promise<Diagnostic[]> {
    return this.until(() => {
      const found = this.all<PublishDiagnosticsParams>("textDocument/publishDiagnostics");
      return found.findLast((params) => params.uri === uri && params.version === version)?.diagnostics;
    });
  }

  /** The status of a version, once the server tells it. */
  async status(uri: string, version: number): Promise<ModelStatus | null> {
    const told = await this.until(() =>
      this.all<StatusParams>(STATUS_METHOD).findLast((params) => params.uri === uri && params.version === version),
    );
    return told.status;
  }

  /** The parameters of every notification of a method so far. */
  all<T>(method: string): T[] {
    return this.notifications.filter((sent) => sent.method === method).map(({ params }) => params as T);
  }

  /** Shuts down in the protocol's order; answers the exit code. */
  async end(): Promise<number | null> {
    const exit = once(this.process, "exit");
    await this.request("shutdown", undefined);
    await this.connection.sendNotification("exit");
    const [code] = await exit;
    return code as number | null;
  }

  kill(): void {
    this.process.kill("SIGKILL");
  }
}

export const LENET = `cnn: 1
name: LeNet
input: [1, 28, 28]
layers:
  - {type: Conv2d, out_channels: 6, kernel_size: 5, padding: 2}
  - Sigmoid
  - {type: AvgPool2d, kernel_size: 2, stride: 2}
  - Flatten
  - {type: Linear, out_features: 10, name: logits}
`;

export const LENET_SIZES = ["[N, 6, 28, 28]", "[N, 6, 28, 28]", "[N, 6, 14, 14]", "[N, 1176]", "[N, 10]"];
