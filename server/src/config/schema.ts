/**
 * The one description of what a configuration may say, as a JSON Schema: the command line and the server check files
 * against it, editors complete from it (docs/convlint-config.schema.json is this, written out), and the docs list it.
 */
import type { Schema } from "#shared/schema.ts";
import { RULE_LEVELS, TARGET_WORDS } from "#shared/settings.ts";
import { rules } from "../rules/index.ts";
import type { Options } from "../rules/option.ts";
import type { Rule } from "../rules/rule.ts";

const globs = (description: string): Schema => ({
  description,
  type: ["string", "array"],
  items: { type: "string" },
  errorMessage: "must be a glob or a list of globs",
});

/** A rule's severity, or a map of its options with the severity among them. */
function ruleSchema({ summary, options, optional }: Rule<any>): Schema {
  const severity: Schema = {
    description: `How grave it is${optional ? "; where an option is set it need not be said" : ""}.`,
    enum: RULE_LEVELS,
  };
  const description = `${summary}${optional ? " Off unless it is asked for." : ""}`;
  if (!options) return { description, enum: RULE_LEVELS };
  const properties = Object.entries(options as Options).map(([name, { schema }]) => [name, schema] as const);
  const map: Schema = {
    type: "object",
    properties: { severity, ...Object.fromEntries(properties) },
    additionalProperties: false,
  };
  const errorMessage = `must be one of ${RULE_LEVELS.join(", ")}, or a map of options`;
  return { description, anyOf: [{ type: "string", enum: RULE_LEVELS }, map], errorMessage };
}

const ruleSettings: Schema = {
  description:
    "The severity of single rules by their code, or a map of their options. Rules that are not named are as they are of themselves.",
  type: "object",
  properties: Object.fromEntries(
    (Object.values(rules) as readonly Rule<any>[]).map((rule) => [rule.code, ruleSchema(rule)]),
  ),
  additionalProperties: false,
  errorMessage: "must be a map from rule codes to severities",
};

/** What may be said of all files and, in an override, of some. */
const perFile: Readonly<Record<string, Schema>> = {
  input: {
    description:
      "The input size without the batch, channels first: `3x320x320` or [3, 320, 320]. A comment in a file and the command line are heard over it.",
    type: ["string", "array"],
    pattern: "^[1-9]\\d*([x×,][1-9]\\d*){0,4}$",
    items: { type: "integer", minimum: 1 },
    minItems: 1,
    errorMessage: "must be sizes such as 3x320x320 or [3, 320, 320]",
  },
  scale: {
    description: "The model scale where a file defines several, such as `n` or `s`.",
    type: "string",
    errorMessage: "must be a scale such as n",
  },
  targets: {
    description:
      "The frameworks that models are meant for, where a file does not say. With more than one, what they disagree about is told.",
    anyOf: [
      { type: "string", enum: TARGET_WORDS },
      { type: "array", items: { type: "string", enum: TARGET_WORDS } },
    ],
    errorMessage: `must be a list of ${TARGET_WORDS.join(", ")}`,
  },
  rules: ruleSettings,
};

export const configSchema: Schema = {
  description: "How ConvLint checks the models of a project.",
  type: "object",
  properties: {
    $schema: { description: "For editors.", type: "string" },
    extends: {
      description:
        "Configuration files that this one builds on, by paths relative to it; later ones are heard over earlier ones.",
      type: ["string", "array"],
      items: { type: "string" },
      errorMessage: "must be a path or a list of paths",
    },
    ignore: globs("Files and folders that are not checked, as globs relative to this file."),
    ...perFile,
    overrides: {
      description: "Other values for some files; later entries are heard over earlier ones.",
      type: "array",
      items: {
        type: "object",
        properties: { files: globs("The files that this entry is about, relative to the configuration."), ...perFile },
        required: ["files"],
        additionalProperties: false,
        errorMessage: "must be a map with files and what is to hold for them",
      },
      errorMessage: "must be a list",
    },
  },
  additionalProperties: false,
  errorMessage: "must be a map of settings",
};

/** What the settings of VS Code say of rules: the very same, for `manifestConfiguration`. */
export function settingSchemas(): Readonly<Record<string, object>> {
  const { properties, additionalProperties } = ruleSettings;
  return { "convlint.rules": { properties, additionalProperties } };
}

/** The schema as a file for editors. Ends with a line break. */
export function schemaText(): string {
  const head = { $schema: "http://json-schema.org/draft-07/schema#", title: "ConvLint configuration" };
  return `${JSON.stringify({ ...head, ...configSchema }, null, 2)}\n`;
}
