/**
 * The part of JSON Schema in which settings are described: small enough to be checked here (server/src/config/validate.ts),
 * and what editors complete from.
 */

export interface Schema {
  readonly description?: string;
  readonly type?: SchemaType | readonly SchemaType[];
  readonly enum?: readonly string[];
  /** Of different types, so that a value's own type tells which of them it is meant to be. */
  readonly anyOf?: readonly Schema[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false;
  /** Completes "<key> must be …"; editors show it too. */
  readonly errorMessage?: string;
}

export type SchemaType = "object" | "array" | "string" | "integer" | "number" | "boolean" | "null";
