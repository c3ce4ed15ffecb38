/** What the command line says models are to be checked with. */
import { parseInput } from "#shared/settings.ts";
import { type Arguments, Misuse, type OptionSpec } from "./arguments.ts";
import type { Setup } from "./checker.ts";

export const ASSUMPTION_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  input: { type: "string" },
  scale: { type: "string" },
};

/** @throws Misuse */
export function readAssumptions(args: Arguments): Pick<Setup, "input" | "scale"> {
  const word = args.last("input");
  const input = word === undefined ? null : parseInput(word.toLowerCase());
  if (input === undefined) throw new Misuse(`--input must be sizes such as 3x320x320, not ${word}.`);
  return { input, scale: args.last("scale") ?? null };
}
