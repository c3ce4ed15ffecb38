/** Every output format of `convlint check`, in the order the help lists them. */
import { checkstyle } from "./checkstyle.ts";
import { concise } from "./concise.ts";
import type { Format } from "./format.ts";
import { full } from "./full.ts";
import { github } from "./github.ts";
import { gitlab } from "./gitlab.ts";
import { json, jsonLines } from "./json.ts";
import { junit } from "./junit.ts";
import { markdown } from "./markdown.ts";
import { rdjson } from "./rdjson.ts";
import { sarif } from "./sarif.ts";

export const formats: readonly Format[] = [
  full,
  concise,
  json,
  jsonLines,
  markdown,
  github,
  gitlab,
  sarif,
  junit,
  checkstyle,
  rdjson,
];
