/** What the bundler gives, and VS Code: see scripts/build.mjs. */

/** A worker's whole script as text. */
declare module "*?worker" {
  const source: string;
  export default source;
}

interface VsCodeApi {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;
