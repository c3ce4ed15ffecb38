/**
 * The command line: finds the command, and keeps the contract of exit codes: 0 clean (warnings and information alone are
 * clean), 1 errors in a model, 2 misuse: an unknown command or option, no paths, a file that cannot be read.
 */
import { writeSync } from "node:fs";
import manifest from "../../package.json" with { type: "json" };
import { type Command, Misuse, readArguments } from "./lint/arguments.ts";
import { checkCommand } from "./lint/check.ts";
import { diffCommand } from "./lint/diff.ts";
import { ruleCommand } from "./lint/rules.ts";
import { serverCommand } from "./lint/server.ts";
import { snapshotCommand } from "./lint/snapshot.ts";
import { didYouMean } from "./rules/nearest.ts";

const COMMANDS: Readonly<Record<string, Command>> = {
  check: checkCommand,
  diff: diffCommand,
  snapshot: snapshotCommand,
  rule: ruleCommand,
  server: serverCommand,
};

const HELP = `convlint ${manifest.version}: checks the tensor shapes of CNN definitions in YAML and JSON.

Usage: convlint <command> [options]

${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(10)}  ${summary}\n`)
  .join("")}
Options: --help (also after a command), --version

Try:
  convlint check .                       every model file below this folder
  convlint check --table net.cnn.yaml    the output size, parameters and MACs of every layer
  convlint diff origin/main              what this branch changes in the sizes of models
  convlint rule non-integer-size         what this problem means
`;

async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    process.stderr.write(HELP);
    return 2;
  }
  if (name === "--help" || name === "-h" || name === "help") return say(HELP);
  if (name === "--version" || name === "-v") return say(`${manifest.version}\n`);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    const what = name.startsWith("-") ? "option" : "command";
    const candidates = what === "option" ? ["--help", "--version"] : Object.keys(COMMANDS);
    throw new Misuse(`unknown ${what} ${name}.${didYouMean(name, candidates)} See convlint --help.`);
  }
  const read = readArguments(name, rest, command.options);
  return read.has("help") ? say(command.help) : command.run(read);
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

// A reader that closes early (`| head`) ends the run quietly.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") writeSync(2, `convlint: ${error.message}\n`);
  process.exit();
});

run(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    // Anything else is a mistake of ConvLint's own, which must not pass for a problem in a model.
    const text = error instanceof Misuse ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`convlint: ${text}\n`);
    process.exitCode = 2;
  },
);
