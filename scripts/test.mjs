/**
 * `npm test`: runs every mocha test file and prints how much of the sources that goes through, then the suite in a real
 * VS Code where one is there, and ends with one counted line that people and CI read. In CI (CI=true) a missing VS Code is
 * a failure. Arguments go to mocha, without coverage or the suite in VS Code: `npm test -- --grep hover`.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { findVsCode, runInVsCode } from "../test/vscode/run.mjs";
import { root } from "./setup.mjs";

/** Of a whole run c8 says what part of the sources it has gone through. */
const COVERAGE = [
  join(root, "node_modules", "c8", "bin", "c8.js"),
  ...["--reporter", "text-summary", "--temp-directory", join(root, "node_modules", ".cache", "coverage")],
  ...["shared", "server"].flatMap((part) => ["--include", `${part}/src/**`]),
  process.execPath,
];

/** Runs mocha and resolves with its counts; a run that breaks off counts as one failure more. */
function runMocha(args) {
  const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
  const command = [mocha, "test/**/*.test.ts", "--ignore", "test/vscode/**", ...args];
  const child = spawn(process.execPath, args.length === 0 ? [...COVERAGE, ...command] : command, {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
    process.stdout.write(chunk);
  });
  return new Promise((resolve) => {
    child.on("close", (code) => {
      const count = (word) => Number(new RegExp(`^\\s*(\\d+) ${word}`, "m").exec(output)?.[1] ?? 0);
      const counts = { passed: count("passing"), failed: count("failing"), skipped: count("pending") };
      if (code !== 0 && counts.failed === 0) counts.failed = 1;
      resolve(counts);
    });
  });
}

/** Runs the suite in VS Code where there is one; says plainly where there is none. */
async function runVsCode() {
  const { executable, missing } = findVsCode();
  if (missing) {
    const required = process.env.CI === "true";
    console.log(
      `VS Code: the tests in the editor did not run (${missing})${required ? ", which CI counts as a failure" : ""}`,
    );
    return { passed: 0, failed: required ? 1 : 0, skipped: 0 };
  }
  console.log(`VS Code: running the tests in the editor (${executable})`);
  try {
    return await runInVsCode(executable);
  } catch (error) {
    console.error(`VS Code: ${error.message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

const args = process.argv.slice(2);
const runs = [await runMocha(args)];
if (args.length === 0) runs.push(await runVsCode());
const sum = (key) => runs.reduce((total, run) => total + run[key], 0);
const [passed, failed, skipped] = ["passed", "failed", "skipped"].map(sum);
console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
