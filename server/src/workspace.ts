/**
 * The files of a workspace that nobody has opened: found, read and checked once, and again only when they change, so that
 * an editor may ask for all problems every other second.
 */
import type { Settings } from "#shared/settings.ts";

/** What the host can read. URIs throughout. */
export interface WorkspaceFiles {
  /** The files of a folder that may be models, as they are found. */
  find(folder: string): AsyncIterable<string>;
  /** Changes whenever the content does; null where there is no such file or it is too large to be read unasked. */
  stamp(uri: string): Promise<string | null>;
  read(uri: string): Promise<string>;
}

export interface FileResult<T> {
  readonly uri: string;
  /** Changes with every new check. */
  readonly resultId: string;
  readonly result: T;
}

interface Kept<T> extends FileResult<T> {
  readonly stamp: string;
  readonly settings: Settings;
}

/** Structurally the protocol's CancellationToken. */
interface Cancellation {
  readonly isCancellationRequested: boolean;
}

/** @typeParam T what `check` makes of a file. */
export class Workspace<T> {
  private folders: readonly string[] = [];
  private listing: readonly string[] | null = null;
  private readonly kept = new Map<string, Kept<T>>();
  private isWatched = false;

  constructor(
    private readonly files: WorkspaceFiles,
    private readonly check: (uri: string, text: string, settings: Settings) => T,
    private readonly settingsOf: (uri: string) => Promise<Settings>,
    private readonly nextResultId: () => string,
  ) {}

  setFolders(folders: readonly string[]): void {
    this.folders = folders;
    this.listing = null;
  }

  changeFolders(added: readonly string[], removed: readonly string[]): void {
    this.setFolders([...this.folders.filter((uri) => !removed.includes(uri)), ...added]);
  }

  /** From now on `fileChanged` is called for every change, so nothing needs to be looked at unasked. */
  watched(): void {
    this.isWatched = true;
    this.listing = null;
    this.kept.clear();
  }

  fileChanged(uri: string): void {
    this.kept.delete(fileKey(uri));
    this.listing = null;
  }

  /** Every file as it is now, but for those in `except` (by fileKey); ends early once cancelled. */
  async *results(except: ReadonlySet<string>, cancellation: Cancellation): AsyncGenerator<FileResult<T>> {
    for (const uri of await this.list(cancellation)) {
      if (cancellation.isCancellationRequested) return;
      if (except.has(fileKey(uri))) continue;
      const result = await this.resultOf(uri);
      if (result) yield result;
    }
  }

  private async list(cancellation: Cancellation): Promise<readonly string[]> {
    if (this.listing && this.isWatched) return this.listing;
    const folders = this.folders;
    const found: string[] = [];
    for (const folder of folders) {
      for await (const uri of this.files.find(folder)) {
        if (cancellation.isCancellationRequested) return found;
        found.push(uri);
      }
    }
    if (folders === this.folders) this.listing = found;
    return found;
  }

  private async resultOf(uri: string): Promise<FileResult<T> | null> {
    const settings = await this.settingsOf(uri);
    const key = fileKey(uri);
    const before = this.kept.get(key);
    if (before?.settings === settings && this.isWatched) return before;
    const stamp = await this.files.stamp(uri);
    if (stamp === null) {
      this.kept.delete(key);
      return null;
    }
    if (before?.settings === settings && before.stamp === stamp) return before;
    const result = this.check(uri, await this.files.read(uri), settings);
    const kept = { uri, stamp, settings, resultId: this.nextResultId(), result };
    this.kept.set(key, kept);
    return kept;
  }
}

/** Clients and Node write the same file's URI differently: `file:///c%3A/a` and `file:///C:/a`. */
export function fileKey(uri: string): string {
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
