/** The language server as a web worker, for vscode.dev and the like: no file system, so only open documents are checked. */
import {
  BrowserMessageReader,
  BrowserMessageWriter,
  createConnection,
  ProposedFeatures,
} from "vscode-languageserver/browser";
import { serve } from "./serve.ts";

// The worker's own global scope; the DOM types that could name it are not among the server's.
const scope = globalThis as never;
serve(
  createConnection(ProposedFeatures.all, new BrowserMessageReader(scope), new BrowserMessageWriter(scope)),
  null,
  null,
);
