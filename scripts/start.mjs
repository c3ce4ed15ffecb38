/**
 * `npm start`, after setup: builds, checks the example models, and shows what ConvLint says: the layer table of a few good
 * models, and the problems of the broken ones.
 */
import { spawnSync } from "node:child_process";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join(root, "dist", "cli.js");
const SHOWN = ["examples/lenet.cnn.yaml", "examples/resnet18.cnn.yaml", "examples/dcgan-generator.cnn.yaml"];

function step(text) {
  console.log(`\n── ${text}\n`);
}

/** Runs the built command line in the project's folder; stops where it ends otherwise than `expected`. */
function convlint(expected, ...args) {
  console.log(`$ convlint ${args.join(" ")}\n`);
  const { status, error } = spawnSync(process.execPath, [cli, ...args], { cwd: root, stdio: "inherit" });
  if (status === expected) return;
  console.error(`\nstart: convlint ended with ${error?.message ?? status}, expected ${expected}`);
  process.exit(1);
}

step("Building dist/");
await build();

step("Example models: the size after every layer");
convlint(0, "check", "--table", ...SHOWN);

step("All example models");
convlint(0, "check", "--format", "concise", "examples/*.cnn.yaml");

step("Broken models (examples/broken): one mistake each, so errors are what should be here");
convlint(1, "check", "examples/broken");

const command = `node ${relative(process.cwd(), cli).split("\\").join("/")}`;
console.log(`
Done: ConvLint is built, the example models are clean, and every broken one was found out.
Check your own files:   ${command} check <paths…>
See it in VS Code:      npm run package, then "Extensions: Install from VSIX…"
`);
