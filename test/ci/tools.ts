/** The programs of Debian's that show ConvLint where CI runs it. Where CI=true a missing one is a failure. */
import { spawnSync } from "node:child_process";

/**
 * Skips the test of `context`, and says so, where a program is not there.
 * @param mark what its `--version` says.
 * @throws where CI=true.
 */
export function needs(context: Mocha.Context, program: string, mark: string): void {
  const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  if (status === 0 && stdout.includes(mark)) return;
  const missing = `${program} is not installed (Debian has it as a package of that name)`;
  if (process.env.CI === "true") throw new Error(`${missing}, which CI counts as a failure`);
  console.log(`        ${missing}: not shown here`);
  context.skip();
}
