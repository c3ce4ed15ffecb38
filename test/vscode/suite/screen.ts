/**
 * What is on the screen, asked of the host that shows it (host/vscode-host.mjs). A desktop's VS Code offers nothing of
 * the kind: there these tests skip.
 */
import type { Context } from "mocha";
import { until } from "./editor.ts";

const address = process.env.WORKBENCH_CONTROL_URL;

/** Skips the running test where the screen cannot be read. */
export function needsScreen(test: Context): void {
  if (!address) test.skip();
}

/** Resolves with the texts of the elements once one of them holds `text`. */
export async function see(selector: string, text: string): Promise<string[]> {
  return until(
    () => texts(selector),
    (found) => found.some((one) => one.includes(text)),
  );
}

/** The texts of the elements, editors' non-breaking spaces made plain; none where the screen cannot be read. */
export async function texts(selector: string): Promise<string[]> {
  if (!address) return [];
  const found = JSON.parse(await ask("text", { selector })) as string[];
  return found.map((one) => one.replaceAll("\u00a0", " "));
}

/** Leaves a picture of the window as test/vscode/.out/<name>.png, where the screen can be had. */
export async function picture(name: string): Promise<void> {
  if (address) await ask("screenshot", { name });
}

/** Makes the window as large as this, in pixels; does nothing where the screen cannot be had. */
export async function resize(width: number, height: number): Promise<void> {
  if (address) await ask("size", { width: String(width), height: String(height) });
}

export async function click(selector: string): Promise<void> {
  await ask("click", { selector });
}

/** Moves the pointer onto the first element. */
export async function hover(selector: string): Promise<void> {
  await ask("hover", { selector });
}

/** What an expression gives in the webview, as JSON can say it. */
export async function inWebview<T>(expression: string): Promise<T> {
  return JSON.parse(await ask("webview-eval", { expression })) as T;
}

/** @param at within the element; its middle where absent. */
export async function clickInWebview(selector: string, at?: { x: number; y: number }): Promise<void> {
  await ask("webview-click", { selector, ...(at ? { x: String(at.x), y: String(at.y) } : {}) });
}

export async function pressInWebview(selector: string, key: string): Promise<void> {
  await ask("webview-press", { selector, key });
}

/** Drags the middle of an element by so many pixels. */
export async function dragInWebview(selector: string, by: { x: number; y: number }): Promise<void> {
  await ask("webview-drag", { selector, x: String(by.x), y: String(by.y) });
}

async function ask(action: string, about: Record<string, string>): Promise<string> {
  const response = await fetch(`${address}/${action}?${new URLSearchParams(about)}`);
  const answer = await response.text();
  if (!response.ok) throw new Error(`the window refused ${action}: ${answer}`);
  return answer;
}
