/**
 * The one description of what a configuration may say, as a JSON Schema: the command line and the server check files
 * against it, editors complete from it (docs/convlint-config.schema.json is this, written out), and the docs list it.
 */
import { RULE_LEVELS } from "#shared/settings.ts";
import { rules } from "../rules/index.ts";
import type { Rule } from "../rules/rule.ts";

/** The part of JSON Schema that is used here; `validate` knows no other. */
export interface Schema {
  readonly description?: string;
  readonly type?: SchemaType | readonly SchemaType[];
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false;
  /** Completes "<key> must be …"; editors show it too. */
  readonly errorMessage?: string;
}

export type SchemaType = "object" | "array" | "string" | "integer" | "boolean" | "null";

const globs = (description: string): Schema => ({
  description,
  type: ["string", "array"],
  items: { type: "string" },
  errorMessage: "must be a glob or a list of globs",
});

const ruleLevels: Schema = {
  description: "The severity of single rules by their code. Rules that are not named keep their own.",
  type: "object",
  properties: Object.fromEntries(
    (Object.values(rules) as readonly Rule<any>[]).map(({ code, summary }) => [
      code,
      { description: summary, enum: RULE_LEVELS },
    ]),
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
  rules: ruleLevels,
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

/** The schema as a file for editors. Ends with a line break. */
export function schemaText(): string {
  const head = { $schema: "http://json-schema.org/draft-07/schema#", title: "ConvLint configuration" };
  return `${JSON.stringify({ ...head, ...configSchema }, null, 2)}\n`;
}
