/** The page's document, and the check of what it sends: the page shows strings of models and is not trusted. */
import type { Uri, Webview } from "vscode";
import type { ChosenFiles, FromPage, PageMessage } from "#shared/preview/protocol.ts";

const PAGE_MESSAGES: Readonly<Record<PageMessage["kind"], true>> = {
  ready: true,
  reveal: true,
  pick: true,
  save: true,
  pin: true,
};

const PICKED: readonly unknown[] = ["image", "array", "weights", "weightFolder"];

/** What the page sent, as one of its messages or a request; null for anything else. */
export function checked(message: unknown): FromPage | null {
  if (typeof message !== "object" || message === null) return null;
  const { kind, id, range, name, bytes, pinned, what, input } = message as Record<string, unknown>;
  if (typeof kind !== "string") return null;
  if (!Object.hasOwn(PAGE_MESSAGES, kind)) return Number.isSafeInteger(id) ? (message as FromPage) : null;
  const isSound = {
    ready: true,
    reveal: isRange(range),
    pick: PICKED.includes(what) && (input === null || typeof input === "string"),
    save: typeof name === "string" && bytes instanceof ArrayBuffer,
    pin: typeof pinned === "boolean",
  }[kind as PageMessage["kind"]];
  return isSound ? (message as FromPage) : null;
}

/** What a page kept of its panel, as far as it is sound. */
export function checkedState(state: unknown): {
  readonly file: string | null;
  readonly pinned: boolean;
  readonly files: ChosenFiles;
} {
  const { file, pinned, files } = mapOf(state);
  const { weights, samples } = mapOf(files);
  const isUri = (each: unknown): each is string => typeof each === "string";
  return {
    file: isUri(file) ? file : null,
    pinned: pinned === true,
    files: {
      weights: Array.isArray(weights) ? weights.filter(isUri) : [],
      samples: Object.fromEntries(
        Object.entries(mapOf(samples)).filter((each): each is [string, string] => isUri(each[1])),
      ),
    },
  };
}

function mapOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function isRange(range: unknown): boolean {
  if (typeof range !== "object" || range === null) return false;
  const { start, end } = range as Record<string, unknown>;
  return Number.isSafeInteger(start) && Number.isSafeInteger(end);
}

/** @param nonce lets the one script run and no other. */
export function documentOf(webview: Webview, script: Uri, style: Uri, nonce: string): string {
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource}`,
    `font-src ${webview.cspSource}`,
    "img-src blob: data:",
    "worker-src blob:", // the layout of large networks
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${webview.asWebviewUri(style)}">
<title>ConvLint preview</title>
</head>
<body>
<script nonce="${nonce}" src="${webview.asWebviewUri(script)}"></script>
</body>
</html>
`;
}

/** 128 random bits. */
export function newNonce(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
