/**
 * Installs from the lockfile when node_modules is missing or older than it, so that `npm start` and `npm test` are the
 * only commands a fresh clone needs. Plain JavaScript: it runs before anything is installed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Brings `folder` to the state of its package-lock.json with `npm ci` and these options; ends the process if that fails. */
export function install(folder, ...options) {
  const installed = join(folder, "node_modules", ".package-lock.json");
  const lock = join(folder, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  console.log(`setup: installing the packages of ${relative(root, lock)} …`);
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", ...options], {
    cwd: folder,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error("setup: npm ci failed; mend what it says above and run the command again.");
    process.exit(status ?? 1);
  }
}

install(root);
