/** What a project says about how its models are checked, decoded: of one file, after its overrides. */
import type { RuleLevel } from "#shared/settings.ts";

export interface Config {
  /** Channels and sizes of the input where the file's own comments do not say, e.g. [3, 320, 320]. */
  readonly input: readonly number[] | null;
  /** A model scale such as YOLO's "n". */
  readonly scale: string | null;
  /** Severities by rule code, where they differ from the rule's own. */
  readonly rules: Readonly<Record<string, RuleLevel>>;
}

/** Of a file that no configuration speaks of. */
export const NO_CONFIG: Config = { input: null, scale: null, rules: {} };
