/** What the server last said about every open document: whether it is a model, and which. */
import { type Disposable, EventEmitter, type Uri, workspace } from "vscode";
import { type BaseLanguageClient, State } from "vscode-languageclient";
import { type ModelStatus, STATUS_METHOD, type StatusParams } from "#shared/protocol.ts";

export class Models implements Disposable {
  private readonly known = new Map<string, ModelStatus>();
  private readonly emitter = new EventEmitter<string>();
  private readonly parts: Disposable[];

  constructor(private readonly client: BaseLanguageClient) {
    this.parts = [
      this.emitter,
      client.onNotification(STATUS_METHOD, ({ uri, status }: StatusParams) => {
        if (status) this.known.set(uri, status);
        else this.known.delete(uri);
        this.emitter.fire(uri);
      }),
      client.onDidChangeState(({ newState }) => {
        if (newState === State.Running) return;
        const uris = [...this.known.keys()];
        this.known.clear(); // a server that does not run knows nothing
        for (const uri of uris) this.emitter.fire(uri);
      }),
      workspace.onDidCloseTextDocument(({ uri }) => this.known.delete(this.keyOf(uri))),
    ];
  }

  /** A document was checked, or nobody knows about it any more; says its URI as the server writes it. */
  get onDidChange() {
    return this.emitter.event;
  }

  /** undefined where the document is no model, or has not been checked yet. */
  get(uri: Uri): ModelStatus | undefined {
    return this.known.get(this.keyOf(uri));
  }

  /** The document's URI as the server writes it. */
  keyOf(uri: Uri): string {
    return this.client.code2ProtocolConverter.asUri(uri);
  }

  dispose(): void {
    for (const part of this.parts) part.dispose();
  }
}
