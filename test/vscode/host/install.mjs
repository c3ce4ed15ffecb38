/**
 * Installs the packages of the VS Code host from the lockfile beside this file, when they are missing or older than it.
 * Two steps, because the VS Code inside code-server is a package tree of its own, which code-server's own post-install
 * script would fill by compiling native modules that no test needs.
 */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const host = dirname(fileURLToPath(import.meta.url));
const vscode = join(host, "node_modules", "code-server", "lib", "vscode");

/** Runs npm in the host's folder; its output is shown only when it fails. */
function npm(...args) {
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status, stdout, stderr } = spawnSync("npm", [...args, ...quiet], { cwd: host, encoding: "utf8" });
  if (status === 0) return;
  console.error(
    `${stdout}${stderr}\nvscode-host: npm ${args.join(" ")} failed; mend what it says above and run the command again.`,
  );
  process.exit(status || 1);
}

const installed = join(host, "node_modules", ".package-lock.json");
const lock = join(host, "package-lock.json");
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  console.log("vscode-host: installing VS Code from npm, about 800 MB …");
  npm("ci");
}
if (!existsSync(join(vscode, "node_modules", ".package-lock.json"))) {
  console.log("vscode-host: installing VS Code's own packages …");
  npm("install", "--prefix", vscode, "--omit=dev"); // `npm ci` refuses its shrinkwrap
}
console.log("vscode-host: ready");
