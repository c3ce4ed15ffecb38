/**
 * What a project says about how its models are checked: read from one file's text, and decoded for single files.
 */
import {
  mergeRules,
  parseInput,
  parseTargets,
  type RuleLevel,
  type RuleOptions,
  type RuleSetting,
  type RuleSettings,
  type Target,
} from "#shared/settings.ts";
import { parse } from "../syntax/parse.ts";
import { parseToml } from "../syntax/toml.ts";
import { get, type Parsed, plain, type Tree } from "../syntax/tree.ts";
import { globMatcher } from "./glob.ts";
import { configSchema } from "./schema.ts";
import { type Misfit, validate } from "./validate.ts";

/** Of one model file, after everything that is said of it. Plain data. */
export interface Config {
  /** Channels and sizes of the input where the file's own comments do not say, e.g. [3, 320, 320]. */
  readonly input: readonly number[] | null;
  /** A model scale such as YOLO's "n". */
  readonly scale: string | null;
  readonly rules: RuleSettings;
  /** The frameworks that models are meant for, where a file does not say. */
  readonly targets: readonly Target[];
}

/** Of a file that no configuration speaks of. */
export const NO_CONFIG: Config = { input: null, scale: null, rules: {}, targets: [] };

/** What one configuration file says. */
export interface ConfigText {
  /** Paths as written, with where. */
  readonly extends: readonly { readonly path: string; readonly range: Misfit["range"] }[];
  readonly ignore: readonly string[];
  /** For all files, then the overrides; later entries are heard over earlier ones. */
  readonly entries: readonly ConfigEntry[];
  readonly problems: readonly Misfit[];
}

export interface ConfigEntry {
  /** Whether it speaks of a file, by the file's path relative to the configuration. */
  readonly matches: (path: string) => boolean;
  readonly says: Partial<Config>;
}

/** The files that may hold a configuration, in the order in which the first of a folder is taken. */
export const CONFIG_NAMES = [
  "convlint.config.yaml",
  "convlint.config.yml",
  "convlint.config.json",
  "package.json",
  "pyproject.toml",
] as const;

/** Whether a file's name is one that is looked at for configuration. */
export function isConfigName(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return CONFIG_NAMES.some((known) => known === name);
}

/**
 * Reads a configuration file. What does not fit is told and left out, the rest holds.
 * @returns null where the file has no section for ConvLint, as most package.json and pyproject.toml.
 */
export function readConfig(text: string, path: string): ConfigText | null {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const shared = { "package.json": ["convlint"], "pyproject.toml": ["tool", "convlint"] }[name];
  const parsed: Pick<Parsed, "root" | "problems"> = path.endsWith(".toml") ? parseToml(text) : parse(text, path);
  const section = shared
    ? shared.reduce<Tree | undefined>((at, key) => get(at, key), parsed.root ?? undefined)
    : parsed.root;
  // A broken package.json or pyproject.toml is for others to tell, unless it speaks of ConvLint.
  if (shared && !section && !(parsed.root === null && text.includes(shared.join(".")))) return null;
  const problems: Misfit[] = [...parsed.problems];
  if (section) problems.push(...validate(section, configSchema));
  const inside = (tree: Tree | undefined) =>
    tree && problems.some(({ range }) => range.start >= tree.range.start && range.end <= tree.range.end)
      ? undefined
      : tree;
  const overrides = get(section, "overrides");
  return {
    extends: paths(inside(get(section, "extends"))),
    ignore: strings(inside(get(section, "ignore"))),
    entries: [
      { matches: () => true, says: decode(section, inside) },
      ...(overrides?.kind === "list" ? overrides.items : []).map((item): ConfigEntry => {
        const matchers = strings(inside(get(item, "files"))).map(globMatcher);
        return { matches: (file) => matchers.some((matches) => matches(file)), says: decode(item, inside) };
      }),
    ],
    problems,
  };
}

/** Later entries over earlier ones; rules one by one. */
export function merged(base: Config, says: Partial<Config>): Config {
  return { ...base, ...says, rules: mergeRules(base.rules, says.rules ?? {}) };
}

function decode(tree: Tree | undefined | null, sound: (tree: Tree | undefined) => Tree | undefined): Partial<Config> {
  const input = sound(get(tree, "input"));
  const scale = sound(get(tree, "scale"));
  const targets = parseTargets(strings(sound(get(tree, "targets"))));
  const sizes = input && (input.kind === "scalar" ? parseInput(input.value) : numbers(input));
  return {
    ...(sizes ? { input: sizes } : {}),
    ...(scale?.kind === "scalar" && scale.value !== null ? { scale: String(scale.value) } : {}),
    ...(targets && targets.length > 0 ? { targets } : {}),
    rules: ruleSettings(get(tree, "rules"), sound),
  };
}

function ruleSettings(tree: Tree | undefined, sound: (tree: Tree | undefined) => Tree | undefined): RuleSettings {
  const known = configSchema.properties!.rules!.properties!;
  const settings: Record<string, RuleSetting> = {};
  for (const { key, value } of tree?.kind === "map" ? tree.entries : []) {
    const code = String(key.value);
    if (!Object.hasOwn(known, code)) continue;
    if (value.kind === "map") {
      // A rule without options takes no map; a wrong option leaves the others.
      if (!known[code]!.anyOf) continue;
      const options = value.entries.filter((entry) => sound(entry.key) && sound(entry.value));
      settings[code] = Object.fromEntries(
        options.map((entry) => [String(entry.key.value), plain(entry.value)]),
      ) as RuleOptions;
    } else if (value.kind === "scalar" && sound(value)) settings[code] = String(value.value) as RuleLevel;
  }
  return settings;
}

function numbers(tree: Tree): readonly number[] | undefined {
  const values = plain(tree);
  return Array.isArray(values) && values.every((value) => typeof value === "number") ? values : undefined;
}

function strings(tree: Tree | undefined): readonly string[] {
  return paths(tree).map(({ path }) => path);
}

function paths(tree: Tree | undefined): ConfigText["extends"] {
  const items = tree?.kind === "list" ? tree.items : tree ? [tree] : [];
  return items.flatMap((item) => (item.kind === "scalar" ? [{ path: String(item.value), range: item.range }] : []));
}
