/**
 * Installs from the lockfile when node_modules is missing or holds something else, so that `npm start` and `npm test` are the
 * only commands a fresh clone needs. Plain JavaScript: it runs before anything is installed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Brings `folder` to the state of its package-lock.json with `npm ci` and these options; ends the process if that fails. */
export function install(folder, ...options) {
  const installed = join(folder, "node_modules", ".package-lock.json");
  const lock = join(folder, "package-lock.json");
  if (existsSync(installed) && holds(packagesOf(installed), packagesOf(lock))) return;
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

/** By folder, what npm wrote of it. */
function packagesOf(lock) {
  return JSON.parse(readFileSync(lock, "utf8")).packages;
}

/** Whether just these packages are there, in these versions; those for other platforms may be missing. */
function holds(there, wanted) {
  const isRight = ([folder, { version, optional }]) =>
    folder === "" || (folder in there ? there[folder].version === version : optional === true);
  return Object.entries(wanted).every(isRight) && Object.keys(there).every((folder) => folder in wanted);
}

install(root);
