/**
 * The language server in Node: over standard input and output for any editor, over Node's IPC for VS Code, as the
 * command line says (`--stdio`, `--node-ipc`).
 */
import { readFile, stat } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createConnection, ProposedFeatures } from "vscode-languageserver/node";
import { Configs, UNSPOKEN } from "./config/resolve.ts";
import { readIfThere, slashed } from "./lint/paths.ts";
import { modelFiles } from "./lint/search.ts";
import { type ProjectConfigs, serve } from "./serve.ts";
import type { WorkspaceFiles } from "./workspace.ts";

/** A larger file is checked when it is opened, but not read unasked. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** The search for files lets requests through after so many. */
const SLICE = 256;

/** Starts the server on this process's own channel; it ends the process when the editor says so or goes away. */
export function startServer(): void {
  serve(createConnection(ProposedFeatures.all), nodeFiles, nodeConfigs());
}

function nodeConfigs(): ProjectConfigs {
  const configs = new Configs(readIfThere);
  // A document that is no file, such as one never saved, belongs to no project.
  const pathOf = (uri: string) => (uri.startsWith("file:") ? slashed(fileURLToPath(uri)) : null);
  return {
    of(uri) {
      const path = pathOf(uri);
      return path === null ? UNSPOKEN : configs.of(path);
    },
    concerns(uri) {
      const path = pathOf(uri);
      return path !== null && configs.concerns(path);
    },
    forget: () => configs.forget(),
  };
}

const nodeFiles: WorkspaceFiles = {
  async *find(folder) {
    if (!folder.startsWith("file:")) return;
    let passed = 0;
    for (const file of modelFiles(fileURLToPath(folder))) {
      yield pathToFileURL(file).href;
      if (++passed % SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  },
  async stamp(uri) {
    try {
      const { mtimeMs, size } = await stat(fileURLToPath(uri));
      return size > MAX_FILE_BYTES ? null : `${mtimeMs}:${size}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  },
  read: (uri) => readFile(fileURLToPath(uri), "utf8"),
};
