/**
 * `npm run test:vscode`: packs the extension and runs test/vscode/suite in a real VS Code that has it installed.
 *
 * Which VS Code: the one that VSCODE_EXECUTABLE_PATH names (a desktop's, or a stand-in such as host/vscode-host.mjs);
 * else the host in the folder beside this file, once host/install.mjs has filled it; else the one @vscode/test-electron
 * downloads. `npm test` does not download: it runs the suite only where a VS Code is there already.
 *
 * `--grep TEXT` runs the tests whose names hold it. `--images` also renews the README's pictures in docs/images.
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  downloadAndUnzipVSCode,
  resolveCliArgsFromVSCodeExecutablePath,
  runTests,
  TestRunFailedError,
} from "@vscode/test-electron";
import { build } from "esbuild";
import { packageExtension } from "../../scripts/package.mjs";
import { root } from "../../scripts/setup.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = join(here, ".out");
const IMAGES = ["hints", "tooltip", "problems", "preview"];

/** A quiet window: no welcome, nothing that asks the network, nothing saved unasked. */
const USER_SETTINGS = {
  "chat.disableAIFeatures": true,
  "editor.minimap.enabled": false,
  "extensions.autoCheckUpdates": false,
  "extensions.autoUpdate": false,
  "extensions.ignoreRecommendations": true,
  "files.autoSave": "off", // on by default in browsers
  "telemetry.telemetryLevel": "off",
  "workbench.enableExperiments": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.startupEditor": "none",
};

/** The VS Code at hand, `{ executable }`, or why there is none, `{ missing }`. */
export function findVsCode() {
  const named = process.env.VSCODE_EXECUTABLE_PATH;
  if (named) return existsSync(named) ? { executable: named } : { missing: `VSCODE_EXECUTABLE_PATH: no file ${named}` };
  const installed = existsSync(join(here, "host", "node_modules", "code-server"));
  const browser = existsSync(process.env.CHROMIUM ?? "/usr/bin/chromium");
  if (installed && browser) return { executable: join(here, "host", "vscode-host.mjs") };
  return { missing: "no VS Code here; `npm run test:vscode` downloads one" };
}

/**
 * Runs the suite and resolves with its counts, `{ passed, failed, skipped }`. A run that does not come to its end counts
 * as one failure more.
 */
export async function runInVsCode(executable, grep = "") {
  const vsix = await packageExtension();
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await build({
    entryPoints: [join(here, "suite", "index.ts")],
    outfile: join(out, "suite.cjs"),
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    mainFields: ["module", "main"],
    external: ["vscode", "mocha"],
    sourcemap: "inline",
    logLevel: "warning",
  });
  const profile = mkdtempSync(join(tmpdir(), "convlint-vscode-"));
  const [user, extensions] = [join(profile, "user"), join(profile, "extensions")];
  mkdirSync(join(user, "User"), { recursive: true });
  writeFileSync(join(user, "User", "settings.json"), JSON.stringify(USER_SETTINGS));
  const workspace = join(profile, "workspace"); // a copy, so that no test can touch the files in the repository
  cpSync(join(here, "workspace"), workspace, { recursive: true });
  const launchArgs = [workspace, `--user-data-dir=${user}`, `--extensions-dir=${extensions}`];
  try {
    if (executable.endsWith(".mjs"))
      launchArgs.push(`--install-extension=${vsix}`); // a stand-in installs as it starts
    else installOnDesktop(executable, vsix, launchArgs.slice(1));
    await runTests({
      vscodeExecutablePath: executable,
      extensionDevelopmentPath: join(here, "empty"), // test-electron wants one; under test is the installed extension
      extensionTestsPath: join(out, "suite.cjs"),
      extensionTestsEnv: { VSCODE_HOST_SHOTS: out, CONVLINT_GREP: grep },
      launchArgs,
    });
  } catch (error) {
    if (!(error instanceof TestRunFailedError)) throw error; // the counts below tell of failed tests
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
  const result = join(out, "result.json");
  if (existsSync(result)) return JSON.parse(readFileSync(result, "utf8"));
  console.error("vscode: the suite did not come to its end");
  return { passed: 0, failed: 1, skipped: 0 };
}

function installOnDesktop(executable, vsix, profile) {
  const [cli, ...args] = resolveCliArgsFromVSCodeExecutablePath(executable, { reuseMachineInstall: true });
  const { status, stdout, stderr } = spawnSync(cli, [...args, ...profile, "--install-extension", vsix, "--force"], {
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`${vsix} was not installed:\n${stdout}${stderr}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { grep, images } = parseArgs({ options: { grep: { type: "string" }, images: { type: "boolean" } } }).values;
  const executable = findVsCode().executable ?? (await downloadAndUnzipVSCode());
  const { passed, failed, skipped } = await runInVsCode(executable, grep);
  if (images) {
    mkdirSync(join(root, "docs", "images"), { recursive: true });
    for (const name of IMAGES) copyFileSync(join(out, `${name}.png`), join(root, "docs", "images", `${name}.png`));
  }
  console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
  process.exitCode = failed || !passed ? 1 : 0;
}
