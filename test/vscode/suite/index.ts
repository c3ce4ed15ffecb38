/**
 * What VS Code runs (`extensionTestsPath`): every test file below, in one mocha, whose counts are left in result.json
 * for run.mjs.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Counts, leave, leftCounts, RELOADED } from "./reload.ts";
import { picture } from "./screen.ts";

/**
 * Resolves when all tests passed; rejects when one failed, which makes VS Code's exit code 1. Where the screen can be had,
 * the first half ends with the window being loaded anew, and the second one is run by the next extension host.
 */
export async function run(): Promise<void> {
  const { default: Mocha } = await import("mocha");
  const { CONVLINT_GREP: grep, WORKBENCH_CONTROL_URL: screen } = process.env;
  const mocha = new Mocha({ ui: "bdd", timeout: 30_000, reporter: "spec", ...(grep ? { grep } : {}) });
  mocha.suite.emit("pre-require", globalThis, "", mocha); // defines describe, it and the rest
  const before = leftCounts();
  if (before) await import("./reload.test.ts");
  else {
    await import("./hints.test.ts");
    await import("./problems.test.ts");
    await import("./fixes.test.ts");
    await import("./settings.test.ts");
    await import("./lifecycle.test.ts");
    await import("./preview.test.ts");
    await import("./files.test.ts");
  }
  const { passed, failed, skipped } = await new Promise<Counts>((resolve) => {
    const runner = mocha.run((failed) => {
      const { passes, pending } = runner.stats ?? { passes: 0, pending: 0 };
      resolve({ passed: passes, failed, skipped: pending });
    });
    runner.on("fail", ({ title }) => void picture(`failed-${title.replace(/\W+/g, "-")}`));
  });
  const counts = {
    passed: passed + (before?.passed ?? 0),
    failed: failed + (before?.failed ?? 0),
    skipped: skipped + (before?.skipped ?? 0),
  };
  if (!before && screen && RELOADED.match(grep ?? "")) await leave(counts);
  writeFileSync(join(__dirname, "result.json"), JSON.stringify(counts));
  if (counts.failed > 0) throw new Error(`${counts.failed} tests failed`);
}
