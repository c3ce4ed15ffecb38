/**
 * `convlint check`: finds files, checks each as the editor does, and writes what it found.
 */
import { resolve } from "node:path";
import { parseInput } from "#shared/settings.ts";
import type { Configs } from "../config/resolve.ts";
import { type Arguments, type Command, Misuse } from "./arguments.ts";
import { Baseline } from "./baseline.ts";
import { checkTask, type Setup, type Task } from "./checker.ts";
import { CONFIG_OPTIONS, configText, findConfigs, problemLine } from "./config.ts";
import { findFiles } from "./files.ts";
import type { Tally } from "./formats/format.ts";
import { formats } from "./formats/index.ts";
import { Outputs, readDestinations, toStdout } from "./outputs.ts";
import { shownPath, slashed } from "./paths.ts";
import { isIgnored } from "./search.ts";
import { harmless, painter } from "./style.ts";

const HELP = `Usage: convlint check [options] <paths…>

Checks model files. Folders are searched for YAML and JSON files that hold a model; node_modules, .git and what
.gitignore and .convlintignore name are left out. Files that hold no model are passed over.

A convlint.config.yaml or .json, or a convlint section in package.json or pyproject.toml, says what holds for a project:
the nearest one above a file is heard (docs/configuration.md).

What to check
  --config file             hear this configuration instead of the nearest one
  --no-config               hear none
  --force-exclude           leave out what is ignored even where it is named, as pre-commit does
  --show-files              print the model files that would be checked
  --show-config file        print what the configuration says of a file

What to assume
  --input 3x224x224         the input size, without the batch, instead of the file's own
  --scale n                 the model scale, for formats that have one
  --stdin-filename name     what to call standard input (-); the ending decides between YAML and JSON

What to write
  --format name             how to write what was found, one of the formats below
  --format name=file        the same to a file; may be given several times: --format full --format sarif=out.sarif
  --output-file file        where the format without a file goes, instead of standard output
  --table                   before the problems, the table of layers
  --statistics              at the end, how many problems of each code
  --no-layers               leave the layers out of json and json-lines, which then are smaller and faster

When to fail
  --error-on-warnings       exit with 1 for warnings too
  --max-warnings n          exit with 1 for more than n warnings
  --exit-zero               exit with 0 whatever was found
  --baseline file           leave out the problems that this file knows; they are known by what they say, not by line
  --update-baseline         make the baseline know all that is found now

  -h, --help                this text

Formats
${formats.map(({ name, summary }) => `  ${name.padEnd(24)}  ${summary}\n`).join("")}
Exit code: 0 clean (warnings and information do not fail), 1 errors, 2 misuse.

Examples:
  convlint check models/                            a folder
  convlint check 'configs/**/*.cnn.yaml'            a glob, quoted so that the shell leaves it alone
  convlint check --input 3x320x320 net.cnn.yaml     the same model at another size
  git show HEAD:net.cnn.yaml | convlint check - --stdin-filename net.cnn.yaml
  convlint check --format json . | jq '.files[].totals'
`;

export const checkCommand: Command = {
  summary: "check files, folders and globs; - reads standard input",
  help: HELP,
  options: {
    ...CONFIG_OPTIONS,
    "force-exclude": { type: "boolean" },
    "show-files": { type: "boolean" },
    "show-config": { type: "string" },
    format: { type: "string" },
    "output-file": { type: "string" },
    table: { type: "boolean" },
    statistics: { type: "boolean" },
    "no-layers": { type: "boolean" },
    input: { type: "string" },
    scale: { type: "string" },
    "stdin-filename": { type: "string" },
    "error-on-warnings": { type: "boolean" },
    "max-warnings": { type: "string" },
    "exit-zero": { type: "boolean" },
    baseline: { type: "string" },
    "update-baseline": { type: "boolean" },
  },
  run,
};

async function run(args: Arguments): Promise<number> {
  const cwd = process.cwd();
  const configs = findConfigs(args, cwd);
  const shown = args.last("show-config");
  if (shown !== undefined) return showConfig(configs, shown, cwd);
  if (args.paths.length === 0) {
    process.stderr.write(`convlint: no paths given.\n\n${HELP}`);
    return 2;
  }
  const destinations = readDestinations(args.all("format"), args.last("output-file"));
  for (const name of ["table", "statistics"]) {
    if (args.has(name) && !destinations.some(({ format }) => format.forPeople)) {
      throw new Misuse(`--${name} has no place in the format ${destinations[0]!.format.name}.`);
    }
  }
  const setup: Setup = {
    ...readAssumptions(args),
    wants: {
      layers: !args.has("no-layers") && destinations.some(({ format }) => format.layers),
      table: args.has("table"),
    },
  };
  if (args.has("show-files")) return (await showFiles(await findTasks(args, configs, cwd), setup)) ? 2 : 0;
  const maxWarnings = args.has("error-on-warnings") ? 0 : args.count("max-warnings");
  const outputs = new Outputs(
    destinations,
    {
      paint: painter(process.stdout, process.env),
      fails: (severity) => severity === "error" || (severity === "warning" && maxWarnings === 0),
      table: args.has("table"),
      statistics: args.has("statistics"),
    },
    cwd,
  );
  const misuse = await checkAll(await findTasks(args, configs, cwd), setup, outputs, readBaseline(args, cwd));
  if (misuse) return 2;
  return args.has("exit-zero") ? 0 : exitCode(outputs.tally, maxWarnings);
}

function showConfig(configs: Configs, file: string, cwd: string): number {
  process.stdout.write(configText(configs, file, cwd));
  for (const problem of configs.problems) note(problemLine(problem, cwd));
  return configs.problems.length > 0 ? 2 : 0;
}

/** Prints the files that hold a model. @returns as `checkAll`. */
async function showFiles({ tasks, problems }: FoundTasks, setup: Setup): Promise<boolean> {
  for (const problem of problems) note(problem);
  for (const task of tasks) {
    if (checkTask(task, setup).kind === "checked") await toStdout(`${harmless(task.path)}\n`);
  }
  return problems.length > 0;
}

/** @throws Misuse */
function readBaseline(args: Arguments, cwd: string): Baseline | null {
  const name = args.last("baseline");
  const updates = args.has("update-baseline");
  if (name === undefined && updates) throw new Misuse("--update-baseline needs --baseline <file>.");
  return name === undefined ? null : Baseline.open(name, cwd, updates);
}

/** What the command line says of input and scale. @throws Misuse */
export function readAssumptions(args: Arguments): Pick<Setup, "input" | "scale"> {
  const word = args.last("input");
  const input = word === undefined ? null : parseInput(word.toLowerCase());
  if (input === undefined) throw new Misuse(`--input must be sizes such as 3x320x320, not ${word}.`);
  return { input, scale: args.last("scale") ?? null };
}

function exitCode({ severities }: Tally, maxWarnings = Number.POSITIVE_INFINITY): number {
  return severities.error > 0 || severities.warning > maxWarnings ? 1 : 0;
}

/** A file to check, and whether the user named it: then it is worth a word that it holds no model. */
interface NamedTask extends Task {
  readonly named: boolean;
}

interface FoundTasks {
  /** By path. */
  readonly tasks: readonly NamedTask[];
  /** What leads nowhere, as sentences. */
  readonly problems: readonly string[];
}

async function findTasks(args: Arguments, configs: Configs, cwd: string): Promise<FoundTasks> {
  const forced = args.has("force-exclude");
  const found = findFiles(
    args.paths.filter((path) => path !== "-"),
    cwd,
  );
  const tasks: NamedTask[] = found.candidates.flatMap(({ file, path, named }) => {
    const { config, ignored } = configs.of(slashed(file));
    const leftOut = (ignored && (forced || !named)) || (forced && named && isIgnored(file));
    return leftOut ? [] : [{ path, file, text: null, named, config }];
  });
  if (args.paths.includes("-")) {
    const path = shownPath(resolve(cwd, args.last("stdin-filename") ?? "stdin.yaml"), cwd);
    const { config } = configs.of(slashed(resolve(cwd, path)));
    tasks.push({ path, file: null, text: await readStdin(), named: true, config });
  }
  tasks.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return { tasks, problems: [...configs.problems.map((problem) => problemLine(problem, cwd)), ...found.problems] };
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** Checks all tasks in their order. @returns whether something the user named could not be checked. */
async function checkAll(
  { tasks, problems }: FoundTasks,
  setup: Setup,
  outputs: Outputs,
  baseline: Baseline | null,
): Promise<boolean> {
  let misuse = problems.length > 0;
  let quiet = problems.length === 0;
  for (const problem of problems) note(problem);
  await outputs.start();
  for (const task of tasks) {
    const outcome = checkTask(task, setup);
    if (outcome.kind === "checked") await outputs.file(baseline ? baseline.filter(outcome.checked) : outcome.checked);
    else if (outcome.kind === "unreadable") {
      note(`${task.path}: the file cannot be read (${outcome.why})`);
      misuse = true;
    } else if (task.named) note(`${task.path}: not a model file, nothing to check`);
    if (outcome.kind === "unreadable" || (outcome.kind === "no-model" && task.named)) quiet = false;
  }
  await outputs.finish();
  const done = baseline?.finish();
  if (done) note(done);
  if (outputs.tally.files === 0 && quiet) note("no model files found");
  return misuse;
}

function note(text: string): void {
  process.stderr.write(`convlint: ${harmless(text)}\n`);
}
