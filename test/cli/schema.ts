/**
 * Checks a value against the part of JSON Schema that docs/convlint-json.schema.json uses; an unknown keyword throws.
 */
export type Schema = { readonly [keyword: string]: any };

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  array: Array.isArray,
  string: (value) => typeof value === "string",
  integer: Number.isSafeInteger,
  number: Number.isFinite,
  boolean: (value) => typeof value === "boolean",
  null: (value) => value === null,
};

/** What does not fit, as paths with reasons. */
export function violations(value: unknown, schema: Schema, root: Schema, at = "$"): string[] {
  const found: string[] = [];
  for (const [keyword, wanted] of Object.entries(schema)) {
    const members = TYPES.object!(value) ? (value as Record<string, unknown>) : {};
    const items = Array.isArray(value) ? value : [];
    if (keyword === "$ref") found.push(...violations(value, root.$defs[wanted.replace("#/$defs/", "")], root, at));
    else if (keyword === "type") {
      if (![wanted].flat().some((type: string) => TYPES[type]!(value))) found.push(`${at}: not ${wanted}`);
    } else if (keyword === "const") {
      if (value !== wanted) found.push(`${at}: not ${wanted}`);
    } else if (keyword === "enum") {
      if (!wanted.includes(value)) found.push(`${at}: not one of ${wanted}`);
    } else if (keyword === "minimum") {
      if (typeof value === "number" && value < wanted) found.push(`${at}: less than ${wanted}`);
    } else if (keyword === "anyOf") {
      if (wanted.every((option: Schema) => violations(value, option, root, at).length > 0))
        found.push(`${at}: none of the forms`);
    } else if (keyword === "required") {
      for (const name of wanted) if (!Object.hasOwn(members, name)) found.push(`${at}: without ${name}`);
    } else if (keyword === "additionalProperties") {
      for (const name of Object.keys(members)) if (!schema.properties[name]) found.push(`${at}: unexpected ${name}`);
    } else if (keyword === "properties") {
      for (const [name, member] of Object.entries(members)) {
        if (wanted[name]) found.push(...violations(member, wanted[name], root, `${at}.${name}`));
      }
    } else if (keyword === "items") {
      for (const [index, item] of items.entries()) found.push(...violations(item, wanted, root, `${at}[${index}]`));
    } else if (!["$schema", "$defs", "title"].includes(keyword)) throw new Error(`keyword ${keyword} is not checked`);
  }
  return found;
}
