/**
 * `npm run bench`: bundles the benchmark as the product is bundled, because a loader that compiles on the fly would be
 * measured with it, and runs it. `npm run bench -- keystroke files` runs these parts only (`PARTS` of test/bench/run.ts).
 */
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as esbuild from "esbuild";
import { build } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const outfile = join(root, "dist", "bench.js");

await build({ log: () => {} });
await esbuild.build({
  absWorkingDir: root,
  entryPoints: ["test/bench/run.ts"],
  outfile,
  bundle: true,
  minify: true,
  packages: "external",
  platform: "node",
  format: "esm",
  target: "node20.19",
});
await import(pathToFileURL(outfile).href);
