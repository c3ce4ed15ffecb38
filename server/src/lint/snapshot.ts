/**
 * `convlint snapshot`: the sizes of all models in one file to commit, and a check that they are still what it says.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Arguments, type Command, Misuse } from "./arguments.ts";
import { ASSUMPTION_OPTIONS, readAssumptions } from "./assumptions.ts";
import { changesText, type FileChange, readChangeFormat } from "./changes.ts";
import { Checker } from "./checker.ts";
import { compareModels, type ModelSizes, sizesOf } from "./compare.ts";
import { CONFIG_OPTIONS, findConfigs } from "./config.ts";
import { toStdout } from "./outputs.ts";
import { note } from "./run.ts";
import { painter } from "./style.ts";
import { findTasks, TASK_OPTIONS } from "./tasks.ts";

const HELP = `Usage: convlint snapshot [options] [paths…]

Writes the sizes of every layer of every model to a file that is committed with them; with --check it writes nothing, shows
what differs and exits with 1 if anything does. Without paths: everything below this folder.

  --check                        compare with the file instead of writing it
  --file name                    default: convlint.lock.json
  --format text|markdown|json    how --check shows what differs
  --input 3x224x224, --scale n, --config file, --no-config, --force-exclude    as in convlint check
  -h, --help                     this text

Examples:
  convlint snapshot                  write the file
  convlint snapshot --check          in CI: did a size change that nobody meant to change?
`;

const DEFAULT_FILE = "convlint.lock.json";

type Snapshot = ReadonlyMap<string, ModelSizes>;

export const snapshotCommand: Command = {
  summary: "a file of all sizes to commit, and --check that they still hold",
  help: HELP,
  options: {
    ...CONFIG_OPTIONS,
    ...ASSUMPTION_OPTIONS,
    ...TASK_OPTIONS,
    check: { type: "boolean" },
    file: { type: "string" },
    format: { type: "string" },
  },
  run,
};

async function run(args: Arguments): Promise<number> {
  const cwd = process.cwd();
  const name = args.last("file") ?? DEFAULT_FILE;
  const file = resolve(cwd, name);
  const format = readChangeFormat(args.last("format"));
  if (args.has("format") && !args.has("check"))
    throw new Misuse("--format goes with --check. See convlint snapshot --help.");
  const kept = args.has("check") ? readSnapshot(file, name) : null;
  const { snapshot, problems } = await takeSnapshot(args, cwd);
  problems.forEach(note);
  if (problems.length > 0) return 2;
  if (!kept) {
    writeFileSync(file, snapshotText(snapshot));
    note(`${name} holds the sizes of ${snapshot.size} model${snapshot.size === 1 ? "" : "s"}`);
    return 0;
  }
  const changes = [...new Set([...kept.keys(), ...snapshot.keys()])].sort().flatMap((path): FileChange[] => {
    const change = compareModels(kept.get(path) ?? null, snapshot.get(path) ?? null);
    return change ? [{ path, from: null, change }] : [];
  });
  await toStdout(changesText(changes, format, painter(process.stdout, process.env)));
  if (changes.length > 0) note(`${name} says otherwise. If the change is meant: convlint snapshot`);
  return changes.length > 0 ? 1 : 0;
}

async function takeSnapshot(args: Arguments, cwd: string) {
  const paths = args.paths.length > 0 ? args : args.withPaths(["."]);
  const { tasks, problems } = await findTasks(paths, findConfigs(args, cwd), cwd);
  const checker = new Checker({
    ...readAssumptions(args),
    wants: { layers: true, table: false, fixes: false },
    cache: null,
  });
  const snapshot = new Map<string, ModelSizes>();
  for (const task of tasks) {
    const outcome = checker.check(task);
    if (outcome.kind === "checked") snapshot.set(task.path, sizesOf(outcome.checked.report));
  }
  return { snapshot, problems };
}

/** A line per layer, so that a change of one layer is a change of one line. */
function snapshotText(snapshot: Snapshot): string {
  const models = [...snapshot].map(([path, { layers, totals }]) => {
    const lines = layers.map((layer) => `      ${JSON.stringify(layer)}`).join(",\n");
    const list = lines === "" ? "[]" : `[\n${lines}\n    ]`;
    return `    ${JSON.stringify(path)}: {\n    "totals": ${JSON.stringify(totals)},\n    "layers": ${list}\n    }`;
  });
  return `{\n  "version": 1,\n  "models": {${models.length > 0 ? `\n${models.join(",\n")}\n  ` : ""}}\n}\n`;
}

/** @throws Misuse */
function readSnapshot(file: string, name: string): Snapshot {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Misuse(`${name} cannot be read (${(error as Error).message}). convlint snapshot writes it.`);
  }
  const { version, models } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (version !== 1 || typeof models !== "object" || models === null) {
    throw new Misuse(`${name} is no snapshot of ConvLint. convlint snapshot writes it anew.`);
  }
  return new Map(Object.entries(models));
}
