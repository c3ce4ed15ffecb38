/**
 * The preview's page alone in headless chromium: the built page, VS Code's colours as they were recorded from it
 * (themes.generated.json), and the built worker that vscode.dev would run. Nothing of it is a copy of what is tested.
 */
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");
const packages = join(here, "host", "node_modules");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why the page cannot be tested here; null where it can. */
export function missing(): string | null {
  if (!existsSync(join(packages, "playwright-core")))
    return "its packages are not installed: node test/preview/host/install.mjs";
  return existsSync(CHROMIUM) ? null : `there is no ${CHROMIUM}`;
}

export type ThemeName = "dark" | "light" | "contrast" | "contrast-light";

const themes: Readonly<Record<ThemeName, { class: string; variables: Record<string, string> }>> = JSON.parse(
  readFileSync(join(here, "themes.generated.json"), "utf8"),
);

/** As strict as the panel's own. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob: data:; worker-src 'self' blob:";

function built(file: string): string {
  return readFileSync(join(root, "dist", file), "utf8");
}

async function bundle(entry: string): Promise<string> {
  const options = { bundle: true, format: "iife", write: false, platform: "browser", target: "es2023" } as const;
  const { outputFiles } = await esbuild.build({ ...options, absWorkingDir: root, entryPoints: [entry] });
  return outputFiles[0]!.text;
}

/** Types of playwright-core are not there where it is not installed. */
type Any = any;

export class PreviewBrowser {
  private constructor(
    private readonly browser: Any,
    private readonly server: Server,
    /** axe-core's own script. */
    readonly axe: string,
  ) {}

  static async start(): Promise<PreviewBrowser> {
    const files: Record<string, readonly [string, string]> = {
      "/bridge.js": ["text/javascript", await bundle("test/preview/bridge.ts")],
      "/worker.js": ["text/javascript", built("preview-worker.browser.js")],
      "/preview.js": ["text/javascript", built("preview.js")],
      "/preview.css": ["text/css", built("preview.css")],
    };
    const server = createServer(({ url }, response) => {
      const { pathname, searchParams } = new URL(url!, "http://localhost");
      const theme = themes[(searchParams.get("theme") ?? "dark") as ThemeName];
      const known = files[pathname];
      // As an editor's page that is isolated: its workers may share memory.
      response.setHeader("cross-origin-opener-policy", "same-origin");
      response.setHeader("cross-origin-embedder-policy", "require-corp");
      if (known) response.setHeader("content-type", `${known[0]}; charset=utf-8`).end(known[1]);
      else if (pathname === "/theme.css") {
        const variables = Object.entries(theme.variables).map(([name, value]) => `${name}: ${value};`);
        response.setHeader("content-type", "text/css").end(`html { ${variables.join("\n")} }`);
      } else if (pathname === "/") {
        response.setHeader("content-security-policy", POLICY);
        response.setHeader("content-type", "text/html; charset=utf-8");
        const { search } = new URL(url!, "http://localhost");
        response.end(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>ConvLint preview</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/theme.css${search}"><link rel="stylesheet" href="/preview.css">
</head><body class="${theme.class}"><script src="/bridge.js"></script><script src="/preview.js"></script></body></html>`);
      } else response.writeHead(404).end();
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { chromium } = (await import(pathToFileURL(join(packages, "playwright-core", "index.mjs")).href)) as Any;
    const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
    const browser = await chromium.launch({ executablePath: CHROMIUM, args });
    const axe = readFileSync(join(packages, "axe-core", "axe.min.js"), "utf8");
    return new PreviewBrowser(browser, server, axe);
  }

  /** A page that previews a model. */
  async open(
    text: string,
    options: { path?: string; theme?: ThemeName; width?: number; height?: number; more?: Any } = {},
  ) {
    const { path = "file:///model.cnn.yaml", theme = "dark", width = 980, height = 760, more = {} } = options;
    const context = await this.browser.newContext({ viewport: { width, height }, ...more });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error: Error) => problems.push(String(error)));
    page.on("console", (message: Any) => {
      if (message.type() === "error") problems.push(message.text());
    });
    const { port } = this.server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/?theme=${theme}`);
    const first = [
      { kind: "text", text, path, version: 1, options: { input: null, scale: null, rules: {}, targets: [] } },
      { kind: "hello" },
    ];
    await page.evaluate((messages: Any) => (globalThis as Any).bridge.begin(messages), first);
    return { page, problems, close: () => context.close() };
  }

  async stop(): Promise<void> {
    await this.browser.close();
    this.server.close();
    this.server.closeAllConnections();
  }
}
