/** Installs what the tests of the preview's page need, from the lockfile beside this file. */
import { fileURLToPath } from "node:url";
import { install } from "../../../scripts/setup.mjs";

install(fileURLToPath(new URL(".", import.meta.url)), "--ignore-scripts");
