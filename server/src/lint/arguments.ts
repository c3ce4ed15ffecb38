/**
 * What the user typed after a command, read strictly: an unknown option or a missing value is misuse, told with the
 * closest thing that exists.
 */
import { parseArgs } from "node:util";
import { didYouMean } from "../rules/nearest.ts";

/** What the user asked for makes no sense; the message says what does. It ends the run with exit code 2. */
export class Misuse extends Error {}

export interface OptionSpec {
  readonly type: "string" | "boolean";
  readonly short?: string;
}

/** A command of the command line. */
export interface Command {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly help: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** @returns the exit code. @throws Misuse */
  run(args: Arguments): number | Promise<number>;
}

/** The options and paths that a command was given. */
export class Arguments {
  constructor(
    private readonly values: ReadonlyMap<string, readonly string[]>,
    readonly paths: readonly string[],
  ) {}

  has(name: string): boolean {
    return this.values.has(name);
  }

  /** Every value of an option, in the order given. */
  all(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }

  /** The last value of an option. */
  last(name: string): string | undefined {
    return this.all(name).at(-1);
  }

  /** The same options with other paths. */
  withPaths(paths: readonly string[]): Arguments {
    return new Arguments(this.values, paths);
  }

  /** The last value as a whole number from `least` up, or undefined. @throws Misuse */
  count(name: string, least = 0): number | undefined {
    const word = this.last(name);
    if (word === undefined) return undefined;
    const value = /^\d{1,9}$/.test(word) ? Number(word) : Number.NaN;
    if (!(value >= least)) throw new Misuse(`--${name} must be a whole number from ${least} up, not ${word}.`);
    return value;
  }
}

/** @param command as the user types it, for the messages. @throws Misuse on what the command does not know. */
export function readArguments(
  command: string,
  args: readonly string[],
  specs: Readonly<Record<string, OptionSpec>>,
): Arguments {
  const options: Record<string, OptionSpec> = { ...specs, help: { type: "boolean", short: "h" } };
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const values = new Map<string, string[]>();
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
    values.set(token.name, [...(values.get(token.name) ?? []), token.value ?? ""]);
  }
  return new Arguments(values, paths);
}
