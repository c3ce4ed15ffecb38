/** A configuration's tree against its schema: what does not fit, where it stands, and what was probably meant. */
import type { Range } from "#shared/ops/finding.ts";
import type { Schema, SchemaType } from "#shared/schema.ts";
import { didYouMean } from "../rules/nearest.ts";
import type { MapTree, Tree } from "../syntax/tree.ts";

export interface Misfit {
  readonly range: Range;
  readonly message: string;
}

/** @param name of the value, for the messages. */
export function validate(tree: Tree, schema: Schema, name = "the configuration"): readonly Misfit[] {
  const misfit = (message: string): Misfit[] => [{ range: tree.range, message: `${name} ${message}` }];
  const expected = schema.errorMessage ?? `must be ${[schema.type ?? "something else"].flat().join(" or ")}`;
  if (schema.type !== undefined && ![schema.type].flat().some((type) => type === typeOf(tree))) return misfit(expected);
  if (schema.anyOf) {
    const meant = schema.anyOf.find(({ type }) => [type].flat().includes(typeOf(tree)));
    return meant ? validate(tree, meant, name) : misfit(expected);
  }
  if (schema.enum !== undefined) {
    const value = tree.kind === "scalar" ? String(tree.value) : `a ${tree.kind}`;
    if (schema.enum.includes(value)) return [];
    return misfit(`must be one of ${schema.enum.join(", ")}, not ${value}.${didYouMean(value, schema.enum)}`);
  }
  if (tree.kind === "list") {
    if (tree.items.length < (schema.minItems ?? 0)) return misfit(expected);
    return tree.items.flatMap((item, index) => validate(item, schema.items ?? {}, `${name}[${index}]`));
  }
  if (tree.kind === "map") return validateMap(tree, schema, name);
  if (typeof tree.value === "string" && schema.pattern && !new RegExp(schema.pattern).test(tree.value)) {
    return misfit(`${expected}, not ${tree.value}`);
  }
  if (typeof tree.value === "number" && tree.value < (schema.minimum ?? tree.value)) {
    return misfit(`must be at least ${schema.minimum}`);
  }
  return [];
}

function validateMap(tree: MapTree, schema: Schema, name: string): readonly Misfit[] {
  const known = schema.properties ?? {};
  const missing = (schema.required ?? []).filter((key) => !tree.entries.some((entry) => entry.key.value === key));
  const misfits = missing.map((key): Misfit => ({ range: tree.range, message: `${name} lacks ${key}` }));
  for (const { key, value } of tree.entries) {
    const word = String(key.value);
    const member = Object.hasOwn(known, word) ? known[word] : undefined;
    if (member) misfits.push(...validate(value, member, word));
    else if (schema.additionalProperties === false) {
      const message = `${name} has no ${word}.${didYouMean(word, Object.keys(known))}`;
      misfits.push({ range: key.range, message });
    }
  }
  return misfits;
}

function typeOf(tree: Tree): SchemaType {
  if (tree.kind !== "scalar") return tree.kind === "map" ? "object" : "array";
  if (typeof tree.value === "boolean") return "boolean";
  if (typeof tree.value === "number") return Number.isInteger(tree.value) ? "integer" : "number";
  return tree.value === null ? "null" : "string";
}
