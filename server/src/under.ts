/** An analysis as the user's settings and the project's configuration want it. */
import { mergeRules, type Settings } from "#shared/settings.ts";
import { type Analysis, analyse } from "./analysis.ts";
import type { Resolved } from "./config/resolve.ts";
import { heard } from "./features/diagnostics.ts";
import { Prover } from "./fixes/prove.ts";

/** Null where the file is no model, or the user wants nothing shown. */
export function analyseUnder(settings: Settings, text: string, uri: string): Analysis | null {
  const { enable, input, scale, rules, targets } = settings;
  return enable ? analyse(text, uri, { input, scale, rules, targets }) : null;
}

export function proverUnder(settings: Settings, analysis: Analysis, uri: string): Prover {
  const under = (one: Analysis | null) => heard(one, settings.rules);
  return new Prover(under(analysis)!, (text) => under(analyseUnder(settings, text, uri)));
}

/** A project's configuration is heard over the editor's own settings, so that everybody sees what CI sees. */
export function underProject(settings: Settings, { config, ignored }: Resolved): Settings {
  return {
    ...settings,
    enable: settings.enable && !ignored,
    rules: mergeRules(settings.rules, config.rules),
    targets: config.targets.length > 0 ? config.targets : settings.targets,
    input: config.input ?? settings.input,
    scale: config.scale ?? settings.scale,
  };
}
