/**
 * The bundles that a test runs, built from the working tree once per run.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "../../scripts/build.mjs";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
let building: Promise<void> | undefined;

/** The path of a file in dist/ after a build. @throws where the build fails. */
export async function built(name: "cli.js" | "server.js"): Promise<string> {
  building ??= build({ log: () => {} });
  await building;
  return join(dist, name);
}
