/** Installs VS Code for the Web from the lockfile beside this file, when it is missing or older than that. */
import { fileURLToPath } from "node:url";
import { install } from "../../../scripts/setup.mjs";

install(fileURLToPath(new URL(".", import.meta.url)), "--ignore-scripts", "--loglevel=error");
