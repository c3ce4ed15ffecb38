/**
 * `convlint diff`: what a change does to the sizes of models, layer by layer, for who reviews it.
 */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Configs } from "../config/resolve.ts";
import { type Arguments, type Command, Misuse } from "./arguments.ts";
import { ASSUMPTION_OPTIONS, readAssumptions } from "./assumptions.ts";
import { changesText, type FileChange, readChangeFormat } from "./changes.ts";
import { Checker } from "./checker.ts";
import { compareModels, type ModelSizes, sizesOf } from "./compare.ts";
import { CONFIG_OPTIONS, findConfigs } from "./config.ts";
import { changedFiles, isRevision, textAt } from "./git.ts";
import { toStdout } from "./outputs.ts";
import { shownPath, slashed } from "./paths.ts";
import { mayBeModel } from "./search.ts";
import { painter } from "./style.ts";

const HELP = `Usage: convlint diff [options] <revision|file> [<revision|file>] [paths…]

Shows what changed in the sizes of models: output, parameters, MACs, activation memory and receptive field of every layer
that came, went or changed, and of the whole. Revisions are git's; without a second one the working tree is compared.

  --format text|markdown|json    markdown is for the comment on a pull request
  --exit-code                    exit with 1 if anything changed
  --input 3x224x224, --scale n, --config file, --no-config    as in convlint check
  -h, --help                     this text

Examples:
  convlint diff old.cnn.yaml new.cnn.yaml       two files
  convlint diff HEAD net.cnn.yaml               a file as committed, and as it is now
  convlint diff main HEAD models/               every model in a folder, between two revisions
  convlint diff HEAD~1:net.cnn.yaml other.yaml  a file of a revision, and another file
  convlint diff --format markdown origin/main   all that this branch changes
`;

export const diffCommand: Command = {
  summary: "what a change does to sizes, layer by layer, between files or git revisions",
  help: HELP,
  options: {
    ...CONFIG_OPTIONS,
    ...ASSUMPTION_OPTIONS,
    format: { type: "string" },
    "exit-code": { type: "boolean" },
  },
  run,
};

async function run(args: Arguments): Promise<number> {
  const cwd = process.cwd();
  if (args.paths.length === 0) {
    process.stderr.write(`convlint: nothing to compare.\n\n${HELP}`);
    return 2;
  }
  const format = readChangeFormat(args.last("format"));
  const read = sizeReader(args, findConfigs(args, cwd), cwd);
  const changes = readSides(args.paths, cwd).flatMap(({ before, after }): FileChange[] => {
    const [old, now] = [before && read(before), after && read(after)];
    const change = old || now ? compareModels(old, now) : null;
    const path = (after ?? before)!.path;
    return change ? [{ path, from: before && before.path !== path ? before.path : null, change }] : [];
  });
  await toStdout(changesText(changes, format, painter(process.stdout, process.env)));
  return args.has("exit-code") && changes.length > 0 ? 1 : 0;
}

/** A file of one side: its shown path and its text. */
interface Version {
  readonly path: string;
  readonly text: () => string;
}

interface Sides {
  readonly before: Version | null;
  readonly after: Version | null;
}

/** @throws Misuse */
function readSides([first, second, ...rest]: readonly string[], cwd: string): readonly Sides[] {
  const before = single(first!, cwd);
  const after = second === undefined ? null : single(second, cwd);
  if (before && after) {
    if (rest.length > 0) throw new Misuse("two files are compared, and no more. See convlint diff --help.");
    return [{ before, after }];
  }
  if (before) {
    throw new Misuse(
      second === undefined
        ? `what is ${first} to be compared with? See convlint diff --help.`
        : noSuchThing(second, cwd),
    );
  }
  if (!isRevision(first!, cwd)) throw new Misuse(noSuchThing(first!, cwd));
  const isPlace = second !== undefined && statSync(resolve(cwd, second), { throwIfNoEntry: false }) !== undefined;
  const revision = second === undefined || isPlace ? null : second;
  if (revision !== null && !isRevision(revision, cwd)) throw new Misuse(noSuchThing(revision, cwd));
  const paths = isPlace ? [second, ...rest] : rest;
  return changedFiles(first!, revision, paths, cwd)
    .filter(({ before: old, after: now }) => mayBeModel((now ?? old)!))
    .map(({ before: old, after: now }) => ({
      before: old === null ? null : { path: old, text: () => textAt(first!, old, cwd) },
      after:
        now === null
          ? null
          : revision === null
            ? onDisk(now, cwd)
            : { path: now, text: () => textAt(revision, now, cwd) },
    }));
}

/** A file on disk, or `revision:path`; null for anything else. */
function single(word: string, cwd: string): Version | null {
  if (statSync(resolve(cwd, word), { throwIfNoEntry: false })?.isFile()) return onDisk(word, cwd);
  const colon = word.indexOf(":");
  if (colon <= 0 || !isRevision(word.slice(0, colon), cwd)) return null;
  const path = word.slice(colon + 1);
  return { path, text: () => textAt(word.slice(0, colon), path, cwd) };
}

function onDisk(path: string, cwd: string): Version {
  const file = resolve(cwd, path);
  return { path: shownPath(file, cwd), text: () => readFileSync(file, "utf8") };
}

function noSuchThing(word: string, cwd: string): string {
  const isRepository = isRevision("HEAD", cwd);
  return `${word} is no file${isRepository ? " and no revision of this repository" : ", and there is no repository here"}.`;
}

/** The sizes of a version; null where it is no model. */
function sizeReader(args: Arguments, configs: Configs, cwd: string): (version: Version) => ModelSizes | null {
  const checker = new Checker({
    ...readAssumptions(args),
    wants: { layers: true, table: false, fixes: false },
    cache: null,
  });
  return ({ path, text }) => {
    const { config } = configs.of(slashed(resolve(cwd, path)));
    const outcome = checker.check({ path, file: null, text: text(), config });
    return outcome.kind === "checked" ? sizesOf(outcome.checked.report) : null;
  };
}
