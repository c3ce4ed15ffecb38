/**
 * The command line: `convlint check`, `convlint rule`, `convlint server`.
 *
 * Exit codes are a contract: 0 clean (warnings and information alone are clean), 1 errors in a model, 2 misuse: an unknown
 * command or option, no paths, a file that cannot be read.
 */
import { writeSync } from "node:fs";
import { parseArgs } from "node:util";
import manifest from "../../package.json" with { type: "json" };
import { check, type Format } from "./lint/check.ts";
import { listRules, ruleText } from "./lint/rules.ts";
import { painter } from "./lint/style.ts";
import { rules } from "./rules/index.ts";
import { didYouMean } from "./rules/nearest.ts";

const HELP = `convlint ${manifest.version}: checks the tensor shapes of CNN definitions in YAML and JSON.

Usage: convlint <command> [options]

  check <paths…>   check files, folders and globs; - reads standard input
  rule [code]      what a problem's code means, with a bad and a good example; without a code, the list
  server --stdio   the language server, for any editor that speaks LSP

Options: --help (also after a command), --version

Try:
  convlint check .                       every model file below this folder
  convlint check --table net.cnn.yaml    the output size, parameters and MACs of every layer
  convlint rule non-integer-size         what this problem means
`;

const CHECK_HELP = `Usage: convlint check [options] <paths…>

Checks model files. Folders are searched for YAML and JSON files that hold a model; node_modules, .git and what
.gitignore names are left out. Files that hold no model are passed over.

  --format full|concise|json   full (default): each problem with its line of the file
                               concise: one line per problem; json: for programs (docs/json-format.md)
  --table                      before the problems, the table of layers (json always holds it)
  --input 3x224x224            the input size, without the batch, instead of the file's own
  --scale n                    the model scale, for formats that have one
  --stdin-filename name        what to call standard input; the ending decides between YAML and JSON
  -h, --help                   this text

Exit code: 0 clean (warnings and information do not fail), 1 errors, 2 misuse.

Examples:
  convlint check models/                            a folder
  convlint check 'configs/**/*.cnn.yaml'            a glob, quoted so that the shell leaves it alone
  convlint check --input 3x320x320 net.cnn.yaml     the same model at another size
  git show HEAD:net.cnn.yaml | convlint check - --stdin-filename net.cnn.yaml
  convlint check --format json . | jq '.files[].totals'
`;

const SERVER_HELP = `Usage: convlint server --stdio

Runs the language server over standard input and output until the editor closes it. Set your editor to start it for
YAML and JSON files.
`;

const RULE_HELP = `Usage: convlint rule [code]

Prints what a problem's code means, why it matters, and a bad and a good example; without a code, the list of codes.
`;

/** What the user asked for makes no sense; the message says what does. */
class Misuse extends Error {}

const COMMANDS: Readonly<Record<string, (args: string[]) => number | Promise<number>>> = {
  check: runCheck,
  rule: runRule,
  server: runServer,
};

async function run(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  if (command === undefined) {
    process.stderr.write(HELP);
    return 2;
  }
  if (command === "--help" || command === "-h" || command === "help") return say(HELP);
  if (command === "--version" || command === "-v") return say(`${manifest.version}\n`);
  const known = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (!known) {
    const what = command.startsWith("-") ? "option" : "command";
    const candidates = what === "option" ? ["--help", "--version"] : Object.keys(COMMANDS);
    throw new Misuse(`unknown ${what} ${command}.${didYouMean(command, candidates)} See convlint --help.`);
  }
  return known(rest);
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

interface OptionSpec {
  readonly type: "string" | "boolean";
  readonly short?: string;
}

/** Options and paths of a subcommand. @throws Misuse on what it does not know. */
function parse(command: string, args: readonly string[], specs: Readonly<Record<string, OptionSpec>>) {
  const options: Record<string, OptionSpec> = { ...specs, help: { type: "boolean", short: "h" } };
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const values = new Map<string, string>();
  const paths: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") paths.push(token.value);
    if (token.kind !== "option") continue;
    const spec = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (!spec) {
      const candidates = Object.keys(options).map((name) => `--${name}`);
      throw new Misuse(
        `unknown option ${token.rawName}.${didYouMean(token.rawName, candidates)} See convlint ${command} --help.`,
      );
    }
    if (spec.type === "string" && (!token.value || (!token.inlineValue && /^-./.test(token.value)))) {
      throw new Misuse(`${token.rawName} needs a value. See convlint ${command} --help.`);
    }
    if (spec.type === "boolean" && token.value !== undefined) throw new Misuse(`${token.rawName} takes no value.`);
    values.set(token.name, token.value ?? "");
  }
  return { values, paths };
}

async function runCheck(args: string[]): Promise<number> {
  const { values, paths } = parse("check", args, {
    format: { type: "string" },
    table: { type: "boolean" },
    input: { type: "string" },
    scale: { type: "string" },
    "stdin-filename": { type: "string" },
  });
  if (values.has("help")) return say(CHECK_HELP);
  if (paths.length === 0) {
    process.stderr.write(`convlint: no paths given.\n\n${CHECK_HELP}`);
    return 2;
  }
  const input = values.get("input");
  const scale = values.get("scale");
  const result = check(
    {
      paths,
      format: readFormat(values.get("format") ?? "full"),
      table: values.has("table"),
      stdin: paths.includes("-")
        ? { text: await readStdin(), filename: values.get("stdin-filename") ?? "stdin.yaml" }
        : null,
      options: {
        ...(input === undefined ? {} : { input: readInput(input) }),
        ...(scale === undefined ? {} : { scale }),
      },
      cwd: process.cwd(),
    },
    painter(process.stdout, process.env),
  );
  for (const note of result.notes) process.stderr.write(`convlint: ${note}\n`);
  process.stdout.write(result.output);
  return result.misuse ? 2 : result.errors > 0 ? 1 : 0;
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

const FORMATS: readonly Format[] = ["full", "concise", "json"];

function readFormat(word: string): Format {
  const format = FORMATS.find((known) => known === word);
  if (!format) throw new Misuse(`--format must be ${FORMATS.join(", ")}, not ${word}.${didYouMean(word, FORMATS)}`);
  return format;
}

/** "3x320x320" or "3,320,320" → [3, 320, 320]. */
function readInput(word: string): number[] {
  const sizes = word.split(/[x×,]/i).map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  if (!sizes.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new Misuse(`--input must be sizes such as 3x320x320, not ${word}.`);
  }
  return sizes;
}

function runRule(args: string[]): number {
  const { values, paths } = parse("rule", args, {});
  if (values.has("help")) return say(RULE_HELP);
  if (paths.length > 1) throw new Misuse("one code at a time. See convlint rule --help.");
  const code = paths[0];
  if (code === undefined) return say(listRules());
  const text = ruleText(code);
  if (text === null) {
    throw new Misuse(`unknown rule ${code}.${didYouMean(code, Object.keys(rules))} See convlint rule for the list.`);
  }
  return say(text);
}

async function runServer(args: string[]): Promise<number> {
  const { values } = parse("server", args, { stdio: { type: "boolean" } });
  if (values.has("help")) return say(SERVER_HELP);
  if (!values.has("stdio"))
    throw new Misuse("the server speaks over standard input and output: convlint server --stdio");
  const { startServer } = await import("./main.ts");
  startServer();
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
    if (!(error instanceof Misuse)) throw error;
    process.stderr.write(`convlint: ${error.message}\n`);
    process.exitCode = 2;
  },
);
