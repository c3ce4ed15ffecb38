/**
 * Installs the packages of the VS Code host from the lockfile beside this file, when they are missing or older than it.
 * Two steps, because the VS Code inside code-server is a package tree of its own, which code-server's own post-install
 * script would fill by compiling native modules that no test needs.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { install } from "../../../scripts/setup.mjs";

const host = fileURLToPath(new URL(".", import.meta.url));
const vscode = join(host, "node_modules", "code-server", "lib", "vscode");
const quiet = ["--ignore-scripts", "--loglevel=error"]; // it warns of each package that asks for a newer Node

install(host, ...quiet);
if (!existsSync(join(vscode, "node_modules", ".package-lock.json"))) {
  console.log("setup: installing VS Code's own packages …");
  const args = ["install", "--prefix", vscode, "--omit=dev", "--no-audit", "--no-fund", ...quiet]; // `npm ci` refuses its shrinkwrap
  const { status } = spawnSync("npm", args, { cwd: host, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
