/**
 * The project's configuration as the command line finds it on disk, and what it says of itself: problems and `--show-config`.
 */
import { resolve } from "node:path";
import { type ConfigProblem, Configs } from "../config/resolve.ts";
import { type Arguments, Misuse, type OptionSpec } from "./arguments.ts";
import { readIfThere, shownPath, slashed } from "./paths.ts";
import { Lines } from "./positions.ts";

/** The options with which commands choose a configuration. */
export const CONFIG_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  config: { type: "string" },
  "no-config": { type: "boolean" },
};

/** @throws Misuse where `--config` names no configuration. */
export function findConfigs(args: Arguments, cwd: string): Configs {
  const only = args.last("config");
  if (args.has("no-config")) return new Configs(() => null);
  try {
    return new Configs(
      readIfThere,
      only === undefined ? null : { path: slashed(resolve(cwd, only)), base: slashed(resolve(cwd)) },
    );
  } catch (error) {
    throw new Misuse(`--config ${only}: ${(error as Error).message}.`);
  }
}

/** `convlint.config.yaml:3:1: the configuration has no rulez. Did you mean rules?` */
export function problemLine({ path, text, range, message }: ConfigProblem, cwd: string): string {
  const { line, column } = new Lines(text).at(range.start);
  return `${shownPath(resolve(path), cwd)}:${line}:${column}: ${message}`;
}

/** What `--show-config FILE` prints: what holds for the file and which configurations said so. */
export function configText(configs: Configs, file: string, cwd: string): string {
  const { config, ignored, sources } = configs.of(slashed(resolve(cwd, file)));
  const shown = sources.map((source) => shownPath(resolve(source), cwd));
  return `${JSON.stringify({ file, configuration: shown, ignored, ...config }, null, 2)}\n`;
}
