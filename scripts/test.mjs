/**
 * `npm test`: runs every mocha test file and ends with one counted line that people and CI read.
 */
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
const child = spawn(
  process.execPath,
  [mocha, "test/**/*.test.ts", "--ignore", "test/vscode/**", ...process.argv.slice(2)],
  { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
);
let output = "";
child.stdout.on("data", (chunk) => {
  output += chunk;
  process.stdout.write(chunk);
});
child.on("close", (code) => {
  const count = (word) => Number(new RegExp(`^\\s*(\\d+) ${word}`, "m").exec(output)?.[1] ?? 0);
  const passed = count("passing");
  const failed = count("failing");
  const skipped = count("pending");
  console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
  process.exit(code !== 0 || passed === 0 ? 1 : 0);
});
