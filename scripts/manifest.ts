/** Writes package.json's `contributes.configuration` from the table of settings. `npx tsx scripts/manifest.ts` */
import { readFileSync, writeFileSync } from "node:fs";
import { settingSchemas } from "#server/config/schema.ts";
import { manifestConfiguration } from "#shared/settings.ts";

const file = new URL("../package.json", import.meta.url);
const manifest = JSON.parse(readFileSync(file, "utf8"));
manifest.contributes.configuration = manifestConfiguration(settingSchemas());
writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
