/**
 * `convlint check`: finds files, checks each as the editor does, and writes what it found.
 */
import type { Configs } from "../config/resolve.ts";
import { counted } from "../rules/wording.ts";
import { type Arguments, type Command, Misuse } from "./arguments.ts";
import { ASSUMPTION_OPTIONS, readAssumptions } from "./assumptions.ts";
import { Baseline } from "./baseline.ts";
import { Checker } from "./checker.ts";
import { CONFIG_OPTIONS, configText, findConfigs, problemLine } from "./config.ts";
import { FIX_OPTIONS, type Fixing, readFixing } from "./fix.ts";
import type { Tally } from "./formats/format.ts";
import { formats } from "./formats/index.ts";
import { checkLines } from "./lines.ts";
import { type Destination, Outputs, readDestinations, toStdout } from "./outputs.ts";
import { note, type Run, runAll } from "./run.ts";
import { harmless, painter } from "./style.ts";
import { type FoundTasks, findTasks, TASK_OPTIONS } from "./tasks.ts";
import { watch } from "./watch.ts";

const HELP = `Usage: convlint check [options] <paths…>

Checks model files. Folders are searched for YAML and JSON files that hold a model; node_modules, .git and what
.gitignore and .convlintignore name are left out. Files that hold no model are passed over.

A convlint.config.yaml or .json, or a convlint section in package.json or pyproject.toml, says what holds for a project:
the nearest one above a file is heard (docs/configuration.md).

What to check
  --config file             hear this configuration instead of the nearest one
  --no-config               hear none
  --force-exclude           for programs that name every file, such as pre-commit: leave out what is ignored even where
                            it is named, and say nothing of files that hold no model
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

What to fix (docs/fixing.md)
  --fix                     fix what is surely meant, in the files; of standard input (-), on standard output
  --unsafe-fixes            with --fix or --diff, also what changes the architecture
  --diff                    print what --fix would change as a patch, and change nothing
  --no-fixes                do not look for fixes, which is faster where there are many problems

When to fail
  --error-on-warnings       exit with 1 for warnings too
  --max-warnings n          exit with 1 for more than n warnings
  --exit-zero               exit with 0 whatever was found
  --exit-non-zero-on-fix    exit with 1 where something was fixed
  --baseline file           leave out the problems that this file knows; they are known by what they say, not by line
  --update-baseline         make the baseline know all that is found now

Many files
  --jobs n                  worker threads, instead of one for each core
  --cache-dir folder        where to keep what was found, by content; without it, many files use the user's own folder
  --no-cache                find everything anew
  --watch                   check again after every change, until interrupted
  --stdin-jsonl             a model per line on standard input, a report per line on standard output (docs/ci.md);
                            one thread unless --jobs says otherwise, exit code 0 whatever the lines hold

  -h, --help                this text

Formats
${formats.map(({ name, summary }) => `  ${name.padEnd(24)}  ${summary}\n`).join("")}
Exit code: 0 clean (warnings and information do not fail), 1 errors, 2 misuse. With --fix, of what is left;
--diff gives 1 where there is something to fix.

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
    ...TASK_OPTIONS,
    "show-files": { type: "boolean" },
    "show-config": { type: "string" },
    format: { type: "string" },
    "output-file": { type: "string" },
    table: { type: "boolean" },
    statistics: { type: "boolean" },
    "no-layers": { type: "boolean" },
    ...ASSUMPTION_OPTIONS,
    ...FIX_OPTIONS,
    "error-on-warnings": { type: "boolean" },
    "max-warnings": { type: "string" },
    "exit-zero": { type: "boolean" },
    baseline: { type: "string" },
    "update-baseline": { type: "boolean" },
    jobs: { type: "string" },
    "cache-dir": { type: "string" },
    "no-cache": { type: "boolean" },
    watch: { type: "boolean" },
    "stdin-jsonl": { type: "boolean" },
  },
  run,
};

async function run(args: Arguments): Promise<number> {
  const cwd = process.cwd();
  const shown = args.last("show-config");
  if (shown !== undefined) return showConfig(findConfigs(args, cwd), shown, cwd);
  const fixing = readFixing(args);
  if (args.has("stdin-jsonl")) return runLines(args, cwd);
  if (args.paths.length === 0) {
    process.stderr.write(`convlint: no paths given.\n\n${HELP}`);
    return 2;
  }
  const destinations = fixing?.to === "diff" ? [] : readDestinations(args.all("format"), args.last("output-file"));
  const setup = readSetup(args, destinations, fixing);
  const find = () => findTasks(args, findConfigs(args, cwd), cwd);
  if (args.has("show-files")) return showFiles(await find(), setup);
  const maxWarnings = args.has("error-on-warnings") ? 0 : args.count("max-warnings");
  const start = (): Run => ({
    setup,
    fixing,
    paint: painter(process.stdout, process.env),
    baseline: readBaseline(args, cwd),
    jobs: args.count("jobs", 1) ?? null,
    cache: readCache(args),
    // Last, for it opens files: misuse is told before.
    outputs: new Outputs(
      destinations,
      {
        paint: painter(fixing?.to === "stdout" ? process.stderr : process.stdout, process.env),
        fails: (severity) => severity === "error" || (severity === "warning" && maxWarnings === 0),
        table: args.has("table"),
        statistics: args.has("statistics"),
      },
      cwd,
      fixing?.to === "stdout" ? process.stderr.fd : null,
    ),
  });
  if (args.has("watch")) {
    if (args.paths.includes("-")) throw new Misuse("--watch looks at files, not at standard input.");
    return watch(find, async (found) => {
      if (process.stdout.isTTY) await toStdout("\u001b[2J\u001b[H");
      await runAll(found, start());
    });
  }
  const started = start();
  if (await runAll(await find(), started)) return 2;
  const { tally } = started.outputs;
  if (fixing?.to === "diff")
    note(tally.fixed === 0 ? "nothing to fix" : `--fix would fix ${counted(tally.fixed, "problem")}`);
  if (args.has("exit-zero")) return 0;
  if (tally.fixed > 0 && (fixing?.to === "diff" || args.has("exit-non-zero-on-fix"))) return 1;
  return fixing?.to === "diff" ? 0 : exitCode(tally, maxWarnings);
}

/** @throws Misuse */
function readSetup(args: Arguments, destinations: readonly Destination[], fixing: Fixing | null): Run["setup"] {
  for (const name of ["table", "statistics"]) {
    if (args.has(name) && fixing?.to !== "diff" && !destinations.some(({ format }) => format.forPeople)) {
      throw new Misuse(`--${name} has no place in the format ${destinations[0]!.format.name}.`);
    }
  }
  const layers = !args.has("no-layers") && destinations.some(({ format }) => format.layers);
  const fixes = !args.has("no-fixes") && destinations.some(({ format }) => format.fixes);
  const wants = { layers, table: args.has("table"), fixes };
  return { ...readAssumptions(args), wants, ...(fixing ? { fix: fixing.unsafe ? "unsafe" : "safe" } : {}) };
}

/** @throws Misuse */
function readCache(args: Arguments): Run["cache"] {
  const folder = args.last("cache-dir");
  if (args.has("no-cache")) {
    if (folder !== undefined) throw new Misuse("--no-cache and --cache-dir exclude each other.");
    return null;
  }
  return { folder: folder ?? null };
}

async function runLines(args: Arguments, cwd: string): Promise<number> {
  if (args.paths.length > 0) throw new Misuse("--stdin-jsonl reads standard input and takes no paths.");
  const wants = { layers: !args.has("no-layers"), table: false, fixes: false };
  const configs = findConfigs(args, cwd);
  await checkLines(process.stdin, {
    setup: { ...readAssumptions(args), wants, cache: null },
    configs,
    jobs: args.count("jobs", 1) ?? 1,
    filename: args.last("stdin-filename") ?? "stdin.json",
    cwd,
  });
  for (const problem of configs.problems) note(problemLine(problem, cwd));
  return configs.problems.length > 0 ? 2 : 0;
}

function showConfig(configs: Configs, file: string, cwd: string): number {
  process.stdout.write(configText(configs, file, cwd));
  for (const problem of configs.problems) note(problemLine(problem, cwd));
  return configs.problems.length > 0 ? 2 : 0;
}

/** Prints the files that hold a model. */
async function showFiles({ tasks, problems }: FoundTasks, setup: Run["setup"]): Promise<number> {
  problems.forEach(note);
  const checker = new Checker({ ...setup, cache: null });
  for (const task of tasks) {
    if (checker.check(task).kind === "checked") await toStdout(`${harmless(task.path)}\n`);
  }
  return problems.length > 0 ? 2 : 0;
}

/** @throws Misuse */
function readBaseline(args: Arguments, cwd: string): Baseline | null {
  const name = args.last("baseline");
  const updates = args.has("update-baseline");
  if (name === undefined && updates) throw new Misuse("--update-baseline needs --baseline <file>.");
  return name === undefined ? null : Baseline.open(name, cwd, updates);
}

function exitCode({ severities }: Tally, maxWarnings = Number.POSITIVE_INFINITY): number {
  return severities.error > 0 || severities.warning > maxWarnings ? 1 : 0;
}
