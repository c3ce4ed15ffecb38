/**
 * The language status item of the active editor: dialect, input size, parameters and problems of its model, at the
 * right of the status bar. In files that are no model there is none.
 */
import { Disposable, type LanguageStatusItem, LanguageStatusSeverity, languages, window } from "vscode";
import type { ModelStatus } from "#shared/protocol.ts";
import type { Models } from "./models.ts";

/** Shows what the server last said about the active document, until the result is disposed. */
export function showStatus(models: Models): Disposable {
  let item: LanguageStatusItem | undefined;

  const show = () => {
    const document = window.activeTextEditor?.document;
    const status = document && models.get(document.uri);
    if (!status) {
      item?.dispose();
      item = undefined;
      return;
    }
    item ??= create();
    Object.assign(item, describe(status));
  };

  return Disposable.from(models.onDidChange(show), window.onDidChangeActiveTextEditor(show), {
    dispose: () => item?.dispose(),
  });
}

/** For any document: `show` takes the item away where it has nothing to say. */
function create(): LanguageStatusItem {
  const item = languages.createLanguageStatusItem("convlint.status", "*");
  item.name = "ConvLint";
  item.command = { title: "Copy Layer Table", command: "convlint.copyLayerTable" };
  return item;
}

/** The item's words: `LeNet · [N, 1, 28, 28]`, and beneath them `native · 61,706 parameters · 1 error`. */
export function describe(status: ModelStatus): Pick<LanguageStatusItem, "text" | "detail" | "severity"> {
  const { error, warning } = status.problems;
  const params = `${status.params.replace(/\d(?=(\d{3})+$)/g, "$&,")} parameters`;
  const problems = [count(error, "error"), count(warning, "warning")].filter(Boolean).join(", ") || "no problems";
  return {
    text: [status.name ?? "model", ...status.inputs].join(" · "),
    detail: [status.dialect, count(status.layers, "layer"), params, problems].filter(Boolean).join(" · "),
    severity: error
      ? LanguageStatusSeverity.Error
      : warning
        ? LanguageStatusSeverity.Warning
        : LanguageStatusSeverity.Information,
  };
}

const count = (n: number, noun: string) => (n === 0 ? "" : `${n} ${noun}${n === 1 ? "" : "s"}`);
