/**
 * `npm run package`: builds the extension and packs it into convlint-<version>.vsix. The packager is installed on first
 * use, into a folder of its own.
 */
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "./build.mjs";
import { install, root } from "./setup.mjs";

/** What a .vsix may weigh, in bytes: it is downloaded by every user at every update. */
const LIMIT = 2_000_000;

/** Builds and packs; resolves with the file's path. Throws when the file is larger than it may be. */
export async function packageExtension() {
  await build();
  const folder = fileURLToPath(new URL("vsix/", import.meta.url));
  install(folder, "--ignore-scripts", "--omit=optional", "--loglevel=error"); // the optional ones only serve publishing
  const { createVSIX } = createRequire(join(folder, "package.json"))("@vscode/vsce");
  const { name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const file = join(root, `${name}-${version}.vsix`);
  await createVSIX({
    cwd: root,
    packagePath: file,
    dependencies: false, // everything is bundled
    allowMissingRepository: true,
    rewriteRelativeLinks: false,
  });
  const { size } = statSync(file);
  if (size > LIMIT) throw new Error(`${file} has ${size} bytes, more than the ${LIMIT} it may have`);
  console.log(`${name}-${version}.vsix: ${(size / 1000).toFixed(0)} kB`);
  return file;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await packageExtension();
