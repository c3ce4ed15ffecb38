/**
 * Every setting of the editor, in one table: the server reads values through it, package.json's
 * `contributes.configuration` is generated from it (a test compares the two), and the docs list it.
 */

/** What a rule may be set to; `off` silences it. */
export const RULE_LEVELS = ["off", "hint", "information", "warning", "error"] as const;
export type RuleLevel = (typeof RULE_LEVELS)[number];

/** How a rule is set: its severity alone, or a map of its options, which may hold the severity. */
export type RuleSetting = RuleLevel | RuleOptions;
export interface RuleOptions {
  readonly severity?: RuleLevel;
  readonly [option: string]: string | number | readonly number[] | undefined;
}
/** By rule code, where they differ from what the rule is of itself. */
export type RuleSettings = Readonly<Record<string, RuleSetting>>;

/** The severity that a setting asks for; undefined where it leaves it to the rule. */
export function severityOf(setting: RuleSetting): RuleLevel | undefined {
  return typeof setting === "string" ? setting : setting.severity;
}

/** Settings over others, rule by rule: a severity alone leaves the options as they are. */
export function mergeRules(base: RuleSettings, over: RuleSettings): RuleSettings {
  const merged: Record<string, RuleSetting> = { ...base };
  for (const [code, setting] of Object.entries(over)) {
    const before = Object.hasOwn(base, code) ? base[code] : undefined;
    if (typeof setting === "object") {
      merged[code] = { ...(typeof before === "string" ? { severity: before } : before), ...setting };
    } else merged[code] = typeof before === "object" ? { ...before, severity: setting } : setting;
  }
  return merged;
}

/** The frameworks a model may be meant for. `keras` and `tensorflow` are one. */
export const TARGETS = ["pytorch", "tensorflow", "onnx"] as const;
export type Target = (typeof TARGETS)[number];
export const TARGET_WORDS: readonly string[] = [...TARGETS, "keras"];

/** Targets by their words, each once; undefined where one is not known. */
export function parseTargets(words: readonly unknown[]): readonly Target[] | undefined {
  if (!words.every((word) => TARGET_WORDS.includes(word as string))) return undefined;
  return [...new Set(words.map((word) => (word === "keras" ? "tensorflow" : (word as Target))))];
}

/** The settings of one document, decoded. */
export interface Settings {
  readonly enable: boolean;
  readonly hints: HintSettings;
  readonly rules: RuleSettings;
  /** The frameworks that models are meant for, where a file does not say. */
  readonly targets: readonly Target[];
  /** Channels and sizes of the model's input where the file leaves it open, e.g. [3, 320, 320]. */
  readonly input: readonly number[] | null;
  /** A model scale such as YOLO's "n". */
  readonly scale: string | null;
}

export interface HintSettings {
  readonly size: boolean;
  readonly parameters: boolean;
  readonly receptiveField: boolean;
  /** In UTF-16 units, the dots of a shortened hint included. */
  readonly maximumLength: number;
}

/** One row: its JSON Schema as the manifest shows it. */
export interface Setting {
  /** In full: `convlint.hints.size`. */
  readonly key: string;
  readonly type: "boolean" | "integer" | "string" | "object" | "array" | readonly ["string", "null"];
  readonly default: unknown;
  readonly description: string;
  /** `resource`: may differ between folders. */
  readonly scope: "resource" | "window";
  /** Further JSON Schema: minimum, enum, pattern. */
  readonly schema?: object;
}

export const SECTION = "convlint";

/** `3x320x320` or `3x320`, channels first whatever the model's layout. */
const INPUT_PATTERN = "^[1-9]\\d*([x×,][1-9]\\d*){0,4}$";

export const settings: readonly Setting[] = [
  {
    key: "convlint.enable",
    type: "boolean",
    default: true,
    description: "Check the CNN definitions among YAML and JSON files.",
    scope: "resource",
  },
  {
    key: "convlint.hints.size",
    type: "boolean",
    default: true,
    description: "Show the output size after each layer.",
    scope: "resource",
  },
  {
    key: "convlint.hints.parameters",
    type: "boolean",
    default: false,
    description: "Show the number of parameters after each layer that has some.",
    scope: "resource",
  },
  {
    key: "convlint.hints.receptiveField",
    type: "boolean",
    default: false,
    description: "Show the receptive field after each layer: how much of the input one output value sees.",
    scope: "resource",
  },
  {
    key: "convlint.hints.maximumLength",
    type: "integer",
    default: 40,
    description: "The longest text of one hint, in characters; a longer one is shortened and shown whole when hovered.",
    scope: "resource",
    schema: { minimum: 8, maximum: 200 },
  },
  {
    key: "convlint.rules",
    type: "object",
    default: {},
    description:
      'The severity of single rules, by their code, or a map of their options: `{"non-integer-size": "off", "parameter-budget": {"model": "5M", "severity": "error"}}`. Rules that are not named are as they are of themselves.',
    scope: "resource",
    schema: { additionalProperties: { type: ["string", "object"] } },
  },
  {
    key: "convlint.targets",
    type: "array",
    default: [],
    description:
      "The frameworks that models are meant for, where a file does not say. With more than one, what they disagree about is told.",
    scope: "resource",
    schema: { items: { enum: TARGET_WORDS }, uniqueItems: true },
  },
  {
    key: "convlint.input",
    type: ["string", "null"],
    default: null,
    description: "The input size to check with instead of the file's own, channels first: `3x320x320`.",
    scope: "resource",
    schema: { pattern: INPUT_PATTERN },
  },
  {
    key: "convlint.scale",
    type: ["string", "null"],
    default: null,
    description: "The model scale to check with where a file defines several, such as `n` or `s`.",
    scope: "resource",
  },
  {
    key: "convlint.preview.codeLens",
    type: "boolean",
    default: true,
    description: "Show a link above a model that opens its preview.",
    scope: "resource",
  },
  {
    key: "convlint.preview.budget",
    type: "integer",
    default: 20,
    description: "The preview asks before a run of more than so many billion multiply-accumulates.",
    scope: "window",
    schema: { minimum: 0 },
  },
  {
    key: "convlint.preview.memory",
    type: "integer",
    default: 2048,
    description: "The preview asks before a run that takes more than so many MiB of memory.",
    scope: "window",
    schema: { minimum: 64 },
  },
  {
    key: "convlint.trace.server",
    type: "string",
    default: "off",
    description: "Log the messages between the editor and the language server.",
    scope: "window",
    schema: { enum: ["off", "messages", "verbose"] },
  },
];

/** What `readSettings` gives; each problem is one sentence about a value that was not usable, its default is used. */
export interface SettingsRead {
  readonly settings: Settings;
  readonly problems: readonly string[];
}

/**
 * Decodes the value of the section `convlint` as an editor sends it: nested objects, anything missing. Never throws; a
 * value of the wrong kind is named in `problems` and its default stands.
 */
export function readSettings(raw: unknown): SettingsRead {
  const problems: string[] = [];
  const read = <T>(key: string, decode: (value: unknown) => T | undefined): T => {
    const row = settings.find((setting) => setting.key === key)!;
    const value = valueAt(raw, key.split(".").slice(1));
    const decoded = value === undefined ? undefined : decode(value);
    if (value !== undefined && decoded === undefined) {
      problems.push(`${key}: ${JSON.stringify(value)} is not usable; ${JSON.stringify(row.default)} is used`);
    }
    return decoded === undefined ? decode(row.default)! : decoded;
  };
  return {
    settings: {
      enable: read("convlint.enable", boolean),
      hints: {
        size: read("convlint.hints.size", boolean),
        parameters: read("convlint.hints.parameters", boolean),
        receptiveField: read("convlint.hints.receptiveField", boolean),
        maximumLength: read("convlint.hints.maximumLength", length),
      },
      rules: read("convlint.rules", ruleSettings),
      targets: read("convlint.targets", (value) => (Array.isArray(value) ? parseTargets(value) : undefined)),
      input: read("convlint.input", (value) => (value === null || value === "" ? null : parseInput(value))),
      scale: read("convlint.scale", (value) => (value === null || value === "" ? null : text(value))),
    },
    problems,
  };
}

/** `3x320x320` as [3, 320, 320]; undefined for anything else. The command line's --input is read by it too. */
export function parseInput(value: unknown): readonly number[] | undefined {
  if (typeof value !== "string" || !new RegExp(INPUT_PATTERN).test(value)) return undefined;
  const sizes = value.split(/[x×,]/).map(Number);
  return sizes.every(Number.isSafeInteger) ? sizes : undefined;
}

/**
 * The manifest's `contributes.configuration`.
 * @param schemas further JSON Schema by key, of what only the server knows: its rules.
 */
export function manifestConfiguration(schemas: Readonly<Record<string, object>> = {}): object {
  const properties: Record<string, object> = {};
  for (const { key, type, default: byDefault, description, scope, schema } of settings) {
    const text = description.includes("`") ? { markdownDescription: description } : { description };
    properties[key] = { type, default: byDefault, ...text, scope, ...(schemas[key] ?? schema) };
  }
  return { title: "ConvLint", properties };
}

function valueAt(raw: unknown, path: readonly string[]): unknown {
  let value = raw;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

const boolean = (value: unknown) => (typeof value === "boolean" ? value : undefined);
const text = (value: unknown) => (typeof value === "string" ? value : undefined);
const length = (value: unknown) =>
  typeof value === "number" && Number.isInteger(value) && value >= 8 && value <= 200 ? value : undefined;

function ruleSettings(value: unknown): RuleSettings | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const known: readonly unknown[] = RULE_LEVELS;
  const sound = Object.values(value).every((setting) => {
    if (typeof setting !== "object" || setting === null) return known.includes(setting);
    return !Array.isArray(setting) && (setting.severity === undefined || known.includes(setting.severity));
  });
  return sound ? (value as RuleSettings) : undefined;
}
