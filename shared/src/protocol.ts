/**
 * ConvLint's own messages on the language-server connection, beside the standard ones. Method names and payloads only:
 * server and client give them to their own connection types.
 */
import type { Settings } from "./settings.ts";

/** Server → client, after every check of an open document: what the status item shows. */
export const STATUS_METHOD = "convlint/status";

export interface StatusParams {
  readonly uri: string;
  /** Of the document that was checked. */
  readonly version: number;
  /** null: the document is no model, or ConvLint is switched off for it. */
  readonly status: ModelStatus | null;
}

export interface ModelStatus {
  /** The dialect's name: "native". */
  readonly dialect: string;
  readonly name: string | null;
  /** In the dialect's notation, one per input: "[N, 3, 224, 224]". */
  readonly inputs: readonly string[];
  /** Trainable values, in full ("11689512"); symbolic or "?" where not known. */
  readonly params: string;
  readonly layers: number;
  readonly problems: {
    readonly error: number;
    readonly warning: number;
    readonly information: number;
    readonly hint: number;
  };
}

/** Client → server: the layer table of an open document as Markdown; null where it is no model. */
export const LAYER_TABLE_METHOD = "convlint/layerTable";

export interface LayerTableParams {
  readonly textDocument: { readonly uri: string };
}

export type LayerTableResult = string | null;

/** Client → server: under which settings an open document is checked; null where it is not, or is no model. */
export const OPTIONS_METHOD = "convlint/options";

export interface OptionsParams {
  readonly textDocument: { readonly uri: string };
}

/** The editor's settings and the project's configuration together, as far as they concern what a check finds. */
export type CheckOptions = Pick<Settings, "input" | "scale" | "rules" | "targets">;

export type OptionsResult = CheckOptions | null;
